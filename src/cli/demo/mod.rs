//! `kconfigd demo`: the whole story on this machine, with nothing but this program.
//!
//! A repository, an agent and two nodes in a folder of their own: what is shown is the real program,
//! started as a user would start it, and each step is held to what was told. May touch that folder
//! and loopback only; ends what it started on every way out.

mod check;
mod commits;
mod gates;
mod node;
mod stage;
mod tell;

use std::pin::pin;
use std::time::Duration;

use serde_json::Value;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::args::DemoArgs;
use super::exit::{Exit, Failure};
use super::render::{Output, short};
use check::{DemoError, expect};
use node::{Node, Scheme};
use stage::{SCHEDULER, Stage, TRANSLATOR};
use tell::Teller;

/// Two nodes, told in two ways.
type Nodes = [Node; 2];

pub(super) async fn run(args: DemoArgs, output: &Output) -> Result<Exit, Failure> {
    let mut stop = Stop::listen()?;
    let mut stage = Stage::set_up(args.keep, output.color_flag())?;
    let (first, serving_first) = Node::bind("edge-1", Scheme::Hmac, stage.folder()).await?;
    let (second, serving_second) = Node::bind("edge-2", Scheme::Ed25519, stage.folder()).await?;
    let nodes = [first, second];
    let mut serving = pin!(async {
        tokio::select! { error = serving_first => error, error = serving_second => error }
    });
    let teller = Teller::new(output);
    let mut ended = tokio::select! {
        told = show(&mut stage, &nodes, &teller) => told,
        error = &mut serving => Err(error),
        () = stop.told() => Err(DemoError::Interrupted),
    };
    if ended.is_ok() && args.keep {
        teller.invitation(&stage)?;
        ended = tokio::select! {
            over = play(&mut stage, &nodes, &teller) => over,
            error = &mut serving => Err(error),
            () = stop.told() => Ok(()),
        };
    }
    if ended.is_err() {
        // The reader sees where it stopped; the log says why.
        drop(teller.failed(&stage.log_end()));
    }
    let put_away = stage.end().await;
    ended?;
    put_away?;
    if !args.keep {
        teller.closing()?;
    }
    Ok(Exit::Done)
}

