use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::super::exit::chain;
use super::check::DemoError;
use super::stage::write_secret;
use crate::clock::{Clock as _, SystemClock};
use crate::notify::VerifyingKeys;
use crate::notify::verify::{Headers, TOLERANCE};

/// Bytes in a request's body.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Events that a node remembers; the demo has a few dozen.
const EVENTS_MAX: usize = 10_000;

/// How events to a node are signed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scheme {
    /// `v1`: a key that both have.
    Hmac,
    /// `v1a`: the node needs the public key only.
    Ed25519,
}

impl Scheme {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Hmac => "whsec_",
            Self::Ed25519 => "whsk_",
        }
    }

    /// For people.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Hmac => "HMAC-SHA256",
            Self::Ed25519 => "Ed25519",
        }
    }
}

/// A node: something on this machine that wants to know when its configuration changes.
pub(super) struct Node {
    name: &'static str,
    scheme: Scheme,
    url: String,
    secret_file: PathBuf,
    inbox: Arc<Inbox>,
}

struct Inbox {
    keys: VerifyingKeys,
    events: watch::Sender<Vec<Event>>,
}

/// An event as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Event {
    id: String,
    /// `config.applied` and others.
    pub(super) kind: String,
    /// What is told with it.
    pub(super) data: Value,
    /// Whether its signature is believed, or why not.
    pub(super) verified: Result<(), String>,
}

impl Node {
    /// A node on a free port with a key of its own, and what serves it as long as it is polled.
    pub(super) async fn bind(
        name: &'static str,
        scheme: Scheme,
        folder: &Path,
    ) -> Result<(Self, impl Future<Output = DemoError> + use<>), DemoError> {
        let secret_file = folder.join(format!("{name}.key"));
        let mut key = [0; 32];
        rustix::rand::getrandom(&mut key, rustix::rand::GetRandomFlags::empty())
            .map_err(|error| DemoError::io("make a key for", name, error.into()))?;
        write_secret(&secret_file, &format!("{}{}\n", scheme.prefix(), STANDARD.encode(key)))?;
        let keys = VerifyingKeys::read(&[&secret_file]).map_err(|error| {
            DemoError::io("read a key for", name, std::io::Error::other(chain(&error)))
        })?;
        let failed = move |error| DemoError::io("listen on loopback for", name, error);
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let url = format!("http://{address}/hooks/config");
        let inbox = Arc::new(Inbox { keys, events: watch::Sender::new(Vec::new()) });
        let app = Router::new().fallback(receive).with_state(inbox.clone());
        let serving = async move {
            match axum::serve(listener, app).await {
                Ok(()) => failed(std::io::ErrorKind::UnexpectedEof.into()),
                Err(error) => failed(error),
            }
        };
        Ok((Self { name, scheme, url, secret_file, inbox }, serving))
    }

    /// Its name.
    pub(super) const fn name(&self) -> &'static str {
        self.name
    }

    /// How it is told.
    pub(super) const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Where it listens.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The file with its key.
    pub(super) fn secret_file(&self) -> &Path {
        &self.secret_file
    }

    /// How many events it has got.
    pub(super) fn count(&self) -> usize {
        self.inbox.events.borrow().len()
    }

    /// Waits for an event of this kind about this revision; one that came already counts.
    pub(super) async fn wait_for(&self, kind: &str, revision: &str) -> Event {
        let is_it = |event: &&Event| event.kind == kind && event.data["revision"] == revision;
        self.wait(|events| events.iter().find(is_it).cloned()).await
    }

    /// Waits for the event after so many.
    pub(super) async fn wait_for_number(&self, number: usize) -> Event {
        self.wait(|events| events.get(number).cloned()).await
    }

    async fn wait(&self, find: impl Fn(&[Event]) -> Option<Event>) -> Event {
        let mut events = self.inbox.events.subscribe();
        loop {
            if let Some(event) = find(&events.borrow_and_update()) {
                return event;
            }
            if events.changed().await.is_err() {
                // Its sender lives in the inbox, which we hold.
                std::future::pending::<()>().await;
            }
        }
    }
}

async fn receive(State(inbox): State<Arc<Inbox>>, request: Request<Body>) -> StatusCode {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE;
    };
    let id = text(&head.headers, "webhook-id");
    let headers = Headers {
        id,
        timestamp: text(&head.headers, "webhook-timestamp"),
        signature: text(&head.headers, "webhook-signature"),
    };
    let verified = inbox.keys.verify(headers, &body, SystemClock.now(), TOLERANCE);
    let verified = verified.map_err(|why| why.to_string());
    let Ok(event) = serde_json::from_slice::<Value>(&body) else { return StatusCode::BAD_REQUEST };
    let answer = if verified.is_ok() { StatusCode::NO_CONTENT } else { StatusCode::UNAUTHORIZED };
    let event = Event {
        id: id.unwrap_or_default().to_owned(),
        kind: event["type"].as_str().unwrap_or_default().to_owned(),
        data: event["data"].clone(),
        verified,
    };
    inbox.events.send_if_modified(|events| {
        // Delivery is at least once: the id tells what is known already.
        let is_new = events.len() < EVENTS_MAX && events.iter().all(|known| known.id != event.id);
        if is_new {
            events.push(event);
        }
        is_new
    });
    answer
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
