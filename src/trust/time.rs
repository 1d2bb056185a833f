//! When a key is valid: pure, in seconds since 1970.

/// A span of time in which a key may sign; both ends belong to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    /// The first second; `None`: ever before.
    pub(super) from: Option<i64>,
    /// The last second; `None`: for ever.
    pub(super) until: Option<i64>,
}

/// How a moment stands to a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// The key is valid then.
    Inside,
    /// It becomes valid at the second named.
    Before(i64),
    /// It was valid until the second named.
    After(i64),
}

impl Span {
    pub(super) fn at(self, second: i64) -> Moment {
        match self {
            Self { from: Some(from), .. } if second < from => Moment::Before(from),
            Self { until: Some(until), .. } if second > until => Moment::After(until),
            _ => Moment::Inside,
        }
    }

    /// The first of these moments at which the key is not valid.
    pub(super) fn during(self, moments: &[i64]) -> Moment {
        let told = moments.iter().map(|second| self.at(*second));
        told.into_iter().find(|moment| *moment != Moment::Inside).unwrap_or(Moment::Inside)
    }
}

/// The moments at which a key has to be valid for a signature that was made at `made`, as whoever
/// made it says.
///
/// git asks for that one alone. It is chosen by the signer, so a key that is stolen after it expired
/// could sign for a day before that. Therefore what is to be live (`is_head`) needs a key that is
/// valid now too; what comes before it is vouched for by it. Nothing is made later than now, so
/// that a signer's fast clock is no reason to refuse.
pub(super) fn moments(made: Option<i64>, is_head: bool, now: i64) -> Vec<i64> {
    let made = made.map(|made| made.min(now));
    made.into_iter().chain(is_head.then_some(now)).collect()
}

/// A second for people: RFC 3339 in UTC.
pub(super) fn shown(second: i64) -> String {
    let moment = crate::model::Timestamp::from_millis(second.saturating_mul(1000));
    moment.to_utc().to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Span = Span { from: Some(10), until: Some(20) };

    #[test]
    fn both_ends_of_a_span_belong_to_it() {
        for (second, moment) in [
            (9, Moment::Before(10)),
            (10, Moment::Inside),
            (20, Moment::Inside),
            (21, Moment::After(20)),
        ] {
            assert_eq!(SPAN.at(second), moment);
        }
        assert_eq!(Span::default().at(i64::MAX), Moment::Inside);
    }

    #[test]
    fn the_head_needs_a_key_that_was_valid_then_and_is_valid_now() {
        let head = |made, now| SPAN.during(&moments(made, true, now));
        assert_eq!(head(Some(15), 16), Moment::Inside);
        assert_eq!(head(Some(15), 21), Moment::After(20));
        assert_eq!(head(Some(5), 15), Moment::Before(10));
        assert_eq!(head(None, 15), Moment::Inside);
        // a clock of the signer that is fast is no reason
        assert_eq!(head(Some(30), 15), Moment::Inside);
        assert_eq!(head(Some(15), 5), Moment::Before(10));
    }

    #[test]
    fn what_the_head_vouches_for_needs_a_key_that_was_valid_then() {
        let before = |made, now| SPAN.during(&moments(Some(made), false, now));
        assert_eq!(before(15, 21), Moment::Inside);
        assert_eq!(before(21, 30), Moment::After(20));
        assert_eq!(before(5, 15), Moment::Before(10));
    }
}
