//! When the keys of those who issue tokens are asked for, and what counts meanwhile: keys that are
//! there are used at once; nobody waits for an issuer that did not answer.

use std::time::Duration;

use super::rate::{Bucket, Rate};
use crate::model::Timestamp;

/// The shortest and the longest time that keys count as fresh, whatever the issuer says.
pub const FRESH_MIN: Duration = Duration::from_mins(1);
/// See [`FRESH_MIN`].
pub const FRESH_MAX: Duration = Duration::from_hours(24);
/// How long keys count as fresh of which the issuer says nothing.
pub const FRESH_UNSAID: Duration = Duration::from_mins(10);
/// How often a key is looked for that nobody knows: whoever makes up names of keys causes no more.
pub const LOOKS: Rate = Rate { count: 4, within: Duration::from_mins(1) };
/// Failures in a row after which the breaker opens.
pub const FAILURES_MAX: u32 = 3;
/// How long it stays open at first; doubled at each further failure.
const OPEN_MIN: Duration = Duration::from_secs(15);
/// The longest that it stays open.
const OPEN_MAX: Duration = Duration::from_mins(5);
/// How long nobody asks after a first failure.
const PAUSE: Duration = Duration::from_secs(1);

/// What is known of an issuer's keys, without the keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Issuer {
    /// When they came last.
    pub came_at: Option<Timestamp>,
    /// Until when they are fresh.
    pub fresh_until: Timestamp,
    /// When they were asked for last.
    pub asked_at: Option<Timestamp>,
    /// Failures in a row.
    pub failures: u32,
    /// What is left of [`LOOKS`].
    pub looks: Bucket,
}

/// What is done about a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The keys that are there are used.
    Use,
    /// The same, and they are asked for beside it.
    UseAndAsk,
    /// They are asked for, and the token waits for that.
    Ask,
    /// The key is not known, and it is too early to look again.
    Unknown,
    /// There are no keys, and the issuer does not answer: not for so long.
    Unavailable(Duration),
}

/// Whether the issuer is asked at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breaker {
    /// It is.
    Closed,
    /// It failed several times, and is left alone for so long.
    Open(Duration),
    /// It failed, and the next token that needs it tries.
    HalfOpen,
}

impl Issuer {
    /// What is done about a token whose key is known or not.
    #[must_use]
    pub fn step(&mut self, has_key: bool, keep: Duration, now: Timestamp) -> Step {
        let rest = self.rest(now);
        let counts = self.came_at.is_some_and(|at| now.since(at) < keep.max(FRESH_MIN));
        if !counts {
            return rest.map_or(Step::Ask, Step::Unavailable);
        }
        if !has_key {
            let may_look = rest.is_none() && self.looks.take(LOOKS, now.0).is_ok();
            return if may_look { Step::Ask } else { Step::Unknown };
        }
        if now >= self.fresh_until && rest.is_none() { Step::UseAndAsk } else { Step::Use }
    }

    /// Whether it is asked.
    #[must_use]
    pub fn breaker(&self, now: Timestamp) -> Breaker {
        match self.rest(now) {
            _ if self.failures < FAILURES_MAX => Breaker::Closed,
            Some(rest) => Breaker::Open(rest),
            None => Breaker::HalfOpen,
        }
    }

    /// How long it is left alone still, because it failed.
    fn rest(&self, now: Timestamp) -> Option<Duration> {
        let last = self.asked_at.filter(|_| self.failures > 0)?;
        let beyond = self.failures.saturating_sub(FAILURES_MAX);
        let pause = match self.failures {
            failures if failures < FAILURES_MAX => PAUSE,
            _ => OPEN_MIN.saturating_mul(1 << beyond.min(10)).min(OPEN_MAX),
        };
        // A clock that was set back does not make it longer.
        pause.checked_sub(now.since(last)).filter(|rest| !rest.is_zero())
    }

