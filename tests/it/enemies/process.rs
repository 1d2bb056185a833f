//! The real process, ended or failed by the system at one write-side call after another.
//!
//! A run is traced first, for its calls; each of them is then a point: the same kind of run, in
//! which strace ends the process in front of that call, or lets the call fail. A point is a call's
//! name and its number among those of its name in one thread, as strace counts them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::sample;
use crate::support::{Agent, Ran, Repo, Running};

/// What changes a disk, or makes a change durable; with a question mark what not every machine has.
const WRITES: &str = "?open,?openat,?openat2,?creat,write,pwrite64,?writev,?pwritev,?pwritev2,fsync,\
                      fdatasync,syncfs,?rename,?renameat,renameat2,?link,linkat,?symlink,symlinkat,\
                      ?unlink,unlinkat,?rmdir,?mkdir,mkdirat,?chmod,fchmod,?fchmodat,?fchmodat2,\
                      ?chown,fchown,?fchownat,utimensat,ftruncate,?truncate,?fallocate,\
                      ?copy_file_range,?ftruncate64";

/// A point: a call, its number among those of its name in its thread, from 1.
type Point = (String, usize);

/// What strace does to a call.
enum Harm {
    Kill,
    Error(&'static str),
}

/// A machine with some deployments, whose repository goes on.
struct Machine {
    repo: Repo,
    agent: Agent,
    count: usize,
}

impl Machine {
    fn new(mode: &str) -> Self {
        let repo = Repo::new();
        let agent = Agent::of(&repo);
        let settings = std::fs::read_to_string(agent.settings_file()).expect("the settings");
        let live = format!("live:\n  mode: {mode}\n  reuse_after: 1ms\n");
        let settings = settings.replace("live:\n", &live) + "  rollback_limit: 2\n";
        agent.settings(&settings);
        let mut machine = Self { repo, agent, count: 0 };
        for _ in 0..5 {
            machine.push();
            let ran = machine.agent.once();
            assert_eq!(ran.code, 0, "{ran:#?}");
        }
        machine
    }

    fn push(&mut self) {
        self.count += 1;
        let count = self.count;
        let mut change = self.repo.change();
        for (path, text) in files(count) {
            change = change.write(&path, text);
        }
        if count > 1 {
            change = change.remove(&format!("only-{}", count - 1));
        }
        change.commit("next");
    }

    /// A pass under strace, which writes a file a thread into the folder.
    fn traced(&self, folder: &Path, inject: Option<&str>) -> Ran {
        let command = self.agent.command(&["sync", "--once"]);
        let mut strace = Command::new("strace");
        // Not with --seccomp-bpf: with it strace injects nothing.
        strace.args(["-ff", "-qq", "-y", "-e", "signal=none", "-o"]);
        strace.arg(folder.join("calls"));
        match inject {
            None => strace.args(["-e", &format!("trace={WRITES}")]),
            Some(inject) => {
                let name = inject.split(':').next().unwrap_or_default();
                strace.args(["-e", &format!("trace={name}"), "-e", &format!("inject={inject}")])
            }
        };
        strace.arg(command.get_program()).args(command.get_args()).env_clear();
        for (name, value) in command.get_envs() {
            strace.env(name, value.unwrap_or_default());
        }
        strace.current_dir(self.agent.folder());
        Running::start(strace).wait()
    }

    /// The points of a pass that brings the next commit.
    fn points(&mut self) -> Vec<Point> {
        let folder = TempDir::with_prefix("calls-").expect("a temporary folder");
        self.push();
        let ran = self.traced(folder.path(), None);
        assert_eq!(ran.code, 0, "{ran:#?}");
        let mut points = BTreeSet::new();
        for entry in std::fs::read_dir(folder.path()).expect("the trace").flatten() {
            let text = std::fs::read(entry.path()).expect("a thread's calls");
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            for line in String::from_utf8_lossy(&text).lines() {
                let Some((name, _)) = line.split_once('(') else { continue };
                let count = counts.entry(name.to_owned()).or_default();
                *count += 1;
                // What goes to a pipe or wakes a thread is no disk's business.
                let first = line.split(',').next().unwrap_or_default();
                let of_disk = !["<anon_inode:", "<pipe:", "<socket:", "<UNIX", "<TCP"]
                    .iter()
                    .any(|kind| first.contains(kind));
                if of_disk && (!name.starts_with("open") || line.contains("O_CREAT")) {
                    points.insert((name.to_owned(), *count));
                }
            }
        }
        points.into_iter().collect()
    }

