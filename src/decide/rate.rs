//! How much may be asked within a time: a token bucket, kept as one moment (the generic cell rate
//! algorithm).

use std::time::Duration;

/// So many within a time. A bucket holds as many, and fills evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many; at least one.
    pub count: u32,
    /// Within which time.
    pub within: Duration,
}

impl Rate {
    /// The same for so many together.
    #[must_use]
    pub const fn times(self, factor: u32) -> Self {
        Self { count: self.count.saturating_mul(factor), within: self.within }
    }

    fn within_ns(self) -> i64 {
        i64::try_from(self.within.as_nanos()).unwrap_or(i64::MAX)
    }
}

/// A bucket: the moment, in nanoseconds since the epoch, when it will be full again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket(i64);

impl Bucket {
    /// Takes one out at `now` (milliseconds since the epoch).
    ///
    /// # Errors
    /// How long it takes until there is one again.
    pub fn take(&mut self, rate: Rate, now: i64) -> Result<(), Duration> {
        let now = now.saturating_mul(1_000_000);
        let each = rate.within_ns() / i64::from(rate.count.max(1));
        // A clock that was set back, or a rate that was changed, does not lock anybody out.
        let full_at = self.0.clamp(now, now.saturating_add(rate.within_ns()));
        let after = full_at.saturating_add(each);
        let beyond = after.saturating_sub(now).saturating_sub(rate.within_ns());
        if beyond > 0 {
            return Err(Duration::from_nanos(beyond.unsigned_abs()));
        }
        self.0 = after;
        Ok(())
    }

    /// Whether it is full at `now`, so that it can be forgotten.
    #[must_use]
    pub const fn is_full(self, now: i64) -> bool {
        self.0 <= now.saturating_mul(1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { count: 3, within: Duration::from_secs(3) };
    /// A moment of the 21st century.
    const NOW: i64 = 1_800_000_000_000;

    #[test]
    fn as_many_as_the_rate_at_once_and_then_evenly() {
        let mut bucket = Bucket::default();
        assert!((0..3).all(|_| bucket.take(RATE, NOW).is_ok()));
        assert_eq!(bucket.take(RATE, NOW), Err(Duration::from_secs(1)));
        assert_eq!(bucket.take(RATE, NOW + 400), Err(Duration::from_millis(600)));
        assert_eq!(bucket.take(RATE, NOW + 1000), Ok(()));
        assert!(bucket.take(RATE, NOW + 1000).is_err(), "what was refused is not taken out");
        assert!(!bucket.is_full(NOW + 1000) && bucket.is_full(NOW + 4000));
        assert!((0..3).all(|_| bucket.take(RATE, NOW + 10_000).is_ok()));
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out() {
        let mut bucket = Bucket::default();
        bucket.take(RATE, NOW + 86_400_000).unwrap();
        assert_eq!(bucket.take(RATE, NOW), Err(Duration::from_secs(1)));
        assert_eq!(bucket.take(RATE, NOW + 1000), Err(Duration::from_secs(1)), "still ahead");
    }

    #[test]
    fn a_fast_rate_is_kept_by_a_clock_of_milliseconds() {
        let rate = Rate { count: 100_000, within: Duration::from_secs(1) };
        let mut bucket = Bucket::default();
        let taken = (0..3000).map(|n| NOW + n / 30).filter(|now| bucket.take(rate, *now).is_ok());
        assert_eq!(taken.count(), 3000);
    }
}
