use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Agent, GitServer, Repo, succeed, wait_until};

/// A machine that follows a repository commit by commit.
pub(super) struct Machine {
    repo: Repo,
    pub(super) server: GitServer,
    pub(super) agent: Agent,
    /// The commits so far, and so the deployments.
    count: u64,
}

impl Machine {
    /// One with three deployments, and a link at the live path.
    fn new() -> Self {
        Self::with("symlink")
    }

    pub(super) fn with(mode: &str) -> Self {
        let repo = Repo::new();
        // An executable and a link, since they are part of what a tree is known again by.
        let change = repo.change().write("sub/b.yaml", "b: 1\n");
        change.executable("sub/c.sh", "c\n").link("sub/d", "b.yaml").commit("the first");
        let server = GitServer::start(repo.root());
        let agent = Agent::following(&server.url(), "");
        let settings = std::fs::read_to_string(agent.settings_file()).expect("the settings");
        agent.settings(&settings.replace("live:\n", &format!("live:\n  mode: {mode}\n")));
        let mut machine = Self { repo, server, agent, count: 0 };
        (0..3).for_each(|_| machine.advance("at first"));
        machine
    }

    /// The next commit goes live as the next deployment.
    #[track_caller]
    pub(super) fn advance(&mut self, when: &str) {
        let revision = self.commit();
        let ran = self.agent.once();
        assert_eq!(ran.code, 0, "{when}: {ran:#?}");
        self.is_live(&revision, when);
    }

    fn commit(&mut self) -> String {
        self.count += 1;
        self.repo.commit(&[("a.yaml", &self.text()), (&format!("d{}/f", self.count % 5), "f\n")])
    }

    fn text(&self) -> String {
        format!("a: {}\n", self.count)
    }

    #[track_caller]
    fn is_live(&self, revision: &str, when: &str) {
        assert_eq!(self.agent.live("a.yaml"), Some(self.text()), "{when}");
        assert_eq!(self.agent.live("sub/b.yaml").as_deref(), Some("b: 1\n"), "{when}");
        let status = self.agent.json(&["status"]);
        assert_eq!(status["live"]["revision"], revision, "{when}: {status:#}");
        assert_eq!(status["live"]["deployment"], self.count, "{when}: {status:#}");
    }

    /// The numbers of the history, newest first.
    pub(super) fn history(&self) -> Vec<u64> {
        let told = self.agent.json(&["history"]);
        let items = told["items"].as_array().expect("a list").iter();
        items.filter_map(|item| item["deployment"].as_u64()).collect()
    }

    /// A start without the remote: what is live stays, and is known by its number and revision.
    #[track_caller]
    pub(super) fn stays_without_the_remote(&mut self, when: &str) {
        let (before, revision) = (self.agent.live_files(), self.repo.tip("main"));
        self.server.down();
        let ran = self.agent.once();
        assert_eq!(ran.code, 11, "{when}: {ran:#?}");
        assert_eq!(self.agent.live_files(), before, "{when}");
        self.is_live(&revision, when);
        self.server.up();
    }
}

#[test]
fn the_state_folder_may_be_lost() {
    let machine = Machine::new();
    loses_its_state_folder(machine);
}

#[test]
fn the_state_folder_may_be_lost_beside_a_live_folder() {
    let machine = Machine::with("exchange");
    assert!(!machine.agent.live_path().is_symlink());
    loses_its_state_folder(machine);
}

fn loses_its_state_folder(mut machine: Machine) {
    std::fs::remove_dir_all(machine.agent.state_dir()).expect("the state folder");
    let when = "without the state folder";
    machine.stays_without_the_remote(when);
    assert_eq!(machine.history(), [3, 2, 1]);
    let history = machine.agent.json(&["history"]);
    let items = history["items"].as_array().expect("a list");
    assert!(items.iter().all(|item| item["outcome"] != "rolled_back"), "{history:#}");
    machine.advance(when);
    let ran = machine.agent.run(&["rollback"]);
    assert_eq!(ran.code, 0, "{ran:#?}");
    assert_eq!(machine.agent.live("a.yaml").as_deref(), Some("a: 3\n"));
}