    /// Does harm at a point, and holds the promises against what is left; then the next pass brings
    /// the head. Gives how the harmed pass ended.
    #[track_caller]
    fn suffers(&mut self, point: &Point, harm: &Harm) -> i32 {
        let (name, number) = point;
        let inject = match harm {
            Harm::Kill => format!("{name}:signal=KILL:when={number}"),
            Harm::Error(error) => format!("{name}:error={error}:when={number}"),
        };
        let folder = TempDir::with_prefix("calls-").expect("a temporary folder");
        self.push();
        let ran = self.traced(folder.path(), Some(&inject));
        let shown = self.agent.live_files();
        let (old, new) = (tree(self.count - 1), tree(self.count));
        assert!(shown == old || shown == new, "{inject}: no whole tree is live: {shown:#?}");
        assert!(!ran.stderr.contains("panicked"), "{inject}: {ran:#?}");
        if ran.code == 0 {
            assert_eq!(shown, new, "{inject}: it said that it is done: {ran:#?}");
        }
        if let Harm::Error(_) = harm {
            assert!(ran.code < 128, "{inject}: {ran:#?}");
            assert!(ran.code != 14 || shown == old, "{inject}: 14 is as it was: {ran:#?}");
        }
        let again = self.agent.once();
        assert_eq!(again.code, 0, "{inject}: after {ran:#?}: {again:#?}");
        self.holds_promises(&inject);
        ran.code
    }

    /// What is told agrees with what is there, and that is the head.
    #[track_caller]
    fn holds_promises(&self, when: &str) {
        assert_eq!(self.agent.live_files(), tree(self.count), "{when}");
        let status = self.agent.json(&["status"]);
        assert_eq!(status["live"]["revision"], self.repo.tip("main").as_str(), "{when}");
        assert_eq!(status["state"], "in_sync", "{when}: {status:#}");
        let told = self.agent.json(&["history"]);
        let items = told["items"].as_array().expect("a list");
        let live: Vec<_> = items.iter().filter(|item| item["outcome"] == "live").collect();
        assert_eq!(live.len(), 1, "{when}: {told:#}");
        assert_eq!(live[0]["deployment"], status["live"]["deployment"], "{when}");
    }
}

fn files(number: usize) -> Vec<(String, String)> {
    let changing = (0..4).map(|file| (format!("sub/f{file}"), format!("{number} {file}\n")));
    let same = (0..4).map(|file| (format!("same/f{file}"), format!("{file}\n")));
    let only = (format!("only-{number}"), String::new());
    changing.chain(same).chain([only]).collect()
}

fn tree(number: usize) -> BTreeMap<String, Vec<u8>> {
    files(number).into_iter().map(|(path, text)| (path, text.into_bytes())).collect()
}

/// What the harmed passes of a run ended with.
#[derive(Debug, Default)]
struct Told {
    points: usize,
    tried: usize,
    /// How often which exit code.
    codes: BTreeMap<i32, usize>,
}

fn at_each_call(mode: &str, harms: &[Harm], every: usize, wanted: impl Fn(&str) -> bool) -> Told {
    let mut machine = Machine::new(mode);
    let points: Vec<Point> =
        machine.points().into_iter().filter(|(name, _)| wanted(name)).collect();
    let mut told = Told { points: points.len() * harms.len(), ..Told::default() };
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    points.iter().for_each(|(name, _)| *names.entry(name).or_default() += 1);
    eprintln!("{mode}: {names:?}");
    for (number, harm) in harms.iter().enumerate() {
        for point in sample(points.clone(), every, number * 5) {
            let code = machine.suffers(&point, harm);
            *told.codes.entry(code).or_default() += 1;
            told.tried += 1;
        }
    }
    eprintln!("{mode}: {} of {} points, exit codes {:?}", told.tried, told.points, told.codes);
    told
}

fn killed_at_each_call(mode: &str) {
    let told = at_each_call(mode, &[Harm::Kill], 17, |_| true);
    let killed = told.codes.get(&137).copied().unwrap_or_default();
    assert!(told.points > 50, "hardly a call was seen: {told:?}");
    assert!(killed * 2 > told.tried, "hardly a run was killed: {told:?}");
}

#[test]
fn killed_in_front_of_each_write_the_promises_hold_with_a_link() {
    killed_at_each_call("symlink");
}

#[test]
fn killed_in_front_of_each_write_the_promises_hold_with_a_folder() {
    killed_at_each_call("exchange");
}

fn failed_at_each_call(harms: &[Harm], every: usize, wanted: impl Fn(&str) -> bool + Copy) {
    for mode in ["symlink", "exchange"] {
        let told = at_each_call(mode, harms, every, wanted);
        assert!(told.tried > 0, "no call was seen: {told:?}");
    }
}

#[test]
fn an_io_error_at_each_sync_leaves_a_whole_tree() {
    let harms = [Harm::Error("EIO"), Harm::Error("ENOSPC")];
    failed_at_each_call(&harms, 7, |name| name.contains("sync"));
}

#[test]
fn a_disk_that_fails_at_each_write_leaves_a_whole_tree() {
    let harms = ["EIO", "ENOSPC", "EDQUOT", "EROFS"].map(Harm::Error);
    failed_at_each_call(&harms, 53, |name| !name.contains("sync"));
}

#[test]
fn no_descriptor_left_at_each_open_leaves_a_whole_tree() {
    let harms = [Harm::Error("EMFILE"), Harm::Error("ENFILE")];
    failed_at_each_call(&harms, 7, |name| name.starts_with("open"));
}
