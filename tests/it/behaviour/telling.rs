//! Who is told what: events of orders made by hand, and what `status` ends with.

use super::{done, held, machine, order, pass};
use crate::support::{Agent, Key, Receiver, Repo};

/// The same machine with a node that gets these events.
fn told(agent: &Agent, node: &Receiver, events: &str) {
    let settings = std::fs::read_to_string(agent.settings_file()).expect("the settings");
    agent.settings(&format!(
        "{settings}nodes:\n  - {{name: edge, url: \"{}\", secret_file: \"{}\", events: [{events}]}}\n",
        node.url(),
        node.secret_file(agent.folder()).display(),
    ));
}

fn kinds(node: &Receiver) -> Vec<String> {
    node.events().iter().map(|event| event.kind().to_owned()).collect()
}

#[test]
fn apply_and_rollback_deliver_their_events_without_an_agent() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 1\n")]);
    let node = Receiver::start(Key::hmac());
    let agent = machine(&repo, "auto_sync: false\n", "");
    told(&agent, &node, "config.applied, config.rolled_back");
    assert_eq!(order(&agent, &["apply"]), done());
    assert_eq!(kinds(&node), ["config.applied"]);
    repo.commit(&[("a.yaml", "a: 2\n")]);
    assert_eq!(order(&agent, &["apply"]), done());
    assert_eq!(order(&agent, &["rollback"]), done());
    assert_eq!(kinds(&node), ["config.applied", "config.applied", "config.rolled_back"]);
    let back = &node.events()[2].event["data"];
    assert_eq!(back["origin"], "rollback", "{back:#}");
    assert_eq!(back["deployment"], 3, "{back:#}");
    assert_eq!(back["changes"]["modified"], serde_json::json!(["a.yaml"]), "{back:#}");
}

#[test]
fn what_is_held_or_refused_is_told_once_however_often_it_is_looked_at() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 1\n")]);
    let node = Receiver::start(Key::hmac());
    let agent = machine(&repo, "auto_sync: false\n", "");
    told(&agent, &node, "config.held, config.refused");
    for _ in 0..3 {
        assert_eq!(pass(&agent), held("awaiting_approval"));
    }
    assert_eq!(kinds(&node), ["config.held"]);
    repo.commit(&[("a.yaml", "a: [\n")]);
    assert_eq!(pass(&agent).0, 13);
    for _ in 0..2 {
        assert_eq!(pass(&agent).0, 17);
    }
    assert_eq!(kinds(&node), ["config.held", "config.refused"]);
}

#[test]
fn status_ends_with_what_it_tells() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 1\n")]);
    let agent = machine(&repo, "", "");
    let status = || agent.run(&["status", "--exit-code"]).code;
    assert_eq!(pass(&agent), done());
    assert_eq!(status(), 0);
    assert_eq!(agent.run(&["suspend"]).code, 0);
    repo.commit(&[("a.yaml", "a: 2\n")]);
    assert_eq!(pass(&agent), held("suspended"));
    assert_eq!(status(), 17);
    assert_eq!(agent.run(&["resume"]).code, 0);
    assert_eq!(pass(&agent), done());
    assert_eq!(status(), 0);
    let empty = repo.change().remove("a.yaml").commit("nothing");
    assert_eq!(pass(&agent), held("suspicious_deletion"));
    assert_eq!(status(), 17);
    repo.commit(&[("a.yaml", "a: [\n")]);
    assert_eq!(pass(&agent).0, 13);
    assert_eq!(status(), 1);
    assert_eq!(agent.run(&["status"]).code, 0);
    // The operator takes the one that was held, whatever came after it.
    assert_eq!(order(&agent, &["apply", &empty]), done());
    repo.commit(&[("a.yaml", "a: 3\n")]);
    assert_eq!(pass(&agent), done());
    assert_eq!(status(), 0);
}

#[test]
fn flags_alone_are_enough_and_systemd_names_the_state_folder() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let agent = Agent::new();
    let state = agent.state_dir().display().to_string();
    let agent = agent.variable("STATE_DIRECTORY", &state);
    let (source, live) = (repo.path().display().to_string(), agent.live_path());
    let live = live.display().to_string();
    let ran = agent.run(&[
        "sync",
        "--once",
        "--repository",
        &source,
        "--branch",
        "main",
        "--live",
        &live,
    ]);
    assert_eq!(ran.code, 0, "{ran:#?}");
    assert_eq!(agent.live("a.yaml").as_deref(), Some("a: 1\n"));
    assert_eq!(agent.json(&["status"])["live"]["revision"], first.as_str());
}

#[test]
fn deletions_may_be_limited_by_their_number() {
    let repo = Repo::with_files(40);
    let agent = machine(&repo, "", "max_deletions: 12\n");
    assert_eq!(pass(&agent), done());
    let remove = |from: usize, to: usize| {
        (from..to)
            .fold(repo.change(), |change, n| change.remove(&format!("d0000/f{n:02}.yaml")))
            .commit("less")
    };
    remove(0, 12);
    assert_eq!(pass(&agent), done());
    remove(12, 25);
    assert_eq!(pass(&agent), held("suspicious_deletion"));
    // As many new files as old ones go: the tree is no smaller.
    (0..13).fold(repo.change(), |change, n| change.write(&format!("new/{n}"), "n\n")).commit("new");
    assert_eq!(pass(&agent), done());
}

#[test]
fn a_node_that_sighup_brings_is_told_from_the_next_change_on() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let node = Receiver::start(Key::hmac());
    let agent = machine(&repo, "", "");
    let mut sync = agent.start_sync();
    agent.wait_until_live(&first);
    told(&agent, &node, "config.applied");
    super::reread(&mut sync, "the settings were read again");
    let second = repo.commit(&[("a.yaml", "a: 2\n")]);
    let events = node.wait_for(1);
    assert_eq!(events[0].event["data"]["revision"], second.as_str());
    assert_eq!(events[0].event["data"]["previous_revision"], first.as_str());
    assert_eq!(sync.stop().code, 0);
}