#[test]
fn a_damaged_journal_is_kept_aside_and_begun_anew() {
    let mut machine = Machine::new();
    let folder = machine.agent.state_dir();
    let journal = folder.join("kconfigd.db");
    for (round, damage) in
        [&b"this is no database\n".repeat(500)[..], b"SQLite format 3\0gar"].into_iter().enumerate()
    {
        let when = "with a damaged journal";
        std::fs::write(&journal, damage).expect("the journal");
        machine.stays_without_the_remote(when);
        machine.advance(when);
        let kept = files(&folder).into_iter().filter(|path| {
            std::fs::read(path).is_ok_and(|bytes| bytes == damage) && *path != journal
        });
        assert_eq!(kept.count(), 1, "{round}: the damaged journal is not beside the new one");
    }
}

/// Removes what kconfigd wrote down beside its trees.
fn lose_manifests(agent: &Agent) {
    let trees = agent.folder().join("etc/.config.trees");
    for file in files(&trees).iter().filter(|file| file.extension().is_some_and(|e| e == "json")) {
        std::fs::remove_file(file).expect("a manifest");
    }
}

#[test]
fn the_manifests_may_be_lost_beside_a_live_folder() {
    let mut machine = Machine::with("exchange");
    lose_manifests(&machine.agent);
    machine.stays_without_the_remote("without manifests");
    machine.advance("without manifests");
    lose_manifests(&machine.agent);
    machine.advance("without manifests, and with a commit that waits");
    let aside = machine.agent.folder().join("etc/config.before-kconfigd");
    assert!(!aside.exists(), "the live folder was taken for somebody else's");
}

#[test]
fn a_live_folder_that_was_changed_and_lost_its_manifest_is_replaced_and_kept_aside() {
    let mut machine = Machine::with("exchange");
    lose_manifests(&machine.agent);
    let edited = machine.agent.live_path().join("a.yaml");
    std::fs::write(&edited, "a: mine\n").expect("an edit");
    machine.advance("edited and without manifests");
    let aside = machine.agent.folder().join("etc/config.before-kconfigd/a.yaml");
    assert_eq!(std::fs::read_to_string(aside).ok().as_deref(), Some("a: mine\n"));
}

#[test]
fn a_folder_at_another_live_path_is_somebody_elses_whatever_the_journal_says() {
    for mode in ["symlink", "exchange"] {
        let machine = Machine::with(mode);
        let theirs = machine.agent.folder().join("etc/theirs");
        // As it may be, even of the same content.
        succeed(Command::new("cp").arg("-rL").arg(machine.agent.live_path()).arg(&theirs));
        for own in [false, true] {
            if own {
                std::fs::write(theirs.join("a.yaml"), "theirs\n").expect("a file");
            }
            let settings = std::fs::read_to_string(machine.agent.settings_file()).expect("it");
            let ours = machine.agent.live_path().display().to_string();
            machine.agent.settings(&settings.replace(&ours, &theirs.display().to_string()));
            let ran = machine.agent.once();
            assert_eq!(ran.code, 10, "{mode}: {ran:#?}");
            assert!(format!("{}{}", ran.stdout, ran.stderr).contains("live.adopt"), "{ran:#?}");
            assert!(theirs.is_dir() && !theirs.is_symlink(), "{mode}");
            assert!(!machine.agent.folder().join("etc/theirs.before-kconfigd").exists());
        }
    }
}

