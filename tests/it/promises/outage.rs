use serde_json::Value;

use crate::support::{Agent, Fault, GitServer, Key, Receiver, Repo, wait_until};

/// The status of the running agent, once it is as told.
#[track_caller]
fn status_when(agent: &Agent, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let mut status = Value::Null;
    wait_until(what, || {
        status = agent.json(&["status"]);
        status["agent_running"] == true && holds(&status)
    });
    status
}

#[test]
fn a_remote_that_is_gone_leaves_the_live_tree_and_is_told_once() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let mut server = GitServer::start(repo.root());
    let node = Receiver::start(Key::hmac());
    let agent = Agent::following(&server.url(), "");
    let settings = std::fs::read_to_string(agent.settings_file()).expect("the settings");
    agent.settings(&format!(
        "{settings}nodes:\n  - name: edge\n    url: {}\n    secret_file: {}\n    \
         events: [source.unreachable, source.recovered]\n",
        node.url(),
        node.secret_file(agent.folder()).display(),
    ));
    let sync = agent.start_sync();
    agent.wait_until_live(&first);

    server.down();
    let gone = status_when(&agent, "the source is told to be gone", |status| {
        status["source"]["error"]["message"].is_string()
    });
    let since = gone["source"]["last_success_at"].clone();
    assert!(since.is_string(), "{gone:#}");
    assert_eq!(gone["reason"], "source_unreachable", "{gone:#}");
    assert_eq!(gone["live"]["revision"], first.as_str(), "{gone:#}");
    assert_eq!(agent.live("a.yaml").as_deref(), Some("a: 1\n"));
    node.wait_for(1);

    // Stopped in order and killed: it is known since when in both cases.
    let mut sync = {
        sync.stop();
        agent.start_sync()
    };
    for killed in [false, true] {
        let again = status_when(&agent, "it is tried again", |status| {
            status["source"]["error"]["message"].is_string()
                && status["source"]["last_attempt_at"] != gone["source"]["last_attempt_at"]
        });
        assert_eq!(again["source"]["last_success_at"], since, "{again:#}");
        assert!(again["source"]["stale_seconds"].is_u64(), "{again:#}");
        assert_eq!(again["live"], gone["live"]);
        assert_eq!(agent.live("a.yaml").as_deref(), Some("a: 1\n"));
        assert!(sync.is_running());
        if !killed {
            sync.kill();
            sync = agent.start_sync();
        }
    }

    let second = repo.commit(&[("a.yaml", "a: 2\n")]);
    server.up();
    agent.wait_until_live(&second);
    let back =
        status_when(&agent, "the source is well", |status| status["source"]["error"].is_null());
    assert_eq!(back["state"], "in_sync", "{back:#}");
    node.wait_for(2);
    sync.stop();
    let told: Vec<_> = node.events().iter().map(|event| event.kind().to_owned()).collect();
    assert_eq!(told, ["source.unreachable", "source.recovered"]);
}

#[test]
fn a_restart_while_the_remote_hangs_is_ready_with_what_is_live() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 1\n")]);
    let server = GitServer::start(repo.root());
    let agent = Agent::following(&server.url(), "");
    assert_eq!(agent.once().code, 0);
    server.break_all(Fault::Hang);
    let sync = agent.start_sync();
    wait_until("the first pass hangs", || {
        server.seen().last().is_some_and(|seen| seen.bytes.is_none())
    });
    assert_eq!(agent.run(&["healthcheck"]).code, 0);
    server.heal();
    sync.stop();
}
