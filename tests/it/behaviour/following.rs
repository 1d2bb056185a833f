//! Which commit is followed: each kind of reference, and what becomes of it.

use super::{done, follow, held, machine, order, pass, revision, set};
use crate::support::Repo;

fn two_commits() -> (Repo, String, String) {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let second = repo.commit(&[("a.yaml", "a: 2\n")]);
    (repo, first, second)
}

#[test]
fn a_tag_is_followed_light_or_annotated_and_when_it_moves() {
    let (repo, first, second) = two_commits();
    repo.tag("light", &first);
    repo.annotated_tag("whole", &first);
    for name in ["light", "whole"] {
        let agent = machine(&repo, &format!("tag: {name}\n"), "");
        assert_eq!(pass(&agent), done());
        assert_eq!(revision(&agent), first, "{name}");
        repo.annotated_tag(name, &second);
        assert_eq!(pass(&agent), done());
        assert_eq!(revision(&agent), second, "{name}");
        // `history_rewrite` is about branches: a tag may move back.
        repo.tag(name, &first);
        assert_eq!(pass(&agent), done());
        assert_eq!(revision(&agent), first, "{name}");
    }
}

#[test]
fn semver_follows_the_highest_version_in_its_range() {
    let (repo, first, second) = two_commits();
    let third = repo.commit(&[("a.yaml", "a: 3\n")]);
    repo.tag("v1.4.0", &first);
    repo.tag("v2.0.0", &third);
    repo.tag("nightly", &third);
    let agent = machine(&repo, "semver: \">=1.2, <2\"\n", "");
    assert_eq!(pass(&agent), done());
    assert_eq!(revision(&agent), first);
    repo.annotated_tag("v1.10.0", &second);
    repo.tag("v1.9.0", &third);
    assert_eq!(pass(&agent), done());
    assert_eq!(revision(&agent), second);
    set(&agent, &repo, "semver: \">=3\"\n", "");
    assert_eq!(pass(&agent).0, 11);
    assert_eq!(revision(&agent), second);
}

#[test]
fn a_commit_is_followed_by_its_id() {
    let (repo, first, _) = two_commits();
    let agent = machine(&repo, &format!("commit: {first}\n"), "");
    assert_eq!(pass(&agent), done());
    assert_eq!(revision(&agent), first);
    assert_eq!(pass(&agent), done());
    set(&agent, &repo, &format!("commit: {}\n", "12".repeat(20)), "");
    assert_eq!(pass(&agent).0, 11);
    assert_eq!(revision(&agent), first);
}

#[test]
fn any_reference_is_followed_by_its_full_name() {
    let (repo, first, second) = two_commits();
    repo.reference("refs/pull/7/head", &first);
    let agent = machine(&repo, "ref: refs/pull/7/head\n", "");
    assert_eq!(pass(&agent), done());
    assert_eq!(revision(&agent), first);
    repo.reference("refs/pull/7/head", &second);
    assert_eq!(pass(&agent), done());
    assert_eq!(revision(&agent), second);
}

#[test]
fn without_a_reference_the_remotes_head_is_followed_also_to_another_branch() {
    let (repo, _, second) = two_commits();
    repo.branch("trunk", &second);
    let on_trunk = repo.change().on("trunk").write("a.yaml", "a: trunk\n").commit("on trunk");
    let agent = machine(&repo, "", "");
    assert_eq!(pass(&agent), done());
    assert_eq!(revision(&agent), second);
    repo.head_is("trunk");
    assert_eq!(pass(&agent), done());
    assert_eq!(revision(&agent), on_trunk);
}

#[test]
fn a_branch_that_vanishes_leaves_what_is_live_and_may_return() {
    let (repo, first, second) = two_commits();
    repo.branch("production", &first);
    let agent = machine(&repo, "branch: production\n", "");
    assert_eq!(pass(&agent), done());
    repo.delete_branch("production");
    let ran = agent.once();
    assert_eq!(ran.code, 11, "{ran:#?}");
    assert!(format!("{}{}", ran.stdout, ran.stderr).contains("production"), "{ran:#?}");
    assert_eq!(revision(&agent), first);
    assert_eq!(agent.live("a.yaml").as_deref(), Some("a: 1\n"));
    repo.branch("production", &second);
    assert_eq!(pass(&agent), done());
    assert_eq!(revision(&agent), second);
}

