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

/// The signals that the agent is told by, each of which would otherwise end the process.
#[derive(Debug)]
pub struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Listens from now on; what comes before somebody asks for the next is not lost. To be called
    /// before the settings are read, so that those that changed meanwhile are read again.
    ///
    /// # Errors
    /// Where the system gives no way to listen, such as no descriptor.
    pub fn listen() -> Result<Self, AppError> {
        let to = |kind| {
            signal(kind).map_err(|source| AppError::State {
                operation: "listen for signals of",
                path: "the process".into(),
                source,
            })
        };
        Ok(Self {
            hangup: to(SignalKind::hangup())?,
            terminate: to(SignalKind::terminate())?,
            interrupt: to(SignalKind::interrupt())?,
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
