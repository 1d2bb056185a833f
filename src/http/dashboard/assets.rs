use std::sync::LazyLock;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use sha2::{Digest as _, Sha256};

use super::Api;
use super::guard::Gate;
use crate::http::routes::{Method, Routes};

const STYLE: &str = include_str!("assets/style.css");
const SCRIPT: &str = include_str!("assets/script.js");
const ICON: &str = include_str!("assets/icon.svg");

/// Names what the style and the script are.
pub(super) static STAMP: LazyLock<String> = LazyLock::new(|| {
    let hash = Sha256::digest(format!("{STYLE}{SCRIPT}{ICON}"));
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
});

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .page(Method::Get, "/assets/style.css", Gate::Open, |headers: HeaderMap, _: State<Api>| {
            std::future::ready(asset(&headers, "text/css; charset=utf-8", STYLE))
        })
        .page(Method::Get, "/assets/script.js", Gate::Open, |headers: HeaderMap, _: State<Api>| {
            std::future::ready(asset(&headers, "text/javascript; charset=utf-8", SCRIPT))
        })
        .page(Method::Get, "/assets/icon.svg", Gate::Open, |headers: HeaderMap, _: State<Api>| {
            std::future::ready(asset(&headers, "image/svg+xml", ICON))
        })
}

fn asset(headers: &HeaderMap, content: &'static str, text: &'static str) -> Response {
    let tag = format!("\"{}\"", STAMP.as_str());
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let common = [
        (header::ETAG, tag.clone()),
        (header::CACHE_CONTROL, "max-age=31536000, immutable".to_owned()),
    ];
    if known == Some(tag.as_str()) {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    (common, [(header::CONTENT_TYPE, content)], text).into_response()
}
