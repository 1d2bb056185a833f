//! `ETag` and `If-None-Match` (RFC 9110, sections 8.8.3 and 13.1.2): whoever has an answer already is
//! told that it is still right, instead of being given it again.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

/// What tags are made with: two keys of this process, that nobody makes two answers with one tag.
static KEYS: LazyLock<(RandomState, RandomState)> = LazyLock::new(Default::default);

/// Gives an answer its tag, or says that it is as it was.
pub(super) async fn tagged(request: Request, next: Next) -> Response {
    let held = request.headers().get_all(header::IF_NONE_MATCH).iter().cloned().collect::<Vec<_>>();
    let response = next.run(request).await;
    if response.status() != StatusCode::OK {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    // The body was made in memory.
    let Ok(bytes) = axum::body::to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let tag = tag_of(&bytes);
    let is_held = held.iter().filter_map(|value| value.to_str().ok()).any(|text| names(text, &tag));
    set(&mut parts.headers, &tag);
    if is_held {
        parts.headers.remove(header::CONTENT_TYPE);
        parts.headers.remove(header::CONTENT_LENGTH);
        return (StatusCode::NOT_MODIFIED, parts.headers).into_response();
    }
    Response::from_parts(parts, Body::from(bytes))
}

fn set(headers: &mut HeaderMap, tag: &str) {
    if let Ok(tag) = HeaderValue::from_str(tag) {
        headers.insert(header::ETAG, tag);
    }
    // It is another for each caller, and asked for again before it is used.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
}

fn tag_of(bytes: &[u8]) -> String {
    let hash = |key: &RandomState| {
        let mut hasher = key.build_hasher();
        hasher.write(bytes);
        hasher.finish()
    };
    format!("\"{:016x}{:016x}\"", hash(&KEYS.0), hash(&KEYS.1))
}

/// Whether `If-None-Match` names a tag; weak ones count as strong (section 13.1.2).
fn names(text: &str, tag: &str) -> bool {
    text.trim() == "*"
        || text.split(',').any(|one| {
            let one = one.trim();
            one.strip_prefix("W/").unwrap_or(one) == tag
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_named_alone_in_a_list_weak_or_by_a_star() {
        let tag = tag_of(b"a");
        assert_eq!(tag, tag_of(b"a"));
        assert_ne!(tag, tag_of(b"b"));
        for text in [tag.clone(), format!("\"x\", W/{tag}"), " * ".to_owned()] {
            assert!(names(&text, &tag), "{text}");
        }
        for text in ["", "\"x\"", tag.trim_matches('"')] {
            assert!(!names(text, &tag), "{text}");
        }
    }
}
