//! Somebody else's HTTP API, such as Slack's, PagerDuty's or a forge's: takes what is sent to it,
//! remembers it, and answers as it is told.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

use serde_json::Value;

use super::http::{self, Handler, HttpServer, Next, Request, header};
use super::wait::PATIENCE;

/// One request, in the order they came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Value,
    /// The body as it came.
    pub(crate) text: String,
    /// What was answered.
    pub(crate) status: u16,
    pub(crate) at: Instant,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }
}

/// An answer: a status, `Retry-After` in seconds, and a body.
pub(crate) type Said = (u16, Option<u32>, &'static str);

/// A provider on a free port of loopback. Stops when dropped.
pub(crate) struct Provider {
    port: u16,
    shared: Arc<Shared>,
    server: Option<HttpServer>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// Answers to the next requests; then `always`.
    next: VecDeque<Said>,
    always: Said,
    asked: Vec<Asked>,
}

impl Provider {
    /// One that takes everything.
    pub(crate) fn start() -> Self {
        let state = State { next: VecDeque::new(), always: (202, None, "ok"), asked: Vec::new() };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let mut provider = Self { port: 0, shared, server: None };
        provider.up();
        provider
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// How the next requests are answered, one each.
    pub(crate) fn next(&self, answers: &[Said]) {
        self.shared.lock().next.extend(answers);
    }

    /// How requests are answered from now on.
    pub(crate) fn always(&self, answer: Said) {
        self.shared.lock().always = answer;
    }

    /// Nobody listens any more.
    pub(crate) fn down(&mut self) {
        self.server = None;
    }

    /// Listens again, on the same port.
    pub(crate) fn up(&mut self) {
        let handler: Arc<dyn Handler> = Arc::<Shared>::clone(&self.shared);
        let server = HttpServer::start(self.port, None, Arc::default(), handler);
        self.port = server.port();
        self.server = Some(server);
    }

    /// All requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.shared.lock().asked.clone()
    }

    /// Waits for so many requests, and gives all there are.
    #[track_caller]
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Asked> {
        let state = self.shared.lock();
        let state = self
            .shared
            .changed
            .wait_timeout_while(state, PATIENCE, |state| state.asked.len() < count)
            .unwrap_or_else(PoisonError::into_inner)
            .0;
        let asked = &state.asked;
        assert!(asked.len() >= count, "waited in vain for {count} requests: {asked:#?}");
        asked.clone()
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handler for Shared {
    fn answer(&self, request: &Request, out: &mut dyn Write) -> io::Result<Next> {
        let (status, after, body) = {
            let mut state = self.lock();
            let always = state.always;
            let said = state.next.pop_front().unwrap_or(always);
            state.asked.push(Asked {
                method: request.method.clone(),
                target: request.target.clone(),
                headers: request.headers.clone(),
                body: serde_json::from_slice(&request.body).unwrap_or_default(),
                text: String::from_utf8_lossy(&request.body).into_owned(),
                status: said.0,
                at: Instant::now(),
            });
            said
        };
        self.changed.notify_all();
        let headers: Vec<_> = after.map(|after| header("retry-after", after)).into_iter().collect();
        http::write_whole(out, status, &headers, body.as_bytes())?;
        Ok(Next::Keep)
    }
}
