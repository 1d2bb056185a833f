use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Deserialize;

use super::Api;
use super::problem::Problem;
use super::wire::{DeliveryBody, DeploymentBody, FORMAT_VERSION, Page, StatusBody};
use crate::model::DeploymentId;

/// Rows of a page, unless fewer are asked for.
const PAGE_MAX: usize = 200;

#[derive(Deserialize)]
pub(super) struct Paging {
    limit: Option<usize>,
    before: Option<u64>,
    #[serde(default)]
    failed: bool,
}

impl Paging {
    fn limit(&self) -> usize {
        self.limit.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX)
    }
}

pub(super) async fn status(State(api): State<Api>) -> Result<Json<StatusBody>, Problem> {
    let now = api.clock.now();
    let mut status = match api.board.status() {
        Some(status) => status,
        None => crate::http::standing::status_of(&api.journal)?,
    };
    status.outbox = api.journal.outbox_counts()?;
    status.suspended = api.journal.standing()?.suspended;
    Ok(Json(StatusBody::new(&status, now, true)))
}

pub(super) async fn history(
    State(api): State<Api>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<DeploymentBody>>, Problem> {
    let page = api.journal.history(paging.limit(), paging.before.map(DeploymentId))?;
    Ok(Json(Page {
        format_version: FORMAT_VERSION,
        items: page.items.iter().map(Into::into).collect(),
        next: page.next.map(|id| id.0),
    }))
}

pub(super) async fn deployment(
    State(api): State<Api>,
    Path(id): Path<u64>,
) -> Result<Json<DeploymentBody>, Problem> {
    let found = api.journal.deployment(DeploymentId(id))?;
    let found = found.ok_or_else(|| Problem::unknown(format!("there is no deployment {id}")))?;
    Ok(Json((&found).into()))
}

pub(super) async fn deliveries(
    State(api): State<Api>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<DeliveryBody>>, Problem> {
    let limit = paging.limit();
    let rows = u32::try_from(limit).unwrap_or(u32::MAX);
    let items = api.journal.deliveries(paging.failed, rows, paging.before)?;
    let next = (items.len() == limit).then(|| items.last().map(|d| d.id)).flatten();
    Ok(Json(Page {
        format_version: FORMAT_VERSION,
        items: items.iter().map(Into::into).collect(),
        next,
    }))
}
