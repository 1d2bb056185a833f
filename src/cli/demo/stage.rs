use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use super::super::init;
use super::check::DemoError;
use super::commits::Commits;
use super::gates::POLICY;
use super::node::Node;
use super::{Nodes, PATIENCE};

/// A file that the story changes, and what is in it.
pub(super) const SCHEDULER: &str = "agents/schedulerAgent.yaml";
/// Another one.
pub(super) const TRANSLATOR: &str = "agents/translatorAgent.yaml";
/// What stands before its address in the agent's log.
const LISTENING: &str = "the dashboard is at http://";
/// What the agent's log says once it has read its settings again.
const REREAD: &str = "the settings were read again";
/// How long the agent may take to end when it is told to.
const ENDING: Duration = Duration::from_secs(5);
/// A child that ends is told by a signal; where that is missed, it is looked at so often.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Bytes of the agent's log, and lines, that are shown when something went wrong.
const LOG_BYTES: u64 = 4096;
const LOG_LINES: usize = 12;
/// What a child gets of the environment: settings in `KCONFIGD_…`, proxies and so on stay out.
const ENVIRONMENT: [&str; 3] = ["PATH", "HOME", "USER"];

/// The folder, the repository and the agent of the demo.
pub(super) struct Stage {
    // Dropped in this order: the agent ends before its folder goes.
    agent: Option<Running>,
    commits: Commits,
    program: PathBuf,
    color: &'static str,
    folder: TempDir,
}

/// What the live path shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LiveTree {
    /// Where the link points.
    pub(super) link: PathBuf,
    /// Each file's path and bytes.
    pub(super) files: BTreeMap<String, Vec<u8>>,
}

