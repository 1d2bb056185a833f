use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, StatusCode, redirect};
use tokio::sync::{mpsc, watch};

use super::collect::{Ended, queued};
use super::otlp;
use crate::config::{Settings, Telemetry};
use crate::meters::meters;

/// How long what follows soon is waited for, to go with it.
const LINGER: Duration = Duration::from_millis(200);
/// Spans of one request; the last piece of work may go beyond.
const BATCH_SPANS_MAX: usize = 512;
/// How long a request may take.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(10);
/// How long what is left may take at the end.
const ENDING_TIME_MAX: Duration = Duration::from_secs(1);
/// The waits before a request is sent again that the collector did not take for now.
const AGAIN: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];
/// The longest `Retry-After` that is honoured; beyond, the spans are dropped.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(30);
/// Bytes of the file of headers.
const HEADERS_BYTES_MAX: u64 = 16 * 1024;

/// Hands collected spans to a collector, in batches.
pub struct Exporter {
    queue: mpsc::Receiver<Vec<Ended>>,
    client: Option<Client>,
    host: String,
    /// Whether the last request was not taken, which was said in the log then.
    is_failing: bool,
}

/// Why a batch was not taken.
enum Untaken {
    /// It may be, later.
    Now(String, Option<Duration>),
    /// It never will be.
    Never(String),
}

impl Exporter {
    /// The exporter of this process, for the first who asks. `host`: its name.
    #[must_use]
    pub fn take(host: &str) -> Option<Self> {
        Some(Self { queue: queued()?, client: None, host: host.to_owned(), is_failing: false })
    }

    /// Exports until `stop` is done, then what is left, within a second.
    pub async fn run(
        mut self,
        settings: watch::Receiver<Arc<Settings>>,
        stop: impl Future<Output = ()>,
    ) {
        tokio::select! {
            () = stop => {}
            () = async {
                while let Some(first) = self.queue.recv().await {
                    tokio::time::sleep(LINGER).await;
                    let batch = self.batch(first);
                    let to = settings.borrow().telemetry.clone();
                    self.export(batch, to.as_ref()).await;
                }
            } => {}
        }
        let to = settings.borrow().telemetry.clone();
        self.finish(to.as_ref()).await;
    }

    /// Exports what is there, within a second: for what ends after one pass.
    pub async fn finish(mut self, to: Option<&Telemetry>) {
        let all = async {
            while let Ok(first) = self.queue.try_recv() {
                let batch = self.batch(first);
                self.export(batch, to).await;
            }
        };
        if tokio::time::timeout(ENDING_TIME_MAX, all).await.is_err() {
            tracing::debug!("spans were left behind at the end");
        }
    }

    fn batch(&mut self, first: Vec<Ended>) -> Vec<Ended> {
        let mut batch = first;
        while batch.len() < BATCH_SPANS_MAX
            && let Ok(more) = self.queue.try_recv()
        {
            batch.extend(more);
        }
        batch
    }

    async fn export(&mut self, batch: Vec<Ended>, to: Option<&Telemetry>) {
        let Some(to) = to else { return };
        let spans = batch.len();
        let body = otlp::request(&to.service_name, &self.host, &batch).to_string();
        let mut waits = AGAIN.into_iter();
        let why = loop {
            match self.send(to, body.clone()).await {
                Ok(()) => {
                    meters().spans_exported(spans);
                    if std::mem::take(&mut self.is_failing) {
                        tracing::info!("the collector takes traces again");
                    }
                    return;
                }
                Err(Untaken::Never(why)) => break why,
                Err(Untaken::Now(why, after)) => {
                    let wait = waits.next().map(|wait| after.unwrap_or_default().max(wait));
                    match wait.filter(|wait| *wait <= RETRY_AFTER_MAX) {
                        Some(wait) => tokio::time::sleep(wait).await,
                        None => break why,
                    }
                }
            }
        };
        meters().spans_dropped("not_taken", spans);
        if !std::mem::replace(&mut self.is_failing, true) {
            tracing::warn!(
                "traces are dropped: {why}; see telemetry.otlp_endpoint; nothing else waits for it"
            );
        }
    }

