//! What others change in the live tree, and what is done about it.

use std::fs;
use std::path::PathBuf;

use super::{done, machine, pass, status_when};
use crate::support::{Agent, Repo, wait_until};

const OFTEN: &str = "drift_interval: 20ms\n";

fn machine_with(policy: &str) -> (Repo, Agent) {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 1\n"), ("b.yaml", "b: 1\n")]);
    let agent = machine(&repo, "", &format!("{OFTEN}{policy}"));
    assert_eq!(pass(&agent), done());
    (repo, agent)
}

fn edit(agent: &Agent, path: &str, text: &str) {
    fs::write(agent.live_path().join(path), text).expect("an edit");
}

/// Every file below the state folder's `drift`.
fn kept(agent: &Agent) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![agent.state_dir().join("drift")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found
}

#[test]
fn a_path_is_repaired_three_times_and_then_only_reported() {
    let (_repo, agent) = machine_with("");
    let sync = agent.start_sync();
    for time in 1..=3 {
        edit(&agent, "a.yaml", &format!("a: edited {time}\n"));
        wait_until("the edit is put right", || agent.live("a.yaml").as_deref() == Some("a: 1\n"));
        status_when(&agent, "the repair is over", |status| {
            status["state"] == "in_sync" && status["drift"]["paths"] == serde_json::json!([])
        });
    }
    edit(&agent, "a.yaml", "a: edited 4\n");
    let status = status_when(&agent, "it is reported", |status| {
        status["drift"]["paths"].to_string().contains("a.yaml")
    });
    assert_eq!(status["reason"], "drift", "{status:#}");
    let checked = status["drift"]["checked_at"].clone();
    status_when(&agent, "it was looked at again", |status| {
        status["drift"]["checked_at"] != checked
    });
    assert_eq!(agent.live("a.yaml").as_deref(), Some("a: edited 4\n"));
    assert_eq!(sync.stop().code, 0);
    // What was found is kept, all of it.
    let texts: Vec<_> = kept(&agent).iter().filter_map(|p| fs::read_to_string(p).ok()).collect();
    for time in 1..=3 {
        let text = format!("a: edited {time}\n");
        assert!(texts.contains(&text), "{text} is not among {texts:?}");
    }
}

#[test]
fn another_path_is_repaired_while_one_is_only_reported_no_more() {
    let (repo, agent) = machine_with("");
    let sync = agent.start_sync();
    edit(&agent, "b.yaml", "b: edited\n");
    wait_until("b is put right", || agent.live("b.yaml").as_deref() == Some("b: 1\n"));
    // A new commit takes the tree of the repository, whatever was edited before.
    edit(&agent, "a.yaml", "a: edited\n");
    let next = repo.commit(&[("b.yaml", "b: 2\n")]);
    agent.wait_until_live(&next);
    wait_until("all is as committed", || {
        agent.live("a.yaml").as_deref() == Some("a: 1\n")
            && agent.live("b.yaml").as_deref() == Some("b: 2\n")
    });
    assert_eq!(sync.stop().code, 0);
}

#[test]
fn drift_is_reported_and_left_where_the_settings_say_so() {
    let (_repo, agent) = machine_with("drift: report\n");
    let sync = agent.start_sync();
    edit(&agent, "a.yaml", "a: edited\n");
    let status = status_when(&agent, "it is reported", |status| {
        status["drift"]["paths"].to_string().contains("a.yaml")
    });
    assert_eq!(status["reason"], "drift", "{status:#}");
    assert_eq!(agent.live("a.yaml").as_deref(), Some("a: edited\n"));
    // Somebody puts it back: nothing is left to tell.
    let ran = agent.run(&["drift", "--repair"]);
    assert_eq!(ran.code, 0, "{ran:#?}");
    status_when(&agent, "it is in sync", |status| status["state"] == "in_sync");
    assert_eq!(agent.live("a.yaml").as_deref(), Some("a: 1\n"));
    assert_eq!(sync.stop().code, 0);
    assert!(kept(&agent).iter().any(|path| path.ends_with("a.yaml")), "{:?}", kept(&agent));
}

#[test]
fn drift_that_is_off_is_not_looked_for_but_by_the_verb() {
    let (repo, agent) = machine_with("drift: off\n");
    edit(&agent, "a.yaml", "a: edited\n");
    let sync = agent.start_sync();
    let next = repo.commit(&[("c", "c\n")]);
    agent.wait_until_live(&next);
    // The commit took the tree of the repository.
    edit(&agent, "a.yaml", "a: edited\n");
    for _ in 0..2 {
        assert_eq!(pass(&agent), done());
    }
    assert_eq!(agent.live("a.yaml").as_deref(), Some("a: edited\n"));
    assert_eq!(agent.json(&["status"])["state"], "in_sync");
    assert_eq!(sync.stop().code, 0);
    assert_eq!(agent.run(&["drift", "--detailed-exitcode"]).code, 2);
}