#[test]
fn the_trees_may_be_lost_beside_a_live_folder_while_the_agent_runs() {
    let mut machine = Machine::with("exchange");
    let sync = machine.agent.start_sync();
    // The first is live already: what the agent itself made live shows that it runs.
    let revision = machine.commit();
    machine.agent.wait_until_live(&revision);
    let trees = machine.agent.folder().join("etc/.config.trees");
    // The agent may still be making the next one ready in it.
    wait_until("the trees are gone", || std::fs::remove_dir_all(&trees).is_ok());
    let revision = machine.commit();
    machine.agent.wait_until_live(&revision);
    // A pass that was under way may have failed, and has its number.
    assert_eq!(machine.agent.live("a.yaml"), Some(machine.text()));
    assert!(!machine.agent.folder().join("etc/config.before-kconfigd").exists());
    // The lock went with them, and is held again: nobody else can work on this live path.
    let lock = machine.agent.folder().join("etc/.config.trees/lock");
    let lock = std::fs::File::open(lock).expect("the lock");
    assert!(matches!(lock.try_lock(), Err(std::fs::TryLockError::WouldBlock)));
    sync.stop();
}

#[test]
fn the_manifests_may_be_lost() {
    let mut machine = Machine::new();
    lose_manifests(&machine.agent);
    let when = "without manifests";
    let before = machine.agent.live_files();
    machine.server.down();
    let ran = machine.agent.once();
    assert_ne!(ran.code, 0, "{ran:#?}");
    assert_eq!(machine.agent.live_files(), before);
    machine.server.up();
    machine.advance(when);
    machine.advance(when);
}

#[test]
fn what_stands_in_place_of_a_manifest_keeps_no_agent_from_starting() {
    let mut machine = Machine::new();
    let trees = machine.agent.folder().join("etc/.config.trees");
    let manifests =
        files(&trees).into_iter().filter(|file| file.extension().is_some_and(|e| e == "json"));
    for (place, manifest) in manifests.enumerate() {
        match place % 3 {
            0 => std::fs::write(&manifest, vec![b' '; 100_000]).expect("a large one"),
            1 => std::fs::write(&manifest, b"{").expect("a torn one"),
            _ => {
                std::fs::remove_file(&manifest).expect("a manifest");
                std::fs::create_dir(&manifest).expect("a folder");
            }
        }
    }
    machine.advance("with manifests that are none");
}

#[test]
fn state_and_manifests_may_be_lost_together() {
    let mut machine = Machine::new();
    let before = machine.agent.live_files();
    std::fs::remove_dir_all(machine.agent.state_dir()).expect("the state folder");
    lose_manifests(&machine.agent);
    machine.server.down();
    machine.agent.once();
    assert_eq!(machine.agent.live_files(), before);
    machine.server.up();
    machine.commit();
    let ran = machine.agent.once();
    assert_eq!(ran.code, 0, "{ran:#?}");
    assert_eq!(machine.agent.live("a.yaml"), Some(machine.text()));
}

#[test]
fn the_mirror_may_be_lost_also_while_the_agent_runs() {
    let mut machine = Machine::new();
    let mirror = machine.agent.state_dir().join("repo.git");
    std::fs::remove_dir_all(&mirror).expect("the mirror");
    machine.stays_without_the_remote("without the mirror");
    machine.advance("without the mirror");

    let sync = machine.agent.start_sync();
    let revision = machine.commit();
    machine.agent.wait_until_live(&revision);
    std::fs::remove_dir_all(&mirror).expect("the mirror");
    let revision = machine.commit();
    wait_until("the next commit is live", || machine.agent.live("a.yaml") == Some(machine.text()));
    machine.agent.wait_until_live(&revision);
    machine.is_live(&revision, "the mirror went while the agent ran");
    sync.stop();
}

