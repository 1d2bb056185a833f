//! What is done about a live tree that somebody changed.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::{DriftedPath, Timestamp};

/// A path that was repaired this often …
const REPAIRS_MAX: usize = 3;
/// … within this time is only reported, until it rests for as long.
const REPAIRS_WITHIN: Duration = Duration::from_secs(10 * 60);
/// Paths whose repairs are remembered.
const PATHS_MAX: usize = 1000;

/// What the settings say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Put it right.
    Repair,
    /// Tell it.
    Report,
}

/// When which path was repaired.
#[derive(Clone, Debug, Default)]
pub struct Repairs(BTreeMap<String, Vec<Timestamp>>);

impl Repairs {
    /// Whether this drift is to be repaired: not when one of its paths keeps coming back, since
    /// then somebody else means it, and two who correct each other help nobody.
    #[must_use]
    pub fn allow(&self, paths: &[DriftedPath], policy: Policy, now: Timestamp) -> bool {
        policy == Policy::Repair
            && !paths.iter().any(|p| {
                let recent = self.0.get(&p.path).map_or(0, |times| {
                    times.iter().filter(|t| now.since(**t) < REPAIRS_WITHIN).count()
                });
                recent >= REPAIRS_MAX
            })
    }

    /// From when on repairs count at `now`.
    #[must_use]
    pub fn counted_from(now: Timestamp) -> Timestamp {
        now.minus(REPAIRS_WITHIN)
    }

    /// Remembers a repair.
    pub fn done(&mut self, paths: &[DriftedPath], now: Timestamp) {
        self.repaired(paths.iter().map(|drifted| drifted.path.as_str()), now);
    }

    /// Remembers a repair of these paths.
    pub fn repaired<'a>(&mut self, paths: impl Iterator<Item = &'a str>, now: Timestamp) {
        self.0.retain(|_, times| times.iter().any(|t| now.since(*t) < REPAIRS_WITHIN));
        for path in paths {
            if self.0.len() >= PATHS_MAX && !self.0.contains_key(path) {
                continue;
            }
            let times = self.0.entry(path.to_owned()).or_default();
            times.push(now);
            if times.len() > REPAIRS_MAX {
                times.remove(0);
            }
        }
    }

    /// Remembers that a path that is only reported was touched again: its rest begins anew.
    pub fn touched(&mut self, paths: &[DriftedPath], now: Timestamp) {
        for drifted in paths {
            if let Some(times) = self.0.get_mut(&drifted.path) {
                times.fill(now);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DriftKind;

    #[test]
    fn a_path_that_keeps_coming_back_is_only_reported_until_it_rests() {
        let paths = [DriftedPath { path: "a".to_owned(), kind: DriftKind::Edited }];
        let other = [DriftedPath { path: "b".to_owned(), kind: DriftKind::Edited }];
        let mut repairs = Repairs::default();
        let minute = |n: i64| Timestamp(n * 60_000);
        for n in 0..3 {
            assert!(repairs.allow(&paths, Policy::Repair, minute(n)));
            repairs.done(&paths, minute(n));
        }
        assert!(!repairs.allow(&paths, Policy::Repair, minute(3)));
        assert!(repairs.allow(&other, Policy::Repair, minute(3)));
        assert!(repairs.allow(&paths, Policy::Repair, minute(11)));
        assert!(!repairs.allow(&other, Policy::Report, minute(3)));
    }

    fn named(name: &str) -> [DriftedPath; 1] {
        [DriftedPath { path: name.to_owned(), kind: DriftKind::Edited }]
    }

    fn repaired(names: &[&str], times: usize) -> Repairs {
        let mut repairs = Repairs::default();
        for name in names.iter().flat_map(|name| std::iter::repeat_n(name, times)) {
            repairs.done(&named(name), Timestamp(0));
        }
        repairs
    }

    #[test]
    fn a_path_has_rested_after_ten_minutes_and_not_a_millisecond_before() {
        let repairs = repaired(&["a"], 3);
        assert!(!repairs.allow(&named("a"), Policy::Repair, Timestamp(600_000 - 1)));
        assert!(repairs.allow(&named("a"), Policy::Repair, Timestamp(600_000)));
    }

    #[test]
    fn repairs_are_known_again_from_when_they_count() {
        let now = Timestamp(1_000_000);
        let from = Repairs::counted_from(now);
        assert_eq!(from, Timestamp(400_000));
        let mut repairs = Repairs::default();
        for _ in 0..3 {
            repairs.done(&named("a"), Timestamp(from.0 + 1));
        }
        assert!(!repairs.allow(&named("a"), Policy::Repair, now));
    }

    #[test]
    fn a_path_that_is_touched_again_begins_its_rest_anew() {
        let mut repairs = repaired(&["a"], 3);
        repairs.touched(&named("a"), Timestamp(300_000));
        assert!(!repairs.allow(&named("a"), Policy::Repair, Timestamp(600_000)));
        assert!(repairs.allow(&named("a"), Policy::Repair, Timestamp(900_000)));
    }

    #[test]
    fn a_thousand_paths_are_remembered_until_they_have_rested() {
        let names: Vec<String> = (0..PATHS_MAX).map(|n| n.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut repairs = repaired(&names, 1);
        let (soon, later) = (Timestamp(1), Timestamp(600_000));
        for _ in 0..3 {
            repairs.done(&named("one more"), soon);
        }
        assert!(repairs.allow(&named("one more"), Policy::Repair, soon), "there is no room for it");
        repairs.done(&named("7"), soon);
        repairs.done(&named("7"), soon);
        assert!(!repairs.allow(&named("7"), Policy::Repair, soon), "it has its place already");
        for _ in 0..3 {
            repairs.done(&named("one more"), later);
        }
        assert!(!repairs.allow(&named("one more"), Policy::Repair, later), "others made room");
    }
}
