//! `kconfigd listen`: a receiver for trying. It verifies signatures and prints what arrives.

use std::collections::{HashSet, VecDeque};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;
use crate::model::Timestamp;
use crate::notify::verify::{Headers, TOLERANCE};
use crate::notify::{NotifyError, VerifyingKeys};

mod line;

/// Bytes in a request's body.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Events that are remembered, to say when one comes again.
const REMEMBERED_MAX: usize = 10_000;
/// Requests that wait to be printed; more are answered late.
const QUEUE_MAX: usize = 64;
/// How long answers under way may take at the end.
const CLOSING_TIME: Duration = Duration::from_secs(2);

/// What `kconfigd listen` can be told.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct ListenArgs {
    /// Where to listen; port 0 takes a free one, and says which.
    #[arg(value_name = "ADDR", default_value = "127.0.0.1:9001")]
    pub address: SocketAddr,
    /// A file with keys, one a line (whsec_…, whpk_… or whsk_…); may be given more than once.
    /// Without it, signatures are not verified.
    #[arg(long = "secret-file", value_name = "FILE")]
    pub secret_files: Vec<PathBuf>,
    /// The path that events are posted to.
    #[arg(long, value_name = "PATH", default_value = "/hooks/config")]
    pub path: String,
    /// Answer with this status instead of 204, to see what the sender makes of it.
    #[arg(long, value_name = "STATUS", value_parser = clap::value_parser!(u16).range(200..600))]
    pub fail_with: Option<u16>,
    /// End after this many requests.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
}

