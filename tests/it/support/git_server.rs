//! Git over smart HTTP: `git http-backend` behind a small server on a free port.

mod backend;
mod fault;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::ServerConfig;

use super::http::{self, Handler, HttpServer, Next, Request, Traffic};
use super::wait::PATIENCE;
pub(crate) use fault::Fault;

/// What a request of a git client is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// `GET …/info/refs`: version 2's capabilities, or all references.
    Discover,
    /// Version 2's list of references.
    LsRefs,
    /// Anything that asks for a pack.
    Fetch,
    /// Something else.
    Other,
}

/// A request as it came and was answered.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) connection: usize,
    pub(crate) stage: Stage,
    pub(crate) target: String,
    pub(crate) git_protocol: Option<String>,
    pub(crate) authorization: Option<String>,
    /// Bytes on the connection, head and body, inside TLS; `None` until it is answered.
    pub(crate) bytes: Option<(u64, u64)>,
}

/// How a server is to be; see [`GitServer::start`] for the usual one.
#[derive(Default)]
pub(crate) struct Options {
    /// User and password that basic authentication must give.
    pub(crate) basic: Option<(String, String)>,
    /// The token that bearer authentication must give.
    pub(crate) bearer: Option<String>,
    pub(crate) tls: Option<Arc<ServerConfig>>,
    /// An old server: it does not know protocol version 2.
    pub(crate) without_v2: bool,
}

/// Serves the repositories in a folder. Stops when dropped.
///
/// ```ignore
/// let server = GitServer::start(repo.root());
/// server.break_down(Stage::Fetch, Fault::status(503).retry_after(7));
/// // …
/// server.heal();
/// assert_eq!(server.seen().len(), 1);
/// ```
pub(crate) struct GitServer {
    port: u16,
    tls: Option<Arc<ServerConfig>>,
    traffic: Arc<Traffic>,
    shared: Arc<Shared>,
    server: Option<HttpServer>,
}

struct Shared {
    root: PathBuf,
    basic: Option<String>,
    bearer: Option<String>,
    without_v2: bool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    fault: Option<(Option<Stage>, Fault)>,
    /// Grows with every change of the fault: what hangs is let go.
    generation: u64,
    seen: Vec<Seen>,
    down: bool,
}

impl GitServer {
    /// Plain HTTP for everybody.
    pub(crate) fn start(root: &Path) -> Self {
        Self::with(root, Options::default())
    }

    pub(crate) fn with(root: &Path, options: Options) -> Self {
        let basic = options.basic.map(|(user, password)| {
            format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
        });
        let shared = Arc::new(Shared {
            root: root.to_owned(),
            basic,
            bearer: options.bearer.map(|token| format!("Bearer {token}")),
            without_v2: options.without_v2,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let mut server =
            Self { port: 0, tls: options.tls, traffic: Arc::default(), shared, server: None };
        server.up();
        server
    }

    /// Where a repository is, by its name in the served folder.
    pub(crate) fn url_of(&self, name: &str) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}/{name}", self.port)
    }

    /// Where the repository of a [`Repo`](super::Repo) is.
    pub(crate) fn url(&self) -> String {
        self.url_of("config.git")
    }

    /// Nobody listens on the port any more, and connections are closed.
    pub(crate) fn down(&mut self) {
        self.shared.change(|state| state.down = true);
        self.server = None;
    }

    /// Listens again, on the same port.
    pub(crate) fn up(&mut self) {
        self.shared.change(|state| state.down = false);
        let handler: Arc<dyn Handler> = Arc::<Shared>::clone(&self.shared);
        let traffic = Arc::clone(&self.traffic);
        let server = HttpServer::start(self.port, self.tls.clone(), traffic, handler);
        self.port = server.port();
        self.server = Some(server);
    }

    /// Lets every request of a stage go wrong, until [`GitServer::heal`].
    pub(crate) fn break_down(&self, stage: Stage, fault: Fault) {
        self.shared.change(|state| state.fault = Some((Some(stage), fault)));
    }

