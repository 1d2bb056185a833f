//! How far a pass is, for whoever watches it on a terminal. Counting costs an addition a file.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// What a pass is doing that may take a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nothing of the kind.
    Idle = 0,
    /// Objects come from the source; what is counted are bytes.
    Fetching = 1,
    /// Files are written and shared.
    Staging = 2,
    /// Files are held against the rules.
    Checking = 3,
}

/// How far it is. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    stage: AtomicU8,
    done: AtomicU64,
    total: AtomicU64,
}

impl Progress {
    /// A stage begins; `total` is 0 where that is not known.
    pub fn begin(&self, stage: Stage, total: u64) {
        self.0.total.store(total, Ordering::Relaxed);
        self.0.done.store(0, Ordering::Relaxed);
        self.0.stage.store(stage as u8, Ordering::Relaxed);
    }

    /// One more is done.
    pub fn step(&self) {
        self.0.done.fetch_add(1, Ordering::Relaxed);
    }

    /// So many more are done.
    pub fn add(&self, count: u64) {
        self.0.done.fetch_add(count, Ordering::Relaxed);
    }

    /// The stage, how many are done, and how many there are.
    #[must_use]
    pub fn look(&self) -> (Stage, u64, u64) {
        let stage = match self.0.stage.load(Ordering::Relaxed) {
            1 => Stage::Fetching,
            2 => Stage::Staging,
            3 => Stage::Checking,
            _ => Stage::Idle,
        };
        (stage, self.0.done.load(Ordering::Relaxed), self.0.total.load(Ordering::Relaxed))
    }
}
