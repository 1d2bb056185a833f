use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

use super::Api;
use super::wire::{FORMAT_VERSION, SourceBody, StatusBody};
use crate::model;

/// 200 while the process answers and the loop turns.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// 200 once a tree is live.
pub(super) async fn readyz(State(api): State<Api>) -> (StatusCode, &'static str) {
    match api.board.status() {
        Some(status) if status.live.is_some() => (StatusCode::OK, "ok\n"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "nothing is live yet\n"),
    }
}

/// Whether it works, and how fresh what it shows is.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct HealthBody {
    /// [`FORMAT_VERSION`].
    format_version: u32,
    /// `ok`, `not_ready`, or `starting`.
    status: &'static str,
    /// As in the status.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    /// As in the status.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// How the source does.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<SourceBody>,
}

/// 200 while the loop turns and a tree is live, with freshness in the body.
pub(super) async fn health(State(api): State<Api>) -> (StatusCode, Json<HealthBody>) {
    let Some(status) = api.board.status() else {
        let (state, reason, source) = (None, None, None);
        let body = HealthBody {
            format_version: FORMAT_VERSION,
            status: "starting",
            state,
            reason,
            source,
        };
        return (StatusCode::SERVICE_UNAVAILABLE, Json(body));
    };
    let healthy = status.live.is_some() && status.state != model::State::Starting;
    let told = StatusBody::new(&status, &[], api.clock.now(), true);
    let code = if healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = HealthBody {
        format_version: FORMAT_VERSION,
        status: if healthy { "ok" } else { "not_ready" },
        state: Some(told.state),
        reason: told.reason,
        source: Some(told.source),
    };
    (code, Json(body))
}
