//! What keeps bad configuration away: a policy before it is live, health after.

use serde_json::Value;

use super::check::{DemoError, expect};
use super::stage::{SCHEDULER, Stage, TRANSLATOR};
use super::tell::Teller;
use super::{Nodes, arrived};

/// The rule of this machine's owner, as people write such rules for conftest.
pub(super) const POLICY: &str = "\
package main

deny contains message if {
  input.queue.length_max > 5000
  message := sprintf(\"a queue of %d: this machine has memory for 5000\", [input.queue.length_max])
}
";

/// What the agent asks after each change, while the story comes to that.
pub(super) const HEALTH: &str = "\
health:
  probes:
    - {name: translator, run: [sh, -c, \"! grep -q 'interval: 0s' agents/translatorAgent.yaml\"]}
  bake_time: 300ms          # a real one watches for minutes
  interval: 50ms
  failures: 2
";

/// Valid for everybody else, and against the rules of this machine.
pub(super) async fn policy(
    stage: &mut Stage,
    nodes: &Nodes,
    t: &Teller<'_>,
) -> Result<(), DemoError> {
    t.step(
        "A policy says no",
        "The owner of this machine wrote a rule in Rego, in ./policy: no queue above 5000.",
    )?;
    let before = stage.live_tree()?;
    let text = stage.read_live(SCHEDULER)?.replace(": 2000", ": 9000");
    let revision = stage.propose(SCHEDULER, &text, "scheduler: a longer queue")?;
    stage.merge(&revision)?;
    arrived(stage, nodes, t, "config.refused", &revision).await?;
    let status = stage.json(&["status"]).await?;
    let number = status["attempted"]["deployment"].to_string();
    t.verb(stage, &["show", &number], 0).await?;
    let finding = &status["attempted"]["findings"][0];
    let is_told = finding["file"] == SCHEDULER
        && finding["message"].as_str().is_some_and(|message| message.contains("memory for 5000"));
    expect("the finding is the policy's", is_told, &status)?;
    expect("the live tree is untouched", stage.live_tree()? == before, &status)?;
    t.good("what is valid and not allowed here stays out too")?;
    stage.revert(SCHEDULER).await
}

/// Passes every gate, and what runs on it does not come up.
pub(super) async fn health(
    stage: &mut Stage,
    nodes: &Nodes,
    t: &Teller<'_>,
) -> Result<(), DemoError> {
    t.step(
        "Health fails, and it goes back by itself",
        "The settings get a probe, asked after each change until it has held for a while.",
    )?;
    t.command("vi kconfigd.yaml; kill -HUP $(pidof kconfigd)")?;
    stage.add_settings(HEALTH).await?;
    let good = stage.live_tree()?;
    let status = stage.json(&["status"]).await?;
    let previous = status["live"]["revision"].as_str().unwrap_or_default().to_owned();
    let text = stage.read_live(TRANSLATOR)?.replace("interval: 2s", "interval: 0s");
    let revision = stage.propose(TRANSLATOR, &text, "translator: without a pause")?;
    stage.merge(&revision)?;
    arrived(stage, nodes, t, "config.applied", &revision).await?;
    arrived(stage, nodes, t, "config.rolled_back", &previous).await?;
    t.verb(stage, &["status"], 0).await?;
    let status = stage.json(&["status"]).await?;
    expect("the tree before is live", stage.live_tree()?.files == good.files, &status)?;
    let kept_out = status["quarantine"]
        .as_array()
        .is_some_and(|kept| kept.iter().any(|one| one["revision"] == *revision));
    expect("what failed is in quarantine", kept_out, &status)?;
    expect("nobody had to be woken", status["live"]["revision"] == *previous, &Value::Null)?;
    t.good("nobody had to be woken; the commit is not tried again")
}
