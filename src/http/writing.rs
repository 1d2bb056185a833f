//! Profiles that are written over the API: each write is a commit in the repository, made by the agent
//! between its passes and checked as any other. What is live follows from that, as always.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Api;
use super::access::Caller;
use super::extract::{Bytes, Named, is_json, json, not_json};
use super::problem::Problem;
use super::wire::FORMAT_VERSION;
use super::{looking, orders};
use crate::document::{self, Document, Format, emit};
use crate::model::{
    Before, Limits, ObjectId, PassOutcome, Publication, Reason, Report, TreePath, WishKind,
};
use crate::objects::blob_id;
use crate::profiles;

/// How long a request waits for its commit.
const WAIT: Duration = Duration::from_secs(120);
/// Characters of a commit's message.
const MESSAGE_CHARS_MAX: usize = 10_000;

/// A profile as it is to be.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("oneOf" = [
    {"required": ["document"], "properties": {"document": {"type": "object"}}},
    {"required": ["yaml"], "properties": {"yaml": {"type": "string"}}},
]))]
pub(super) struct ProfileWriteBody {
    /// Its name; for a new one.
    pub id: Option<String>,
    /// It as JSON; it is written as YAML.
    pub document: Option<serde_json::Map<String, serde_json::Value>>,
    /// It as YAML, which is written as it stands, comments too.
    pub yaml: Option<String>,
    /// What the commit says.
    pub message: Option<String>,
}

/// A profile that was written.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct WrittenBody {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Its name.
    pub id: String,
    /// Its file.
    pub path: String,
    /// For the next change, in `If-Match`.
    pub etag: String,
    /// The commit.
    pub revision: String,
    /// Where it went, in one sentence.
    pub message: String,
}

pub(super) async fn create(
    State(api): State<Api>,
    caller: Caller,
    Bytes { content: kind, bytes }: Bytes,
) -> Result<Response, Problem> {
    if !is_json(kind.as_deref()) {
        return Err(not_json());
    }
    let body: ProfileWriteBody = json(&bytes)?;
    let id = body.id.clone().ok_or_else(|| {
        Problem::bad_request("a new profile needs an `id`, and `document` or `yaml`")
    })?;
    let content = content(&api, &body, &bytes)?;
    let written = write(&api, &caller, &id, Some(content), Before::Absent, body.message).await?;
    let location = format!("/api/profiles/{}", written.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], tagged(&written), Json(written))
        .into_response())
}

pub(super) async fn replace(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let before = precondition(&headers)?;
    let (content, message) = given(&api, &id, body)?;
    let written = write(&api, &caller, &id, Some(content), before, message).await?;
    Ok((tagged(&written), Json(written)).into_response())
}

pub(super) async fn remove(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let before = precondition(&headers)?;
    if api.settings.borrow().profile.as_deref() == Some(id.as_str()) {
        let detail = format!("{id} is the profile that this machine runs");
        return Err(Problem::new(StatusCode::CONFLICT, Reason::ActiveProfile.as_str(), detail));
    }
    write(&api, &caller, &id, None, before, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn write(
    api: &Api,
    caller: &Caller,
    id: &str,
    content: Option<Vec<u8>>,
    before: Before,
    message: Option<String>,
) -> Result<WrittenBody, Problem> {
    let file = profiles::file_of(id);
    let path = TreePath::parse(&file).ok().filter(|_| profiles::is_name(id));
    let path = path.ok_or_else(|| looking::no_name(id))?;
    if !caller.sees(&file) {
        let detail = format!("your role does not see {file}");
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail));
    }
    let message = message.map(|text| text.chars().take(MESSAGE_CHARS_MAX).collect::<String>());
    let message = message.filter(|text| !text.trim().is_empty());
    let etag = content.as_deref().map_or_else(String::new, |bytes| blob_id(bytes).to_string());
    let kind = WishKind::Publish(Box::new(Publication { path, content, before, message }));
    let report = orders::order_and_wait(api, caller, &kind, None, WAIT).await?;
    let report = report.ok_or_else(|| {
        let detail = "the commit was not made within the time to wait; it may still be: look at the profile, or at the audit trail";
        Problem::new(StatusCode::GATEWAY_TIMEOUT, "still_running", detail)
    })?;
    judged(caller, &report)?;
    Ok(WrittenBody {
        format_version: FORMAT_VERSION,
        id: id.to_owned(),
        path: file,
        etag,
        revision: report.revision.as_ref().map(ToString::to_string).unwrap_or_default(),
        message: report.message.clone(),
    })
}

