use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::Api;
use super::wire::StatusBody;
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

/// 200 while the loop turns and a tree is live, with freshness in the body.
pub(super) async fn health(State(api): State<Api>) -> (StatusCode, Json<Value>) {
    let Some(status) = api.board.status() else {
        let body = json!({"format_version": 1, "status": "starting"});
        return (StatusCode::SERVICE_UNAVAILABLE, Json(body));
    };
    let live = status.live.is_some();
    let healthy = live && status.state != model::State::Starting;
    let body = StatusBody::new(&status, api.clock.now(), true);
    let code = if healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({
        "format_version": 1,
        "status": if healthy { "ok" } else { "not_ready" },
        "state": body.state,
        "reason": body.reason,
        "source": body.source,
    });
    (code, Json(body))
}
