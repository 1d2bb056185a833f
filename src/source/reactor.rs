//! What waits for the network: turned by the thread that asks, so that a request is not handed from
//! one thread to another and back.

use std::future::Future;
use std::io;
use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};

use crate::memory;

/// Turns that bring a connection back after an answer, and show one that its server has closed:
/// the connection's own, and the one of who waits for it.
const SETTLING_TURNS: usize = 4;

/// Connections and timers, which go on only while somebody waits.
#[derive(Clone)]
pub(super) struct Reactor(Arc<Kept>);

/// Never empty but while it is dropped.
struct Kept(Option<Runtime>);

impl Reactor {
    /// A reactor without connections.
    ///
    /// # Errors
    /// When no more files can be open.
    pub(super) fn new() -> io::Result<Self> {
        let mut builder = Builder::new_current_thread();
        let runtime = builder.enable_all().thread_keep_alive(memory::THREADS_KEPT).build()?;
        Ok(Self(Arc::new(Kept(Some(runtime)))))
    }

    /// Waits for `future`; to be called from a thread that may block.
    pub(super) fn wait<F: Future>(&self, future: F) -> F::Output {
        match &self.0.0 {
            Some(runtime) => runtime.block_on(future),
            None => unreachable!("only being dropped empties it"),
        }
    }

    /// What `future` comes to, if that is known after a few turns.
    pub(super) fn turned<F: Future + Unpin>(&self, future: F) -> Option<F::Output> {
        self.wait(async {
            tokio::select! {
                biased;
                output = future => Some(output),
                () = turns() => None,
            }
        })
    }

    /// Lets connections see what happened while nobody waited.
    pub(super) fn settle(&self) {
        self.wait(turns());
    }
}

/// So many turns for connections: what was asked of one is sent, what came is read.
async fn turns() {
    for _ in 0..SETTLING_TURNS {
        tokio::task::yield_now().await;
    }
}

impl Drop for Kept {
    /// Without waiting for anything, since it may be the main thread that lets go of it.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
