//! What a request brings, read with errors that are problems like all others.

use std::borrow::Cow;
use std::str::FromStr;

use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri, header};
use serde::de::DeserializeOwned;

use super::problem::Problem;
use super::{Api, body};

/// The query, read as `T`.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Api> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _api: &Api) -> Result<Self, Problem> {
        match Query::<T>::try_from_uri(&without_actor(&parts.uri)) {
            Ok(Query(value)) => Ok(Self(value)),
            Err(error) => Err(Problem::bad_request(format!(
                "the query cannot be read: {}",
                error.body_text()
            ))),
        }
    }
}

/// An address without the name that an operator at the control socket gives themselves, which any of
/// them may have: `access::guard` has read it.
fn without_actor(uri: &Uri) -> Cow<'_, Uri> {
    let query = uri.query().unwrap_or_default();
    if !form_urlencoded::parse(query.as_bytes()).any(|(key, _)| key == "actor") {
        return Cow::Borrowed(uri);
    }
    let mut rest = form_urlencoded::Serializer::for_suffix(String::from("/?"), 2);
    rest.extend_pairs(form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key != "actor"));
    rest.finish().parse().map_or(Cow::Borrowed(uri), Cow::Owned)
}

/// The one part of the path that has a name, as text.
pub(super) struct Named(pub(super) String);

impl FromRequestParts<Api> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        match Path::<String>::from_request_parts(parts, api).await {
            Ok(Path(value)) => Ok(Self(value)),
            Err(error) => Err(Problem::bad_request(error.body_text())),
        }
    }
}

impl Named {
    /// The number that it is.
    pub(super) fn number<T: FromStr>(&self) -> Result<T, Problem> {
        self.0.parse().map_err(|_| {
            let shown: String = self.0.chars().take(40).collect();
            Problem::bad_request(format!("{shown:?} is not a number"))
        })
    }
}

/// A body in JSON, read as `T`; none at all is the default.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned + Default> FromRequest<Api> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let Bytes { content, bytes } = Bytes::from_request(request, api).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        if !is_json(content.as_deref()) {
            return Err(not_json());
        }
        json(&bytes).map(Self)
    }
}

/// A body as it came.
pub(super) struct Bytes {
    /// What it says it is, without parameters, in lower case.
    pub(super) content: Option<String>,
    pub(super) bytes: Vec<u8>,
}

impl FromRequest<Api> for Bytes {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let max = api.settings.borrow().limits.http_body_bytes_max;
        let (parts, rest) = request.into_parts();
        let bytes = body::read(&parts.headers, rest, max, body::BODY_TIME_MAX).await?;
        let content = parts.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
        let content = content
            .map(|text| text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
        Ok(Self { content, bytes })
    }
}

/// Whether a body that says this of itself is JSON.
pub(super) fn is_json(content: Option<&str>) -> bool {
    content.is_some_and(|content| content == "application/json" || content.ends_with("+json"))
}

pub(super) fn not_json() -> Problem {
    let detail = "the body has to be JSON, with `Content-Type: application/json`";
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", detail)
}

/// Reads JSON; what is wrong with it is told with its place.
pub(super) fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // A list would be read as the fields in their order, and an empty one as none of them.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(Problem::bad_request("the body has to be an object, and is a list"));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let place = if path == "." { String::new() } else { format!(" at `{path}`") };
        Problem::bad_request(format!("the body cannot be read{place}: {}", error.inner()))
    })?;
    reader.end().map_err(|error| {
        Problem::bad_request(format!("there is more behind the body's end: {error}"))
    })?;
    Ok(value)
}
