use std::env;
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// Chance that a seed repeats (SplitMix64).
pub(crate) struct Chance(u64);

impl Chance {
    /// From `KCONFIGD_TEST_SEED`, or a seed of its own; printed, to repeat what failed.
    pub(crate) fn new() -> Self {
        let seed = env::var("KCONFIGD_TEST_SEED").map_or_else(
            |_| RandomState::new().hash_one(0_u8),
            |text| text.parse().expect("KCONFIGD_TEST_SEED is a number"),
        );
        eprintln!("KCONFIGD_TEST_SEED={seed}");
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    /// From 0 to `end`, without it.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % (end as u64)).expect("less than a usize")
    }

    pub(super) fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    /// From nothing to `longest`.
    pub(super) fn moment(&mut self, longest: Duration) -> Duration {
        let longest = u64::try_from(longest.as_micros()).expect("a short time");
        Duration::from_micros(self.next() % (longest + 1))
    }
}