    async fn send(&mut self, to: &Telemetry, body: String) -> Result<(), Untaken> {
        let headers = match &to.headers_file {
            Some(file) => headers(file).map_err(Untaken::Never)?,
            None => HeaderMap::new(),
        };
        let client = match &self.client {
            Some(client) => client.clone(),
            None => self.client.insert(build().map_err(Untaken::Never)?).clone(),
        };
        let sent = client
            .post(address(&to.otlp_endpoint))
            .headers(headers)
            .header(CONTENT_TYPE, "application/json")
            .body(body)
            .send()
            .await;
        let response = match sent {
            Ok(response) => response,
            // The address may hold a credential; the innermost cause is what says something.
            Err(error) => return Err(Untaken::Now(root(&error.without_url()), None)),
        };
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let why = format!("the collector answered {status}");
        // By the protocol, these alone are worth another try.
        Err(match status {
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => {
                let after = response.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok());
                let seconds = after.and_then(|text| text.trim().parse().ok());
                Untaken::Now(why, seconds.map(Duration::from_secs))
            }
            _ => Untaken::Never(why),
        })
    }
}

/// Where traces go: `/v1/traces` below what is set, unless that names it already.
fn address(endpoint: &str) -> String {
    let base = endpoint.trim_end_matches('/');
    if base.ends_with("/v1/traces") { base.to_owned() } else { format!("{base}/v1/traces") }
}

fn build() -> Result<Client, String> {
    // Only the first of the process counts; that one is also ring's.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .user_agent(concat!("kconfigd/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .referer(false)
        .timeout(REQUEST_TIME_MAX)
        .pool_max_idle_per_host(1)
        .build()
        .map_err(|error| format!("there is no client: {error}"))
}

/// Headers of a file, one a line, as `Name: value`.
fn headers(file: &Path) -> Result<HeaderMap, String> {
    use std::io::Read as _;
    let place = file.display();
    let unread = |error| format!("telemetry.headers_file {place} cannot be read: {error}");
    let mut text = String::new();
    let opened = std::fs::File::open(file).map_err(unread)?;
    opened.take(HEADERS_BYTES_MAX).read_to_string(&mut text).map_err(unread)?;
    let mut headers = HeaderMap::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let header = line.split_once(':').and_then(|(name, value)| {
            let mut value = HeaderValue::from_str(value.trim()).ok()?;
            value.set_sensitive(true);
            Some((HeaderName::from_bytes(name.trim().as_bytes()).ok()?, value))
        });
        // Never with the line itself: it may be a credential.
        let (name, value) = header.ok_or_else(|| {
            format!("telemetry.headers_file {place}: line {} is no `Name: value`", at + 1)
        })?;
        headers.append(name, value);
    }
    Ok(headers)
}

/// The innermost cause.
fn root(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    format!("the collector cannot be reached: {cause}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_go_below_the_endpoint_by_the_protocols_name() {
        for endpoint in ["http://c:4318", "http://c:4318/", "http://c:4318/v1/traces"] {
            assert_eq!(address(endpoint), "http://c:4318/v1/traces");
        }
        assert_eq!(address("http://c/otlp"), "http://c/otlp/v1/traces");
    }

    #[test]
    fn what_is_no_header_is_told_by_its_line_and_never_itself() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("headers");
        std::fs::write(&file, "x-key: 1\n\nAuthorization: Bearer a\n").unwrap();
        let read = headers(&file).unwrap();
        assert_eq!(read["authorization"], "Bearer a");
        std::fs::write(&file, "x-key: 1\nverysecret\n").unwrap();
        let error = headers(&file).unwrap_err();
        assert!(error.contains("line 2") && !error.contains("verysecret"), "{error}");
    }
}