    /// It is asked now.
    #[must_use]
    pub const fn asked(self, now: Timestamp) -> Self {
        Self { asked_at: Some(now), ..self }
    }

    /// It gave its keys, and said how long they are good for.
    #[must_use]
    pub fn came(self, fresh_for: Option<Duration>, now: Timestamp) -> Self {
        let fresh_for = fresh_for.unwrap_or(FRESH_UNSAID).clamp(FRESH_MIN, FRESH_MAX);
        Self { came_at: Some(now), fresh_until: now.plus(fresh_for), failures: 0, ..self }
    }

    /// It did not.
    #[must_use]
    pub const fn failed(self) -> Self {
        Self { failures: self.failures.saturating_add(1), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP: Duration = Duration::from_hours(24);

    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * 1000)
    }

    fn known(seconds: i64) -> Issuer {
        Issuer::default().asked(at(seconds)).came(None, at(seconds))
    }

    #[test]
    fn keys_that_are_there_are_used_and_asked_for_again_beside_that() {
        let mut issuer = known(1000);
        assert_eq!(issuer.step(true, KEEP, at(1001)), Step::Use);
        assert_eq!(issuer.step(true, KEEP, at(1000 + 601)), Step::UseAndAsk);
        let mut down = issuer.asked(at(1601)).failed();
        assert_eq!(down.step(true, KEEP, at(1601)), Step::Use, "nobody waits for it");
        assert_eq!(down.step(true, KEEP, at(1603)), Step::UseAndAsk);
        let day = 24 * 3600;
        assert_eq!(down.step(true, KEEP, at(1000 + day - 1)), Step::UseAndAsk);
        assert_eq!(down.step(true, KEEP, at(1000 + day)), Step::Ask, "not for ever");
    }

    #[test]
    fn a_key_that_is_not_known_is_looked_for_now_and_then() {
        let mut issuer = known(1000);
        let mut steps = |seconds| issuer.step(false, KEEP, at(seconds));
        assert!((0..4).all(|_| steps(1001) == Step::Ask), "a new key counts at once");
        assert_eq!((steps(1001), steps(1015)), (Step::Unknown, Step::Unknown));
        assert_eq!((steps(1016), steps(1016)), (Step::Ask, Step::Unknown));
        assert_eq!(issuer.failed().asked(at(1100)).step(false, KEEP, at(1100)), Step::Unknown);
    }

    #[test]
    fn an_issuer_that_answered_is_not_left_alone() {
        assert_eq!(known(1000).step(false, KEEP, at(1000)), Step::Ask);
    }

    #[test]
    fn the_breaker_opens_at_the_third_failure() {
        let twice = Issuer::default().asked(at(50)).failed().failed();
        assert_eq!(twice.breaker(at(50)), Breaker::Closed);
        assert_eq!(twice.failed().breaker(at(50)), Breaker::Open(OPEN_MIN));
    }

    #[test]
    fn an_issuer_that_fails_is_left_alone_for_longer_each_time() {
        let mut issuer = Issuer::default();
        assert_eq!(issuer.step(false, KEEP, at(0)), Step::Ask);
        let mut waits = Vec::new();
        for _ in 0..9 {
            issuer = issuer.asked(at(50)).failed();
            match issuer.step(false, KEEP, at(50)) {
                Step::Unavailable(wait) => waits.push(wait.as_secs()),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(waits, [1, 1, 15, 30, 60, 120, 240, 300, 300]);
        assert_eq!(issuer.breaker(at(51)), Breaker::Open(Duration::from_secs(299)));
        assert_eq!(issuer.breaker(at(350)), Breaker::HalfOpen);
        assert_eq!(issuer.step(false, KEEP, at(350)), Step::Ask);
        let back = issuer.asked(at(350)).came(Some(Duration::from_hours(100)), at(350));
        assert_eq!(back.breaker(at(350)), Breaker::Closed);
        assert_eq!(back.fresh_until, at(350 + 24 * 3600));
    }
}
