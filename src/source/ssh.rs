//! The SSH wire: the system's `ssh`, with the user's own configuration, keys and agent.
//!
//! It never asks anybody anything, never accepts an unknown host key, and is ended with all its
//! children at the time limit.

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use rustix::process::{Pid, Signal, kill_process_group};

use super::SourceError;
use super::askpass;
use super::credentials::readable;
use super::patience::Patience;
use super::ssh_complaint::{self, Host};
use super::wire::Service;
use crate::config::Auth;

/// Bytes read at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// Chunks that may wait to be used.
const CHUNKS_MAX: usize = 4;

/// Bytes kept of what `ssh` says on its error output.
const COMPLAINT_BYTES_MAX: u64 = 8 * 1024;

/// How long to wait for the rest of what `ssh` says once it has closed its output.
const COMPLAINT_WAIT: Duration = Duration::from_secs(2);

/// A session that was idle for longer is not used again: the server may have closed it.
const IDLE_MAX: Duration = Duration::from_secs(10);

/// Where a repository is, over SSH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub user: Option<String>,
    pub host: String,
    pub port: Option<u16>,
    pub path: String,
}

impl Address {
    /// The address as people write it.
    pub(super) fn shown(&self) -> String {
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        let slash = if self.path.starts_with('/') { "" } else { "/" };
        format!("ssh://{}{port}{slash}{}", self.host, self.path)
    }

    /// Whether `ssh` or the server could take a part of it for an option.
    pub(super) fn is_option(&self) -> bool {
        let odd = |text: &str| {
            text.is_empty() || text.starts_with('-') || text.chars().any(char::is_control)
        };
        odd(&self.host) || odd(&self.path) || self.user.as_deref().is_some_and(odd)
    }
}

/// A repository behind `ssh`.
pub(super) struct Ssh {
    address: Address,
    auth: Auth,
    state_dir: PathBuf,
    service: Service,
    session: Option<Session>,
}

struct Session {
    child: Child,
    /// To the thread that writes: a server that stops reading is not waited for there, but by
    /// whoever reads its answer, as long as patience says.
    input: SyncSender<Vec<u8>>,
    output: Receiver<io::Result<Bytes>>,
    complaint: Receiver<Vec<u8>>,
    chunk: Bytes,
    used: Instant,
}

impl Ssh {
    /// A repository at `address`; `state_dir` is where the program that hands over a passphrase is
    /// made.
    pub(super) fn new(address: Address, auth: Auth, state_dir: PathBuf) -> Self {
        Self { address, auth, state_dir, service: Service::UploadPack, session: None }
    }

    /// The same, speaking to the other service.
    pub(super) fn to(self, service: Service) -> Self {
        Self { service, ..self }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.session.as_ref().is_none_or(|session| session.used.elapsed() > IDLE_MAX)
    }

    pub(super) fn close(&mut self) {
        self.session = None;
    }

    /// Starts a process; the server introduces itself.
    pub(super) fn open(&mut self, patience: Patience) -> Result<Listening<'_>, SourceError> {
        self.session = None;
        let mut command = self.command(patience)?;
        let child =
            command.spawn().map_err(|source| SourceError::Program { program: "ssh", source })?;
        let session = Session::listen(child)
            .map_err(|source| SourceError::Program { program: "ssh", source })?;
        self.session = Some(session);
        self.listening(patience)
    }

    /// Says something in the open session.
    pub(super) fn request(
        &mut self,
        request: &[u8],
        patience: Patience,
    ) -> Result<Listening<'_>, SourceError> {
        if let Some(session) = &self.session {
            // when this fails, or what was said before is not taken yet, reading tells why
            let _ = session.input.try_send(request.to_vec());
        }
        self.listening(patience)
    }

    fn listening(&mut self, patience: Patience) -> Result<Listening<'_>, SourceError> {
        let host = self.host();
        match &mut self.session {
            Some(session) => Ok(Listening { session, host, patience }),
            None => Err(SourceError::Unreachable {
                place: self.address.shown(),
                doing: "using the connection",
                source: io::Error::from(io::ErrorKind::NotConnected).into(),
            }),
        }
    }

    fn host(&self) -> Host {
        let known_hosts = self.auth.known_hosts_file.as_ref();
        let host = &self.address.host;
        let (name, scan) = match self.address.port {
            Some(port) if port != 22 => (format!("[{host}]:{port}"), format!("-p {port} {host}")),
            _ => (host.clone(), host.clone()),
        };
        Host {
            place: self.address.shown(),
            name,
            scan,
            known_hosts: known_hosts
                .map_or_else(|| "~/.ssh/known_hosts".to_owned(), |path| path.display().to_string()),
        }
    }

    fn command(&self, patience: Patience) -> Result<Command, SourceError> {
        let address = &self.address;
        if address.is_option() {
            return Err(SourceError::NotGit {
                place: "gitops.repository".to_owned(),
                problem: "has a user, host or path that is empty or could be taken for an option"
                    .to_owned(),
            });
        }
        let mut command = Command::new("ssh");
        let seconds = patience.connect.as_secs().max(1);
        for option in [
            "StrictHostKeyChecking=yes",
            "UpdateHostKeys=no",
            "ControlMaster=no",
            "ClearAllForwardings=yes",
            "ForwardAgent=no",
            "PermitLocalCommand=no",
            "PasswordAuthentication=no",
            "KbdInteractiveAuthentication=no",
            "SendEnv=GIT_PROTOCOL",
            &format!("ConnectTimeout={seconds}"),
        ] {
            command.args(["-o", option]);
        }
        self.authenticate(&mut command)?;
        command.args(["-x", "-T"]);
        if let Some(port) = address.port {
            command.args(["-p", &port.to_string()]);
        }
        if let Some(user) = &address.user {
            command.args(["-l", user]);
        }
        let path = address.path.replace('\'', r"'\''").replace('!', r"'\!'");
        command
            .args(["--", &address.host, &format!("{} '{path}'", self.service.name())])
            .env("GIT_PROTOCOL", "version=2")
            // what is said is read for its meaning
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        Ok(command)
    }

    fn authenticate(&self, command: &mut Command) -> Result<(), SourceError> {
        if let Some(known_hosts) = &self.auth.known_hosts_file {
            readable("the known_hosts file", known_hosts)?;
            let path = quoted("the known_hosts file", known_hosts)?;
            command.args(["-o", &format!("UserKnownHostsFile={path}")]);
            command.args(["-o", "GlobalKnownHostsFile=/dev/null"]);
        }
        if let Some(key) = &self.auth.ssh_key_file {
            readable("the SSH key", key)?;
            let path = quoted("the SSH key", key)?;
            command.args(["-o", &format!("IdentityFile={path}"), "-o", "IdentitiesOnly=yes"]);
        }
        match &self.auth.passphrase_file {
            Some(file) => {
                readable("the passphrase file", file)?;
                // in batch mode ssh asks for no passphrase, not even us
                command.args(["-o", "BatchMode=no", "-o", "NumberOfPasswordPrompts=1"]);
                command
                    .env("SSH_ASKPASS", askpass::program(&self.state_dir)?)
                    .env("SSH_ASKPASS_REQUIRE", "force")
                    .env(askpass::FILE, file);
            }
            None => {
                command.args(["-o", "BatchMode=yes"]);
            }
        }
        Ok(())
    }
}

