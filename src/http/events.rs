//! `GET /api/events`: what happens, as it happens, to all who listen.
//!
//! The events of the webhooks, with the same ids and bodies, as server-sent events (HTML Living
//! Standard, section 9.2). Each is read from the journal once and shared by all listeners. Whoever
//! was away says which one came last, and is told what it missed.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use futures_util::Stream;
use serde::Deserialize;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, broadcast};

use super::Api;
use super::access::Caller;
use super::extract::Asked;
use super::problem::Problem;
use crate::journal::{Journal, JournalError};
use crate::model::{Event, EventKind};
use crate::notify::payload;

/// Events that a slow listener may be behind before it is sent back to the journal.
const BEHIND_MAX: usize = 64;
/// Events read at once.
const READ_MAX: u32 = 200;
/// Those who listen at once.
pub(super) const LISTENERS_MAX: usize = 4096;
/// How often a silent stream says that it is there, for proxies that end what is silent.
const ALIVE_EVERY: Duration = Duration::from_secs(15);

/// What happened, on its way to all who listen.
#[derive(Clone)]
pub struct Feed {
    sender: broadcast::Sender<Arc<Shown>>,
    news: Arc<Notify>,
    places: Arc<Semaphore>,
}

/// An event, and its body for those who may see all of it.
struct Shown {
    event: Event,
    body: String,
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            sender: broadcast::Sender::new(BEHIND_MAX),
            news: Arc::default(),
            places: Arc::new(Semaphore::new(LISTENERS_MAX)),
        }
    }
}

impl Feed {
    /// Something may have happened.
    pub fn wake(&self) {
        self.news.notify_one();
    }

    /// Reads what happened and hands it on, until it is dropped.
    pub async fn run(self, api: Api) {
        let mut last = match api.journal.last_event() {
            Ok(last) => last,
            Err(error) => {
                tracing::error!(error = %error, "events cannot be streamed");
                return;
            }
        };
        loop {
            self.news.notified().await;
            loop {
                let events = match api.journal.events_after(last, READ_MAX) {
                    Ok(events) if events.is_empty() => break,
                    Ok(events) => events,
                    Err(error) => {
                        tracing::warn!(error = %error, "events could not be read; with the next one they are");
                        break;
                    }
                };
                for event in events {
                    last = event.sequence;
                    if self.sender.receiver_count() > 0
                        && let Some(body) = body(&event, &api)
                    {
                        // An error means that nobody listens any more.
                        drop(self.sender.send(Arc::new(Shown { event, body })));
                    }
                }
            }
        }
    }
}

fn body(event: &Event, api: &Api) -> Option<String> {
    let limit = usize::try_from(api.settings.borrow().limits.webhook_body_bytes_max);
    let body = payload::body(event, &api.name, limit.unwrap_or(usize::MAX));
    match body.map(String::from_utf8) {
        Ok(Ok(body)) => Some(body),
        _ => {
            tracing::warn!(event = event.id, "an event has no body that could be streamed");
            None
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Filter {
    /// Kinds with commas between them.
    types: Option<String>,
    /// As the header `Last-Event-ID`, for those who cannot set one.
    last_event_id: Option<String>,
}

pub(super) async fn stream(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    Asked(filter): Asked<Filter>,
) -> Result<Sse<impl Stream<Item = Result<Sent, Infallible>>>, Problem> {
    let kinds = filter.types.as_deref().map(kinds).transpose()?;
    let place = api.feed.places.clone().try_acquire_owned().map_err(|_| {
        let detail = format!("{LISTENERS_MAX} listen already");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_listeners", detail).after(5)
    })?;
    let receiver = api.feed.sender.subscribe();
    let said = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let last = match said.map(str::to_owned).or(filter.last_event_id) {
        // One that is forgotten, or of a journal that is gone: all that there is.
        Some(id) => api.journal.event_place(&id)?.unwrap_or(0),
        None => api.journal.last_event()?,
    };
    let missed = api.journal.last_event()? > last;
    let listener =
        Listener { api, caller, kinds, receiver, last, missed, waiting: Vec::new(), _place: place };
    let events = futures_util::stream::unfold(listener, |mut listener| async move {
        let next = listener.next().await?;
        Some((Ok(next), listener))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE_EVERY)))
}

fn kinds(text: &str) -> Result<Vec<EventKind>, Problem> {
    let kind = |word: &str| {
        EventKind::from_word(word.trim()).ok_or_else(|| {
            let shown: String = word.chars().take(80).collect();
            Problem::bad_request(format!("{shown:?} is not a type of event"))
        })
    };
    text.split(',').map(kind).collect()
}

/// Somebody who listens.
struct Listener {
    api: Api,
    caller: Caller,
    kinds: Option<Vec<EventKind>>,
    receiver: broadcast::Receiver<Arc<Shown>>,
    /// The last event that was looked at for it.
    last: u64,
    /// Whether the journal has events that it missed.
    missed: bool,
    /// What was read of those, the next one last.
    waiting: Vec<Event>,
    _place: OwnedSemaphorePermit,
}

impl Listener {
    async fn next(&mut self) -> Option<Sent> {
        loop {
            if let Some(event) = self.waiting.pop() {
                self.last = event.sequence;
                if let Some(sent) = self.show(&event, None) {
                    return Some(sent);
                }
                continue;
            }
            if self.missed {
                match read(&self.api.journal, self.last) {
                    Ok(events) => {
                        self.missed = events.len() == READ_MAX as usize;
                        self.waiting = events.into_iter().rev().collect();
                    }
                    // The listener comes again, and says what it had last.
                    Err(_) => return None,
                }
                continue;
            }
            let received = tokio::select! {
                received = self.receiver.recv() => received,
                _ = self.api.stop.wait_for(|stopped| *stopped) => return None,
            };
            match received {
                Ok(shown) if shown.event.sequence > self.last => {
                    self.last = shown.event.sequence;
                    if let Some(sent) = self.show(&shown.event, Some(&shown.body)) {
                        return Some(sent);
                    }
                }
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(_)) => self.missed = true,
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }

    fn show(&self, event: &Event, shared: Option<&str>) -> Option<Sent> {
        if self.kinds.as_ref().is_some_and(|kinds| !kinds.contains(&event.kind)) {
            return None;
        }
        let body = match shared.filter(|_| self.caller.sees_all()) {
            Some(body) => body.to_owned(),
            None => body(&self.seen(event), &self.api)?,
        };
        Some(Sent::default().id(&event.id).event(event.kind.as_str()).data(body))
    }

    /// The event, without the files that this listener may not see.
    fn seen(&self, event: &Event) -> Event {
        let mut event = event.clone();
        if self.caller.sees_all() {
            return event;
        }
        let facts = &mut event.facts;
        if let Some(changes) = &mut facts.changes {
            for list in [&mut changes.added, &mut changes.modified, &mut changes.removed] {
                let all = list.len();
                list.retain(|path| self.caller.sees(path));
                changes.truncated |= list.len() < all;
            }
            let seen = changes.added.iter().chain(&changes.modified).chain(&changes.removed);
            facts.touches = crate::decide::impact::units(seen.map(String::as_str));
        }
        facts.findings.retain(|f| f.file.as_ref().is_none_or(|file| self.caller.sees(file)));
        // What people are told may name files.
        facts.message = None;
        event
    }
}

fn read(journal: &Journal, last: u64) -> Result<Vec<Event>, JournalError> {
    journal.events_after(last, READ_MAX)
}