/// What went wrong, where something did.
fn judged(caller: &Caller, report: &Arc<Report>) -> Result<(), Problem> {
    let (status, code) = match &report.outcome {
        PassOutcome::Published => return Ok(()),
        PassOutcome::Conflicted(reason) => {
            let status = match reason {
                Reason::ValidationRefused => StatusCode::UNPROCESSABLE_ENTITY,
                Reason::FileChanged => StatusCode::PRECONDITION_FAILED,
                Reason::FileMissing => StatusCode::NOT_FOUND,
                Reason::ValidationUnavailable => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::CONFLICT,
            };
            (status, reason.as_str())
        }
        PassOutcome::Unreachable(reason) => (StatusCode::BAD_GATEWAY, reason.as_str()),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "not_written"),
    };
    let problem = Problem::new(status, code, report.message.clone()).of_files();
    Err(problem.with(report.findings.iter().map(Into::into).collect()).seen_by(caller))
}

fn tagged(written: &WrittenBody) -> [(header::HeaderName, HeaderValue); 1] {
    [(header::ETAG, tag(&written.etag))]
}

/// A file's tag: what differs whenever it does.
pub(super) fn tag(blob: &str) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{blob}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// What `If-Match` says that is there (RFC 9110, section 13.1.1).
fn precondition(headers: &HeaderMap) -> Result<Before, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else {
        let detail = "this needs `If-Match`, with the `ETag` of the profile as you read it, so that nobody's change is overwritten";
        return Err(Problem::new(StatusCode::PRECONDITION_REQUIRED, "if_match_required", detail));
    };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(Before::Present);
    }
    let blob = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    blob.and_then(|blob| ObjectId::parse(blob).ok()).map(Before::Blob).ok_or_else(|| {
        let detail = "no profile ever had this `ETag`: it is the one in quotes that a `GET` gives";
        Problem::new(StatusCode::PRECONDITION_FAILED, Reason::FileChanged.as_str(), detail)
    })
}

/// The profile that a body is, and the commit's message.
fn given(api: &Api, id: &str, body: Bytes) -> Result<(Vec<u8>, Option<String>), Problem> {
    let Bytes { content: kind, bytes } = body;
    if !is_json(kind.as_deref()) {
        return match kind.as_deref() {
            Some("application/yaml" | "application/x-yaml" | "text/yaml") => Ok((bytes, None)),
            _ => {
                let detail = "a profile is `application/yaml`, or `application/json` with `document` or `yaml`";
                Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_a_document", detail))
            }
        };
    }
    let body: ProfileWriteBody = json(&bytes)?;
    if body.id.as_deref().is_some_and(|named| named != id) {
        return Err(Problem::bad_request("`id` is another than the one in the path"));
    }
    Ok((content(api, &body, &bytes)?, body.message))
}

fn content(api: &Api, body: &ProfileWriteBody, bytes: &[u8]) -> Result<Vec<u8>, Problem> {
    match (&body.yaml, &body.document) {
        (Some(yaml), None) => Ok(yaml.clone().into_bytes()),
        (None, Some(_)) => written(bytes, &api.settings.borrow().limits),
        _ => Err(Problem::bad_request("the body has to have either `document` or `yaml`")),
    }
}

/// The `document` of a body as YAML. Read once more by our own reader, which loses nothing of it:
/// numbers keep their digits, and texts stay texts.
fn written(body: &[u8], limits: &Limits) -> Result<Vec<u8>, Problem> {
    let read = document::parse(body, Format::Json, limits).map_err(|findings| {
        let first = findings.first().map_or_else(String::new, ToString::to_string);
        Problem::bad_request(format!("`document` cannot be written as YAML: {first}"))
    })?;
    let found = read.first().and_then(|body| body.root.get("document"));
    let root = found.ok_or_else(|| Problem::bad_request("the body has no `document`"))?;
    Ok(emit(&Document { root: root.clone().unquoted() }).into_bytes())
}
