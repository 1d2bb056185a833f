//! What stands at the live path: what was there before, and both ways to be live.

use std::fs;

use super::{done, machine, order, pass, revision, set};
use crate::support::{Agent, Repo};

fn one_commit() -> Repo {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 1\n"), ("sub/b", "b\n")]);
    repo
}

fn is_link(agent: &Agent) -> bool {
    fs::symlink_metadata(agent.live_path()).expect("the live path").is_symlink()
}

#[test]
fn a_folder_that_is_not_ours_is_refused_untouched_or_moved_aside() {
    for mode in ["symlink", "exchange"] {
        let repo = one_commit();
        let agent = machine(&repo, "", &format!("mode: {mode}\n"));
        fs::create_dir(agent.live_path()).expect("a folder");
        fs::write(agent.live_path().join("old"), "old\n").expect("a file");
        let ran = agent.once();
        assert_eq!(ran.code, 10, "{mode}: {ran:#?}");
        assert_eq!(agent.live("old").as_deref(), Some("old\n"), "{mode}");
        set(&agent, &repo, "", &format!("mode: {mode}\nadopt: true\n"));
        assert_eq!(pass(&agent), done(), "{mode}");
        assert_eq!(agent.live("a.yaml").as_deref(), Some("a: 1\n"), "{mode}");
        assert_eq!(agent.live("old"), None, "{mode}");
        let aside = agent.live_path().with_file_name("config.before-kconfigd");
        assert_eq!(fs::read_to_string(aside.join("old")).expect("kept"), "old\n", "{mode}");
        assert_eq!(pass(&agent), done(), "{mode}");
    }
}

#[test]
fn a_link_that_is_not_ours_is_refused_or_moved_aside_with_what_it_points_at_untouched() {
    let repo = one_commit();
    let agent = machine(&repo, "", "");
    let theirs = agent.folder().join("theirs");
    fs::create_dir(&theirs).expect("a folder");
    fs::write(theirs.join("old"), "old\n").expect("a file");
    std::os::unix::fs::symlink(&theirs, agent.live_path()).expect("a link");
    assert_eq!(agent.once().code, 10);
    assert_eq!(fs::read_link(agent.live_path()).expect("the link"), theirs);
    set(&agent, &repo, "", "adopt: true\n");
    assert_eq!(pass(&agent), done());
    let aside = agent.live_path().with_file_name("config.before-kconfigd");
    assert_eq!(fs::read_link(aside).expect("the link, kept"), theirs);
    assert_eq!(fs::read_to_string(theirs.join("old")).expect("theirs"), "old\n");
    assert_eq!(fs::read_dir(&theirs).expect("theirs").count(), 1);
}

#[test]
fn what_was_moved_aside_before_is_never_overwritten() {
    let repo = one_commit();
    let agent = machine(&repo, "", "adopt: true\n");
    let aside = agent.live_path().with_file_name("config.before-kconfigd");
    for (folder, name) in [(aside.clone(), "first"), (agent.live_path(), "second")] {
        fs::create_dir(&folder).expect("a folder");
        fs::write(folder.join(name), name).expect("a file");
    }
    let ran = agent.once();
    assert_eq!(fs::read_to_string(aside.join("first")).expect("the first"), "first");
    if ran.code != 0 {
        assert_eq!(ran.code, 10, "{ran:#?}");
        assert_eq!(agent.live("second").as_deref(), Some("second"));
    }
}

#[test]
fn a_live_folder_is_real_and_swapped_whole_on_every_way() {
    let repo = one_commit();
    let agent = machine(&repo, "", "mode: exchange\n");
    assert_eq!(pass(&agent), done());
    assert!(!is_link(&agent));
    let first = revision(&agent);
    let second = repo.change().write("a.yaml", "a: 2\n").remove("sub/b").commit("second");
    assert_eq!(pass(&agent), done());
    assert_eq!(revision(&agent), second);
    assert_eq!(agent.live_files().len(), 1);
    assert_eq!(order(&agent, &["rollback"]), done());
    assert_eq!(revision(&agent), first);
    assert_eq!(agent.live_files().len(), 2);
    fs::write(agent.live_path().join("sub/b"), "edited\n").expect("an edit");
    assert_eq!(agent.run(&["drift", "--repair"]).code, 0);
    assert_eq!(agent.live("sub/b").as_deref(), Some("b\n"));
    assert_eq!(agent.run(&["detach"]).code, 0);
    assert!(!is_link(&agent));
    assert_eq!(agent.live("sub/b").as_deref(), Some("b\n"));
}

#[test]
fn the_mode_is_switched_by_a_restart_there_and_back() {
    let repo = one_commit();
    let agent = machine(&repo, "", "");
    assert_eq!(pass(&agent), done());
    let before = agent.live_files();
    for (number, mode) in ["exchange", "symlink", "exchange"].into_iter().enumerate() {
        set(&agent, &repo, "", &format!("mode: {mode}\n"));
        let sync = agent.start_sync();
        let next = repo.commit(&[("n", &format!("{number}\n"))]);
        agent.wait_until_live(&next);
        assert_eq!(is_link(&agent), mode == "symlink", "{mode}");
        assert_eq!(agent.live("n"), Some(format!("{number}\n")), "{mode}");
        assert_eq!(sync.stop().code, 0, "{mode}");
    }
    assert_eq!(order(&agent, &["rollback", "1"]), done());
    assert_eq!(agent.live_files(), before);
}

#[test]
fn a_mode_that_changes_with_nothing_new_to_apply_is_switched_too() {
    let repo = one_commit();
    let agent = machine(&repo, "", "");
    assert_eq!(pass(&agent), done());
    let before = agent.live_files();
    for mode in ["exchange", "symlink"] {
        set(&agent, &repo, "", &format!("mode: {mode}\n"));
        let ran = agent.once();
        assert_eq!(ran.code, 0, "{mode}: {ran:#?}");
        assert_eq!(agent.live_files(), before, "{mode}");
        assert_eq!(is_link(&agent), mode == "symlink", "{mode}");
    }
}

#[test]
fn a_dry_run_tells_all_and_changes_nothing() {
    let repo = one_commit();
    let agent = machine(&repo, "", "");
    let plan = agent.json(&["sync", "--once", "--dry-run"]);
    assert_eq!(plan["outcome"], "planned", "{plan:#}");
    assert_eq!(plan["plan"]["changes"]["added"], 2, "{plan:#}");
    assert!(!agent.live_path().exists());
    assert_eq!(pass(&agent), done());
    let (files, history) = (agent.live_files(), agent.json(&["history"]));
    repo.commit(&[("a.yaml", "a: 2\n")]);
    let plan = agent.json(&["sync", "--once", "--dry-run"]);
    assert_eq!(plan["plan"]["changes"]["modified"], 1, "{plan:#}");
    repo.commit(&[("a.yaml", "a: [\n")]);
    assert_eq!(agent.run(&["sync", "--once", "--dry-run"]).code, 13);
    assert_eq!(agent.live_files(), files);
    assert_eq!(agent.json(&["history"]), history);
    assert_eq!(agent.json(&["status"])["quarantine"], serde_json::json!([]));
}