/// A path as ssh's options take it: in quotes, `%` doubled.
fn quoted(what: &'static str, path: &std::path::Path) -> Result<String, SourceError> {
    let odd = |c: char| c == '"' || c == '\\' || c.is_control();
    match path.to_str() {
        Some(text) if !text.contains(odd) => Ok(format!("\"{}\"", text.replace('%', "%%"))),
        _ => Err(SourceError::CredentialShape {
            what,
            path: path.to_owned(),
            problem: "has a name that ssh cannot be given; use one without quotes and backslashes",
        }),
    }
}

impl Session {
    fn listen(mut child: Child) -> io::Result<Self> {
        let (said, output) = (child.stdin.take(), child.stdout.take());
        let (input, to_say) = mpsc::sync_channel(1);
        let (chunks, received) = mpsc::sync_channel(CHUNKS_MAX);
        let (told, complaint) = mpsc::sync_channel(1);
        let errors = child.stderr.take();
        let session = Self {
            child,
            input,
            output: received,
            complaint,
            chunk: Bytes::new(),
            used: Instant::now(),
        };
        thread::Builder::new().name("ssh-input".to_owned()).spawn(move || {
            let Some(mut said) = said else { return };
            // it ends with the session, whose end also ends a write that nobody reads
            while let Ok(request) = to_say.recv() {
                if said.write_all(&request).and_then(|()| said.flush()).is_err() {
                    return;
                }
            }
        })?;
        thread::Builder::new().name("ssh-output".to_owned()).spawn(move || {
            let Some(mut output) = output else { return };
            let mut buffer = vec![0; CHUNK_BYTES];
            loop {
                let chunk = output
                    .read(&mut buffer)
                    .map(|length| Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default()));
                let last = chunk.as_ref().map_or(true, Bytes::is_empty);
                if chunks.send(chunk).is_err() || last {
                    return;
                }
            }
        })?;
        thread::Builder::new().name("ssh-errors".to_owned()).spawn(move || {
            let Some(mut errors) = errors else { return };
            let mut text = Vec::new();
            let kept = errors.by_ref().take(COMPLAINT_BYTES_MAX).read_to_end(&mut text);
            let _ = kept.and_then(|_| io::copy(&mut errors, &mut io::sink()));
            // nobody listens when all went well
            let _ = told.send(text);
        })?;
        Ok(session)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

/// An answer's bytes as they arrive.
pub(super) struct Listening<'s> {
    session: &'s mut Session,
    host: Host,
    pub(super) patience: Patience,
}

impl Listening<'_> {
    /// Why the output has ended.
    fn ended(&self) -> SourceError {
        let text = self.session.complaint.recv_timeout(COMPLAINT_WAIT).unwrap_or_default();
        ssh_complaint::meaning(&text, &self.host)
    }
}

impl Read for Listening<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.session.chunk.is_empty() {
            self.session.chunk = match self.session.output.recv_timeout(self.patience.now()) {
                Ok(Ok(chunk)) if !chunk.is_empty() => chunk,
                Ok(Ok(_)) | Err(RecvTimeoutError::Disconnected) => {
                    return Err(io::Error::other(self.ended()));
                }
                Ok(Err(error)) => return Err(error),
                Err(RecvTimeoutError::Timeout) => {
                    let error = self.patience.over(&self.host.place, "waiting for ssh");
                    return Err(io::Error::other(error));
                }
            };
        }
        self.session.used = Instant::now();
        let length = buffer.len().min(self.session.chunk.len());
        let bytes = self.session.chunk.split_to(length);
        bytes.as_ref().copy_to_slice(buffer.get_mut(..length).unwrap_or_default());
        Ok(length)
    }
}
