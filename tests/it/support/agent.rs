use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::git::succeed;
use super::repo::Repo;
use super::wait::{pass, wait_for, wait_until};

/// A machine of its own for kconfigd: settings, state folder, live path and home in a temporary
/// folder, and an environment that holds nothing of ours.
///
/// ```ignore
/// let agent = Agent::following(&repo.path().display().to_string(), "");
/// assert_eq!(agent.once().code, 0);
/// assert_eq!(agent.live("a.yaml").as_deref(), Some("a: 1\n"));
/// let sync = agent.start_sync();
/// agent.wait_until_live(&second);
/// sync.kill();
/// ```
pub(crate) struct Agent {
    folder: TempDir,
    program: PathBuf,
    environment: Vec<(String, String)>,
}

/// How a run ended, and what it said.
#[derive(Clone, Debug)]
pub(crate) struct Ran {
    /// The exit code; 128 and the signal's number when it was killed.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Agent {
    /// A machine without settings.
    pub(crate) fn new() -> Self {
        let folder = TempDir::with_prefix("agent-").expect("a temporary folder");
        for name in ["home", "etc", "run"] {
            std::fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        let program = PathBuf::from(env!("CARGO_BIN_EXE_kconfigd"));
        Self { folder, program, environment: Vec::new() }
    }

    /// A machine that follows a repository, asking every 50 ms; `more` are lines of
    /// `kconfigd.yaml`, those under `gitops` first, indented by two.
    pub(crate) fn following(repository: &str, more: &str) -> Self {
        let agent = Self::new();
        let (state, live) = (agent.state_dir(), agent.live_path());
        agent.settings(&format!(
            "state_dir: {}\nlive:\n  path: {}\napi:\n  listen: \"127.0.0.1:0\"\n\
             gitops:\n  repository: \"{repository}\"\n  sync_interval: 50ms\n{more}",
            state.display(),
            live.display(),
        ));
        agent
    }

    /// [`Agent::following`], by path.
    pub(crate) fn of(repo: &Repo) -> Self {
        Self::following(&repo.path().display().to_string(), "")
    }

    /// Another program instead of kconfigd, to test this machine itself.
    pub(crate) fn program(mut self, program: &str) -> Self {
        self.program = PathBuf::from(program);
        self
    }

    /// One more variable in the environment.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Writes `kconfigd.yaml`, whole.
    pub(crate) fn settings(&self, text: &str) {
        std::fs::write(self.settings_file(), text).expect("kconfigd.yaml");
    }

    /// All of it; also for secrets and other files of a test.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn settings_file(&self) -> PathBuf {
        self.folder().join("kconfigd.yaml")
    }

    /// Copies a folder, as a backup would: `etc`, the volume of the live path, or `state`.
    pub(crate) fn back_up(&self, folder: &str) {
        let (folder, copy) = (self.folder().join(folder), self.folder().join("copy"));
        succeed(Command::new("cp").arg("-a").arg(folder).arg(copy));
    }

    /// Puts the copy in its place: every folder and file has another inode.
    pub(crate) fn restore(&self, folder: &str) {
        let (folder, copy) = (self.folder().join(folder), self.folder().join("copy"));
        std::fs::remove_dir_all(&folder).expect("the folder");
        std::fs::rename(&copy, &folder).expect("its copy");
    }

    pub(crate) fn state_dir(&self) -> PathBuf {
        self.folder().join("state")
    }

    pub(crate) fn live_path(&self) -> PathBuf {
        self.folder().join("etc/config")
    }

