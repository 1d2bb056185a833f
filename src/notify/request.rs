//! The request that tells somebody of an event, in the words of whoever is told.

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use super::endpoint::{Endpoint, Way};
use super::{NotifyError, SigningKeys, pagerduty, payload, secrets, slack};
use crate::config::{CommitStatusSettings, Forge};
use crate::decide::commit_status;
use crate::model::{Event, Secret, Timestamp};

/// A request, ready to be sent.
#[derive(Debug)]
pub(super) struct Request {
    /// Where to; it may be a credential.
    pub(super) url: Secret,
    /// What it says of itself.
    pub(super) headers: HeaderMap,
    /// What it says.
    pub(super) body: Vec<u8>,
}

impl Request {
    /// Says where in which trace it is, by W3C Trace Context; to nodes alone, which can go on from there.
    pub(super) fn within(mut self, endpoint: &Endpoint, traceparent: Option<String>) -> Self {
        let value = traceparent.and_then(|text| HeaderValue::try_from(text).ok());
        if let (Way::Signed { .. }, Some(value)) = (&endpoint.way, value) {
            self.headers.insert(HeaderName::from_static("traceparent"), value);
        }
        self
    }
}

/// In whose name somebody is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Voice {
    /// The CloudEvents `source`.
    pub(super) source: String,
    /// What tells this agent from others on the same machine.
    pub(super) place: String,
    /// Bytes in one body.
    pub(super) body_bytes_max: usize,
}

impl Voice {
    /// The machine's name.
    pub(super) fn machine(&self) -> &str {
        self.source.strip_prefix(payload::SOURCE_PREFIX).unwrap_or(&self.source)
    }
}

/// Makes the request for an event; reads the files with credentials. Nothing is ever made unsigned.
pub(super) fn make(
    endpoint: &Endpoint,
    event: &Event,
    voice: &Voice,
    now: Timestamp,
) -> Result<Request, NotifyError> {
    match &endpoint.way {
        Way::Signed { url, secret_file } => {
            let keys = SigningKeys::read(secret_file)?;
            let body = payload::body(event, &voice.source, voice.body_bytes_max)?;
            let signature = keys.sign(&event.id, now, &body);
            let headers = [
                (CONTENT_TYPE, payload::CONTENT_TYPE.to_owned()),
                (HeaderName::from_static("webhook-id"), event.id.clone()),
                (HeaderName::from_static("webhook-timestamp"), now.seconds().to_string()),
                (HeaderName::from_static("webhook-signature"), signature),
            ];
            let headers = headers_of(headers, event)?;
            Ok(Request { url: Secret::new(url.clone()), headers, body })
        }
        Way::Slack { url_file } => {
            let url = secrets::read_text(url_file)?;
            if !url.expose().starts_with("https://") && !url.expose().starts_with("http://") {
                let problem = "holds no address; Slack shows it at the incoming webhook: https://…";
                return Err(NotifyError::SecretFileShape { path: url_file.clone(), problem });
            }
            let body = written(&slack::message(voice.machine(), event), event)?;
            Ok(Request { url, headers: json(event)?, body })
        }
        Way::PagerDuty { url, routing_key_file } => {
            let key = secrets::read_text(routing_key_file)?;
            let body = written(&pagerduty::message(&key, voice, event), event)?;
            Ok(Request { url: Secret::new(url.clone()), headers: json(event)?, body })
        }
        Way::Forge(forge) => status(forge, voice, event),
    }
}

/// A commit's status, as each forge takes it.
fn status(
    forge: &CommitStatusSettings,
    voice: &Voice,
    event: &Event,
) -> Result<Request, NotifyError> {
    let status = commit_status::of(voice.machine(), event.kind, &event.facts)
        .ok_or_else(|| NotifyError::NoCommit { event: event.id.clone() })?;
    let token = secrets::read_text(&forge.token_file)?;
    let revision = status.revision.to_string();
    let context = forge.context.clone().unwrap_or_else(|| format!("kconfigd/{}", voice.machine()));
    let target = forge.target_url.as_ref().map(|url| url.replace("{revision}", &revision));
    let (path, name, state) = match forge.forge {
        Forge::GitHub | Forge::Gitea => {
            let path = format!("repos/{}/statuses/{revision}", forge.project);
            (path, "context", status.state.as_str())
        }
        Forge::GitLab => {
            let project = forge.project.replace('/', "%2F");
            let state = match status.state.as_str() {
                "failure" => "failed",
                other => other,
            };
            (format!("projects/{project}/statuses/{revision}"), "name", state)
        }
    };
    let mut body = serde_json::json!({"state": state, "description": status.description});
    body[name] = context.into();
    if let Some(target) = target {
        body["target_url"] = target.into();
    }
    let mut headers = json(event)?;
    let (name, value) = match forge.forge {
        Forge::GitHub => (AUTHORIZATION, format!("Bearer {}", token.expose())),
        Forge::Gitea => (AUTHORIZATION, format!("token {}", token.expose())),
        Forge::GitLab => (HeaderName::from_static("private-token"), token.expose().to_owned()),
    };
    if forge.forge == Forge::GitHub {
        headers.insert(ACCEPT, HeaderValue::from_static("application/vnd.github+json"));
        let version = HeaderName::from_static("x-github-api-version");
        headers.insert(version, HeaderValue::from_static("2022-11-28"));
    }
    // What is read from a file holds no character that a header could not.
    let mut value = HeaderValue::try_from(Secret::new(value).expose())
        .map_err(|source| NotifyError::Header { event: event.id.clone(), source })?;
    value.set_sensitive(true);
    headers.insert(name, value);
    let url = Secret::new(format!("{}/{path}", forge.api_url));
    Ok(Request { url, headers, body: written(&body, event)? })
}

fn json(event: &Event) -> Result<HeaderMap, NotifyError> {
    headers_of([(CONTENT_TYPE, "application/json".to_owned())], event)
}

fn headers_of(
    headers: impl IntoIterator<Item = (HeaderName, String)>,
    event: &Event,
) -> Result<HeaderMap, NotifyError> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let value = HeaderValue::try_from(value)
            .map_err(|source| NotifyError::Header { event: event.id.clone(), source })?;
        map.insert(name, value);
    }
    Ok(map)
}

fn written(body: &serde_json::Value, event: &Event) -> Result<Vec<u8>, NotifyError> {
    serde_json::to_vec(body).map_err(|source| NotifyError::Body { event: event.id.clone(), source })
}
