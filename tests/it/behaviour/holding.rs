//! What holds a revision, and what lets it go.

use super::{digest, done, held, machine, order, pass, reread, revision, set, status_when};
use crate::support::Repo;

/// A window that is always open, and one that is open for a second on the 29th of February.
const ALWAYS: &str = "schedule: \"* * * * * *\", duration: 1h";
const SELDOM: &str = "schedule: \"0 0 0 29 2 *\", duration: 1s";

fn windows(kind: &str, when: &str) -> String {
    format!("windows: [{{kind: {kind}, {when}}}]\n")
}

#[test]
fn windows_hold_a_revision_until_sighup_brings_others() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let agent = machine(&repo, &windows("allow", ALWAYS), "");
    let mut sync = agent.start_sync();
    agent.wait_until_live(&first);
    let mut latest = first;
    for (number, closed) in
        [windows("deny", ALWAYS), windows("allow", SELDOM)].into_iter().enumerate()
    {
        sync.stop();
        set(&agent, &repo, &closed, "");
        sync = agent.start_sync();
        let next = repo.commit(&[("a.yaml", &format!("a: 2{number}\n"))]);
        let status = status_when(&agent, "the revision is held", |status| {
            status["reason"] == "outside_window" && status["desired"]["revision"] == next.as_str()
        });
        assert_eq!(status["state"], "held", "{status:#}");
        assert_eq!(status["live"]["revision"], latest.as_str(), "{status:#}");
        set(&agent, &repo, &windows("deny", SELDOM), "");
        reread(&mut sync, "the settings were read again");
        agent.wait_until_live(&next);
        latest = next;
    }
    assert_eq!(sync.stop().code, 0);
}

#[test]
fn windows_hold_neither_a_rollback_nor_an_apply() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let agent = machine(&repo, "", "");
    assert_eq!(pass(&agent), done());
    repo.commit(&[("a.yaml", "a: 2\n")]);
    assert_eq!(pass(&agent), done());
    set(&agent, &repo, &windows("deny", ALWAYS), "");
    assert_eq!(order(&agent, &["rollback"]), done());
    assert_eq!(revision(&agent), first);
    let third = repo.commit(&[("a.yaml", "a: 3\n")]);
    assert_eq!(pass(&agent), held("outside_window"));
    assert_eq!(revision(&agent), first);
    assert_eq!(order(&agent, &["apply"]), done());
    assert_eq!(revision(&agent), third);
}

#[test]
fn a_plan_that_removes_most_of_the_tree_is_held_until_apply() {
    let repo = Repo::with_files(24);
    let agent = machine(&repo, "", "");
    assert_eq!(pass(&agent), done());
    let remove = |range: std::ops::Range<usize>| {
        let begun = repo.change();
        range.fold(begun, |change, n| change.remove(&format!("d0000/f{n:02}.yaml"))).commit("less")
    };
    // Eleven of 24 are below the half.
    remove(0..11);
    assert_eq!(pass(&agent), done());
    // Nine of 13 are above it, but fewer than ten files.
    remove(11..20);
    assert_eq!(pass(&agent), done());
    repo.commit(&[("x", "x\n")]);
    let many = (0..30).fold(repo.change(), |change, n| change.write(&format!("m/{n}"), "m\n"));
    let before = many.commit("many");
    assert_eq!(pass(&agent), done());
    let after = repo.change().remove("m").commit("most of it goes");
    assert_eq!(pass(&agent), held("suspicious_deletion"));
    assert_eq!(pass(&agent), held("suspicious_deletion"));
    assert_eq!(revision(&agent), before);
    assert!(agent.live("m/7").is_some());
    assert_eq!(order(&agent, &["apply"]), done());
    assert_eq!(revision(&agent), after);
    assert!(agent.live("m/7").is_none());
    assert_eq!(pass(&agent), done());
}

#[test]
fn an_empty_tree_is_held_until_apply() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let agent = machine(&repo, "", "");
    assert_eq!(pass(&agent), done());
    let empty = repo.change().remove("a.yaml").commit("nothing");
    assert_eq!(pass(&agent), held("suspicious_deletion"));
    assert_eq!(revision(&agent), first);
    assert_eq!(agent.live("a.yaml").as_deref(), Some("a: 1\n"));
    assert_eq!(order(&agent, &["apply"]), done());
    assert_eq!(revision(&agent), empty);
    assert!(agent.live_files().is_empty());
    assert!(agent.live_path().is_dir());
}

