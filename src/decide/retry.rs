//! When to try again. `chance` is drawn by the caller, evenly from 0 to 1.

use std::time::Duration;

/// The longest wait between two tries of a source, unless its interval is longer.
pub const SOURCE_DELAY_MAX: Duration = Duration::from_mins(5);

/// The longest `Retry-After` that is honoured.
pub const RETRY_AFTER_MAX: Duration = Duration::from_hours(1);

/// The part by which waits after failures vary.
const JITTER: f64 = 0.2;

/// Waits before the second to the fifth try of a delivery; behind them, it is the last again.
const DELIVERY_DELAYS_SECONDS: [u64; 6] = [0, 1, 5, 15, 30, 60];

/// The wait until a source is asked again after `n` failures in a row: `base`, doubled for each
/// failure after the first, at most `max`, varied by 20 %. Without failures: `base`.
///
/// `max` is [`SOURCE_DELAY_MAX`] or the interval, whichever is longer.
#[must_use]
pub fn after_failures(n: u32, base: Duration, max: Duration, chance: f64) -> Duration {
    let doubled = 2u32.checked_pow(n.saturating_sub(1)).and_then(|times| base.checked_mul(times));
    vary(doubled.unwrap_or(max).min(max), JITTER, chance)
}

/// The same, when the source said itself how long to wait: at least that, up to an hour, and
/// somewhat more so that not all come back at once.
#[must_use]
pub fn after_refusal(delay: Duration, retry_after: Option<Duration>, chance: f64) -> Duration {
    let Some(wanted) = retry_after else { return delay };
    let wanted = wanted.min(RETRY_AFTER_MAX);
    delay.max(wanted.saturating_add(wanted.mul_f64(JITTER * part(chance))))
}

/// The wait before a delivery's try number `attempt` (from 0): 0, 1 s, 5 s, 15 s, 30 s, then every
/// minute, varied by 20 %.
#[must_use]
pub fn delivery_delay(attempt: u32, chance: f64) -> Duration {
    let place = usize::try_from(attempt).unwrap_or(usize::MAX);
    let seconds = DELIVERY_DELAYS_SECONDS.get(place).or(DELIVERY_DELAYS_SECONDS.last());
    vary(Duration::from_secs(seconds.copied().unwrap_or_default()), JITTER, chance)
}

/// The wait until a source is asked again when all is well: the interval, varied by `jitter` (a
/// part of it, 0 to 1).
#[must_use]
pub fn poll_delay(interval: Duration, jitter: f64, chance: f64) -> Duration {
    vary(interval, part(jitter), chance)
}

/// From `delay` less `jitter` of it to as much more.
fn vary(delay: Duration, jitter: f64, chance: f64) -> Duration {
    let factor = 1.0 + jitter * (2.0 * part(chance) - 1.0);
    Duration::try_from_secs_f64(delay.as_secs_f64() * factor).unwrap_or(delay)
}

/// A number from 0 to 1, whatever is given.
fn part(number: f64) -> f64 {
    if number.is_nan() { 0.0 } else { number.clamp(0.0, 1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIDDLE: f64 = 0.5;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn failures_double_the_wait_up_to_the_longest() {
        let after = |n| after_failures(n, seconds(1), SOURCE_DELAY_MAX, MIDDLE);
        let waits: Vec<_> = [0, 1, 2, 3, 9, 10, 33, u32::MAX].map(after).to_vec();
        assert_eq!(waits, [1, 1, 2, 4, 256, 300, 300, 300].map(seconds));
    }

    #[test]
    fn a_wait_varies_by_a_fifth_and_no_more() {
        let after = |chance| after_failures(1, seconds(10), SOURCE_DELAY_MAX, chance);
        assert_eq!((after(0.0), after(1.0)), (seconds(8), seconds(12)));
        assert_eq!((after(0.25), after(0.75)), (seconds(9), seconds(11)));
        assert_eq!((after(f64::NAN), after(7.0)), (seconds(8), seconds(12)));
        assert_eq!(delivery_delay(1, 1.0), Duration::from_millis(1200));
    }

    #[test]
    fn a_source_that_names_a_time_is_given_it_up_to_an_hour() {
        let delay = seconds(4);
        assert_eq!(after_refusal(delay, None, 1.0), delay);
        assert_eq!(after_refusal(delay, Some(seconds(1)), 0.0), delay);
        assert_eq!(after_refusal(delay, Some(seconds(100)), 0.0), seconds(100));
        assert_eq!(after_refusal(delay, Some(seconds(100)), 1.0), seconds(120));
        assert_eq!(after_refusal(delay, Some(Duration::MAX), 0.0), RETRY_AFTER_MAX);
    }

    #[test]
    fn deliveries_are_tried_as_the_contract_says() {
        let waits: Vec<_> = (0..8).map(|n| delivery_delay(n, MIDDLE).as_secs()).collect();
        assert_eq!(waits, [0, 1, 5, 15, 30, 60, 60, 60]);
        assert_eq!(delivery_delay(u32::MAX, MIDDLE), seconds(60));
    }

    #[test]
    fn polls_keep_to_the_interval_and_its_jitter() {
        let poll = |chance| poll_delay(seconds(100), 0.1, chance);
        assert_eq!((poll(0.0), poll(MIDDLE), poll(1.0)), (seconds(90), seconds(100), seconds(110)));
        assert_eq!(poll_delay(seconds(5), 0.0, 1.0), seconds(5));
        assert_eq!(poll_delay(seconds(5), 1.0, 0.0), Duration::ZERO);
    }
}