    /// The text of a live file; `None` when there is none.
    pub(crate) fn live(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.live_path().join(path)).ok()
    }

    /// Every live file's bytes by its path; a link's are `-> ` and its target.
    pub(crate) fn live_files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        // The folder is opened once, so that all files are of one tree.
        if let Ok(root) = self.live_path().canonicalize() {
            collect(&root, &root, &mut files);
        }
        files
    }

    /// Runs a verb to its end.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        let output = self.command(arguments).output().expect("the program starts");
        Ran {
            code: code(output.status),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// `sync --once`.
    #[track_caller]
    pub(crate) fn once(&self) -> Ran {
        self.run(&["sync", "--once"])
    }

    /// A verb's JSON.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let ran = self.run(&[arguments, &["-o", "json"]].concat());
        match serde_json::from_str(&ran.stdout) {
            Ok(value) => value,
            Err(error) => panic!("{arguments:?} gave no JSON ({error}): {ran:#?}"),
        }
    }

    /// Starts `sync`, which goes on by itself.
    pub(crate) fn start_sync(&self) -> Running {
        self.start(&["sync"])
    }

    /// Starts a verb that goes on by itself.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        Running::start(self.command(arguments))
    }

    /// The command as it would be run: to wrap it, or to add to it.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(self.folder()).stdin(Stdio::null()).env_clear();
        command
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder().join("home"))
            .env("XDG_RUNTIME_DIR", self.folder().join("run"))
            .env("USER", "somebody")
            .env("LANG", "C.UTF-8")
            .env("TZ", "UTC")
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Waits until the running agent says that this revision is live.
    #[track_caller]
    pub(crate) fn wait_until_live(&self, revision: &str) {
        wait_until(&format!("{revision} is live"), || {
            let ran = self.run(&["status", "-o", "json"]);
            serde_json::from_str::<Value>(&ran.stdout)
                .is_ok_and(|status| status["live"]["revision"] == revision)
        });
    }
}

/// A started program. Killed when dropped.
pub(crate) struct Running {
    child: Child,
    out: Heard,
    err: Heard,
}

/// What a child says on one stream, heard by a thread so that it never waits for us.
struct Heard {
    text: Arc<Mutex<String>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let out = Heard::new(child.stdout.take().expect("its standard output"));
        let err = Heard::new(child.stderr.take().expect("its standard error"));
        Self { child, out, err }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Standard output so far.
    pub(crate) fn stdout(&self) -> String {
        self.out.text()
    }

    /// Standard error so far.
    pub(crate) fn stderr(&self) -> String {
        self.err.text()
    }

    /// Whether it has not ended yet.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_none())
    }

    /// Waits until standard error has this text; fails when the program ends before.
    #[track_caller]
    pub(crate) fn wait_for_stderr(&mut self, text: &str) {
        wait_until(&format!("standard error has {text:?}"), || {
            let ended = !self.is_running();
            let found = self.stderr().contains(text);
            assert!(found || !ended, "it ended and never said {text:?}: {}", self.stderr());
            found
        });
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("a signal to our child");
    }

    /// Kills it, as `kill -9` does, and waits for its end.
    pub(crate) fn kill(mut self) -> Ran {
        self.signal(Signal::KILL);
        self.ended()
    }

    /// [`Running::kill`], at a moment that chance chose.
    pub(crate) fn kill_after(self, moment: Duration) -> Ran {
        pass(moment);
        self.kill()
    }

    /// Asks it to end, and waits until it has.
    #[track_caller]
    pub(crate) fn stop(mut self) -> Ran {
        self.signal(Signal::TERM);
        self.ended()
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait(mut self) -> Ran {
        self.ended()
    }

    #[track_caller]
    fn ended(&mut self) -> Ran {
        let status = wait_for("the program ends", || self.child.try_wait().ok().flatten());
        self.out.finish();
        self.err.finish();
        Ran { code: code(status), stdout: self.stdout(), stderr: self.stderr() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Heard {
    fn new(from: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let written = Arc::clone(&text);
        let thread = std::thread::spawn(move || {
            let mut from = BufReader::new(from);
            let mut line = Vec::new();
            while from.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
                let mut text = written.lock().unwrap_or_else(PoisonError::into_inner);
                text.push_str(&String::from_utf8_lossy(&line));
                line.clear();
            }
        });
        Self { text, thread: Some(thread) }
    }

    fn text(&self) -> String {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for the stream's end.
    fn finish(&mut self) {
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        if let Ok(target) = std::fs::read_link(&path) {
            files.insert(name, format!("-> {}", target.display()).into_bytes());
        } else if path.is_dir() {
            collect(root, &path, files);
        } else if let Ok(bytes) = std::fs::read(&path) {
            files.insert(name, bytes);
        }
    }
}
