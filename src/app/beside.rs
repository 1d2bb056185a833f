use tokio::task::{JoinHandle, spawn_blocking};

use crate::trees::{Rubbish, Scan, Scanned};

/// Work that goes on beside the passes, so that none of them waits for it: looking at all of the
/// live tree, and removing old ones.
#[derive(Default)]
pub(super) struct Beside {
    scan: Option<JoinHandle<Scanned>>,
}

impl Beside {
    /// Begins to look at the live tree, unless somebody is still looking.
    pub(super) fn scan(&mut self, scan: Scan) {
        self.scan.get_or_insert_with(|| spawn_blocking(|| scan.run()));
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
        drop(spawn_blocking(|| {
            if let Err(error) = rubbish.remove() {
                tracing::warn!(error = %error, "an old tree could not be removed; the next start tries again");
            }
        }));
    }
}
