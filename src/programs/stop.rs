use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Tells programs that run, and those that would be started, that the agent stops.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// From now on no program runs.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether that was said.
    #[must_use]
    pub fn is_said(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
