use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::support::{Agent, Running, wait_until};

/// A running agent whose system calls are written down. Ends when dropped.
pub(super) struct Traced {
    /// The tracer, which ends with the agent.
    tracer: Running,
    agent: Option<Pid>,
    folder: TempDir,
}

/// How far the trace has come: the length of each thread's file.
#[derive(Clone, Debug, Default)]
pub(super) struct Place(BTreeMap<PathBuf, usize>);

/// A call that makes something, or starts a process, and succeeded.
pub(super) type Call = String;

/// What makes a file, and what starts a process; with a question mark what not every machine has.
/// All other calls go on at full speed.
const TRACED: &str = "trace=?open,?openat,?openat2,?creat,?mkdir,?mkdirat,?link,?linkat,?symlink,\
                      ?symlinkat,?mknod,?mknodat,?fork,?vfork,?clone,?clone3,?execve,?execveat";

const MAKES: &[&str] = &["mkdir", "link", "symlink", "mknod"];

impl Traced {
    /// Starts `sync` under strace.
    pub(super) fn sync(agent: &Agent) -> Self {
        let folder = TempDir::with_prefix("trace-").expect("a temporary folder");
        let command = agent.command(&["sync"]);
        let mut strace = Command::new("strace");
        strace
            .args(["-ff", "-qq", "-y", "-s", "256", "--seccomp-bpf", "-e", "signal=none"])
            .args(["-e", TRACED, "-o"])
            .arg(folder.path().join("calls"))
            .arg(command.get_program())
            .args(command.get_args())
            .env_clear()
            .current_dir(agent.folder());
        for (name, value) in command.get_envs() {
            strace.env(name, value.unwrap_or_default());
        }
        let tracer = Running::start(strace);
        let mut traced = Self { tracer, agent: None, folder };
        let children = format!("/proc/{0}/task/{0}/children", traced.tracer.pid());
        wait_until("strace has started the agent", || {
            assert!(traced.tracer.is_running(), "strace ended: {}", traced.tracer.stderr());
            let text = std::fs::read_to_string(&children).unwrap_or_default();
            // Before it starts the agent, strace has children of its own, to see what works.
            let program = Path::new(command.get_program());
            let is_agent = |pid: &&str| {
                std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == program)
            };
            let pid = text.split_whitespace().find(is_agent).and_then(|pid| pid.parse().ok());
            traced.agent = pid.and_then(Pid::from_raw);
            traced.agent.is_some()
        });
        traced
    }

    /// Where the trace is now.
    pub(super) fn place(&self) -> Place {
        let sizes = self.files().into_iter().map(|file| {
            let size = std::fs::metadata(&file).expect("a thread's calls").len();
            (file, usize::try_from(size).expect("a small file"))
        });
        Place(sizes.collect())
    }

    /// The calls since then that made something below a folder.
    pub(super) fn made_since(&self, place: &Place, folder: &Path) -> Vec<Call> {
        let folder = folder.canonicalize().expect("the folder");
        let folder = folder.to_str().expect("a UTF-8 path").to_owned();
        self.calls_since(place, |name, line| {
            let makes = MAKES.contains(&name.trim_end_matches("at"))
                || (name.starts_with("open") || name == "creat")
                    && (line.contains("O_CREAT") || line.contains("O_TMPFILE"));
            makes && line.contains(&folder)
        })
    }

    /// The calls since then that opened a folder below a folder: to list it, or to make it durable.
    pub(super) fn folders_opened_since(&self, place: &Place, folder: &Path) -> Vec<Call> {
        let folder = folder.canonicalize().expect("the folder");
        let folder = folder.to_str().expect("a UTF-8 path").to_owned();
        self.calls_since(place, |name, line| {
            name.starts_with("open") && line.contains("O_DIRECTORY") && line.contains(&folder)
        })
    }

    /// The calls since then that started a process; a thread is none.
    pub(super) fn started_since(&self, place: &Place) -> Vec<Call> {
        self.calls_since(place, |name, line| match name {
            "fork" | "vfork" | "execve" | "execveat" => true,
            "clone" | "clone3" => !line.contains("CLONE_THREAD"),
            _ => false,
        })
    }

    /// Each thread has a file of its own, so no call is cut in two.
    fn files(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.folder.path()).expect("the trace").flatten();
        files.map(|entry| entry.path()).collect()
    }

    fn calls_since(&self, place: &Place, wanted: impl Fn(&str, &str) -> bool) -> Vec<Call> {
        let mut calls = Vec::new();
        for file in self.files() {
            let text = std::fs::read(&file).expect("a thread's calls");
            let from = place.0.get(&file).copied().unwrap_or_default();
            let text = String::from_utf8_lossy(text.get(from..).unwrap_or_default());
            for line in text.lines() {
                let name = line.split('(').next().unwrap_or_default();
                if wanted(name, line) && !line.contains(" = -1 ") {
                    calls.push(line.to_owned());
                }
            }
        }
        calls
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        if let Some(agent) = self.agent {
            // It may have ended by itself. The tracer's own end would let it go on.
            kill_process(agent, Signal::KILL).ok();
        }
    }
}
