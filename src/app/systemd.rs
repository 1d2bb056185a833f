use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use sd_notify::NotifyState;

/// What systemd is told; nothing where there is none.
#[derive(Debug, Default)]
pub(super) struct Systemd {
    ready: bool,
    /// What was told last.
    status: String,
}

impl Systemd {
    /// The first pass ended, well or finally not: dependants may start.
    pub(super) fn ready(&mut self, status: &str) {
        let is_news = self.is_news(status);
        if !self.ready {
            self.ready = true;
            tell(&[NotifyState::Ready, NotifyState::Status(status)]);
        } else if is_news {
            tell(&[NotifyState::Status(status)]);
        }
    }

    fn is_news(&mut self, status: &str) -> bool {
        let is_news = self.status != status;
        if is_news {
            status.clone_into(&mut self.status);
        }
        is_news
    }

    /// The settings are being read again.
    pub(super) fn reloading(&self) {
        if let Ok(moment) = NotifyState::monotonic_usec_now() {
            tell(&[NotifyState::Reloading, moment]);
        }
    }

    /// And were read.
    pub(super) fn reloaded(&self) {
        tell(&[NotifyState::Ready]);
    }

    /// The end begins.
    pub(super) fn stopping(&self) {
        tell(&[NotifyState::Stopping]);
    }

    /// How often the watchdog wants to hear of us.
    pub(super) fn watchdog() -> Option<Duration> {
        sd_notify::watchdog_enabled().map(|limit| limit / 2).filter(|every| *every > Duration::ZERO)
    }

    /// The loop turns.
    pub(super) fn alive() {
        tell(&[NotifyState::Watchdog]);
    }
}

fn tell(states: &[NotifyState<'_>]) {
    let Some(name) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let message: String = states.iter().map(|state| format!("{state}\n")).collect();
    if let Err(error) = send(name.as_bytes(), message.as_bytes()) {
        tracing::debug!(error = %error, "systemd could not be told");
    }
}

/// Sends to the socket of that name (sd_notify(3): a path, or an abstract one after `@`), without
/// ever waiting: a supervisor that does not read must not stop the agent.
fn send(name: &[u8], message: &[u8]) -> std::io::Result<()> {
    let address = match name {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        path => SocketAddr::from_pathname(OsStr::from_bytes(path))?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.send_to_addr(message, &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_supervisor_that_does_not_read_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let deaf = UnixDatagram::bind(&path).unwrap();
        let name = path.as_os_str().as_bytes();
        send(name, b"READY=1\n").unwrap();
        let full = (0..100_000).find_map(|_| send(name, b"WATCHDOG=1\n").err()).unwrap();
        assert_eq!(full.kind(), std::io::ErrorKind::WouldBlock);
        let mut heard = [0; 16];
        let length = deaf.recv(&mut heard).unwrap();
        assert_eq!(&heard[..length], b"READY=1\n");
    }

    #[test]
    fn what_is_told_already_is_not_told_again() {
        let mut systemd = Systemd::default();
        assert!(systemd.is_news("live 1"));
        assert!(!systemd.is_news("live 1"));
        assert!(systemd.is_news("live 2"));
    }
}