#[test]
fn a_plan_without_mirror_or_state_tells_what_changes_and_nothing_else() {
    for (lost, edited) in [("repo.git", false), ("repo.git", true), ("", false)] {
        let mut machine = Machine::new();
        std::fs::remove_dir_all(machine.agent.state_dir().join(lost)).expect("what is lost");
        if edited {
            let file = machine.agent.live_path().join("sub/b.yaml");
            std::fs::write(file, "b: mine\n").expect("an edit");
        }
        machine.commit();
        let plan = machine.agent.json(&["plan"]);
        let files = plan["plan"]["files"].as_array().unwrap_or_else(|| panic!("{plan:#}"));
        let told: Vec<String> = files
            .iter()
            .map(|file| format!("{} {}", file["kind"], file["path"]).replace('"', ""))
            .collect();
        assert_eq!(told, ["modified a.yaml", "added d4/f"], "{lost} {edited}");
    }
}

#[test]
fn drift_is_repaired_though_the_mirror_is_lost() {
    let mut machine = Machine::new();
    let when = "with drift and without the mirror";
    std::fs::remove_dir_all(machine.agent.state_dir().join("repo.git")).expect("the mirror");
    std::fs::write(machine.agent.live_path().join("a.yaml"), "a: mine\n").expect("an edit");
    machine.server.down();
    let ran = machine.agent.once();
    assert_eq!(ran.code, 11, "{ran:#?}");
    assert_eq!(machine.agent.live("a.yaml").as_deref(), Some("a: mine\n"));
    machine.server.up();
    let ran = machine.agent.once();
    assert_eq!(ran.code, 0, "{ran:#?}");
    machine.is_live(&machine.repo.tip("main"), when);
    machine.advance(when);
}

#[test]
fn a_rollback_needs_neither_the_mirror_nor_the_source() {
    let mut machine = Machine::new();
    std::fs::remove_dir_all(machine.agent.state_dir().join("repo.git")).expect("the mirror");
    machine.server.down();
    let ran = machine.agent.run(&["rollback", "-o", "json"]);
    assert_eq!(ran.code, 0, "{ran:#?}");
    assert_eq!(machine.agent.live("a.yaml").as_deref(), Some("a: 2\n"));
    // And its plan is told whole.
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(report["plan"]["changes"]["modified"], 1, "{report:#}");
    assert_eq!(report["plan"]["changes"]["removed"], 1, "{report:#}");
}

#[test]
fn any_file_of_the_mirror_may_be_damaged() {
    let mut machine = Machine::new();
    let mirror = machine.agent.state_dir().join("repo.git");
    let kept = machine.agent.folder().join("kept.git");
    copy(&mirror, &kept);
    let all = files(&mirror);
    assert!(all.len() >= 10, "{all:#?}");
    for (name, damage) in [("garbled", garble as fn(&Path)), ("truncated", truncate)] {
        for file in &all {
            let when = format!("{} is {name}", file.display());
            std::fs::remove_dir_all(&mirror).expect("the mirror");
            copy(&kept, &mirror);
            damage(file);
            machine.stays_without_the_remote(&when);
            machine.advance(&when);
        }
    }
    eprintln!("{} files, each garbled and truncated, without the remote and with it", all.len());
}

fn copy(from: &Path, to: &Path) {
    succeed(Command::new("cp").arg("-a").arg(from).arg(to));
}

fn garble(file: &Path) {
    let mut bytes = std::fs::read(file).expect("a file of the mirror");
    for byte in bytes.iter_mut().skip(3) {
        *byte ^= 0x5a;
    }
    replace(file, &bytes);
}

fn truncate(file: &Path) {
    let bytes = std::fs::read(file).expect("a file of the mirror");
    replace(file, &bytes[..bytes.len() / 2]);
}

/// Packs are read-only, and may be mapped by nobody now: no agent runs.
fn replace(file: &Path, bytes: &[u8]) {
    std::fs::remove_file(file).expect("a file of the mirror");
    std::fs::write(file, bytes).expect("its damage");
}

/// All files below a folder, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path()) {
        if path.is_dir() && !path.is_symlink() {
            found.extend(files(&path));
        } else if path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    found
}
