//! Whether a tree that became live is confirmed, watched on, or left again.

use std::time::Duration;

use crate::model::{Bake, Timestamp};

/// What becomes of a deployment whose health is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is watched on.
    Bakes,
    /// Its health held.
    Confirmed,
    /// It did not, and why.
    Failed(String),
}

/// Failures in a row, of each probe by its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    failing: Vec<(String, u32, String)>,
    is_asked: bool,
}

impl Watch {
    /// Notes what a probe said: `None` is that all is well.
    pub fn note(&mut self, probe: &str, wrong: Option<String>) {
        self.is_asked = true;
        let at = self.failing.iter().position(|(name, _, _)| name == probe);
        match (at.and_then(|at| self.failing.get_mut(at)), wrong) {
            (Some((_, count, why)), Some(wrong)) => {
                *count = count.saturating_add(1);
                *why = wrong;
            }
            (None, Some(wrong)) => self.failing.push((probe.to_owned(), 1, wrong)),
            (_, None) => self.failing.retain(|(name, _, _)| name != probe),
        }
    }

    /// Decides. A probe that fails when the time is over has failed, however seldom it did before;
    /// without an answer since the watch began nothing is confirmed.
    #[must_use]
    pub fn judge(&self, bake: &Bake, failures_max: u32, now: Timestamp) -> Verdict {
        if let Some(why) = &bake.failed {
            return Verdict::Failed(why.clone());
        }
        let is_over = now >= bake.until;
        let worst = self.failing.iter().max_by_key(|(_, count, _)| *count);
        match worst {
            Some((name, count, why)) if is_over || *count >= failures_max => {
                Verdict::Failed(format!("the probe {name} failed {count} times in a row: {why}"))
            }
            None if is_over && self.is_asked => Verdict::Confirmed,
            _ => Verdict::Bakes,
        }
    }
}

/// A deployment that was baking when kconfigd ended: it bakes again, once.
#[must_use]
pub fn after_restart(bake: &Bake, bake_time: Duration, now: Timestamp) -> Bake {
    let mut bake = Bake { restarts: bake.restarts.saturating_add(1), ..bake.clone() };
    bake.until = now.plus(bake_time);
    if bake.restarts > 1 && bake.failed.is_none() {
        let why = "kconfigd was started anew for the second time while its health was watched";
        bake.failed = Some(why.to_owned());
    }
    bake
}

/// The same bake under a clock that was set back, or a bake time that is shorter now: what is live is
/// never watched for longer than that from now on.
#[must_use]
pub fn within(bake: Bake, bake_time: Duration, now: Timestamp) -> Bake {
    let latest = now.plus(bake_time);
    Bake { until: bake.until.min(latest), ..bake }
}

