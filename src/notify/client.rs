//! The HTTP client: one POST, bounded in time and bytes, and what its answer means.

use std::collections::HashMap;
use std::error::Error;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::{Client, Response, Url, redirect};

use super::NotifyError;
use super::endpoint::{Meaning, Way};
use super::request::Request;

/// The longest `Retry-After` that is honoured; a longer one is taken as this.
pub(super) const RETRY_AFTER_MAX: Duration = Duration::from_secs(60 * 60);
/// How long connecting may take, within the node's own timeout.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection is kept for the next event: bursts share one, idle nodes cost nothing.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes that are read of an answer's body, so that the connection can be used again.
const ANSWER_BYTES_MAX: usize = 1024;

/// What a node made of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// 2xx.
    Taken(u16),
    /// 410: it wants nothing more.
    Gone,
    /// It will never take this one.
    Refused { status: u16, error: String },
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
            Self::Refused { status, .. } => Some(*status),
            Self::Failed { status, .. } => *status,
        }
    }

    /// What went wrong, if something did.
    pub(super) fn error(&self) -> Option<&str> {
        match self {
            Self::Taken(_) => None,
            Self::Gone => Some("the endpoint answered 410 Gone"),
            Self::Refused { error, .. } | Self::Failed { error, .. } => Some(error),
        }
    }
}

/// The clients, made when first needed: a machine's root certificates are a megabyte that one
/// whose nodes are all `http` never loads. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Clients(Arc<Mutex<HashMap<(bool, bool), Client>>>);

impl Clients {
    /// The client for a URL. Loopback addresses are never reached through a proxy; others are when
    /// the environment says so.
    pub(super) fn of(&self, url: &str) -> Result<Client, String> {
        let url = Url::parse(url)
            .map_err(|error| format!("the url is not one: {error}; see its settings"))?;
        let tls = url.scheme() == "https";
        let direct = url.host_str().is_some_and(is_loopback);
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&(tls, direct)) {
            return Ok(client.clone());
        }
        let client = build(tls, direct).map_err(|error| chain(&error))?;
        clients.insert((tls, direct), client.clone());
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
    way: &Way,
    timeout: Duration,
    request: Request,
) -> Answer {
    let who = way.noun();
    let sent = client
        .post(request.url.expose())
        .timeout(timeout)
        .headers(request.headers)
        .body(request.body)
        .send()
        .await;
    let response = match sent {
        Ok(response) => response,
        Err(error) if error.is_timeout() => {
            return Answer::failed(format!("no answer within {timeout:.1?}"));
        }
        // The URL may hold a credential; the innermost cause is what says something.
        Err(error) => return Answer::failed(root(who, &error.without_url())),
    };
    let status = response.status();
    let retry_after = retry_after(&response);
    let said = beginning(response).await;
    if status.is_success() {
        return Answer::Taken(status.as_u16());
    }
    match way.meaning(status.as_u16(), &said) {
        Meaning::Gone => Answer::Gone,
        Meaning::Known => Answer::Taken(status.as_u16()),
        Meaning::Refused => Answer::Refused {
            status: status.as_u16(),
            error: format!("{who} answered {status}, which sending it again would not change"),
        },
        Meaning::Failed => Answer::Failed {
            status: Some(status.as_u16()),
            error: if status.is_redirection() {
                format!("{who} answered {status}: redirects are not followed; correct its url")
            } else {
                format!("{who} answered {status}")
            },
            retry_after,
        },
    }
}

/// Reads a little of the body, so that the connection can be used again. The status has been given:
/// what fails here counts not.
async fn beginning(mut response: Response) -> String {
    let mut read = Vec::new();
    while read.len() <= ANSWER_BYTES_MAX {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let room = (ANSWER_BYTES_MAX + 1).saturating_sub(read.len());
                read.extend(chunk.iter().take(room));
            }
            Ok(None) | Err(_) => break,
        }
    }
    String::from_utf8_lossy(&read).into_owned()
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
fn root(who: &str, error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    format!("cannot reach {who}: {cause}")
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