#[test]
fn a_quarantined_digest_stays_so_under_another_commit_and_another_digest_goes_live() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let agent = machine(&repo, "", "");
    assert_eq!(pass(&agent), done());
    repo.commit(&[("a.yaml", "a: 2\n")]);
    assert_eq!(pass(&agent), done());
    let bad = digest(&agent);
    assert_eq!(order(&agent, &["rollback"]), done());
    let status = agent.json(&["status"]);
    assert_eq!(status["quarantine"][0]["digest"], bad.as_str(), "{status:#}");
    // The same content by another commit, twice.
    for _ in 0..2 {
        repo.change().commit("says nothing new");
        let (code, _) = pass(&agent);
        assert_eq!(code, 17);
        assert_eq!(revision(&agent), first);
    }
    let third = repo.commit(&[("a.yaml", "a: 3\n")]);
    assert_eq!(pass(&agent), done());
    assert_eq!(revision(&agent), third);
    // It comes back later: still the same digest.
    repo.commit(&[("a.yaml", "a: 2\n")]);
    assert_eq!(pass(&agent).0, 17);
    assert_eq!(revision(&agent), third);
    assert_eq!(order(&agent, &["apply"]), done());
    assert_eq!(digest(&agent), bad);
}

#[test]
fn a_refused_digest_is_not_tried_again_and_the_next_one_is() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 1\n")]);
    let agent = machine(&repo, "", "");
    assert_eq!(pass(&agent), done());
    repo.commit(&[("a.yaml", "a: [1\n")]);
    assert_eq!(pass(&agent), (13, "validation_refused".to_owned()));
    repo.change().commit("says nothing new");
    assert_eq!(pass(&agent).0, 17);
    // An operator overrides holds, never gates.
    assert_eq!(order(&agent, &["apply"]), (13, "validation_refused".to_owned()));
    assert_eq!(agent.live("a.yaml").as_deref(), Some("a: 1\n"));
    repo.commit(&[("a.yaml", "a: [1]\n")]);
    assert_eq!(pass(&agent), done());
    assert_eq!(agent.live("a.yaml").as_deref(), Some("a: [1]\n"));
}

#[test]
fn what_is_suspended_until_a_time_goes_on_by_itself() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let agent = machine(&repo, "", "");
    let sync = agent.start_sync();
    agent.wait_until_live(&first);
    let ran = agent.run(&["suspend", "--until", "1s", "--reason", "a moment"]);
    assert_eq!(ran.code, 0, "{ran:#?}");
    let second = repo.commit(&[("a.yaml", "a: 2\n")]);
    agent.wait_until_live(&second);
    let status = status_when(&agent, "it is in sync", |status| status["state"] == "in_sync");
    assert!(status["suspended"].is_null(), "{status:#}");
    let items = agent.json(&["history"]);
    let started = |n: usize| items["items"][n]["started_at"].as_str().unwrap_or("").to_owned();
    assert!(started(0) > started(1), "{items:#}");
    assert_eq!(sync.stop().code, 0);
}

#[test]
fn suspension_holds_an_agent_and_stays_after_an_apply() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let agent = machine(&repo, "", "");
    assert_eq!(pass(&agent), done());
    let ran = agent.run(&["suspend", "--until", "2h"]);
    assert_eq!(ran.code, 0, "{ran:#?}");
    let second = repo.commit(&[("a.yaml", "a: 2\n")]);
    assert_eq!(pass(&agent), held("suspended"));
    assert_eq!(revision(&agent), first);
    let status = agent.json(&["status"]);
    assert!(status["suspended"]["until"].is_string(), "{status:#}");
    assert_eq!(order(&agent, &["apply"]), done());
    assert_eq!(revision(&agent), second);
    assert!(agent.json(&["status"])["suspended"].is_object());
    repo.commit(&[("a.yaml", "a: 3\n")]);
    assert_eq!(pass(&agent), held("suspended"));
    assert_eq!(agent.run(&["resume"]).code, 0);
    assert_eq!(pass(&agent), done());
}

#[test]
fn a_rollback_goes_back_while_suspended_and_suspension_stays() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let agent = machine(&repo, "", "");
    assert_eq!(pass(&agent), done());
    repo.commit(&[("a.yaml", "a: 2\n")]);
    assert_eq!(pass(&agent), done());
    assert_eq!(agent.run(&["suspend", "--reason", "night"]).code, 0);
    assert_eq!(order(&agent, &["rollback"]), done());
    assert_eq!(revision(&agent), first);
    let status = agent.json(&["status"]);
    assert_eq!(status["suspended"]["reason"], "night", "{status:#}");
    // A dry run and a plan tell what would be, suspended or not, and change nothing.
    let third = repo.commit(&[("a.yaml", "a: 3\n")]);
    let plan = agent.json(&["plan"]);
    assert_eq!(plan["revision"], third.as_str(), "{plan:#}");
    assert_eq!(plan["plan"]["changes"]["modified"], 1, "{plan:#}");
    assert_eq!(revision(&agent), first);
}