#[test]
fn an_empty_repository_is_11_and_its_first_commit_goes_live() {
    let repo = Repo::new();
    let agent = machine(&repo, "", "");
    assert_eq!(pass(&agent).0, 11);
    assert!(!agent.live_path().exists());
    let sync = agent.start_sync();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    agent.wait_until_live(&first);
    assert_eq!(sync.stop().code, 0);
}

#[test]
fn another_repository_under_the_same_state_folder_starts_a_new_line() {
    let (repo, _, second) = two_commits();
    let agent = machine(&repo, "", "");
    assert_eq!(pass(&agent), done());
    let other = Repo::new();
    let elsewhere = other.change().write("b.yaml", "b: 1\n").commit("another history");
    set(&agent, &other, "", "");
    assert_eq!(pass(&agent), done());
    assert_eq!(revision(&agent), elsewhere);
    assert_eq!(agent.live("a.yaml"), None);
    // The tree of the first line can be returned to; deployments count on.
    assert_eq!(order(&agent, &["rollback"]), done());
    assert_eq!(agent.live("a.yaml").as_deref(), Some("a: 2\n"));
    assert_eq!(agent.json(&["status"])["live"]["deployment"], 3);
    assert_eq!(revision(&agent), second);
}

#[test]
fn a_repository_is_followed_by_file_address_and_by_a_relative_path() {
    let (repo, _, second) = two_commits();
    let agent = machine(&repo, "", "");
    follow(&agent, &format!("file://{}", repo.path().display()), "", "");
    assert_eq!(pass(&agent), done());
    assert_eq!(revision(&agent), second);
    // Relative to the settings file.
    std::os::unix::fs::symlink(repo.path(), agent.folder().join("near.git")).expect("a link");
    follow(&agent, "./near.git", "", "");
    let third = repo.commit(&[("a.yaml", "a: 3\n")]);
    assert_eq!(pass(&agent), done());
    assert_eq!(revision(&agent), third);
}

#[test]
fn rewritten_history_is_refused_and_taken_where_it_is_allowed() {
    let (repo, first, second) = two_commits();
    let agent = machine(&repo, "", "");
    assert_eq!(pass(&agent), done());
    // A head that is an ancestor is no descendant.
    repo.branch("main", &first);
    let refused = pass(&agent);
    assert_eq!(refused.0, 12);
    assert_eq!(revision(&agent), second);
    assert_eq!(pass(&agent), held(&refused.1));
    // A history of its own.
    let own = repo.change().orphan().write("a.yaml", "a: own\n").commit("another root");
    assert_eq!(pass(&agent).0, 12);
    assert_eq!(revision(&agent), second);
    // A push that goes on from the accepted one is taken again.
    repo.branch("main", &second);
    let third = repo.commit(&[("a.yaml", "a: 3\n")]);
    assert_eq!(pass(&agent), done());
    assert_eq!(revision(&agent), third);
    repo.branch("main", &own);
    set(&agent, &repo, "history_rewrite: allow\n", "");
    assert_eq!(pass(&agent), done());
    assert_eq!(revision(&agent), own);
    let status = agent.json(&["status"]);
    let waits = status["quarantine"].as_array().expect("a list");
    assert!(waits.iter().all(|entry| entry["revision"] != own.as_str()), "{status:#}");
}

#[test]
fn rewritten_history_is_refused_for_what_a_reference_names_too() {
    let (repo, first, second) = two_commits();
    repo.reference("refs/pull/7/head", &second);
    let agent = machine(&repo, "ref: refs/pull/7/head\n", "");
    assert_eq!(pass(&agent), done());
    repo.reference("refs/pull/7/head", &first);
    assert_eq!(pass(&agent).0, 12);
    assert_eq!(order(&agent, &["apply"]), done());
    assert_eq!(revision(&agent), first);
    // Another reference in the file starts a new line.
    repo.reference("refs/pull/8/head", &repo.change().on("x").orphan().write("o", "o").commit("o"));
    set(&agent, &repo, "ref: refs/pull/8/head\n", "");
    assert_eq!(pass(&agent), done());
    assert_eq!(agent.live("o").as_deref(), Some("o"));
}
