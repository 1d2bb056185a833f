//! Going back, and heads that bring nothing new.

use super::{deployments, digest, done, held, machine, order, pass, revision, set, status_when};
use crate::support::{Agent, Key, Receiver, Repo};

/// So many commits, each live in turn; gives them.
fn lived(repo: &Repo, agent: &Agent, count: usize) -> Vec<String> {
    let one = |number: usize| {
        let commit = repo.commit(&[("a.yaml", &format!("a: {number}\n"))]);
        assert_eq!(pass(agent), done());
        commit
    };
    (1..=count).map(one).collect()
}

#[test]
fn an_older_revision_stays_live_until_the_head_moves() {
    let repo = Repo::new();
    let agent = machine(&repo, "", "");
    let commits = lived(&repo, &agent, 3);
    assert_eq!(order(&agent, &["apply", &commits[0]]), done());
    assert_eq!(revision(&agent), commits[0]);
    for _ in 0..2 {
        assert_eq!(pass(&agent).0, 17);
        assert_eq!(revision(&agent), commits[0]);
    }
    let next = repo.commit(&[("a.yaml", "a: 4\n")]);
    assert_eq!(pass(&agent), done());
    assert_eq!(revision(&agent), next);
}

#[test]
fn an_older_revision_stays_live_under_a_running_agent_and_its_restart() {
    let repo = Repo::new();
    let agent = machine(&repo, "", "");
    let commits = lived(&repo, &agent, 2);
    let sync = agent.start_sync();
    status_when(&agent, "it runs", |status| status["state"] == "in_sync");
    assert_eq!(order(&agent, &["apply", &commits[0]]), done());
    assert_eq!(pass(&agent).0, 17);
    sync.stop();
    let sync = agent.start_sync();
    status_when(&agent, "it runs again", |status| status["state"] != "starting");
    assert_eq!(pass(&agent).0, 17);
    assert_eq!(revision(&agent), commits[0]);
    let next = repo.commit(&[("a.yaml", "a: 3\n")]);
    agent.wait_until_live(&next);
    assert_eq!(sync.stop().code, 0);
}

#[test]
fn each_rollback_goes_further_back_and_any_can_be_named() {
    let repo = Repo::new();
    let agent = machine(&repo, "", "");
    let commits = lived(&repo, &agent, 4);
    for to in [2, 1, 0] {
        assert_eq!(order(&agent, &["rollback"]), done());
        assert_eq!(revision(&agent), commits[to]);
        assert_eq!(agent.live("a.yaml"), Some(format!("a: {}\n", to + 1)));
    }
    let ran = agent.run(&["rollback"]);
    assert_eq!(ran.code, 1, "{ran:#?}");
    // By number, and by a revision that is written short.
    assert_eq!(order(&agent, &["rollback", "2"]), done());
    assert_eq!(revision(&agent), commits[1]);
    assert_eq!(order(&agent, &["rollback", &commits[2][..12]]), done());
    assert_eq!(revision(&agent), commits[2]);
    assert_eq!(pass(&agent).0, 17);
    assert_eq!(revision(&agent), commits[2]);
}

#[test]
fn rollback_and_hold_also_suspends() {
    let repo = Repo::new();
    let agent = machine(&repo, "", "");
    let commits = lived(&repo, &agent, 2);
    assert_eq!(order(&agent, &["rollback", "--hold", "--reason", "wait"]), done());
    assert_eq!(agent.json(&["status"])["state"], "suspended");
    let next = repo.commit(&[("a.yaml", "a: 9\n")]);
    assert_eq!(pass(&agent), held("suspended"));
    assert_eq!(revision(&agent), commits[0]);
    assert_eq!(agent.run(&["resume"]).code, 0);
    assert_eq!(pass(&agent), done());
    assert_eq!(revision(&agent), next);
}

#[test]
fn the_rollback_limit_counts_distinct_digests() {
    let repo = Repo::new();
    let agent = machine(&repo, "rollback_limit: 2\n", "");
    let write = |text: &str| {
        let commit = repo.commit(&[("a.yaml", text)]);
        assert_eq!(pass(&agent), done());
        commit
    };
    write("a: old\n");
    write("a: 1\n");
    // Back and forth: many deployments, two digests.
    for _ in 0..4 {
        write("a: 2\n");
        write("a: 1\n");
    }
    write("a: 3\n");
    assert_eq!(deployments(&agent), 11);
    // Live is 3: there is a way back to 1 and to 2, however many deployments lie between, and no
    // further.
    for back in ["a: 1\n", "a: 2\n"] {
        assert_eq!(order(&agent, &["rollback"]), done());
        assert_eq!(agent.live("a.yaml").as_deref(), Some(back));
    }
    let ran = agent.run(&["rollback"]);
    assert_eq!(ran.code, 1, "{ran:#?}");
    assert_eq!(agent.live("a.yaml").as_deref(), Some("a: 2\n"));
}

#[test]
fn a_commit_outside_path_and_its_revert_become_live_without_a_tree_or_an_event() {
    let repo = Repo::new();
    repo.commit(&[("conf/a.yaml", "a: 1\n"), ("README", "one\n")]);
    let node = Receiver::start(Key::hmac());
    let agent = machine(&repo, "path: conf\n", "");
    let settings = std::fs::read_to_string(agent.settings_file()).expect("the settings");
    agent.settings(&format!(
        "{settings}nodes:\n  - {{name: edge, url: \"{}\", secret_file: \"{}\", \
         events: [config.applied]}}\n",
        node.url(),
        node.secret_file(agent.folder()).display(),
    ));
    assert_eq!(pass(&agent), done());
    assert_eq!(node.wait_for(1).len(), 1);
    let (target, count) = (std::fs::read_link(agent.live_path()).unwrap(), deployments(&agent));
    let before = digest(&agent);
    for text in ["two\n", "one\n"] {
        let outside = repo.commit(&[("README", text)]);
        assert_eq!(pass(&agent), done());
        assert_eq!(revision(&agent), outside);
        assert_eq!(digest(&agent), before);
        assert_eq!(std::fs::read_link(agent.live_path()).unwrap(), target);
        assert_eq!(deployments(&agent), count);
    }
    // Here and back between two passes: the head's digest is live already.
    repo.commit(&[("conf/a.yaml", "a: 2\n")]);
    let back = repo.commit(&[("conf/a.yaml", "a: 1\n")]);
    assert_eq!(pass(&agent), done());
    assert_eq!(revision(&agent), back);
    assert_eq!(std::fs::read_link(agent.live_path()).unwrap(), target);
    repo.commit(&[("conf/a.yaml", "a: 3\n")]);
    assert_eq!(pass(&agent), done());
    assert_eq!(node.wait_for(2).len(), 2);
}

#[test]
fn a_path_that_is_not_there_is_told_and_what_is_live_stays() {
    let repo = Repo::new();
    let first = repo.commit(&[("conf/a.yaml", "a: 1\n")]);
    let agent = machine(&repo, "path: conf\n", "");
    assert_eq!(pass(&agent), done());
    repo.change().remove("conf/a.yaml").write("other", "o\n").commit("moved away");
    assert_ne!(pass(&agent).0, 0);
    assert_eq!(revision(&agent), first);
    assert_eq!(agent.live("a.yaml").as_deref(), Some("a: 1\n"));
    set(&agent, &repo, "", "");
    assert_eq!(pass(&agent), done());
    assert_eq!(agent.live("other").as_deref(), Some("o\n"));
}
