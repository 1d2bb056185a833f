//! Plans: what a commit would change, what that needs, what it costs, and who would be told.

use serde_json::{Value, json};

use super::standing::steady;
use super::{Agent, deployments, done, machine, order, pass, revision, status_when};
use crate::support::Repo;

const PROFILE: &str = "profile: edge\ndeployment_mode: edge\nservices: [bus, planner]\n\
                       plugins: {hot_reload: true}\n";

/// A tree of the kos preset: a profile with two services, and one that it does not use.
fn kos() -> (Repo, Agent) {
    let repo = Repo::new();
    repo.commit(&[
        ("profiles/edge.yaml", PROFILE),
        ("agents/bus.yaml", "name: bus\nhot_reload: false\n"),
        ("agents/planner.yaml", "name: planner\n"),
        ("agents/spare.yaml", "name: spare\n"),
    ]);
    let agent = machine(&repo, "", "");
    let file = agent.settings_file();
    let secret = file.with_file_name("secret");
    std::fs::write(&secret, "it is long enough for one\n").expect("a secret");
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .expect("its mode");
    let mut text = std::fs::read_to_string(&file).expect("settings");
    text.push_str(
        "profile: edge\nvalidation:\n  preset: kos\n\
         reload:\n  - {name: readers, run: [\"true\"], paths: [\"*.txt\"]}\n\
         nodes:\n  - {name: all, url: \"http://127.0.0.1:9/\", secret_file: ./secret}\n  \
           - {name: rare, url: \"http://127.0.0.1:9/\", secret_file: ./secret, paths: [\"klp/**\"]}\n",
    );
    agent.settings(&text);
    (repo, agent)
}

fn needs(plan: &Value) -> Vec<(String, Value)> {
    let units = plan["impact"]["units"].as_array().cloned().unwrap_or_default();
    units
        .iter()
        .map(|unit| (unit["unit"].as_str().unwrap_or_default().to_owned(), unit["needs"].clone()))
        .collect()
}

#[test]
fn a_plan_says_what_is_touched_what_that_needs_and_who_is_told() {
    let (repo, agent) = kos();
    // Nobody is there to be told.
    assert_eq!(order(&agent, &["sync", "--once", "--deliver-timeout", "0s"]).0, 18);
    repo.commit(&[
        ("agents/bus.yaml", "name: bus\nhot_reload: false\ntimeout: 10s\n"),
        ("agents/planner.yaml", "name: planner\ntimeout: 10s\n"),
        ("agents/spare.yaml", "name: spare\ntimeout: 10s\n"),
        ("notes.txt", "n\n"),
    ]);
    let told = agent.json(&["plan"]);
    let plan = &told["plan"];
    assert_eq!(
        needs(plan),
        [
            ("agents/bus".to_owned(), json!("restart")),
            ("agents/planner".to_owned(), json!("reload")),
            ("agents/spare".to_owned(), json!("nothing")),
            ("notes.txt".to_owned(), json!("reload")),
        ],
        "{plan:#}"
    );
    assert_eq!(plan["impact"]["reloads"], json!(["readers"]));
    assert_eq!(plan["impact"]["nodes"], json!(["all"]));
    assert_eq!(plan["cost"]["files"], 4, "{plan:#}");
    assert!(plan["cost"]["fsyncs"].as_u64() > Some(4), "{plan:#}");
    assert!(plan["cost"]["bytes"].as_u64() > Some(0), "{plan:#}");
    assert!(plan["cost"]["expected_ms"].is_u64(), "by what the first one took: {plan:#}");
    let said = agent.run(&["plan"]).stdout;
    for line in
        ["  agents/bus      restart  service of the profile edge", "reloads: readers", "tells: all"]
    {
        assert!(said.contains(line), "{line:?} in {said}");
    }
}

#[test]
fn a_branch_or_a_tag_is_planned_without_being_followed() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let agent = machine(&repo, "", "");
    assert_eq!(pass(&agent), done());
    repo.branch("new/limits", &first);
    let change = repo.change().on("new/limits").write("a.yaml", "a: 2\n");
    let there = change.commit("more");
    repo.annotated_tag("v2", &there);
    for name in ["new/limits", "origin/new/limits", "v2", "refs/tags/v2", &there] {
        let told = agent.json(&["plan", name]);
        assert_eq!(told["outcome"], "planned", "{name}: {told:#}");
        assert_eq!(told["revision"], there.as_str(), "{name}");
        assert_eq!(told["plan"]["files"][0]["path"], "a.yaml", "{name}");
    }
    // Another line of history is only looked at: nothing is rewritten.
    let other = repo.change().on("other").orphan().write("b.yaml", "b: 1\n").commit("other");
    assert_eq!(agent.json(&["plan", "other"])["revision"], other.as_str());
    assert_eq!(revision(&agent), first);
    assert_eq!(deployments(&agent), 1);
    let status = agent.json(&["status"]);
    assert_eq!(status["desired"]["revision"], first.as_str(), "{status:#}");
    assert_eq!(status["state"], "in_sync", "{status:#}");
}

