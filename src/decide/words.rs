//! Durations and ids as people read them. Pure.

/// A duration as people say it: `12 s`, `3 min`, `5 h`, `9 d`.
#[must_use]
pub fn ago(seconds: u64) -> String {
    match seconds {
        0..=89 => format!("{seconds} s"),
        90..=5399 => format!("{} min", (seconds + 30) / 60),
        5400..=172_799 => format!("{} h", (seconds + 1800) / 3600),
        _ => format!("{} d", (seconds + 43_200) / 86_400),
    }
}

/// The 12 digits of a revision that people read.
#[must_use]
pub fn short(revision: &str) -> &str {
    revision.get(..12).unwrap_or(revision)
}
