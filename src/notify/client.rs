//! The HTTP client: one POST, bounded in time and bytes, and what its answer means.

use std::collections::HashMap;
use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url, redirect};

use super::{NotifyError, payload};

/// The longest `Retry-After` that is honoured; a longer one is taken as this.
pub(super) const RETRY_AFTER_MAX: Duration = Duration::from_secs(60 * 60);
/// How long connecting may take, within the node's own timeout.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection is kept for the next event: bursts share one, idle nodes cost nothing.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes that are read of an answer's body, so that the connection can be used again.
const ANSWER_BYTES_MAX: usize = 1024;

/// A signed request.
pub(super) struct Request {
    pub(super) id: String,
    pub(super) timestamp: i64,
    pub(super) signature: String,
    /// Where in which trace it is, by W3C Trace Context.
    pub(super) traceparent: Option<String>,
    pub(super) body: Vec<u8>,
}

/// What a node made of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// 2xx.
    Taken(u16),
    /// 410: it wants nothing more.
    Gone,
    /// Anything else.
    Failed { status: Option<u16>, error: String, retry_after: Option<Duration> },
}

impl Answer {
    /// It failed before the node could say anything.
    pub(super) fn failed(error: String) -> Self {
        Self::Failed { status: None, error, retry_after: None }
    }

    /// The status that the node answered with, if it answered.
    pub(super) const fn status(&self) -> Option<u16> {
        match self {
            Self::Taken(status) => Some(*status),
            Self::Gone => Some(410),
            Self::Failed { status, .. } => *status,
        }
    }

    /// What went wrong, if something did.
    pub(super) fn error(&self) -> Option<&str> {
        match self {
            Self::Taken(_) => None,
            Self::Gone => Some("the node answered 410 Gone"),
            Self::Failed { error, .. } => Some(error),
        }
    }
}

/// The clients, made when first needed: a machine's root certificates are a megabyte that one
/// whose nodes are all `http` never loads.
#[derive(Default)]
pub(super) struct Clients(HashMap<(bool, bool), Client>);

impl Clients {
    /// The client for a URL. Loopback addresses are never reached through a proxy; others are when
    /// the environment says so.
    pub(super) fn of(&mut self, url: &str) -> Result<Client, String> {
        let url = Url::parse(url)
            .map_err(|error| format!("the node's url is not one: {error}; see nodes[].url"))?;
        let tls = url.scheme() == "https";
        let direct = url.host_str().is_some_and(is_loopback);
        if let Some(client) = self.0.get(&(tls, direct)) {
            return Ok(client.clone());
        }
        let client = build(tls, direct).map_err(|error| chain(&error))?;
        self.0.insert((tls, direct), client.clone());
        Ok(client)
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn build(tls: bool, direct: bool) -> Result<Client, NotifyError> {
    // Only the first of the process counts; that one is also ring's.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .user_agent(concat!("kconfigd/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .referer(false)
        .no_gzip()
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(1);
    if !tls {
        builder = builder.tls_certs_only([]);
    }
    if direct {
        builder = builder.no_proxy();
    }
    builder.build().map_err(NotifyError::Client)
}

/// Sends `request`; all of it, the answer included, ends within `timeout`.
pub(super) async fn send(
    client: &Client,
    url: &str,
    timeout: Duration,
    request: Request,
) -> Answer {
    let sent = client
        .post(url)
        .timeout(timeout)
        .header(CONTENT_TYPE, payload::CONTENT_TYPE)
        .header("webhook-id", request.id)
        .header("webhook-timestamp", request.timestamp)
        .header("webhook-signature", request.signature);
    let sent = match request.traceparent {
        Some(traceparent) => sent.header("traceparent", traceparent),
        None => sent,
    };
    let sent = sent.body(request.body).send().await;
    let response = match sent {
        Ok(response) => response,
        Err(error) if error.is_timeout() => {
            return Answer::failed(format!("no answer within {timeout:.1?}"));
        }
        // The URL may hold a credential; the innermost cause is what says something.
        Err(error) => return Answer::failed(root(&error.without_url())),
    };
    let status = response.status();
    let answer = match status {
        StatusCode::GONE => Answer::Gone,
        _ if status.is_success() => Answer::Taken(status.as_u16()),
        _ => Answer::Failed {
            status: Some(status.as_u16()),
            error: if status.is_redirection() {
                format!("the node answered {status}: redirects are not followed; correct its url")
            } else {
                format!("the node answered {status}")
            },
            retry_after: retry_after(&response),
        },
    };
    drain(response).await;
    answer
}

/// Reads a little of the body and drops it. The answer has been given: what fails here counts not.
async fn drain(mut response: Response) {
    let mut read = 0;
    while read <= ANSWER_BYTES_MAX {
        match response.chunk().await {
            Ok(Some(chunk)) => read += chunk.len(),
            Ok(None) | Err(_) => return,
        }
    }
}

/// `Retry-After` in seconds, or as a date held against the answer's own `Date` (RFC 9110, 10.2.3),
/// which is right whatever our clock says.
fn retry_after(response: &Response) -> Option<Duration> {
    let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    wait_of(text(RETRY_AFTER.as_str())?, text("date")).map(|wait| wait.min(RETRY_AFTER_MAX))
}

fn wait_of(value: &str, date: Option<&str>) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let moment = |text: &str| chrono::DateTime::parse_from_rfc2822(text).ok();
    (moment(value)? - moment(date?)?).to_std().ok()
}

/// The innermost cause.
fn root(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    format!("cannot reach the node: {cause}")
}

/// An error with its causes, in one line.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let date = Some("Wed, 21 Oct 2015 07:28:00 GMT");
        assert_eq!(wait_of(" 120 ", None), Some(Duration::from_secs(120)));
        assert_eq!(wait_of("99999999999999999999", None), Some(Duration::from_secs(u64::MAX)));
        let minute = wait_of("Wed, 21 Oct 2015 07:29:00 GMT", date);
        assert_eq!(minute, Some(Duration::from_secs(60)));
        assert_eq!(wait_of("Wed, 21 Oct 2015 07:27:00 GMT", date), None, "it has passed");
        assert_eq!(wait_of("soon", date), None);
        assert_eq!(wait_of("", None), None);
    }

    #[test]
    fn loopback_is_never_reached_through_a_proxy() {
        assert!(["localhost", "127.0.0.1", "127.9.9.9", "[::1]"].into_iter().all(is_loopback));
        assert!(!["localhost.example", "10.0.0.1", "[2001:db8::1]"].into_iter().any(is_loopback));
    }
}