/// A child, ended at once when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only for a child that has ended and was waited for.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Stage {
    /// Makes the folder, and in it a repository as `kconfigd init` makes it.
    pub(super) fn set_up(keep: bool, color: &'static str) -> Result<Self, DemoError> {
        let folder = tempfile::Builder::new()
            .prefix("kconfigd-demo-")
            .disable_cleanup(keep)
            .tempdir()
            .map_err(|error| DemoError::io("make", "a folder for temporary files", error))?;
        let made = init::make(folder.path(), None)?;
        let commits = Commits::open(&made.repository)?;
        let program = std::env::current_exe()
            .map_err(|error| DemoError::io("find", "its own program", error))?;
        Ok(Self { agent: None, commits, program, color, folder })
    }

    /// The settings of the story: the same as a user's, but in a hurry.
    pub(super) fn write_settings(&self, nodes: &Nodes) -> Result<(), DemoError> {
        let mut text = String::from(concat!(
            "profile: developer_node\n",
            "validation:\n  policies: [./policy/]\n",
            "state_dir: ./state\n",
            "api:\n  listen: \"127.0.0.1:0\"\n",
            "gitops:\n  repository: ./kos-config\n  branch: main\n",
            "  sync_interval: 200ms    # a real one asks every few minutes\n",
            "live:\n  path: ./live/config\n  drift_interval: 200ms\n",
            "  file_modes:\n    - {match: secrets.env, mode: \"0600\"}\n",
            "nodes:\n",
        ));
        for node in nodes {
            text.push_str(&format!(
                "  - name: {}\n    url: {}\n    secret_file: {}\n    events: [config.applied, config.refused, config.rolled_back, config.drift.repaired]\n",
                node.name(),
                node.url(),
                file_name(node)
            ));
        }
        let policy = self.folder().join("policy/queues.rego");
        fs::create_dir_all(policy.with_file_name(""))
            .and_then(|()| fs::write(&policy, POLICY))
            .map_err(|error| DemoError::io("write", policy.display().to_string(), error))?;
        let settings = self.settings();
        fs::write(&settings, text)
            .map_err(|error| DemoError::io("write", settings.display().to_string(), error))
    }

    /// Adds lines to the settings, lets the agent read them again, and waits until it has.
    pub(super) async fn add_settings(&mut self, lines: &str) -> Result<(), DemoError> {
        let settings = self.settings();
        File::options()
            .append(true)
            .open(&settings)
            .and_then(|mut file| file.write_all(lines.as_bytes()))
            .map_err(|error| DemoError::io("write", settings.display().to_string(), error))?;
        self.signal_agent(Signal::HUP);
        let log = self.log_file();
        self.wait_for("the new settings", async move {
            while !fs::read_to_string(&log).is_ok_and(|text| text.contains(REREAD)) {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        })
        .await
    }

    fn signal_agent(&self, signal: Signal) {
        let pid = self.agent.as_ref().and_then(|agent| i32::try_from(agent.0.id()).ok());
        if let Some(pid) = pid.and_then(Pid::from_raw) {
            // It fails for one that has ended by itself, which waiting tells.
            kill_process(pid, signal).unwrap_or_default();
        }
    }

    /// The folder of it all.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The settings file.
    pub(super) fn settings(&self) -> PathBuf {
        self.folder().join("kconfigd.yaml")
    }

    fn live(&self) -> PathBuf {
        self.folder().join("live/config")
    }

    /// The live path as the story names it.
    pub(super) fn shown_live(&self) -> &'static str {
        "live/config"
    }

    /// A live file as the story names it.
    pub(super) fn shown(&self, file: &str) -> String {
        format!("{}/{file}", self.shown_live())
    }

    /// The commit at the head of main.
    pub(super) fn head(&self) -> Result<String, DemoError> {
        self.commits.head()
    }

    /// Every file of a commit.
    pub(super) fn files_of(&self, commit: &str) -> Result<BTreeMap<String, Vec<u8>>, DemoError> {
        self.commits.files(commit)
    }

    /// A commit after main's head with one file changed, on a branch of its own.
    pub(super) fn propose(
        &self,
        file: &str,
        text: &str,
        message: &str,
    ) -> Result<String, DemoError> {
        self.commits.propose(file, text, message)
    }

    /// Makes a proposed commit main's head.
    pub(super) fn merge(&self, commit: &str) -> Result<(), DemoError> {
        self.commits.merge(commit)
    }

    /// Puts a file back in git to what is live, and waits until the agent has seen that.
    pub(super) async fn revert(&mut self, file: &str) -> Result<(), DemoError> {
        let text = self.read_live(file)?;
        self.merge(&self.propose(file, &text, &format!("Revert \"{file}\""))?)?;
        self.words(&["sync", "--once"], 0).await.map(drop)
    }

    /// A file as its consumers read it.
    pub(super) fn read_live(&self, file: &str) -> Result<String, DemoError> {
        let path = self.live().join(file);
        fs::read_to_string(&path)
            .map_err(|error| DemoError::io("read", path.display().to_string(), error))
    }

    /// Everything as its consumers read it.
    pub(super) fn live_tree(&self) -> Result<LiveTree, DemoError> {
        let live = self.live();
        let unread = |error| DemoError::io("read", live.display().to_string(), error);
        let link = fs::read_link(&live).map_err(unread)?;
        let mut files = BTreeMap::new();
        let mut ahead = vec![live.clone()];
        while let Some(folder) = ahead.pop() {
            for entry in fs::read_dir(&folder).map_err(unread)? {
                let path = entry.map_err(unread)?.path();
                if path.is_dir() {
                    ahead.push(path);
                } else {
                    let name = path.strip_prefix(&live).unwrap_or(&path).display().to_string();
                    files.insert(name, fs::read(&path).map_err(unread)?);
                }
            }
        }
        Ok(LiveTree { link, files })
    }

    /// What somebody does by hand: one write in place, `new` as long as `old`, so that no moment
    /// shows half of it.
    pub(super) fn edit_live(&self, file: &str, old: &str, new: &str) -> Result<(), DemoError> {
        let text = self.read_live(file)?.replace(old, new);
        let path = self.live().join(file);
        File::options()
            .write(true)
            .open(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|error| DemoError::io("edit", path.display().to_string(), error))
    }

    /// What the agent kept of a hand-made edit.
    pub(super) fn kept_aside(&self, file: &str) -> Result<String, DemoError> {
        let aside = self.folder().join("state/drift");
        let unread = |error| DemoError::io("read", aside.display().to_string(), error);
        let mut text = String::new();
        for entry in fs::read_dir(&aside).map_err(unread)? {
            let kept = entry.map_err(unread)?.path().join(file);
            text.push_str(&fs::read_to_string(kept).map_err(unread)?);
        }
        Ok(text)
    }

    /// Starts `kconfigd serve`.
    pub(super) fn start_agent(&mut self) -> Result<(), DemoError> {
        let log = self.log_file();
        let log = File::create(&log)
            .map_err(|error| DemoError::io("write", log.display().to_string(), error))?;
        let mut command = self.command(&["serve"], "never");
        command.stdout(Stdio::null()).stderr(log);
        self.agent = Some(spawn(&mut command)?);
        Ok(())
    }

    /// Where the agent's dashboard is, with what signs in there.
    pub(super) async fn dashboard(&mut self) -> Result<String, DemoError> {
        let (log, token) = (self.log_file(), self.folder().join("state/admin.token"));
        self.wait_for("the address of the dashboard", async move {
            loop {
                let said = fs::read_to_string(&log).unwrap_or_default();
                let address =
                    said.split_once(LISTENING).and_then(|(_, rest)| rest.split('/').next());
                if let (Some(address), Ok(token)) = (address, fs::read_to_string(&token)) {
                    return format!("http://{address}/sign-in#{}", token.trim());
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        })
        .await
    }

    fn log_file(&self) -> PathBuf {
        self.folder().join("agent.log")
    }

    fn command(&self, args: &[&str], color: &str) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env_clear()
            .envs(ENVIRONMENT.iter().filter_map(|k| Some((k, std::env::var_os(k)?))));
        // Its own group: Ctrl-C is for the demo, which then ends the rest in order.
        command.current_dir(self.folder()).stdin(Stdio::null()).process_group(0);
        command.args(args).args(["--color", color]);
        command
    }

    /// What a verb prints for people, as long as it ends with `exit`.
    pub(super) async fn words(&self, args: &[&str], exit: i32) -> Result<String, DemoError> {
        self.run(args, self.color, exit).await
    }

    /// What a verb prints for programs.
    pub(super) async fn json(&self, args: &[&str]) -> Result<Value, DemoError> {
        let args = [args, &["-o", "json"]].concat();
        let text = self.run(&args, "never", 0).await?;
        serde_json::from_str(&text).map_err(|error| DemoError::NotAsTold {
            what: format!("`kconfigd {}` prints JSON", args.join(" ")),
            seen: format!("{error}: {text}"),
        })
    }

    async fn run(&self, args: &[&str], color: &str, exit: i32) -> Result<String, DemoError> {
        let name = format!("kconfigd {}", args.join(" "));
        let scratch = |error| DemoError::io("keep the output of", &name, error);
        // Files, not pipes: a child never waits for its reader.
        let (mut out, mut err) =
            (tempfile::tempfile().map_err(scratch)?, tempfile::tempfile().map_err(scratch)?);
        let mut command = self.command(args, color);
        command.stdout(out.try_clone().map_err(scratch)?);
        command.stderr(err.try_clone().map_err(scratch)?);
        let mut child = spawn(&mut command)?;
        let ended = timeout(PATIENCE, ended(&mut child)).await;
        let status = ended.map_err(|_| deadline(&format!("the end of `{name}`")))??;
        let read = |file: &mut File| -> Result<String, DemoError> {
            let mut text = String::new();
            file.rewind().and_then(|()| file.read_to_string(&mut text)).map_err(scratch)?;
            Ok(text)
        };
        let (text, complaint) = (read(&mut out)?, read(&mut err)?);
        if status.code() == Some(exit) {
            return Ok(text);
        }
        let what = format!("`{name}` ends with {exit}, and it ended with {status}");
        Err(DemoError::NotAsTold { what, seen: format!("{text}{complaint}") })
    }

    /// Waits for something that the agent is to bring about, as long as the agent lives.
    pub(super) async fn wait_for<T>(
        &mut self,
        what: &str,
        condition: impl Future<Output = T>,
    ) -> Result<T, DemoError> {
        tokio::select! {
            came = timeout(PATIENCE, condition) => came.map_err(|_| deadline(what)),
            ended = self.agent_ended(what) => Err(ended),
        }
    }

    /// Waits until the agent ends by itself, which it should not, while `what` is waited for.
    pub(super) async fn agent_ended(&mut self, what: &str) -> DemoError {
        let Some(agent) = &mut self.agent else { return std::future::pending().await };
        match ended(agent).await {
            Ok(status) => {
                DemoError::AgentEnded { status: status.to_string(), what: what.to_owned() }
            }
            Err(error) => error,
        }
    }

    /// The end of the agent's log.
    pub(super) fn log_end(&self) -> Vec<String> {
        let mut text = Vec::new();
        let read = File::open(self.log_file()).and_then(|mut file| {
            let length = file.metadata()?.len();
            file.seek(std::io::SeekFrom::Start(length.saturating_sub(LOG_BYTES)))?;
            file.take(LOG_BYTES).read_to_end(&mut text)
        });
        if read.is_err() {
            return Vec::new();
        }
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.into_iter().rev().take(LOG_LINES).rev().collect()
    }

    /// Ends the agent in order; the folder goes with the stage, where it is not kept.
    pub(super) async fn end(mut self) -> Result<(), DemoError> {
        self.signal_agent(Signal::TERM);
        let Some(mut agent) = self.agent.take() else { return Ok(()) };
        let status = timeout(ENDING, ended(&mut agent)).await;
        match status.map_err(|_| deadline("the end of the agent"))?? {
            status if status.success() => Ok(()),
            status => Err(DemoError::NotAsTold {
                what: "the agent ends well when it is told to".to_owned(),
                seen: status.to_string(),
            }),
        }
    }
}

fn spawn(command: &mut Command) -> Result<Running, DemoError> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.spawn().map(Running).map_err(|error| DemoError::io("start", program, error))
}

/// Waits until a child has ended, however long it takes.
async fn ended(child: &mut Running) -> Result<ExitStatus, DemoError> {
    let failed = |error| DemoError::io("wait for", "a program that it started", error);
    let mut children = signal(SignalKind::child()).map_err(failed)?;
    loop {
        if let Some(status) = child.0.try_wait().map_err(failed)? {
            return Ok(status);
        }
        // Another child's end may have been told in the place of this one's.
        drop(timeout(LOOK_AGAIN, children.recv()).await);
    }
}

fn deadline(what: &str) -> DemoError {
    DemoError::Deadline { what: what.to_owned(), seconds: PATIENCE.as_secs() }
}

fn file_name(node: &Node) -> String {
    node.secret_file().file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A file that its owner alone may read.
pub(super) fn write_secret(path: &Path, text: &str) -> Result<(), DemoError> {
    File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| DemoError::io("write", path.display().to_string(), error))
}
