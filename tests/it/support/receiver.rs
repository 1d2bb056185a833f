//! A node: takes webhooks on a free port and believes only what is signed.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::http::{self, Handler, HttpServer, Next, Request, header};
use super::keys::Key;
use super::wait::PATIENCE;

/// How a node answers what is signed well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mood {
    /// 204.
    #[default]
    Accept,
    /// This status, and `Retry-After` in seconds.
    Status(u16, Option<u32>),
    /// 204 after a while.
    Slow(Duration),
    /// 307 to another place.
    Redirect(String),
    /// Never, while the mood lasts.
    Hang,
}

/// One attempt to deliver, in the order they came.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) id: String,
    /// Seconds, as the sender says.
    pub(crate) timestamp: String,
    /// Whether a signature over id, time and body is good with one of the node's keys.
    pub(crate) verified: bool,
    pub(crate) connection: usize,
    pub(crate) at: Instant,
    pub(crate) headers: Vec<(String, String)>,
    /// The event; null when the body is no JSON.
    pub(crate) event: Value,
    /// What was answered.
    pub(crate) status: u16,
}

impl Attempt {
    /// The event's `type`.
    pub(crate) fn kind(&self) -> &str {
        self.event["type"].as_str().unwrap_or_default()
    }
}

/// A webhook receiver. Stops when dropped.
///
/// ```ignore
/// let node = Receiver::start(Key::hmac());
/// agent.settings(&format!("nodes:\n  - {{name: n, url: {}, secret_file: {}}}\n", …));
/// let events = node.wait_for(2);
/// assert_eq!(events[1].kind(), "config.applied");
/// ```
pub(crate) struct Receiver {
    port: u16,
    shared: Arc<Shared>,
    server: Option<HttpServer>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    keys: Vec<Key>,
    mood: Mood,
    down: bool,
    attempts: Vec<Attempt>,
}

impl Receiver {
    /// A node that knows one key.
    pub(crate) fn start(key: Key) -> Self {
        let state =
            State { keys: vec![key], mood: Mood::Accept, down: false, attempts: Vec::new() };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let mut receiver = Self { port: 0, shared, server: None };
        receiver.up();
        receiver
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hooks/config", self.port)
    }

    /// Writes the first key as a sender's `secret_file`.
    pub(crate) fn secret_file(&self, folder: &Path) -> PathBuf {
        let path = folder.join(format!("node-{}.key", self.port));
        let text = self.shared.lock().keys.first().map(Key::secret).unwrap_or_default();
        std::fs::write(&path, text + "\n").expect("a secret file");
        path
    }

    /// From now on only these keys are believed.
    pub(crate) fn keys(&self, keys: Vec<Key>) {
        self.shared.change(|state| state.keys = keys);
    }

    /// How attempts are answered from now on; what hangs is let go.
    pub(crate) fn mood(&self, mood: Mood) {
        self.shared.change(|state| state.mood = mood);
    }

    /// Nobody listens any more, and connections are closed.
    pub(crate) fn down(&mut self) {
        self.shared.change(|state| state.down = true);
        self.server = None;
    }

    /// Listens again, on the same port.
    pub(crate) fn up(&mut self) {
        self.shared.change(|state| state.down = false);
        let handler: Arc<dyn Handler> = Arc::<Shared>::clone(&self.shared);
        let server = HttpServer::start(self.port, None, Arc::default(), handler);
        self.port = server.port();
        self.server = Some(server);
    }

    /// All attempts so far, good and bad.
    pub(crate) fn attempts(&self) -> Vec<Attempt> {
        self.shared.lock().attempts.clone()
    }

    /// The deliveries that were taken: signed well, answered with 2xx, the first of each id.
    pub(crate) fn events(&self) -> Vec<Attempt> {
        taken(&self.shared.lock())
    }

    /// Waits for so many [events](Self::events), and gives them.
    #[track_caller]
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Attempt> {
        let state = self.until(|state| taken(state).len() >= count);
        let events = taken(&state);
        assert!(
            events.len() >= count,
            "the node waited in vain for {count} events: {:#?}",
            state.attempts
        );
        events
    }

    /// Waits for so many [attempts](Self::attempts), and gives them.
    #[track_caller]
    pub(crate) fn wait_for_attempts(&self, count: usize) -> Vec<Attempt> {
        let state = self.until(|state| state.attempts.len() >= count);
        assert!(
            state.attempts.len() >= count,
            "the node waited in vain for {count} attempts: {:#?}",
            state.attempts
        );
        state.attempts.clone()
    }

    fn until(&self, enough: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let state = self.shared.lock();
        self.shared
            .changed
            .wait_timeout_while(state, PATIENCE, |state| !enough(state))
            .unwrap_or_else(PoisonError::into_inner)
            .0
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.down();
    }
}

fn taken(state: &State) -> Vec<Attempt> {
    let mut ids = BTreeSet::new();
    let good = |attempt: &&Attempt| attempt.verified && (200..300).contains(&attempt.status);
    let mut events: Vec<Attempt> = state.attempts.iter().filter(good).cloned().collect();
    events.retain(|attempt| ids.insert(attempt.id.clone()));
    events
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// Waits while the mood is this one, at most for a time.
    fn linger(&self, mood: &Mood, time: Duration) {
        let stays = |state: &mut State| state.mood == *mood && !state.down;
        drop(self.changed.wait_timeout_while(self.lock(), time, stays));
    }
}

impl Handler for Shared {
    fn answer(&self, request: &Request, out: &mut dyn Write) -> io::Result<Next> {
        let text = |name| request.header(name).unwrap_or_default();
        let (id, timestamp) = (text("webhook-id"), text("webhook-timestamp"));
        let mood = self.lock().mood.clone();
        match &mood {
            Mood::Slow(time) => self.linger(&mood, *time),
            Mood::Hang => self.linger(&mood, PATIENCE * 10),
            _ => {}
        }
        let (verified, status, headers) = {
            let mut state = self.lock();
            let signed = super::keys::signed(id, timestamp, &request.body);
            let signatures = text("webhook-signature");
            let verified = state.keys.iter().any(|key| key.verifies(&signed, signatures));
            let (status, headers) = match &mood {
                _ if !verified => (401, Vec::new()),
                Mood::Accept | Mood::Slow(_) | Mood::Hang => (204, Vec::new()),
                Mood::Status(status, after) => {
                    (*status, after.map(|after| header("retry-after", after)).into_iter().collect())
                }
                Mood::Redirect(to) => (307, vec![header("location", to)]),
            };
            state.attempts.push(Attempt {
                id: id.to_owned(),
                timestamp: timestamp.to_owned(),
                verified,
                connection: request.connection,
                at: Instant::now(),
                headers: request.headers.clone(),
                event: serde_json::from_slice(&request.body).unwrap_or_default(),
                status,
            });
            (verified, status, headers)
        };
        self.changed.notify_all();
        let body: &[u8] = if verified { b"" } else { b"not signed by a key of ours\n" };
        http::write_whole(out, status, &headers, body)?;
        Ok(Next::Keep)
    }
}
