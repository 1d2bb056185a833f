//! Circuit breakers: the name and the state of what is known of everybody outside.
//!
//! Nothing is tried or put off because of a breaker. When somebody is asked again is decided by
//! [`super::retry`] (the source's backoff, the schedule of deliveries) and by [`super::issuer`] (the
//! keys of tokens), which leave who fails alone until its next try. A breaker says in one word where
//! that stands, the same for all. Another party needs a [`PartyKind`], and how it fails, where the
//! others are put together (`http/parties.rs`).

use crate::model::{Breaker, Failing, FailingQueue, Party, PartyKind, SourceState, Timestamp};

/// Parties that a status tells of; those that fail come first.
pub const PARTIES_MAX: usize = 200;

/// Somebody with its breaker: closed unless it fails; open until its next try; half-open when that
/// is due or on its way.
#[must_use]
pub fn party(kind: PartyKind, name: &str, failing: Option<&Failing>, now: Timestamp) -> Party {
    let breaker = match failing {
        None => Breaker::Closed,
        Some(failing) => match failing.next_try_at {
            Some(at) if at <= now => Breaker::HalfOpen,
            _ => Breaker::Open,
        },
    };
    Party { kind, name: name.to_owned(), breaker, failing: failing.cloned() }
}

/// How the source fails; `next_ask` is when it is asked next.
#[must_use]
pub fn source(state: &SourceState, next_ask: Option<Timestamp>) -> Option<Failing> {
    let (_, error) = state.error.as_ref()?;
    Some(Failing {
        // What an older kconfigd wrote down did not count them.
        failures: state.failures.max(1),
        since: state.failing_since.or(state.last_attempt_at).unwrap_or_default(),
        error: error.clone(),
        next_try_at: next_ask,
    })
}

/// How somebody with a queue of the outbox fails.
#[must_use]
pub fn queue<'a>(failing: &'a [FailingQueue], node: &str) -> Option<&'a Failing> {
    failing.iter().find(|queue| queue.node == node).map(|queue| &queue.failing)
}

/// The first of many parties, those that fail in front, in the order they were given.
#[must_use]
pub fn first(mut parties: Vec<Party>) -> Vec<Party> {
    parties.sort_by_key(|party| party.breaker == Breaker::Closed);
    parties.truncate(PARTIES_MAX);
    parties
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Reason;

    fn failing(next: Option<i64>) -> Failing {
        Failing {
            failures: 3,
            since: Timestamp(10),
            error: "no route".to_owned(),
            next_try_at: next.map(Timestamp),
        }
    }

    #[test]
    fn a_breaker_is_open_until_the_next_try_and_half_open_while_that_is_made() {
        let breaker = |failing: Option<&Failing>| {
            party(PartyKind::Node, "edge", failing, Timestamp(100)).breaker
        };
        assert_eq!(breaker(None), Breaker::Closed);
        assert_eq!(breaker(Some(&failing(Some(101)))), Breaker::Open);
        assert_eq!(breaker(Some(&failing(Some(100)))), Breaker::HalfOpen);
        assert_eq!(breaker(Some(&failing(None))), Breaker::Open, "nothing waits for it");
    }

    #[test]
    fn a_source_fails_as_long_as_it_has_an_error() {
        let mut state = SourceState { last_attempt_at: Some(Timestamp(5)), ..Default::default() };
        assert_eq!(source(&state, None), None);
        state.error = Some((Reason::SourceUnreachable, "no route".to_owned()));
        let old = source(&state, Some(Timestamp(9))).unwrap();
        assert_eq!((old.failures, old.since), (1, Timestamp(5)), "written by an older one");
        state.failures = 4;
        state.failing_since = Some(Timestamp(2));
        let new = source(&state, Some(Timestamp(9))).unwrap();
        assert_eq!(
            (new.failures, new.since, new.next_try_at),
            (4, Timestamp(2), Some(Timestamp(9)))
        );
    }

    #[test]
    fn a_queue_is_known_by_its_node() {
        let of = |node: &str, next| FailingQueue {
            node: node.to_owned(),
            failing: failing(Some(next)),
            given_up: 0,
        };
        let queues = [of("edge", 1), of("core", 2)];
        assert_eq!(queue(&queues, "core"), Some(&queues[1].failing));
        assert_eq!(queue(&queues, "other"), None);
    }

    #[test]
    fn of_too_many_those_that_fail_are_told() {
        let mut parties: Vec<Party> = (0..PARTIES_MAX)
            .map(|n| party(PartyKind::Node, &n.to_string(), None, Timestamp(0)))
            .collect();
        parties.push(party(PartyKind::Node, "bad", Some(&failing(None)), Timestamp(0)));
        let told = first(parties);
        assert_eq!((told.len(), told[0].name.as_str(), told[1].name.as_str()), (200, "bad", "0"));
    }
}
