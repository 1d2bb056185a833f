//! `Idempotency-Key`: a write that comes again with its key is answered as before, and done once
//! (draft-ietf-httpapi-idempotency-key-header).

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::access::{Caller, lock};
use super::problem::Problem;
use super::{Api, body, orders};
use crate::journal::{Begun, Kept, Once};

const KEY: &str = "idempotency-key";
/// Says of an answer that it was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Characters of a key.
const KEY_CHARS_MAX: usize = 255;
/// Bytes of an answer that is kept.
const ANSWER_BYTES_MAX: usize = 32 * 1024;
/// Headers of an answer that belong to it.
const KEPT_HEADERS: [HeaderName; 3] = [header::CONTENT_TYPE, header::LOCATION, header::ETAG];
/// Parameters that say how to answer and not what to do.
const ASIDE: [&str; 2] = ["wait", "actor"];

/// Requests with a key that are under way.
pub(super) type UnderWay = Arc<Mutex<HashSet<(String, String)>>>;

/// A write in front of which this stands.
#[derive(Clone)]
pub(super) struct Write {
    pub(super) api: Api,
    /// The status of its answer, where it has no body.
    pub(super) done: u16,
}

#[derive(Serialize, Deserialize)]
struct Answer {
    headers: Vec<(String, String)>,
    body: String,
}

/// Lets a write through that is to be done, and answers one that was done.
pub(super) async fn once(State(write): State<Write>, request: Request, next: Next) -> Response {
    if !request.headers().contains_key(KEY) {
        return next.run(request).await;
    }
    write.run(request, next).await.unwrap_or_else(Problem::into_response)
}

impl Write {
    async fn run(&self, request: Request, next: Next) -> Result<Response, Problem> {
        let key = key(request.headers())?;
        let caller = request.extensions().get::<Caller>().cloned();
        let mut caller = caller
            .ok_or_else(|| Problem::unauthorized("no_credentials", "who calls is not known"))?;
        let name = format!("{} {}", caller.by.known, caller.by.name);
        let once = Arc::new(Once { caller: name, key, done: self.done });
        let _under_way = UnderWayNow::begin(&self.api.under_way, &once)?;
        let max = self.api.settings.borrow().limits.http_body_bytes_max;
        let (mut parts, rest) = request.into_parts();
        let bytes = body::read(&parts.headers, rest, max, body::BODY_TIME_MAX).await?;
        let print = print_of(&parts, &bytes);
        match self.api.journal.begin_once(&once, &print, self.api.clock.now())? {
            Begun::New => {}
            Begun::Again(kept) => return self.again(kept).await,
            Begun::Other => {
                let detail = "this `Idempotency-Key` was used for another request";
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                return Err(Problem::new(status, "idempotency_mismatch", detail));
            }
        }
        caller.once = Some(Arc::clone(&once));
        parts.extensions.insert(caller);
        let response = next.run(Request::from_parts(parts, Body::from(bytes))).await;
        self.keep(&once, response).await
    }

    /// Keeps the answer, and gives it.
    async fn keep(&self, once: &Once, response: Response) -> Result<Response, Problem> {
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
        let status = parts.status;
        // What is not done yet has no answer to keep, but an order that is known by then.
        if status != StatusCode::GATEWAY_TIMEOUT {
            let text = |name: &HeaderName| {
                Some((name.to_string(), parts.headers.get(name)?.to_str().ok()?.to_owned()))
            };
            let headers = KEPT_HEADERS.iter().filter_map(text).collect();
            let body = std::str::from_utf8(&bytes).ok().filter(|t| t.len() <= ANSWER_BYTES_MAX);
            let answer = body.map(|body| Answer { headers, body: body.to_owned() });
            let answer = answer.and_then(|answer| serde_json::to_vec(&answer).ok());
            self.api.journal.end_once(once, status.as_u16(), answer.as_deref())?;
        }
        Ok(Response::from_parts(parts, Body::from(bytes)))
    }