/// Ctrl-C, and what else ends a program: listened to from the start, so that none finds something
/// half made.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Stop {
    fn listen() -> Result<Self, DemoError> {
        let listen =
            |kind| signal(kind).map_err(|source| DemoError::io("listen for", "signals", source));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    async fn told(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

/// The story.
async fn show(stage: &mut Stage, nodes: &Nodes, t: &Teller<'_>) -> Result<(), DemoError> {
    stage.write_settings(nodes)?;
    t.opening(stage, nodes)?;
    first_sync(stage, nodes, t).await?;
    change(stage, nodes, t).await?;
    broken_commit(stage, nodes, t).await?;
    gates::policy(stage, nodes, t).await?;
    drift(stage, nodes, t).await?;
    rollback(stage, nodes, t).await?;
    gates::health(stage, nodes, t).await?;
    history(stage, t).await
}

async fn first_sync(stage: &mut Stage, nodes: &Nodes, t: &Teller<'_>) -> Result<(), DemoError> {
    t.step("First sync", "The agent starts and follows the branch main. Nothing is live yet.")?;
    let head = stage.head()?;
    t.command("kconfigd serve &")?;
    stage.start_agent()?;
    let dashboard = stage.dashboard().await?;
    t.link("the dashboard, signed in:", &dashboard)?;
    arrived(stage, nodes, t, "config.applied", &head).await?;
    t.verb(stage, &["status"], 0).await?;
    let status = stage.json(&["status"]).await?;
    expect("the agent is in sync", status["state"] == "in_sync", &status)?;
    expect("the head is live", status["live"]["revision"] == *head, &status)?;
    let (live, wanted) = (stage.live_tree()?, stage.files_of(&head)?);
    expect("the live tree is the commit, byte for byte", live.files == wanted, &Value::Null)?;
    let count = live.files.len();
    t.good(&format!("{} shows the {count} files of {}", stage.shown_live(), short(&head)))
}

async fn change(stage: &mut Stage, nodes: &Nodes, t: &Teller<'_>) -> Result<(), DemoError> {
    t.step(
        "A change, planned before it is merged",
        "Somebody proposes on a branch: the scheduler every 10 s. What would that do here?",
    )?;
    let text = stage.read_live(SCHEDULER)?;
    let text = text.replace("interval: 30s", "interval: 10s").replace(": 1000", ": 2000");
    let proposed = stage.propose(SCHEDULER, &text, "scheduler: every 10 s")?;
    t.verb(stage, &["plan", &proposed], 0).await?;
    let plan = stage.json(&["plan", &proposed]).await?;
    let files = &plan["plan"]["files"];
    expect("one file changes", files[0]["path"] == SCHEDULER && files[1].is_null(), &plan)?;
    let key = &files[0]["detail"]["keys"][0];
    let is_told = key["key"] == "interval" && key["old"] == "30s" && key["new"] == "10s";
    expect("the plan tells the key, old and new", is_told, &plan)?;
    let before = stage.live_tree()?;
    expect("a plan changes nothing", before.files[SCHEDULER] != text.as_bytes(), &Value::Null)?;

    t.words("It is merged. The agent sees it at its next look, and tells the nodes, signed:")?;
    stage.merge(&proposed)?;
    arrived(stage, nodes, t, "config.applied", &proposed).await?;
    expect("the change is live", stage.read_live(SCHEDULER)? == text, &Value::Null)?;
    t.good(&format!("{} says interval: 10s", stage.shown(SCHEDULER)))
}

async fn broken_commit(stage: &mut Stage, nodes: &Nodes, t: &Teller<'_>) -> Result<(), DemoError> {
    t.step("A broken commit", "A merge goes wrong: a line begins in the wrong column.")?;
    let before = stage.live_tree()?;
    let text = stage.read_live(TRANSLATOR)?;
    let broken = text.replace("interval: 5s", " interval: 5s");
    let revision = stage.propose(TRANSLATOR, &broken, "translator: tidied up")?;
    stage.merge(&revision)?;
    arrived(stage, nodes, t, "config.refused", &revision).await?;
    let status = stage.json(&["status"]).await?;
    let number = status["attempted"]["deployment"].to_string();
    t.verb(stage, &["show", &number], 0).await?;
    let finding = &status["attempted"]["findings"][0];
    let is_told = finding["file"] == TRANSLATOR
        && finding["line"].as_u64().is_some_and(|line| line > 1)
        && finding["column"].is_u64();
    expect("the finding has file, line and column", is_told, &status)?;
    let kept_out = &status["quarantine"][0];
    let is_told = kept_out["revision"] == *revision && kept_out["reason"] == "validation_refused";
    expect("the commit is in quarantine", is_told, &status)?;
    expect("the live tree is untouched", stage.live_tree()? == before, &status)?;
    t.good("the live tree is as it was, link and bytes")?;
    stage.revert(TRANSLATOR).await
}

async fn drift(stage: &mut Stage, nodes: &Nodes, t: &Teller<'_>) -> Result<(), DemoError> {
    t.step("Drift", "Somebody edits a live file by hand, past git.")?;
    let before = stage.live_tree()?;
    let status = stage.json(&["status"]).await?;
    let revision = status["live"]["revision"].as_str().unwrap_or_default();
    t.command(&format!("sed -i 's/interval: 10s/interval: 90s/' {}", stage.shown(SCHEDULER)))?;
    stage.edit_live(SCHEDULER, "interval: 10s", "interval: 90s")?;
    arrived(stage, nodes, t, "config.drift.repaired", revision).await?;
    t.verb(stage, &["drift"], 0).await?;
    let after = stage.live_tree()?;
    expect("every byte is as in git again", after.files == before.files, &Value::Null)?;
    expect("by a fresh tree, not by an edit", after.link != before.link, &Value::Null)?;
    let kept = stage.kept_aside(SCHEDULER)?;
    expect("the edit is kept aside", kept.contains("interval: 90s"), &Value::Null)?;
    t.good("repaired, by a fresh tree; what was edited is kept aside in the state folder")
}

async fn rollback(stage: &mut Stage, nodes: &Nodes, t: &Teller<'_>) -> Result<(), DemoError> {
    t.step(
        "A rollback that stays rolled back",
        "A commit brings a value that is valid and wrong.",
    )?;
    let good = stage.live_tree()?;
    let status = stage.json(&["status"]).await?;
    let number = status["live"]["deployment"].to_string();
    let previous = stage.json(&["show", &number]).await?;
    let previous = previous["revision"].as_str().unwrap_or_default();
    let bad = stage.read_live(TRANSLATOR)?.replace("interval: 5s", "interval: 5ms");
    let revision = stage.propose(TRANSLATOR, &bad, "translator: every 5 ms")?;
    stage.merge(&revision)?;
    arrived(stage, nodes, t, "config.applied", &revision).await?;
    expect("it is live", stage.read_live(TRANSLATOR)? == bad, &Value::Null)?;

    t.verb(stage, &["rollback", "--reason", "5 ms floods the bus"], 0).await?;
    arrived(stage, nodes, t, "config.rolled_back", previous).await?;
    expect("the earlier tree is live", stage.live_tree()?.files == good.files, &Value::Null)?;

    t.words("main still says 5 ms. Another look does not bring it back:")?;
    t.verb(stage, &["sync", "--once"], 17).await?;
    let status = stage.json(&["status"]).await?;
    let kept_out = status["quarantine"].as_array().is_some_and(|q| {
        q.iter().any(|q| q["revision"] == *revision && q["reason"] == "rolled_back")
    });
    expect("what was left is in quarantine", kept_out, &status)?;
    expect("the earlier revision stays", status["live"]["revision"] == *previous, &status)?;
    expect("and so do its files", stage.live_tree()?.files == good.files, &status)?;
    t.good("the bad commit stays away")?;

    t.words("The next commit with other content is taken as always:")?;
    let text = bad.replace("interval: 5ms", "interval: 2s");
    let fixed = stage.propose(TRANSLATOR, &text, "translator: every 2 s")?;
    stage.merge(&fixed)?;
    arrived(stage, nodes, t, "config.applied", &fixed).await?;
    expect("the fix is live", stage.read_live(TRANSLATOR)? == text, &Value::Null)
}

async fn history(stage: &mut Stage, t: &Teller<'_>) -> Result<(), DemoError> {
    t.step("The history", "It only grows: a way back is a deployment too.")?;
    t.verb(stage, &["history"], 0).await?;
    let history = stage.json(&["history"]).await?;
    let items = history["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let outcomes: Vec<&str> = items.iter().filter_map(|item| item["outcome"].as_str()).collect();
    let wanted = [
        "live",
        "rolled_back",
        "superseded",
        "superseded",
        "rolled_back",
        "refused",
        "refused",
        "superseded",
        "superseded",
    ];
    expect("every step is in it, newest first", outcomes == wanted, &history)?;
    let status = stage.json(&["status"]).await?;
    expect("no notification was given up", status["outbox"]["failed"] == 0, &status)?;
    t.good("every step was as told")
}

/// Both nodes get the event, and believe its signature.
async fn arrived(
    stage: &mut Stage,
    nodes: &Nodes,
    t: &Teller<'_>,
    kind: &str,
    revision: &str,
) -> Result<(), DemoError> {
    for node in nodes {
        let what = format!("{kind} of {} at {}", short(revision), node.name());
        let event = stage.wait_for(&what, node.wait_for(kind, revision)).await?;
        if let Err(why) = &event.verified {
            let what = format!("{what} is signed by the agent");
            return Err(DemoError::NotAsTold { what, seen: why.clone() });
        }
        t.event(node, &event)?;
    }
    Ok(())
}

/// Prints what the nodes get, as long as the agent lives.
async fn play(stage: &mut Stage, nodes: &Nodes, t: &Teller<'_>) -> Result<(), DemoError> {
    let [first, second] = nodes;
    let (mut of_first, mut of_second) = (first.count(), second.count());
    loop {
        tokio::select! {
            event = first.wait_for_number(of_first) => {
                of_first += 1;
                t.event(first, &event)?;
            }
            event = second.wait_for_number(of_second) => {
                of_second += 1;
                t.event(second, &event)?;
            }
            ended = stage.agent_ended("Ctrl-C") => return Err(ended),
        }
    }
}

/// How long a condition may take to come true.
const PATIENCE: Duration = Duration::from_secs(20);
