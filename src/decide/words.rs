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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_while_is_said_in_the_largest_unit_that_still_tells() {
        let said = [
            (0, "0 s"),
            (89, "89 s"),
            (90, "2 min"),
            (5399, "90 min"),
            (5400, "2 h"),
            (172_799, "48 h"),
            (172_800, "2 d"),
            (9 * 86_400, "9 d"),
        ];
        for (seconds, text) in said {
            assert_eq!(ago(seconds), text);
        }
    }

    #[test]
    fn a_revision_is_cut_to_twelve_digits_and_a_shorter_one_is_whole() {
        assert_eq!(short("0123456789abcdef"), "0123456789ab");
        assert_eq!(short("0123"), "0123");
    }
}