#[test]
fn suspension_stops_repairs() {
    let (_repo, agent) = machine_with("");
    let sync = agent.start_sync();
    status_when(&agent, "it is in sync", |status| status["state"] == "in_sync");
    assert_eq!(agent.run(&["suspend"]).code, 0);
    edit(&agent, "a.yaml", "a: edited\n");
    status_when(&agent, "it is reported", |status| {
        status["drift"]["paths"].to_string().contains("a.yaml")
    });
    assert_eq!(agent.live("a.yaml").as_deref(), Some("a: edited\n"));
    assert_eq!(agent.run(&["resume"]).code, 0);
    wait_until("it is put right", || agent.live("a.yaml").as_deref() == Some("a: 1\n"));
    assert_eq!(sync.stop().code, 0);
}

#[test]
fn one_pass_repairs_as_set() {
    for (policy, text) in [("repair", "a: 1\n"), ("report", "a: edited\n"), ("off", "a: edited\n")]
    {
        let (_repo, agent) = machine_with(&format!("drift: {policy}\n"));
        edit(&agent, "a.yaml", "a: edited\n");
        fs::write(agent.live_path().join("new"), "new\n").expect("a file");
        pass(&agent);
        assert_eq!(agent.live("a.yaml").as_deref(), Some(text), "{policy}");
        assert_eq!(agent.live("new").is_some(), policy != "repair", "{policy}");
    }
}

#[test]
fn a_live_folder_is_put_right_as_a_whole_while_the_agent_runs() {
    let (_repo, agent) = machine_with("mode: exchange\n");
    let whole = agent.live_files();
    let sync = agent.start_sync();
    status_when(&agent, "it is in sync", |status| status["state"] == "in_sync");
    fs::write(agent.live_path().join("a.yaml"), "a: edited\n").expect("an edit");
    wait_until("the edit is put right", || agent.live_files() == whole);
    fs::remove_file(agent.live_path().join("b.yaml")).expect("a file that goes");
    wait_until("the file is back", || agent.live_files() == whole);
    fs::create_dir(agent.live_path().join("sub")).expect("a folder");
    fs::write(agent.live_path().join("sub/new"), "new\n").expect("a file");
    wait_until("what was added is gone", || agent.live_files() == whole);
    assert_eq!(sync.stop().code, 0);
    let texts: Vec<_> = kept(&agent).iter().filter_map(|p| fs::read_to_string(p).ok()).collect();
    for text in ["a: edited\n", "new\n"] {
        assert!(texts.iter().any(|kept| kept == text), "{text} is not among {texts:?}");
    }
}

#[test]
fn a_live_link_that_somebody_moved_is_put_right() {
    let (_repo, agent) = machine_with("");
    let whole = agent.live_files();
    let ours = fs::read_link(agent.live_path()).expect("our link");
    let theirs = agent.folder().join("theirs");
    fs::create_dir(&theirs).expect("a folder");
    fs::write(theirs.join("x"), "x\n").expect("a file");
    fs::remove_file(agent.live_path()).expect("our link");
    pass(&agent);
    assert_eq!(agent.live_files(), whole);
    assert_eq!(fs::read_link(agent.live_path()).expect("our link").parent(), ours.parent());
    // Another one in its place is moved aside, and what it points at is not touched.
    fs::remove_file(agent.live_path()).expect("our link");
    std::os::unix::fs::symlink(&theirs, agent.live_path()).expect("a link");
    pass(&agent);
    assert_eq!(agent.live_files(), whole);
    assert_eq!(fs::read_link(agent.live_path()).expect("our link").parent(), ours.parent());
    let aside = agent.live_path().with_file_name("config.before-kconfigd");
    assert_eq!(fs::read_link(aside).expect("their link"), theirs);
    assert_eq!(fs::read_to_string(theirs.join("x")).expect("theirs"), "x\n");
}

#[test]
fn drift_that_was_reported_is_told_no_more_once_another_tree_is_live() {
    let (repo, agent) = machine_with("drift: report\n");
    edit(&agent, "a.yaml", "a: edited\n");
    pass(&agent);
    assert_eq!(agent.json(&["status"])["reason"], "drift");
    repo.commit(&[("b.yaml", "b: 2\n")]);
    assert_eq!(pass(&agent), done());
    assert_eq!(agent.live("a.yaml").as_deref(), Some("a: 1\n"));
    let status = agent.json(&["status"]);
    assert_eq!(status["state"], "in_sync", "{status:#}");
    assert_eq!(status["drift"]["paths"], serde_json::json!([]), "{status:#}");
}