/// Why `kconfigd listen` ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum ListenError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}; give another one, such as 127.0.0.1:0 for a free port")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The keys cannot be had.
    #[error("cannot verify signatures")]
    Keys(#[source] NotifyError),
    /// Nothing can be printed.
    #[error("cannot write the output")]
    Output(#[source] io::Error),
    /// The server failed.
    #[error("the receiver failed")]
    Serve(#[source] io::Error),
}

/// What was made of a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    Verified,
    /// There are no keys to hold it against.
    Unchecked,
    Refused(String),
}

/// A request as it arrived.
struct Seen {
    at: Timestamp,
    id: Option<String>,
    verdict: Verdict,
    /// The body, if it is JSON.
    event: Option<serde_json::Value>,
    bytes: usize,
}

struct Receiver {
    args: ListenArgs,
    clock: Arc<dyn Clock>,
    seen: mpsc::Sender<Seen>,
}

/// Listens until `--count` is reached or the process is interrupted. Says where on `err` first;
/// prints a line for each request on `out`, JSON if `json`.
///
/// # Errors
/// When it cannot listen, has no keys where it was given files, or cannot print.
pub(super) async fn run(
    args: ListenArgs,
    json: bool,
    clock: Arc<dyn Clock>,
    out: &mut (dyn Write + Send),
    err: &mut (dyn Write + Send),
) -> Result<(), ListenError> {
    VerifyingKeys::read(&args.secret_files).map_err(ListenError::Keys)?;
    let address = args.address;
    let bound = |source| ListenError::Bind { address, source };
    let listener = TcpListener::bind(address).await.map_err(bound)?;
    let address = listener.local_addr().map_err(bound)?;
    let unverified = if args.secret_files.is_empty() {
        "; signatures are not verified without --secret-file"
    } else {
        ""
    };
    writeln!(err, "listening on http://{address}{}{unverified}", args.path)
        .and_then(|()| err.flush())
        .map_err(ListenError::Output)?;

    let (sender, mut seen) = mpsc::channel(QUEUE_MAX);
    let mut left = args.count;
    let receiver = Arc::new(Receiver { args, clock, seen: sender });
    let app = Router::new().fallback(receive).with_state(receiver);
    let (stop, stopped) = oneshot::channel::<()>();
    let server = axum::serve(listener, app).with_graceful_shutdown(async { drop(stopped.await) });
    let mut server = pin!(server.into_future());
    let mut recent = Recent::default();
    while left != Some(0) {
        tokio::select! {
            ended = &mut server => return ended.map_err(ListenError::Serve),
            interrupted = tokio::signal::ctrl_c() => {
                interrupted.map_err(ListenError::Serve)?;
                break;
            }
            Some(one) = seen.recv() => {
                let again = recent.has_or_takes(&one);
                let text = if json { line::json(&one, again) } else { line::human(&one, again) };
                writeln!(out, "{text}").and_then(|()| out.flush()).map_err(ListenError::Output)?;
                left = left.map(|left| left.saturating_sub(1));
            }
        }
    }
    // A sender that waits for its answer shall have it; one that keeps silent is left.
    drop((stop, seen));
    tokio::time::timeout(CLOSING_TIME, server).await.unwrap_or(Ok(())).map_err(ListenError::Serve)
}

async fn receive(
    State(receiver): State<Arc<Receiver>>,
    request: Request<Body>,
) -> (StatusCode, String) {
    let (head, body) = request.into_parts();
    if head.uri.path() != receiver.args.path {
        return (StatusCode::NOT_FOUND, format!("events go to {}\n", receiver.args.path));
    }
    if head.method != Method::POST {
        return (StatusCode::METHOD_NOT_ALLOWED, "events are posted\n".to_owned());
    }
    let too_large = (StatusCode::PAYLOAD_TOO_LARGE, "at most 1 MiB\n".to_owned());
    let length = text(&head.headers, header::CONTENT_LENGTH.as_str());
    if length.and_then(|l| l.parse().ok()).is_some_and(|length: usize| length > BODY_BYTES_MAX) {
        return too_large;
    }
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else { return too_large };
    let at = receiver.clock.now();
    let verdict = receiver.verdict(&head.headers, &body, at);
    let event = serde_json::from_slice(&body).ok();
    let answer = match (&verdict, &event, receiver.args.fail_with) {
        (Verdict::Refused(why), ..) => (StatusCode::UNAUTHORIZED, format!("{why}\n")),
        (_, None, _) => (StatusCode::BAD_REQUEST, "the body is not JSON\n".to_owned()),
        (_, _, status) => {
            let status = status.and_then(|status| StatusCode::from_u16(status).ok());
            (status.unwrap_or(StatusCode::NO_CONTENT), String::new())
        }
    };
    let id = text(&head.headers, "webhook-id").map(str::to_owned);
    let seen = Seen { at, id, verdict, event, bytes: body.len() };
    if receiver.seen.send(seen).await.is_err() {
        return (StatusCode::SERVICE_UNAVAILABLE, "closing\n".to_owned());
    }
    answer
}

impl Receiver {
    /// Holds a request against the keys, which are read again so that they can be changed. The
    /// files are small and local, and this tool serves one user: it may block.
    fn verdict(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Verdict {
        if self.args.secret_files.is_empty() {
            return Verdict::Unchecked;
        }
        let keys = match VerifyingKeys::read(&self.args.secret_files) {
            Ok(keys) => keys,
            Err(error) => return Verdict::Refused(error.to_string()),
        };
        let headers = Headers {
            id: text(headers, "webhook-id"),
            timestamp: text(headers, "webhook-timestamp"),
            signature: text(headers, "webhook-signature"),
        };
        match keys.verify(headers, body, now, TOLERANCE) {
            Ok(()) => Verdict::Verified,
            Err(why) => Verdict::Refused(why.to_string()),
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The ids that came last: delivery is at least once, so a receiver must know them again.
#[derive(Default)]
struct Recent {
    ids: HashSet<String>,
    order: VecDeque<String>,
}

impl Recent {
    /// Whether the event has come before; if not, it has now. What is refused does not count.
    fn has_or_takes(&mut self, seen: &Seen) -> bool {
        let Some(id) = seen.id.as_ref().filter(|_| !matches!(seen.verdict, Verdict::Refused(_)))
        else {
            return false;
        };
        if !self.ids.insert(id.clone()) {
            return true;
        }
        self.order.push_back(id.clone());
        if self.order.len() > REMEMBERED_MAX {
            self.order.pop_front().map(|oldest| self.ids.remove(&oldest));
        }
        false
    }
}

#[cfg(test)]
mod tests;