#[test]
fn a_running_agent_plans_a_branch_too_and_goes_on() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let agent = machine(&repo, "", "");
    let sync = agent.start_sync();
    agent.wait_until_live(&first);
    repo.branch("next", &first);
    let there = repo.change().on("next").write("a.yaml", "a: 2\n").commit("more");
    let told = agent.json(&["plan", "next"]);
    assert_eq!(told["revision"], there.as_str(), "{told:#}");
    let second = repo.commit(&[("a.yaml", "a: 3\n")]);
    agent.wait_until_live(&second);
    assert_eq!(sync.stop().code, 0);
}

/// What the status says, moments aside, and how many events are on their way.
fn standing(agent: &Agent) -> (Value, usize) {
    let mut status = agent.json(&["status"]);
    steady(&mut status);
    // What nodes are told, and how that goes, is no plan's: their events are tried meanwhile.
    if let Some(parties) = status["parties"].as_array_mut() {
        parties.retain(|party| party["kind"] != "node");
    }
    (status, agent.json(&["deliveries"])["items"].as_array().map_or(0, Vec::len))
}

#[test]
fn whatever_a_plan_comes_to_the_status_is_as_before_and_nobody_is_told() {
    let (repo, agent) = kos();
    let text = std::fs::read_to_string(agent.settings_file()).expect("settings");
    agent.settings(&text.replacen("gitops:\n", "gitops:\n  auto_sync: false\n", 1));
    order(&agent, &["apply", "--deliver-timeout", "0s"]);
    let first = revision(&agent);
    assert_eq!(deployments(&agent), 1);
    for branch in ["bad", "more", "same"] {
        repo.branch(branch, &first);
    }
    repo.change().on("bad").write("agents/bus.yaml", "name: [\n").commit("bad");
    repo.change().on("more").write("notes.txt", "n\n").commit("more");
    repo.change().on("same").commit("same");
    let unknown = "1".repeat(40);
    let plans = [
        ("bad", 13, "validation_refused"),
        ("more", 0, "awaiting_approval"),
        ("same", 0, ""),
        (&unknown, 11, "reference_not_found"),
    ];
    let hold = |said: &str| {
        let before = standing(&agent);
        for (name, code, reason) in plans {
            let told = order(&agent, &["plan", name]);
            assert_eq!(told, (code, reason.to_owned()), "{name}, {said}");
            assert_eq!(standing(&agent), before, "{name}, {said}");
        }
    };
    hold("without an agent");
    let sync = agent.start_sync();
    // Before it has asked, the status is that of the last run.
    status_when(&agent, "it has asked", |status| status["message"] == "the head is live");
    hold("with an agent");
    assert_eq!(sync.stop().code, 0);
    // A head that nobody has seen yet is for the next pass to tell.
    let before = standing(&agent);
    repo.commit(&[("notes.txt", "n\n")]);
    assert_eq!(order(&agent, &["plan"]).1, "awaiting_approval");
    assert_eq!(standing(&agent), before);
}

#[test]
fn a_branch_that_is_called_like_a_revision_begins_is_what_is_planned_and_that_is_said() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let agent = machine(&repo, "", "");
    assert_eq!(pass(&agent), done());
    let (branch, digits) = (&first[..6], &first[..8]);
    repo.branch(branch, &first);
    let there = repo.change().on(branch).write("a.yaml", "a: 2\n").commit("more");
    let told = agent.json(&["plan", branch]);
    assert_eq!(told["revision"], there.as_str(), "{told:#}");
    let said = told["message"].as_str().unwrap_or_default();
    assert!(said.contains("is taken for the branch") && said.contains(&first[..12]), "{said}");
    // What is no branch is the beginning of what is known.
    let told = agent.json(&["plan", digits]);
    assert_eq!((&told["revision"], &told["outcome"]), (&json!(first), &json!("in_sync")));
}

#[test]
fn a_name_that_the_source_does_not_have_is_told_with_the_nearest() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let agent = machine(&repo, "", "");
    assert_eq!(pass(&agent), done());
    repo.branch("new-limits", &first);
    let ran = agent.run(&["plan", "origin/new-limit"]);
    assert_eq!(ran.code, 11, "{ran:#?}");
    let said = ran.stdout + &ran.stderr;
    assert!(said.contains("branch or tag `new-limit`"), "{said}");
    assert!(said.contains("did you mean `new-limits`?"), "{said}");
    let ran = agent.run(&["plan", "../../etc"]);
    assert_eq!(ran.code, 11, "{ran:#?}");
    // A name moves on: only a commit is applied.
    let ran = agent.run(&["apply", "new-limits"]);
    assert_eq!(ran.code, 11, "{ran:#?}");
    assert!(ran.stderr.contains("full commit id"), "{ran:#?}");
}