    /// What was answered before.
    async fn again(&self, kept: Kept) -> Result<Response, Problem> {
        let status = kept.status.and_then(|status| StatusCode::from_u16(status).ok());
        let answer = kept.answer.and_then(|bytes| serde_json::from_slice::<Answer>(&bytes).ok());
        let mut response = match (answer, status, kept.wish) {
            (Some(answer), Some(status), _) => {
                let mut response = (status, answer.body).into_response();
                response.headers_mut().remove(header::CONTENT_TYPE);
                for (name, value) in answer.headers {
                    if let (Ok(name), Ok(value)) =
                        (HeaderName::try_from(name), HeaderValue::try_from(value))
                    {
                        response.headers_mut().insert(name, value);
                    }
                }
                response
            }
            (None, _, Some(wish)) => orders::ordered(wish, self.api.board.follow()).await,
            (None, Some(status), None) if status.as_u16() == self.done => status.into_response(),
            _ => {
                let detail = "it was done, and its answer was too large to be kept";
                return Err(Problem::new(StatusCode::CONFLICT, "answer_not_kept", detail));
            }
        };
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        Ok(response)
    }
}

/// A request with a key, as long as it is under way.
struct UnderWayNow<'a> {
    all: &'a UnderWay,
    key: (String, String),
}

impl<'a> UnderWayNow<'a> {
    fn begin(all: &'a UnderWay, once: &Once) -> Result<Self, Problem> {
        let key = (once.caller.clone(), once.key.clone());
        if !lock(all).insert(key.clone()) {
            let detail = "a request with this `Idempotency-Key` is under way";
            let problem = Problem::new(StatusCode::CONFLICT, "idempotency_under_way", detail);
            return Err(problem.after(1));
        }
        Ok(Self { all, key })
    }
}

impl Drop for UnderWayNow<'_> {
    fn drop(&mut self) {
        lock(self.all).remove(&self.key);
    }
}

/// The key: a string in quotes, as the draft has it, or without, as many send it.
fn key(headers: &HeaderMap) -> Result<String, Problem> {
    let mut values = headers.get_all(KEY).iter();
    let text = values.next().and_then(|value| value.to_str().ok()).unwrap_or_default().trim();
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let is_good = (1..=KEY_CHARS_MAX).contains(&inner.len())
        && inner.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\');
    if is_good && values.next().is_none() {
        return Ok(inner.to_owned());
    }
    let detail =
        "an `Idempotency-Key` is one string of 1 to 255 visible characters, such as a UUID";
    Err(Problem::new(StatusCode::BAD_REQUEST, "bad_idempotency_key", detail))
}

/// What a request is known by: all that says what is to be done.
fn print_of(parts: &axum::http::request::Parts, body: &[u8]) -> [u8; 32] {
    let mut print = Sha256::new();
    let mut add = |part: &[u8]| {
        print.update((part.len() as u64).to_be_bytes());
        print.update(part);
    };
    add(parts.method.as_str().as_bytes());
    add(parts.uri.path().as_bytes());
    let query = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
    for (name, value) in query.filter(|(name, _)| !ASIDE.contains(&name.as_ref())) {
        add(name.as_bytes());
        add(value.as_bytes());
    }
    for name in [header::CONTENT_TYPE, header::IF_MATCH] {
        add(parts.headers.get(name).map_or(&b""[..], HeaderValue::as_bytes));
    }
    add(body);
    print.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_string_with_or_without_quotes() {
        let of = |values: &[&'static str]| {
            let value = |text: &&'static str| {
                (HeaderName::from_static(KEY), HeaderValue::from_static(text))
            };
            key(&values.iter().map(value).collect()).ok()
        };
        assert_eq!(of(&["\"8e03978e\""]).as_deref(), Some("8e03978e"));
        assert_eq!(of(&["8e03978e"]).as_deref(), Some("8e03978e"));
        for bad in [&[""][..], &["\"\""], &["a b"], &["\"a"], &["a", "b"], &["a\\b"]] {
            assert_eq!(of(bad), None, "{bad:?}");
        }
        let long: &'static str = Box::leak("x".repeat(256).into_boxed_str());
        assert_eq!(of(&[long]), None);
    }
}
