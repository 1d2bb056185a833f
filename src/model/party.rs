use super::Timestamp;
use super::deployment::words;

words! {
    /// Who is outside this program and may fail while the rest goes on.
    PartyKind {
        /// The git repository.
        Source = "source",
        /// A node that is told of events.
        Node = "node",
        /// Where problems are told.
        Alert = "alert",
        /// Where commits get their statuses.
        Forge = "forge",
    }
}

words! {
    /// Where a circuit breaker stands.
    Breaker {
        /// What was asked last went well, or nothing was asked.
        Closed = "closed",
        /// It failed: nothing is asked before the next try.
        Open = "open",
        /// It failed, and the next try is due or on its way.
        HalfOpen = "half_open",
    }
}

/// How a party fails now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    /// Tries in a row that failed.
    pub failures: u32,
    /// When the first of them did.
    pub since: Timestamp,
    /// What went wrong last, in one sentence.
    pub error: String,
    /// When it is tried next by itself; `None`: with the next thing that there is to ask or tell.
    pub next_try_at: Option<Timestamp>,
}

/// Somebody outside, with its circuit breaker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// What it is.
    pub kind: PartyKind,
    /// Its name in the settings.
    pub name: String,
    /// Its circuit breaker.
    pub breaker: Breaker,
    /// How it fails; `None` while the breaker is closed.
    pub failing: Option<Failing>,
}

/// How a queue of the outbox fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailingQueue {
    /// Whose it is, as deliveries name it.
    pub node: String,
    /// How.
    pub failing: Failing,
    /// Deliveries that were given up since the last one that arrived.
    pub given_up: u32,
}