    /// Lets every request go wrong, until [`GitServer::heal`].
    pub(crate) fn break_all(&self, fault: Fault) {
        self.shared.change(|state| state.fault = Some((None, fault)));
    }

    /// Everything works again; what hung is closed.
    pub(crate) fn heal(&self) {
        self.shared.change(|state| state.fault = None);
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.lock().seen.clone()
    }

    /// Forgets the requests so far.
    pub(crate) fn forget(&self) {
        self.shared.lock().seen.clear();
    }

    /// Waits for a request that is as told; it may still be unanswered.
    #[track_caller]
    pub(crate) fn wait_for(&self, what: &str, is_it: impl Fn(&Seen) -> bool) -> Seen {
        let state = self.shared.lock();
        let (state, waited) = self
            .shared
            .changed
            .wait_timeout_while(state, PATIENCE, |state| !state.seen.iter().any(&is_it))
            .unwrap_or_else(PoisonError::into_inner);
        assert!(!waited.timed_out(), "the git server waited in vain for {what}: {:#?}", state.seen);
        state.seen.iter().find(|seen| is_it(seen)).expect("what was waited for").clone()
    }

    /// Connections, bytes in and bytes out since the start, inside TLS.
    pub(crate) fn traffic(&self) -> (usize, u64, u64) {
        use std::sync::atomic::Ordering::SeqCst;
        let traffic = &self.traffic;
        let bytes = (traffic.bytes_in.load(SeqCst), traffic.bytes_out.load(SeqCst));
        (traffic.connections.load(SeqCst), bytes.0, bytes.1)
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        self.down();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        state.generation += 1;
        drop(state);
        self.changed.notify_all();
    }

    /// Waits until the fault is another, the server goes down, or the time is over. Gives whether
    /// things are still as they were in that generation.
    fn linger(&self, generation: u64, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        let mut state = self.lock();
        while state.generation == generation && !state.down {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { return true };
            state =
                self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        false
    }

    fn may_enter(&self, request: &Request) -> bool {
        let given = request.header("authorization");
        match (&self.basic, &self.bearer) {
            (None, None) => true,
            (basic, bearer) => given.is_some_and(|given| {
                Some(given) == basic.as_deref() || Some(given) == bearer.as_deref()
            }),
        }
    }
}

impl Handler for Shared {
    fn answer(&self, request: &Request, out: &mut dyn Write) -> io::Result<Next> {
        let stage = stage(request);
        let owned = |name| request.header(name).map(str::to_owned);
        let seen = Seen {
            connection: request.connection,
            stage,
            target: request.target.clone(),
            git_protocol: owned("git-protocol"),
            authorization: owned("authorization"),
            bytes: None,
        };
        let fault = {
            let mut state = self.lock();
            state.seen.push(seen);
            let fault = state.fault.clone().filter(|(at, _)| at.is_none_or(|at| at == stage));
            fault.map(|(_, fault)| (fault, state.generation))
        };
        self.changed.notify_all();
        if let Some((fault, generation)) = fault {
            return fault.happen(self, generation, request, out);
        }
        if !self.may_enter(request) {
            let challenge = if self.basic.is_some() { "Basic realm=\"git\"" } else { "Bearer" };
            let headers = [http::header("www-authenticate", challenge)];
            http::write_whole(out, 401, &headers, b"who are you?\n")?;
            return Ok(Next::Keep);
        }
        backend::answer(self, request, out)
    }

    fn answered(&self, request: &Request, bytes_in: u64, bytes_out: u64) {
        let mut state = self.lock();
        let last = state.seen.iter_mut().rev().find(|seen| seen.connection == request.connection);
        if let Some(seen) = last {
            seen.bytes = Some((bytes_in, bytes_out));
        }
        drop(state);
        self.changed.notify_all();
    }
}

fn stage(request: &Request) -> Stage {
    let path = request.target.split('?').next().unwrap_or_default();
    if path.ends_with("/info/refs") {
        Stage::Discover
    } else if !path.ends_with("/git-upload-pack") {
        Stage::Other
    } else if request.body.windows(15).any(|part| part == b"command=ls-refs") {
        Stage::LsRefs
    } else {
        Stage::Fetch
    }
}
