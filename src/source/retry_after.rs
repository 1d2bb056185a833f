//! `Retry-After` (RFC 9110, 10.2.3): seconds, or a date.

use std::time::Duration;

use chrono::DateTime;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use crate::clock::{Clock, SystemClock};

/// No server gets to silence us for longer.
const WAIT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// How long the server wants to be left alone. A date is held against the server's own clock, where
/// it shows it.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = |text: &str| DateTime::parse_from_rfc2822(text).ok();
            let now = headers.get(DATE).and_then(|value| date(value.to_str().ok()?));
            let now = now.map_or_else(|| SystemClock.now().seconds(), |now| now.timestamp());
            let seconds = date(text)?.timestamp().saturating_sub(now);
            Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
        }
    };
    Some(wait.min(WAIT_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(reqwest::header::HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(k, v)| (k.clone(), v.parse().unwrap())).collect()
    }

    #[test]
    fn seconds_and_dates_are_honoured() {
        let seconds = headers(&[(RETRY_AFTER, "120")]);
        assert_eq!(retry_after(&seconds), Some(Duration::from_secs(120)));
        let date = headers(&[
            (DATE, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (RETRY_AFTER, "Sun, 06 Nov 1994 08:50:07 GMT"),
        ]);
        assert_eq!(retry_after(&date), Some(Duration::from_secs(30)));
    }

    #[test]
    fn a_date_that_has_passed_means_now_and_nonsense_means_nothing() {
        let past = headers(&[(RETRY_AFTER, "Sun, 06 Nov 1994 08:49:37 GMT")]);
        assert_eq!(retry_after(&past), Some(Duration::ZERO));
        assert_eq!(retry_after(&headers(&[(RETRY_AFTER, "soon")])), None);
        let long = headers(&[(RETRY_AFTER, "18446744073709551615")]);
        assert_eq!(retry_after(&long), Some(WAIT_MAX));
    }
}
