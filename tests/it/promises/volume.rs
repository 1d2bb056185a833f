use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Agent, Ran, Repo, wait_until};

/// A small volume of its own below the live path's parent. Taken away when dropped.
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
