//! The two wires behind one face: something is said, and the answer is read.

use std::io::{self, Read};

use super::SourceError;
use super::http::{Answer, Http};
use super::patience::Patience;
use super::ssh::{Listening, Ssh};

/// Which of git's two services is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// The one that gives.
    UploadPack,
    /// The one that takes.
    ReceivePack,
}

impl Service {
    /// Its name, as a program and in addresses.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::UploadPack => "git-upload-pack",
            Self::ReceivePack => "git-receive-pack",
        }
    }
}

/// How a repository elsewhere is reached.
pub(super) enum Wire {
    Http(Http),
    Ssh(Ssh),
}

/// An answer's bytes as they arrive.
pub(super) enum Reading<'w> {
    Http(Box<Answer>),
    Ssh(Listening<'w>),
}

impl Wire {
    /// Has the server introduce itself: over SSH, with a new process.
    pub(super) fn greet(&mut self, patience: Patience) -> Result<Reading<'_>, SourceError> {
        match self {
            Self::Http(http) => Ok(Reading::Http(Box::new(http.advertisement(patience)?))),
            Self::Ssh(ssh) => ssh.open(patience).map(Reading::Ssh),
        }
    }

    /// Says something to a server that has introduced itself, and does `meanwhile` while it works: once
    /// for each try.
    pub(super) fn say(
        &mut self,
        request: &[u8],
        v2: bool,
        patience: Patience,
        meanwhile: Option<&dyn Fn()>,
    ) -> Result<Reading<'_>, SourceError> {
        match self {
            Self::Http(http) => {
                let answer = http.request(request, v2, patience, meanwhile)?;
                Ok(Reading::Http(Box::new(answer)))
            }
            Self::Ssh(ssh) => {
                let mut listening = ssh.request(request, patience)?;
                if let Some(meanwhile) = meanwhile {
                    listening.patience.meanwhile(meanwhile);
                }
                Ok(Reading::Ssh(listening))
            }
        }
    }

    /// Whether the server has to introduce itself again before anything else is said.
    pub(super) fn is_closed(&self) -> bool {
        match self {
            Self::Http(_) => false,
            Self::Ssh(ssh) => ssh.is_closed(),
        }
    }

    /// Ends what costs more to keep than to open again, behind an answer of so many bytes.
    pub(super) fn end_after(&mut self, answer_bytes: u64) {
        if let Self::Http(http) = self {
            http.end_after(answer_bytes);
        }
    }

    /// Ends what is open and costs something while it is idle. HTTP connections are kept.
    pub(super) fn close(&mut self) {
        if let Self::Ssh(ssh) = self {
            ssh.close();
        }
    }

    /// Forgets what was learnt on the way, after something went wrong.
    pub(super) fn forget(&mut self) {
        match self {
            Self::Http(http) => http.forget(),
            Self::Ssh(ssh) => ssh.close(),
        }
    }
}

impl Reading<'_> {
    /// Reads what little is left, so that the connection can be used again.
    pub(super) fn rest(self) {
        if let Self::Http(answer) = self {
            answer.rest();
        }
    }
}

impl Read for Reading<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Http(answer) => answer.read(buffer),
            Self::Ssh(listening) => listening.read(buffer),
        }
    }
}
