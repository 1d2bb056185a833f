use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use super::access::Caller;
use super::wire::FindingBody;
use crate::journal::JournalError;
use crate::profiles::ProfileError;
use crate::view::ViewError;

/// An error as RFC 9457 tells it, with a stable `code`.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    body: Box<ProblemBody>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Whether its sentence may name files.
    is_of_files: bool,
}

/// What is wrong, by RFC 9457.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ProblemBody {
    /// `about:blank`: the status says what kind of problem it is, the code which one.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: &'static str,
    /// The status.
    status: u16,
    /// A stable word for programs.
    code: &'static str,
    /// One sentence for people.
    detail: String,
    /// What the gates said, where that is why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    findings: Vec<FindingBody>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let body = ProblemBody {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("error"),
            status: status.as_u16(),
            code,
            detail: detail.into(),
            findings: Vec::new(),
        };
        Self { status, body: Box::new(body), headers: Vec::new(), is_of_files: false }
    }

    /// Nobody who is known, by RFC 9110, section 11.6.1.
    pub(super) fn unauthorized(code: &'static str, detail: impl Into<String>) -> Self {
        let mut problem = Self::new(StatusCode::UNAUTHORIZED, code, detail);
        // A token that was shown and is not taken is told so (RFC 6750, section 3.1).
        let challenge = HeaderValue::from_static(if code.contains("token") {
            "Bearer realm=\"kconfigd\", error=\"invalid_token\""
        } else {
            "Bearer realm=\"kconfigd\""
        });
        problem.headers.push((header::WWW_AUTHENTICATE, challenge));
        problem
    }

    /// The same, to be tried again after so many seconds.
    pub(super) fn after(mut self, seconds: u64) -> Self {
        self.headers.push((header::RETRY_AFTER, seconds.into()));
        self
    }

    /// The same, with what the gates said.
    pub(super) fn with(mut self, findings: Vec<FindingBody>) -> Self {
        self.body.findings = findings;
        self
    }

    /// The same, whose sentence may name files.
    pub(super) const fn of_files(mut self) -> Self {
        self.is_of_files = true;
        self
    }

    /// The same, without what somebody may not see.
    pub(super) fn seen_by(mut self, caller: &Caller) -> Self {
        self.body.findings.retain(|finding| caller.sees_found(finding.file.as_deref()));
        if self.is_of_files && !caller.sees_all() {
            "why may name files that your role does not see".clone_into(&mut self.body.detail);
        }
        self
    }

    pub(super) const fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn detail(&self) -> &str {
        &self.body.detail
    }

    pub(super) fn findings(&self) -> &[FindingBody] {
        &self.body.findings
    }

    /// The headers that belong to it.
    pub(super) fn into_headers(self) -> Vec<(HeaderName, HeaderValue)> {
        self.headers
    }

    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", detail)
    }

    pub(super) fn unknown(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let json = [(header::CONTENT_TYPE, "application/problem+json")];
        let body = Json(&self.body).into_response().into_body();
        let mut response = (self.status, json, body).into_response();
        response.headers_mut().extend(self.headers);
        response
    }
}

impl From<JournalError> for Problem {
    fn from(error: JournalError) -> Self {
        if matches!(error, JournalError::Busy { .. }) {
            let busy = Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", error.to_string());
            return busy.after(1);
        }
        tracing::error!(error = %error, "a request could not read or write the journal");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "journal", error.to_string())
    }
}

impl From<ViewError> for Problem {
    fn from(error: ViewError) -> Self {
        let (status, code) = match &error {
            ViewError::Unknown { .. } => (StatusCode::NOT_FOUND, "not_found"),
            ViewError::Profile(ProfileError::Missing { .. }) => {
                (StatusCode::NOT_FOUND, "profile_missing")
            }
            ViewError::Profile(_) => (StatusCode::CONFLICT, "profile_unresolved"),
            ViewError::Nothing => (StatusCode::CONFLICT, "nothing_fetched"),
            ViewError::NotKept { .. } => (StatusCode::CONFLICT, "tree_not_kept"),
            ViewError::NotFetched { .. } => (StatusCode::CONFLICT, "revision_not_fetched"),
            ViewError::Refused { .. } => (StatusCode::CONFLICT, "revision_refused"),
            ViewError::Path { .. } => (StatusCode::BAD_REQUEST, "bad_path"),
            ViewError::Gates(error) if error.is_of_this_node() => {
                (StatusCode::SERVICE_UNAVAILABLE, "rules_unusable")
            }
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "unreadable"),
        };
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(error = %chain(&error), "what was asked for could not be looked at");
        }
        let problem = Self::new(status, code, error.to_string());
        match &error {
            // Their sentences repeat what was asked for, and say no more.
            ViewError::Unknown { .. }
            | ViewError::Nothing
            | ViewError::NotKept { .. }
            | ViewError::NotFetched { .. }
            | ViewError::Path { .. } => problem,
            ViewError::Refused { findings, .. } => {
                problem.with(findings.iter().map(Into::into).collect())
            }
            _ => problem.of_files(),
        }
    }
}

/// An error and what caused it, for the log.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

pub(super) async fn not_found() -> Problem {
    Problem::unknown("there is nothing at this path")
}

pub(super) async fn not_allowed() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "this path has no such method",
    )
}
