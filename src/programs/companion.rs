use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::group::Group;

/// This very program, also where its file was replaced in the meantime.
const OURSELVES: &str = "/proc/self/exe";

/// Another process of this very program, which answers over a socket that is its standard input and
/// output. It has no environment and no other descriptor; its group is ended when this is dropped.
pub struct Companion {
    group: Group,
    /// Our end of the socket.
    pub stream: UnixStream,
}

impl Companion {
    /// Starts it.
    ///
    /// # Errors
    /// Those of the system.
    pub fn start(arguments: &[OsString]) -> std::io::Result<Self> {
        let (stream, theirs) = UnixStream::pair()?;
        let input = Stdio::from(OwnedFd::from(theirs.try_clone()?));
        let child = Command::new(Path::new(OURSELVES))
            .args(arguments)
            .current_dir("/")
            .env_clear()
            .stdin(input)
            .stdout(Stdio::from(OwnedFd::from(theirs)))
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        Ok(Self { group: Group::new(child), stream })
    }

    /// How much of a processor's time its first thread had (proc(5), `schedstat`); `None` where the
    /// kernel does not tell.
    #[must_use]
    pub fn time_used(&self) -> Option<Duration> {
        let id = self.group.id()?.as_raw_nonzero();
        let text = std::fs::read_to_string(format!("/proc/{id}/schedstat")).ok()?;
        text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
    }

    /// Ends it at once, and says how it ended: by itself, if it did.
    #[must_use]
    pub fn end(mut self) -> String {
        self.group.reap().map_or_else(|error| error.to_string(), |status| status.to_string())
    }
}
