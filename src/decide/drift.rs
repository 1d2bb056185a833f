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
}
