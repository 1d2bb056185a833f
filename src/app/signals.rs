use tokio::signal::unix::{Signal, SignalKind, signal};

use super::AppError;

/// What the process is told from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// SIGHUP: read the settings again and look now.
    Reload,
    /// SIGTERM or SIGINT: finish or undo the pass, then end; the second one: end at once.
    Stop,
}

/// SIGHUP, listened to before the settings are read: those that change meanwhile are read again, and
/// nothing is ended by it. SIGTERM and SIGINT still end the process, which may wait for a file.
#[derive(Debug)]
pub struct Reloads(Signal);

impl Reloads {
    /// Listens from now on; what comes before somebody asks for the next is not lost.
    ///
    /// # Errors
    /// Where the system gives no way to listen, such as no descriptor.
    pub fn listen() -> Result<Self, AppError> {
        listen_to(SignalKind::hangup()).map(Self)
    }
}

/// All signals that the agent is told by.
pub(super) struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Listens to the others too.
    pub(super) fn new(reloads: Reloads) -> Result<Self, AppError> {
        Ok(Self {
            hangup: reloads.0,
            terminate: listen_to(SignalKind::terminate())?,
            interrupt: listen_to(SignalKind::interrupt())?,
        })
    }

    /// The next one.
    pub(super) async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.hangup.recv() => Told::Reload,
            _ = self.terminate.recv() => Told::Stop,
            _ = self.interrupt.recv() => Told::Stop,
        }
    }
}

fn listen_to(kind: SignalKind) -> Result<Signal, AppError> {
    signal(kind).map_err(|source| AppError::State {
        operation: "listen for signals of",
        path: "the process".into(),
        source,
    })
}
