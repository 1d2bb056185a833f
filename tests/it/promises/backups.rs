//! The volume came back from a backup, where every folder has another inode, and what else may lie among
//! the trees at a start.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use serde_json::Value;

use super::losses::Machine;
use crate::support::Agent;

const MODES: [&str; 2] = ["symlink", "exchange"];

fn come_back(agent: &Agent) {
    agent.back_up("etc");
    agent.restore("etc");
}

fn trees(agent: &Agent) -> PathBuf {
    agent.folder().join("etc/.config.trees")
}

/// The names among the trees that end like this, without it.
fn names(agent: &Agent, end: &str) -> BTreeSet<String> {
    let listed = std::fs::read_dir(trees(agent)).expect("the trees").flatten();
    let names = listed.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter_map(|name| name.strip_suffix(end).map(str::to_owned)).collect()
}

/// The names of the trees that stand there.
fn standing(agent: &Agent) -> BTreeSet<String> {
    let mut names = names(agent, "");
    names.retain(|name| !name.contains('.') && name.contains('-') && !name.starts_with("staging-"));
    names
}

/// Each manifest has the inode of its folder: that of a folder which is gone is soon another's.
#[track_caller]
fn manifests_have_their_inodes(agent: &Agent) {
    let live = std::fs::metadata(agent.live_path()).expect("the live tree").ino();
    for name in names(agent, ".json") {
        let text = std::fs::read(trees(agent).join(format!("{name}.json"))).expect("a manifest");
        let manifest: Value = serde_json::from_slice(&text).expect("JSON");
        let folder = std::fs::metadata(trees(agent).join(&name)).map_or(live, |found| found.ino());
        assert_eq!(manifest["inode"], folder, "{name}");
    }
}

#[test]
fn what_is_live_and_came_back_from_a_backup_is_known_again() {
    for mode in MODES {
        let mut machine = Machine::with(mode);
        come_back(&machine.agent);
        machine.stays_without_the_remote(mode);
        manifests_have_their_inodes(&machine.agent);
        assert_eq!(machine.history(), [3, 2, 1], "{mode}");
        machine.advance(mode);
        let aside = machine.agent.folder().join("etc/config.before-kconfigd");
        assert!(!aside.exists(), "{mode}: what is live was taken for somebody else's");
        let ran = machine.agent.run(&["rollback"]);
        assert_eq!(ran.code, 0, "{mode}: {ran:#?}");
        assert_eq!(machine.agent.live("a.yaml").as_deref(), Some("a: 3\n"), "{mode}");
    }
}

#[test]
fn what_was_live_and_came_back_from_a_backup_can_be_returned_to() {
    for mode in MODES {
        let machine = Machine::with(mode);
        come_back(&machine.agent);
        // Only the tree that came back can give it.
        std::fs::remove_dir_all(machine.agent.state_dir().join("repo.git")).expect("the mirror");
        let before = names(&machine.agent, ".json");
        let ran = machine.agent.run(&["rollback"]);
        assert_eq!(ran.code, 0, "{mode}: {ran:#?}");
        assert_eq!(machine.agent.live("a.yaml").as_deref(), Some("a: 2\n"), "{mode}");
        assert_eq!(names(&machine.agent, ".json"), before, "{mode}");
    }
}

#[test]
fn what_the_live_link_names_stays_though_another_manifest_has_its_inode() {
    let mut machine = Machine::with("symlink");
    // A repair would put right what must not happen.
    let settings = std::fs::read_to_string(machine.agent.settings_file()).expect("the settings");
    machine.agent.settings(&settings.replace("live:\n", "live:\n  drift: report\n"));
    let target = std::fs::read_link(machine.agent.live_path()).expect("the link");
    let live = target.file_name().expect("a tree").to_string_lossy().into_owned();
    let kept = standing(&machine.agent);
    let other = kept.iter().find(|name| **name != live).expect("another tree");
    let manifest = |name: &str| trees(&machine.agent).join(format!("{name}.json"));
    let mut both = [live.as_str(), other].map(|name| -> Value {
        serde_json::from_slice(&std::fs::read(manifest(name)).expect("a manifest")).expect("JSON")
    });
    let [first, second] = &mut both;
    std::mem::swap(&mut first["inode"], &mut second["inode"]);
    for (name, told) in [live.as_str(), other].iter().zip(&both) {
        std::fs::write(manifest(name), told.to_string()).expect("a manifest");
    }
    machine.stays_without_the_remote("swapped");
    assert_eq!(standing(&machine.agent), kept);
    manifests_have_their_inodes(&machine.agent);
    machine.advance("swapped");
    let ran = machine.agent.run(&["rollback"]);
    assert_eq!(ran.code, 0, "{ran:#?}");
    assert_eq!(machine.agent.live("a.yaml").as_deref(), Some("a: 3\n"));
}