/// How long until the next look: the next round of probes, or the end. A clock that stepped back
/// does not make the wait longer than the interval.
#[must_use]
pub fn next_probe(
    bake: &Bake,
    probed_at: Option<Timestamp>,
    interval: Duration,
    now: Timestamp,
) -> Duration {
    let last = probed_at.filter(|at| *at <= now);
    let next = last.map_or(Duration::ZERO, |at| interval.saturating_sub(now.since(at)));
    if bake.until > now { next.min(bake.until.since(now)) } else { next.min(interval) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DeploymentId;
    use proptest::prelude::*;

    fn bake() -> Bake {
        Bake {
            deployment: DeploymentId(2),
            until: Timestamp(1000),
            restarts: 0,
            is_way_back: false,
            previous_tree: None,
            previous_revision: None,
            reloaded: Vec::new(),
            failed: None,
        }
    }

    fn bad() -> Option<String> {
        Some("no".to_owned())
    }

    #[test]
    fn health_that_holds_is_confirmed_when_the_time_is_over_and_not_before() {
        let mut watch = Watch::default();
        assert_eq!(watch.judge(&bake(), 3, Timestamp(1000)), Verdict::Bakes, "nobody was asked");
        watch.note("a", None);
        assert_eq!(watch.judge(&bake(), 3, Timestamp(999)), Verdict::Bakes);
        assert_eq!(watch.judge(&bake(), 3, Timestamp(1000)), Verdict::Confirmed);
    }

    #[test]
    fn failures_in_a_row_count_and_one_at_the_end_is_enough() {
        let mut watch = Watch::default();
        for wrong in [bad(), bad(), None, bad(), bad()] {
            watch.note("a", wrong);
            assert_eq!(watch.judge(&bake(), 3, Timestamp(5)), Verdict::Bakes);
        }
        assert!(matches!(watch.judge(&bake(), 3, Timestamp(1000)), Verdict::Failed(_)));
        watch.note("a", bad());
        assert!(matches!(watch.judge(&bake(), 3, Timestamp(5)), Verdict::Failed(_)));
    }

    #[test]
    fn the_next_look_is_the_next_round_of_probes_or_the_end() {
        let interval = Duration::from_millis(100);
        let next = |probed: Option<i64>, now| {
            next_probe(&bake(), probed.map(Timestamp), interval, Timestamp(now)).as_millis()
        };
        assert_eq!(next(None, 5), 0, "nobody was asked yet");
        assert_eq!(next(Some(5), 5), 100);
        assert_eq!(next(Some(5), 45), 60);
        assert_eq!(next(Some(5), 300), 0);
        assert_eq!(next(Some(950), 960), 40, "the end comes before the next round");
        assert_eq!(next(Some(1000), 1000), 100, "at the end it does not look without a pause");
        assert_eq!(next(Some(500), 45), 0, "the clock was set back");
    }

    #[test]
    fn after_a_restart_it_bakes_again_and_after_the_second_it_goes_back() {
        let once = after_restart(&bake(), Duration::from_secs(1), Timestamp(5000));
        assert_eq!((once.until, once.restarts), (Timestamp(6000), 1));
        assert_eq!(Watch::default().judge(&once, 3, Timestamp(5000)), Verdict::Bakes);
        let twice = after_restart(&once, Duration::from_secs(1), Timestamp(5500));
        let verdict = Watch::default().judge(&twice, 3, Timestamp(5500));
        assert!(matches!(verdict, Verdict::Failed(_)));
    }

    #[test]
    fn a_clock_that_was_set_back_makes_no_bake_longer() {
        let second = Duration::from_secs(1);
        assert_eq!(within(bake(), second, Timestamp(500)).until, Timestamp(1000));
        assert_eq!(within(bake(), second, Timestamp(-9_000)).until, Timestamp(-8_000));
    }

    proptest! {
        #[test]
        fn nothing_is_confirmed_early_or_with_a_failing_probe(
            said in prop::collection::vec((0..3u8, any::<bool>()), 0..20), now in 0..2000i64, max in 1..5u32,
        ) {
            let mut watch = Watch::default();
            let mut last = std::collections::BTreeMap::new();
            for (probe, well) in said {
                watch.note(&probe.to_string(), (!well).then(|| "no".to_owned()));
                last.insert(probe, well);
            }
            let well = last.values().all(|well| *well);
            match watch.judge(&bake(), max, Timestamp(now)) {
                Verdict::Confirmed => prop_assert!(well && now >= 1000 && !last.is_empty()),
                Verdict::Failed(_) => prop_assert!(!well),
                Verdict::Bakes => prop_assert!(now < 1000 || last.is_empty()),
            }
        }

        #[test]
        fn the_next_look_is_never_further_than_an_interval(
            probed in prop::option::of(0..3000i64), now in 0..3000i64, interval in 1..5000u64,
        ) {
            let interval = Duration::from_millis(interval);
            let wait = next_probe(&bake(), probed.map(Timestamp), interval, Timestamp(now));
            prop_assert!(wait <= interval);
            if now < 1000 {
                prop_assert!(Timestamp(now).plus(wait) <= Timestamp(1000));
            }
        }
    }
}
