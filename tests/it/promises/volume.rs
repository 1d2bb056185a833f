use std::path::{Path, PathBuf};
use std::process::Command;

use super::Chance;
use crate::support::{Agent, Ran, Repo, wait_until};

/// A small volume of its own. Taken away when dropped.
struct Volume {
    folder: PathBuf,
}

impl Volume {
    /// `None`, loudly, where this machine lets nobody mount.
    fn at(folder: &Path, size: &str) -> Option<Self> {
        let volume = Self { folder: folder.to_owned() };
        let made = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size},mode=755"), "tmpfs"])
            .arg(folder)
            .output()
            .expect("mount starts");
        if made.status.success() {
            return Some(volume);
        }
        std::mem::forget(volume);
        eprintln!(
            "SKIPPED: a small volume cannot be mounted here, which needs root: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        None
    }

    #[track_caller]
    fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        let status = Command::new("mount").args(["-o", &options]).arg(&self.folder).status();
        assert!(status.is_ok_and(|status| status.success()), "{options} {}", self.folder.display());
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        // Lazily: an agent that a failed test leaves may still have its lock open.
        drop(Command::new("umount").arg("-l").arg(&self.folder).status());
    }
}

/// A machine whose live path is on a volume of 256 KiB, and its first tree is live.
fn on_a_small_volume() -> Option<(Agent, Volume, Repo)> {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 1\n")]);
    let agent = Agent::of(&repo);
    let volume = Volume::at(&agent.folder().join("etc"), "256k")?;
    assert_eq!(agent.once().code, 0);
    Some((agent, volume, repo))
}

/// Everything beside the live path, by name.
fn entries(agent: &Agent) -> Vec<String> {
    let mut names = Vec::new();
    for folder in ["etc", "etc/.config.trees"] {
        let folder = agent.folder().join(folder);
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            names.push(entry.path().display().to_string());
        }
    }
    names.sort();
    names
}

#[track_caller]
fn failed_and_said_where(agent: &Agent, ran: &Ran) {
    assert_eq!(ran.code, 14, "{ran:#?}");
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(said.contains(&agent.folder().join("etc").display().to_string()), "{said}");
}

#[test]
fn a_full_volume_leaves_the_live_tree_and_nothing_half_made() {
    let Some((agent, volume, repo)) = on_a_small_volume() else { return };
    let before = (agent.live_files(), entries(&agent));
    let big = "#".repeat(512 * 1024);
    let second = repo.commit(&[("a.yaml", "a: 2\n"), ("big", &big), ("z.yaml", "z: 2\n")]);

    let ran = agent.once();
    failed_and_said_where(&agent, &ran);
    assert!(format!("{}{}", ran.stdout, ran.stderr).contains("space"), "{ran:#?}");
    assert_eq!((agent.live_files(), entries(&agent)), before);
    let status = agent.json(&["status"]);
    assert_eq!(status["reason"], "apply_failed", "{status:#}");
    assert_eq!(status["live"]["deployment"], 1, "{status:#}");
    assert_eq!(status["quarantine"].as_array().map(Vec::len), Some(0), "{status:#}");

    // A running agent goes on by itself as soon as there is space.
    let mut sync = agent.start_sync();
    wait_until("the agent has tried", || {
        assert!(sync.is_running(), "{}", sync.stderr());
        agent.json(&["status"])["reason"] == "apply_failed" && sync.stderr().contains("space")
    });
    assert_eq!((agent.live_files(), entries(&agent)), before);
    volume.remount("size=8m");
    agent.wait_until_live(&second);
    assert_eq!(agent.live("big").map(|text| text.len()), Some(big.len()));
    assert_eq!(agent.json(&["status"])["state"], "in_sync");
    sync.stop();
}

#[test]
fn a_volume_that_cannot_be_written_leaves_the_live_tree() {
    let Some((agent, volume, repo)) = on_a_small_volume() else { return };
    let before = (agent.live_files(), entries(&agent));
    repo.commit(&[("a.yaml", "a: 2\n")]);
    volume.remount("ro");
    let ran = agent.once();
    failed_and_said_where(&agent, &ran);
    assert_eq!((agent.live_files(), entries(&agent)), before);
    volume.remount("rw");
    let ran = agent.once();
    assert_eq!(ran.code, 0, "{ran:#?}");
    assert_eq!(agent.live("a.yaml").as_deref(), Some("a: 2\n"));
}

#[test]
fn a_full_state_volume_leaves_the_live_tree_and_nothing_half_made() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 0\n")]);
    let agent = Agent::of(&repo);
    std::fs::create_dir(agent.state_dir()).expect("the state folder");
    let Some(_volume) = Volume::at(&agent.state_dir(), "2m") else { return };
    let ran = agent.once();
    assert_eq!(ran.code, 0, "{ran:#?}");
    let filler = agent.state_dir().join("filler");
    let mut chance = Chance::new();

    // From not a byte, with which nothing can be noted, to too few for what the commit brings.
    for left in [0, 8, 32, 128] {
        let before = (agent.live_files(), entries(&agent));
        let live = agent.json(&["status"])["live"].clone();
        let noise: String =
            (0..400 << 10).map(|_| char::from(33 + chance.below(90) as u8)).collect();
        let next = repo.commit(&[("a.yaml", &format!("a: {left}\n")), ("noise", &noise)]);
        fill(&filler, left << 10);
        let ran = agent.once();
        assert_ne!(ran.code, 0, "{left} KiB left: {ran:#?}");
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(said.contains("full") || said.contains("space"), "{left} KiB left: {said}");
        assert_eq!((agent.live_files(), entries(&agent)), before, "{left} KiB left: {said}");
        std::fs::remove_file(&filler).expect("the filler");
        assert_eq!(agent.json(&["status"])["live"], live, "{left} KiB left");
        let ran = agent.once();
        assert_eq!(ran.code, 0, "{left} KiB left: {ran:#?}");
        assert_eq!(agent.json(&["status"])["live"]["revision"], next.as_str());
        // So that the next one does not find the volume full of packs.
        std::fs::remove_dir_all(agent.state_dir().join("repo.git")).expect("the mirror");
    }
}

/// Fills the volume of a file but for so many bytes.
fn fill(file: &Path, left: u64) {
    let mut filler = std::fs::File::create(file).expect("a file");
    let block = [b'x'; 4096];
    while std::io::Write::write_all(&mut filler, &block).is_ok() {}
    let length = filler.metadata().expect("its length").len();
    filler.set_len(length.saturating_sub(left)).expect("a shorter one");
}
