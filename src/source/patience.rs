//! The time limits of one ask or fetch.

use std::future::Future;
use std::time::{Duration, Instant};

use super::SourceError;
use super::reactor::Reactor;

/// A connection that is not there by then is not coming.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// Nothing heard for that long is a dead connection.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// How long things may take, and when all of it is to be over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub connect: Duration,
    pub silence: Duration,
    whole: Duration,
    until: Instant,
}

impl Patience {
    /// Begins now; `whole` is the settings' `timeout`.
    pub(super) fn begin(whole: Duration) -> Self {
        Self {
            connect: CONNECT_MAX.min(whole),
            silence: SILENCE_MAX.min(whole),
            whole,
            until: Instant::now() + whole,
        }
    }

    /// How long all of it may take.
    pub(super) const fn whole(&self) -> Duration {
        self.whole
    }

    /// Does something else while somebody else works: the time that it takes does not count for the answer
    /// that is waited for, but for that of a connection that has to be made first.
    pub(super) fn meanwhile(&mut self, work: impl FnOnce()) {
        let began = Instant::now();
        work();
        self.until += began.elapsed();
    }

    /// How long to wait for the next sign of life.
    pub(super) fn now(&self) -> Duration {
        self.silence.min(self.until.saturating_duration_since(Instant::now()))
    }

    /// The error for having waited in vain.
    pub(super) fn over(&self, place: &str, doing: &'static str) -> SourceError {
        let whole = Instant::now() >= self.until;
        let limit = if whole { self.whole } else { self.silence };
        SourceError::TimedOut { place: place.to_owned(), doing, limit }
    }

    /// Waits for `future` from a thread that may block, as long as the limits allow.
    pub(super) fn wait<F: Future>(
        &self,
        reactor: &Reactor,
        place: &str,
        doing: &'static str,
        future: F,
    ) -> Result<F::Output, SourceError> {
        let wait = self.now();
        reactor
            .wait(async { tokio::time::timeout(wait, future).await })
            .map_err(|_| self.over(place, doing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_meanwhile_does_not_count() {
        const WORK: Duration = Duration::from_millis(2);
        let before = Patience::begin(Duration::from_secs(1));
        let mut after = before;
        after.meanwhile(|| {
            let began = Instant::now();
            while began.elapsed() < WORK {
                std::hint::spin_loop();
            }
        });
        assert!(after.until - before.until >= WORK);
    }
}
