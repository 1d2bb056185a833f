use std::io;

use tokio::sync::oneshot::Receiver;
use tokio::sync::oneshot::error::TryRecvError;

use super::worker::Worker;
use crate::trees::{Rubbish, Scan, Scanned};

/// Work that goes on beside the passes, so that none of them waits for it: looking at all of the
/// live tree, and removing old ones.
pub(super) struct Beside {
    looking: Worker,
    scan: Option<Receiver<Scanned>>,
    removing: Worker,
    removal: Option<Receiver<()>>,
}

impl Beside {
    /// Nothing goes on yet.
    ///
    /// # Errors
    /// When there cannot be more threads.
    pub(super) fn start() -> io::Result<Self> {
        Ok(Self {
            looking: Worker::start("looking")?,
            scan: None,
            removing: Worker::start("removing")?,
            removal: None,
        })
    }

    /// Begins to look at the live tree, unless somebody is still looking.
    pub(super) fn scan(&mut self, scan: Scan) {
        let looking = &self.looking;
        self.scan.get_or_insert_with(|| looking.give(|| scan.run()));
    }

    /// What the look saw, once it ends; for ever where nobody looks.
    pub(super) async fn scanned(&mut self) -> Scanned {
        loop {
            match &mut self.scan {
                Some(scan) => {
                    let ended = scan.await;
                    self.scan = None;
                    if let Ok(scanned) = ended {
                        return scanned;
                    }
                }
                None => std::future::pending().await,
            }
        }
    }

    /// Removes what nobody needs, unless what was given before is not removed yet: then it is asked
    /// for after a later pass. What does not end before we do is found by the next start.
    pub(super) fn remove(&mut self, rubbish: impl FnOnce() -> Option<Rubbish>) {
        if self
            .removal
            .as_mut()
            .is_some_and(|removal| removal.try_recv() == Err(TryRecvError::Empty))
        {
            return;
        }
        self.removal = rubbish().map(|rubbish| {
            self.removing.give(|| {
                if let Err(error) = rubbish.remove() {
                    tracing::warn!(error = %error, "an old tree could not be removed; the next start tries again");
                }
            })
        });
    }
}
