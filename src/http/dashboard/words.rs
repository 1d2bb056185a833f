//! Moments, numbers and names as people read them.

use crate::decide::words::ago as seconds_ago;
pub(super) use crate::decide::words::short;
use crate::model::Timestamp;

/// How long ago a moment in RFC 3339 was; the text itself where it is none.
pub(super) fn ago(now: Timestamp, at: &str) -> String {
    match Timestamp::parse(at) {
        Ok(at) if at.0 > now.0 => format!("in {}", seconds_ago(at.since(now).as_secs())),
        Ok(at) => format!("{} ago", seconds_ago(now.since(at).as_secs())),
        Err(_) => at.to_owned(),
    }
}

/// A stable word, as a person would write it.
pub(super) fn plain(word: &str) -> String {
    word.replace('_', " ")
}

/// Milliseconds.
pub(super) fn took(ms: u64) -> String {
    match ms {
        0..=999 => format!("{ms} ms"),
        1000..=59_999 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        _ => format!("{} min", ms / 60_000),
    }
}
