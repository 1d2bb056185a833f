//! `GET /api/events`: what happens, as it happens, to all who listen.
//!
//! The events of the webhooks, with the same ids and bodies, as server-sent events (HTML Living
//! Standard, section 9.2). Each is read from the journal once and shared by all listeners. Whoever
//! was away says which one came last, and is told what it missed.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event as Sent, Sse};
use futures_util::Stream;
use serde::Deserialize;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, broadcast};

use super::Api;
use super::access::{Caller, Needs, Shown as Known, Weight};
use super::dashboard::Visitor;
use super::extract::Asked;
use super::problem::Problem;
use crate::journal::{Journal, JournalError};
use crate::model::{Action, Event, EventKind};
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
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    /// Kinds with commas between them.
    types: Option<String>,
    /// As the header `Last-Event-ID`, for those who cannot set one.
    last_event_id: Option<String>,
}

pub(super) async fn stream(
    State(api): State<Api>,
    caller: Caller,
    again: Again,
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
    let waiting = Vec::new();
    let listener =
        Listener { api, caller, again, kinds, receiver, last, missed, waiting, _place: place };
    let events = futures_util::stream::unfold(listener, |mut listener| async move {
        let next = listener.next().await?;
        Some((Ok(next), listener))
    });
    Ok(Sse::new(events))
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

/// How who listens is known again, for as long as they do: by what they showed at the beginning.
pub(super) enum Again {
    /// A session of the dashboard.
    Session(Box<Visitor>),
    /// The request as it came, without a body: asked once more as it was then.
    Request(Box<Request>),
}

impl FromRequestParts<Api> for Again {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        if let Some(visitor) = parts.extensions.get::<Visitor>() {
            return Ok(Self::Session(Box::new(visitor.clone())));
        }
        Ok(Self::Request(Box::new(Request::from_parts(parts.clone(), Body::empty()))))
    }
}

impl Again {
    /// What is shown by now; `None`: nothing that counts.
    fn shown(&self, needs: &Needs) -> Option<Result<Known, Problem>> {
        match self {
            Self::Session(visitor) => visitor.again(&needs.api).map(|caller| Ok(Known::By(caller))),
            Self::Request(request) => Some(needs.caller(request)),
        }
    }
}

/// What there is for who listens.
enum Found {
    /// An event as it is told to all.
    Shared(Arc<Shown>),
    /// One that was missed.
    Missed(Box<Event>),
    /// Nothing for a while.
    Nothing,
}

/// What says no more than that the stream is there.
fn alive() -> Sent {
    Sent::default().comment("")
}

/// Somebody who listens.
struct Listener {
    api: Api,
    caller: Caller,
    again: Again,
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
    /// What is sent next; `None`: nothing more, also when who listens has no right to it any more.
    async fn next(&mut self) -> Option<Sent> {
        let sent = self.find().await?;
        self.caller = self.again().await?;
        let sent = match sent {
            Found::Shared(shown) => self.show(&shown.event, Some(&shown.body)),
            Found::Missed(event) => self.show(&event, None),
            Found::Nothing => None,
        };
        Some(sent.unwrap_or_else(alive))
    }

    /// Who listens by now; `None`: nobody who may.
    async fn again(&mut self) -> Option<Caller> {
        let (api, action) = (self.api.clone(), Action::Read);
        let needs = Needs { api, action, weight: Weight::Read };
        let known = match self.again.shown(&needs)? {
            Ok(Known::By(caller)) => Ok(caller),
            Ok(Known::Token(token, from)) => {
                needs.holder(&token, from, "GET /api/events").await.map(|(caller, _)| caller)
            }
            Err(problem) => Err(problem),
        };
        let passes = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE];
        let caller = match known {
            Ok(caller) => caller,
            // Others at this address guessed, or the issuer is away: that says nothing of who listens.
            Err(problem) if passes.contains(&problem.status()) => self.caller.clone(),
            Err(_) => return None,
        };
        caller.may(Action::Read).then_some(caller)
    }

    async fn find(&mut self) -> Option<Found> {
        loop {
            if let Some(event) = self.waiting.pop() {
                self.last = event.sequence;
                if self.is_wanted(&event) {
                    return Some(Found::Missed(Box::new(event)));
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
                () = tokio::time::sleep(ALIVE_EVERY) => return Some(Found::Nothing),
                _ = self.api.stop.wait_for(|stopped| *stopped) => return None,
            };
            match received {
                Ok(shown) if shown.event.sequence > self.last => {
                    self.last = shown.event.sequence;
                    if self.is_wanted(&shown.event) {
                        return Some(Found::Shared(shown));
                    }
                }
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(_)) => self.missed = true,
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }

    fn is_wanted(&self, event: &Event) -> bool {
        self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&event.kind))
    }

    fn show(&self, event: &Event, shared: Option<&str>) -> Option<Sent> {
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
        facts.findings.retain(|finding| self.caller.sees_found(finding.file.as_deref()));
        // What people are told may name files.
        facts.message = None;
        event
    }
}

fn read(journal: &Journal, last: u64) -> Result<Vec<Event>, JournalError> {
    journal.events_after(last, READ_MAX)
}
