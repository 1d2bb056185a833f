//! Routes: what the outside may ask of a running agent.
//!
//! On the control socket (guarded by file mode: whoever may open it is admin) all that the verbs
//! need; on TCP the probes, metrics and push webhooks. May touch the journal, the board, and a bounded view of the
//! object store; never the source, the trees or a pass: what is wanted is written to the journal,
//! then the loop is woken.
//!
//! | method and path | does |
//! | --- | --- |
//! | `GET /healthz` · `/readyz` · `/metrics` | probes and Prometheus |
//! | `GET /api/config/status` | [`wire::StatusBody`] |
//! | `GET /api/config/health` | 200 while the loop turns and a tree is live, with freshness |
//! | `GET /api/config/history` · `/api/config/history/{id}` | deployments |
//! | `POST /api/config/sync` | look now, and wait for that pass |
//! | `POST /api/config/apply` · `/rollback` · `/drift` | orders; `?wait=` waits for the outcome |
//! | `POST /api/config/suspend` · `/resume` | an operator's stop |
//! | `POST /hooks/git` | a forge's push webhook: verified, then "look now" (TCP only) |
//! | `GET /api/deliveries` · `POST /api/deliveries/{id}/redeliver` | the outbox |

mod connections;
mod hooks;
mod metrics;
pub mod orders;
mod probes;
mod problem;
mod reading;
mod server;
pub mod standing;
pub mod wire;

pub(crate) use hooks::{Ask, judge};
pub use server::{Control, Public, until_stopped, with_short_path};

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use tokio::sync::watch;

use crate::board::Board;
use crate::clock::Clock;
use crate::config::Settings;
use crate::journal::Journal;
use crate::triggers::Bell;

/// What routes may use.
#[derive(Clone)]
pub struct Api {
    /// The journal.
    pub journal: Journal,
    /// What the agent shows of itself.
    pub board: Board,
    /// Wakes the loop.
    pub bell: Bell,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The settings of now.
    pub settings: watch::Receiver<Arc<Settings>>,
}

/// Everything, for those who may open the control socket.
fn control_routes(api: Api) -> Router {
    let limit = usize::try_from(api.settings.borrow().limits.http_body_bytes_max);
    Router::new()
        .route("/api/config/status", get(reading::status))
        .route("/api/config/health", get(probes::health))
        .route("/api/config/history", get(reading::history))
        .route("/api/config/history/{id}", get(reading::deployment))
        .route("/api/config/sync", post(orders::look))
        .route("/api/config/apply", post(orders::apply))
        .route("/api/config/rollback", post(orders::rollback))
        .route("/api/config/drift", post(orders::drift))
        .route("/api/config/suspend", post(orders::suspend))
        .route("/api/config/resume", post(orders::resume))
        .route("/api/deliveries", get(reading::deliveries))
        .route("/api/deliveries/{id}/redeliver", post(orders::redeliver))
        .merge(probe_routes())
        .fallback(problem::not_found)
        .layer(axum::extract::DefaultBodyLimit::max(limit.unwrap_or(usize::MAX)))
        .with_state(api)
}

/// What anybody who reaches the address may see.
fn public_routes(api: Api) -> Router {
    probe_routes()
        .route("/hooks/git", post(hooks::git))
        .fallback(problem::not_found)
        .with_state(api)
}

fn probe_routes() -> Router<Api> {
    Router::new()
        .route("/healthz", get(probes::healthz))
        .route("/readyz", get(probes::readyz))
        .route("/metrics", get(metrics::metrics))
}
