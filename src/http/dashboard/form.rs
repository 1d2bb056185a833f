use std::collections::BTreeMap;

use axum::extract::{FromRequest, FromRequestParts as _, Request};
use axum::http::{HeaderMap, StatusCode, header};

use super::Api;
use super::guard::Visitor;
use super::shell::Failed;
use crate::http::body::{self, BytesMax};
use crate::http::problem::Problem;

/// Bytes of a form, as the browser writes them.
const FORM: BytesMax =
    BytesMax { bytes: 64 * 1024, which: "is the most that a form of this dashboard may have" };
/// Bytes of the form that shows a token, which anybody may send.
pub(super) const SIGN_IN_FORM: BytesMax =
    BytesMax { bytes: 16 * 1024, which: "is the most that the form to sign in may have" };
/// Bytes of a document that is tried.
pub(super) const TRIED_BYTES_MAX: usize = 60 * 1024;
/// Bytes of the form with it: the browser writes a byte that is no letter as three.
const TRIED_FORM: BytesMax = BytesMax {
    bytes: 3 * TRIED_BYTES_MAX as u64 + 16 * 1024,
    which: "is the most that a document of 60 KiB can make of this form",
};
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
    pub(super) async fn read(request: Request, max: BytesMax) -> Result<Self, Problem> {
        let (parts, rest) = request.into_parts();
        if !is_from_here(&parts.headers) {
            return Err(foreign());
        }
        let bytes = body::read_at_most(&parts.headers, rest, max, body::BODY_TIME_MAX).await?;
        Ok(Self(form_urlencoded::parse(&bytes).into_owned().collect()))
    }
}

/// A form of somebody who is signed in, from a page that was made for them.
pub(super) struct Form {
    pub(super) visitor: Visitor,
    pub(super) fields: Fields,
}

/// The same, with a document in it.
pub(super) struct LongForm(pub(super) Form);

impl FromRequest<Api> for Form {
    type Rejection = Failed;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Failed> {
        Self::read(request, api, FORM).await
    }
}

impl FromRequest<Api> for LongForm {
    type Rejection = Failed;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Failed> {
        Form::read(request, api, TRIED_FORM).await.map(Self)
    }
}

impl Form {
    async fn read(request: Request, api: &Api, max: BytesMax) -> Result<Self, Failed> {
        let (mut parts, rest) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, api).await?;
        let read = Fields::read(Request::from_parts(parts, rest), max).await;
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
