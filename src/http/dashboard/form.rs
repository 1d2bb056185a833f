use std::collections::BTreeMap;

use axum::extract::{FromRequest, FromRequestParts as _, Request};
use axum::http::{HeaderMap, StatusCode, header};

use super::Api;
use super::guard::Visitor;
use super::shell::Failed;
use crate::http::body;
use crate::http::problem::Problem;

/// Bytes of a form.
const FORM_BYTES_MAX: u64 = 64 * 1024;
/// The field that says that a form is one of ours.
pub(super) const MARK: &str = "form";

/// What a form brought.
pub(super) struct Fields(BTreeMap<String, String>);

impl Fields {
    /// A field that holds more than blanks.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|text| text.trim()).filter(|text| !text.is_empty())
    }

    /// A field as it was written.
    pub(super) fn raw(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.text(name).is_some()
    }

    /// Reads a form that came from a page of ours, by the browser's own word.
    pub(super) async fn read(request: Request) -> Result<Self, Problem> {
        let (parts, rest) = request.into_parts();
        if !is_from_here(&parts.headers) {
            return Err(foreign());
        }
        let bytes = body::read(&parts.headers, rest, FORM_BYTES_MAX, body::BODY_TIME_MAX).await?;
        Ok(Self(form_urlencoded::parse(&bytes).into_owned().collect()))
    }
}

/// A form of somebody who is signed in, from a page that was made for them.
pub(super) struct Form {
    pub(super) visitor: Visitor,
    pub(super) fields: Fields,
}

impl FromRequest<Api> for Form {
    type Rejection = Failed;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Failed> {
        let (mut parts, rest) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, api).await?;
        let read = Fields::read(Request::from_parts(parts, rest)).await;
        let fields = read.map_err(|problem| Failed::known(api, &visitor, problem))?;
        if fields.text(MARK) != Some(visitor.form.as_str()) {
            return Err(Failed::known(api, &visitor, foreign()));
        }
        Ok(Self { visitor, fields })
    }
}

/// Whether the browser says that the form's page is of the host that it goes to. One that says
/// nothing of it brings no cookie for another site either (`SameSite`).
fn is_from_here(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(origin) = text(header::ORIGIN) else { return true };
    let host = origin.split_once("://").map(|(_, host)| host);
    host.is_some() && host == text(header::HOST)
}

fn foreign() -> Problem {
    let detail = "this form was not made here, or the session that it was made for is over: go back, load the page again, and send it once more";
    Problem::new(StatusCode::FORBIDDEN, "foreign_form", detail)
}
