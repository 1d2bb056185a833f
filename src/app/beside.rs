use std::io;

use tokio::sync::oneshot::Receiver;

use super::worker::Worker;
use crate::trees::{Rubbish, Scan, Scanned};

/// Work that goes on beside the passes, so that none of them waits for it: looking at all of the
/// live tree, and removing old ones.
pub(super) struct Beside {
    worker: Worker,
    scan: Option<Receiver<Scanned>>,
}

impl Beside {
    /// Nothing goes on yet.
    ///
    /// # Errors
    /// When there cannot be more threads.
    pub(super) fn start() -> io::Result<Self> {
        Ok(Self { worker: Worker::start("beside")?, scan: None })
    }

    /// Begins to look at the live tree, unless somebody is still looking.
    pub(super) fn scan(&mut self, scan: Scan) {
        let worker = &self.worker;
        self.scan.get_or_insert_with(|| worker.give(|| scan.run()));
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

    /// Removes what nobody needs. What does not end before we do is found by the next start.
    pub(super) fn remove(&self, rubbish: Option<Rubbish>) {
        let Some(rubbish) = rubbish else { return };
        drop(self.worker.give(|| {
            if let Err(error) = rubbish.remove() {
                tracing::warn!(error = %error, "an old tree could not be removed; the next start tries again");
            }
        }));
    }
}
