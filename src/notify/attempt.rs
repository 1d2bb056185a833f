//! One attempt to deliver one event to one endpoint: one POST, whose outcome goes into the journal.
//!
//! SQLite (which syncs the disk when it commits) and the secret's file are used on the blocking
//! pool: the runtime has one thread, and everybody else's timers and sockets hang on it.

use std::sync::Arc;
use std::time::Duration;

use ring::rand::SystemRandom;
use tokio::time::Instant;

use super::client::{self, Answer, Clients};
use super::endpoint::Endpoint;
use super::request::{self, Request, Voice};
use crate::clock::Clock;
use crate::decide::retry::delivery_delay;
use crate::journal::{Journal, JournalError};
use crate::meters::meters;
use crate::model::{Delivery, Timestamp};
use crate::telemetry::Work;

/// All that an attempt needs.
pub(super) struct Attempt {
    pub(super) journal: Arc<Journal>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) clients: Clients,
    pub(super) voice: Arc<Voice>,
    /// When it must have ended, if that is before the endpoint's own timeout.
    pub(super) until: Option<Instant>,
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Nothing waited for the node after all.
    Idle,
    /// The node took it.
    Delivered,
    /// It is tried again later.
    PutOff(String),
    /// It is not tried again.
    GivenUp(String),
    /// The journal failed, so nothing is known; said in the log.
    Unrecorded,
}

/// A delivery, and the request for it or why none can be made.
struct Prepared {
    delivery: Delivery,
    request: Result<Request, String>,
    work: Work,
}

impl Attempt {
    /// Takes the node's oldest delivery, sends it, and records what came of it.
    pub(super) async fn make(self) -> Outcome {
        let this = Arc::new(self);
        let preparing = Arc::clone(&this);
        let Prepared { delivery, request, work } = match blocking(move || preparing.prepare()).await
        {
            Ok(None) => return Outcome::Idle,
            Ok(Some(prepared)) => prepared,
            Err(error) => return unrecorded(&this.endpoint.name, &error),
        };
        let answer = match request {
            Ok(request) => this.send(request).await,
            Err(error) => Answer::failed(error),
        };
        work.answered(answer.status(), answer.error());
        let recording = Arc::clone(&this);
        let record = move || work.span().in_scope(|| recording.record(&delivery, answer));
        match blocking(record).await {
            Ok(outcome) => outcome,
            Err(error) => unrecorded(&this.endpoint.name, &error),
        }
    }

    /// Reads the delivery, writes its body and signs it. An unsigned request is never made: without
    /// a key there is none.
    fn prepare(&self) -> Result<Option<Prepared>, JournalError> {
        let now = self.clock.now();
        let Some((delivery, event)) = self.journal.next_for(&self.endpoint.name, now)? else {
            return Ok(None);
        };
        let work = Work::delivery(&self.endpoint.name, &event);
        let request = request::make(&self.endpoint, &event, &self.voice, now);
        let request = request.map(|request| request.within(&self.endpoint, work.traceparent()));
        let request = request.map_err(|error| client::chain(&error));
        Ok(Some(Prepared { delivery, request, work }))
    }

    async fn send(&self, request: Request) -> Answer {
        let left = self.until.map(|until| until.saturating_duration_since(Instant::now()));
        let timeout = left.map_or(self.endpoint.timeout, |left| left.min(self.endpoint.timeout));
        match self.clients.of(request.url.expose()) {
            Ok(client) => client::send(&client, &self.endpoint.way, timeout, request).await,
            Err(error) => Answer::failed(error),
        }
    }

    fn record(&self, delivery: &Delivery, answer: Answer) -> Result<Outcome, JournalError> {
        let (journal, now) = (&self.journal, self.clock.now());
        let (node, event, id) = (&self.endpoint.name, &delivery.event_id, delivery.id);
        match answer {
            Answer::Taken(status) => {
                journal.delivered(id, status, now)?;
                meters().delivery("delivered");
                tracing::debug!(node, event, status, "delivered");
                Ok(Outcome::Delivered)
            }
            Answer::Gone => {
                let who = self.endpoint.way.noun();
                let error = format!(
                    "{who} answered 410 Gone; nothing more is sent to it until its url changes or a \
                     delivery is sent again"
                );
                journal.give_up(id, Some(410), &error, now)?;
                meters().delivery("given_up");
                journal.endpoint_gone(node, &self.endpoint.fingerprint(), now)?;
                tracing::warn!(node, event, "{error}");
                Ok(Outcome::GivenUp(error))
            }
            Answer::Refused { status, error } => {
                journal.give_up(id, Some(status), &error, now)?;
                meters().delivery("given_up");
                tracing::warn!(node, event, "given up: {error}; see `kconfigd deliveries`");
                Ok(Outcome::GivenUp(error))
            }
            Answer::Failed { status, error, .. }
                if now.since(delivery.queued_at) >= self.endpoint.deliver_for =>
            {
                journal.give_up(id, status, &error, now)?;
                meters().delivery("given_up");
                tracing::warn!(node, event, "given up: {error}; see `kconfigd deliveries`");
                Ok(Outcome::GivenUp(error))
            }
            Answer::Failed { status, error, retry_after } => {
                let attempt = delivery.attempts.saturating_add(1);
                let delay = delivery_delay(attempt, chance()).max(retry_after.unwrap_or_default());
                let not_before = retry_after.map(|wait| now.plus(wait));
                journal.failed_attempt(id, status, &error, now.plus(delay), not_before, now)?;
                meters().delivery("failed");
                // The first failure is news; a node that stays down is no line a minute.
                if attempt == 1 {
                    tracing::warn!(node, event, "not delivered, will be tried again: {error}");
                } else {
                    tracing::debug!(node, event, attempt, "not delivered: {error}");
                }
                Ok(Outcome::PutOff(error))
            }
        }
    }
}

fn unrecorded(node: &str, error: &(dyn std::error::Error + 'static)) -> Outcome {
    tracing::error!(node, "the outbox cannot be used: {}", client::chain(error));
    Outcome::Unrecorded
}

/// Why something on the blocking pool gave nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Blocked {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("the task was ended")]
    Ended(#[source] tokio::task::JoinError),
}

/// Runs a short journal operation on the blocking pool.
pub(super) async fn blocking<T: Send + 'static>(
    run: impl FnOnce() -> Result<T, JournalError> + Send + 'static,
) -> Result<T, Blocked> {
    Ok(tokio::task::spawn_blocking(run).await.map_err(Blocked::Ended)??)
}

/// A number from 0 to 1.
fn chance() -> f64 {
    ring::rand::generate::<[u8; 4]>(&SystemRandom::new())
        .map_or(0.5, |bytes| f64::from(u32::from_ne_bytes(bytes.expose())) / f64::from(u32::MAX))
}

/// How long a lane rests when the journal failed.
pub(super) const JOURNAL_PAUSE: Duration = Duration::from_secs(5);

/// Whether a delivery that is due at `at` is due `now`. One further off than any schedule or
/// `Retry-After` puts it is due too: the machine's clock was set back.
pub(super) fn is_due(at: Timestamp, now: Timestamp) -> bool {
    at <= now || at > now.plus(client::RETRY_AFTER_MAX + Duration::from_secs(60))
}