#[test]
fn a_live_folder_that_was_changed_in_the_backup_is_not_taken_for_its_tree() {
    let mut machine = Machine::with("exchange");
    come_back(&machine.agent);
    std::fs::write(machine.agent.live_path().join("a.yaml"), "a: mine\n").expect("an edit");
    machine.advance("edited in the backup");
    let aside = machine.agent.folder().join("etc/config.before-kconfigd/a.yaml");
    assert_eq!(std::fs::read_to_string(aside).ok().as_deref(), Some("a: mine\n"));
}

#[test]
fn an_older_copy_of_the_volume_is_what_is_live_until_the_next_pass() {
    for mode in MODES {
        let mut machine = Machine::with(mode);
        machine.agent.back_up("etc");
        machine.advance(mode);
        machine.agent.restore("etc");
        machine.server.down();
        let ran = machine.agent.once();
        assert_eq!(ran.code, 11, "{mode}: {ran:#?}");
        assert_eq!(machine.agent.live("a.yaml").as_deref(), Some("a: 3\n"), "{mode}");
        let status = machine.agent.json(&["status"]);
        assert_eq!(status["live"]["deployment"], 3, "{mode}: {status:#}");
        machine.server.up();
        machine.advance(mode);
    }
}

#[test]
fn an_older_journal_learns_what_became_live_since() {
    for mode in MODES {
        let mut machine = Machine::with(mode);
        machine.agent.back_up("state");
        machine.advance(mode);
        machine.agent.restore("state");
        machine.stays_without_the_remote(mode);
        assert_eq!(machine.history(), [4, 3, 2, 1], "{mode}");
        machine.advance(mode);
        assert_eq!(machine.history(), [5, 4, 3, 2, 1], "{mode}");
    }
}

#[test]
fn what_a_crash_left_among_the_trees_is_cleared() {
    for mode in MODES {
        let mut machine = Machine::with(mode);
        let trees = trees(&machine.agent);
        let kept = standing(&machine.agent);
        let mut others = kept.iter().filter(|name| {
            let live = std::fs::read_link(machine.agent.live_path());
            !live.is_ok_and(|target| target.ends_with(name))
        });
        // A tree without a manifest, and a manifest without its tree.
        let (forgotten, gone) = (others.next().expect("a tree"), others.next().expect("another"));
        std::fs::remove_file(trees.join(format!("{forgotten}.json"))).expect("its manifest");
        std::fs::remove_dir_all(trees.join(gone)).expect("its tree");
        std::fs::write(trees.join("probe"), "").expect("a probe");
        std::fs::write(trees.join("0123456789ab-01234567.next.json"), "{")
            .expect("half a manifest");
        std::fs::create_dir(trees.join("staging-7000")).expect("half a tree");
        std::fs::write(trees.join("staging-7000/left"), "").expect("a file of it");
        machine.advance(mode);
        machine.advance(mode);
        assert!(!trees.join("probe").exists(), "{mode}");
        assert!(names(&machine.agent, ".next.json").is_empty(), "{mode}");
        assert!(!trees.join("staging-7000/left").exists(), "{mode}");
        let mut told = names(&machine.agent, ".json");
        assert!(!told.contains(gone) && !told.contains(forgotten), "{mode}: {told:?}");
        if mode == "exchange" {
            // The live one stands at the live path.
            told.retain(|name| trees.join(name).exists());
        }
        assert_eq!(standing(&machine.agent), told, "{mode}");
    }
}
