use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;

use super::Api;
use super::access::{Caller, lock};
use super::extract::{Asked, Named};
use super::problem::Problem;
use super::wire::{
    AuditBody, DeliveryBody, DeploymentBody, FORMAT_VERSION, FindingBody, NodeBody, Page,
    StatusBody,
};
use crate::journal::{AuditFilter, Audited, Journal, JournalError};
use crate::model::{ChangeCounts, DeploymentId, OutboxCounts, Outcome, Suspension, Timestamp};

/// Rows of a page, unless fewer are asked for.
const PAGE_MAX: usize = 200;

#[derive(Deserialize)]
pub(super) struct Paging {
    pub(super) limit: Option<usize>,
    pub(super) before: Option<u64>,
    #[serde(default)]
    pub(super) failed: bool,
}

impl Paging {
    fn limit(&self) -> usize {
        self.limit.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX)
    }
}

pub(super) async fn status(
    State(api): State<Api>,
    caller: Caller,
) -> Result<Json<StatusBody>, Problem> {
    let now = api.clock.now();
    let mut status = match api.board.status() {
        Some(status) => status,
        None => crate::http::standing::status_of(&api.journal)?,
    };
    (status.outbox, status.suspended) = api.of_journal()?;
    let mut body = StatusBody::new(&status, now, true);
    if !caller.sees_all() {
        body.drift.paths.retain(|drifted| caller.sees(&drifted.path));
        if let Some(attempted) = &mut body.attempted {
            hide(&caller, &mut attempted.findings);
        }
        // Sentences for people may name files.
        body.message = body.reason.clone().unwrap_or_else(|| body.state.clone());
        for quarantined in &mut body.quarantine {
            quarantined.message.clone_from(&quarantined.reason);
        }
    }
    Ok(Json(body))
}

/// What the status tells out of the journal, and what that counted then.
pub(super) type OfJournal = Option<((u64, u64), OutboxCounts, Option<Suspension>)>;

impl Api {
    /// Events on their way, and an operator's stop: read again only after something was written.
    fn of_journal(&self) -> Result<(OutboxCounts, Option<Suspension>), Problem> {
        // Counted before it is read: what is written meanwhile is read with the next request.
        let changes = (self.journal.changes(), self.journal.outbox_changes());
        let mut kept = lock(&self.of_journal);
        if let Some((_, outbox, stop)) = kept.as_ref().filter(|(of, ..)| *of == changes) {
            return Ok((*outbox, stop.clone()));
        }
        let outbox = self.journal.outbox_counts()?;
        let stop = self.journal.standing()?.suspended;
        *kept = Some((changes, outbox, stop.clone()));
        Ok((outbox, stop))
    }
}

impl Api {
    /// Reads from the journal on a blocking thread, for what may take longer than a moment.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Journal) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, Problem> {
        let journal = self.journal.clone();
        let read = tokio::task::spawn_blocking(move || read(&journal)).await;
        let ended = "reading the journal ended unexpectedly";
        let ended = |_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", ended);
        Ok(read.map_err(ended)??)
    }
}

pub(super) async fn history(
    State(api): State<Api>,
    caller: Caller,
    Asked(paging): Asked<Paging>,
) -> Result<Json<Page<DeploymentBody>>, Problem> {
    let page = api.journal.history(paging.limit(), paging.before.map(DeploymentId))?;
    Ok(Json(Page {
        format_version: FORMAT_VERSION,
        items: page.items.iter().map(|row| seen(&caller, row.into())).collect(),
        next: page.next.map(|id| id.0),
    }))
}

pub(super) async fn deployment(
    State(api): State<Api>,
    caller: Caller,
    id: Named,
) -> Result<Json<DeploymentBody>, Problem> {
    let id = id.number()?;
    let found = api.journal.deployment(DeploymentId(id))?;
    let found = found.ok_or_else(|| Problem::unknown(format!("there is no deployment {id}")))?;
    Ok(Json(seen(&caller, (&found).into())))
}

pub(super) async fn deliveries(
    State(api): State<Api>,
    Asked(paging): Asked<Paging>,
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

fn hide(caller: &Caller, findings: &mut Vec<FindingBody>) {
    findings.retain(|finding| caller.sees_found(finding.file.as_deref()));
}

fn seen(caller: &Caller, mut row: DeploymentBody) -> DeploymentBody {
    hide(caller, &mut row.findings);
    if !caller.sees_all() {
        // Of all files together.
        row.changes = ChangeCounts::default().into();
        // Where nobody ordered it, why it failed is a sentence of ours, which may name files.
        let is_theirs = row.actor.is_some() && row.outcome != Outcome::Failed.as_str();
        row.reason = row.reason.filter(|_| is_theirs);
    }
    row
}

/// A record without what may name files that somebody does not see.
fn seen_record(caller: &Caller, mut body: AuditBody) -> AuditBody {
    if caller.sees_all() {
        return body;
    }
    body.detail = None;
    body.target = body.target.filter(|target| match body.action.as_str() {
        "order.publish" | "file.publish" => caller.sees(target),
        // The path of a request may name a profile.
        action => !action.starts_with("access."),
    });
    // Of a deployment it may be a sentence of ours; the order's record has what the person said.
    let is_theirs = !body.action.starts_with("deployment.");
    body.reason = body.reason.filter(|_| is_theirs);
    body
}

/// Who is told, each with its newest delivery.
pub(super) async fn nodes(State(api): State<Api>) -> Result<Json<Page<NodeBody>>, Problem> {
    let settings = api.settings.borrow().clone();
    let mut items = Vec::new();
    for node in &settings.nodes {
        let queue = api.journal.queue_of(&node.name)?;
        items.push(NodeBody {
            name: node.name.clone(),
            url: node.url.clone(),
            labels: node.labels.iter().cloned().collect(),
            events: node.events.iter().map(|kind| kind.as_str().to_owned()).collect(),
            paths: node.paths.clone(),
            last: queue.last.as_ref().map(Into::into),
            pending: queue.counts.pending,
            failed: queue.counts.failed,
        });
    }
    Ok(Json(Page { format_version: FORMAT_VERSION, items, next: None }))
}

#[derive(Clone, Default, Deserialize)]
pub(super) struct Trail {
    pub(super) limit: Option<usize>,
    pub(super) before: Option<u64>,
    pub(super) name: Option<String>,
    pub(super) action: Option<String>,
    pub(super) outcome: Option<String>,
    pub(super) since: Option<String>,
    pub(super) until: Option<String>,
}

pub(super) async fn audit(
    State(api): State<Api>,
    caller: Caller,
    Asked(trail): Asked<Trail>,
) -> Result<Json<Page<AuditBody>>, Problem> {
    let moment = |text: Option<String>| match text {
        None => Ok(None),
        Some(text) => Timestamp::parse(&text).map(Some).map_err(|_| {
            Problem::bad_request(format!("{text:?} is not RFC 3339: 2026-01-31T18:00:00Z"))
        }),
    };
    let filter = AuditFilter {
        before: trail.before,
        name: trail.name,
        action: trail.action,
        outcome: trail.outcome,
        since: moment(trail.since)?,
        until: moment(trail.until)?,
    };
    let limit = trail.limit.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    let found = api.journal.audited(&filter, limit)?;
    let next = (found.len() == limit).then(|| found.last().map(|record| record.id)).flatten();
    let shown = |audited: &Audited| seen_record(&caller, AuditBody::from(audited));
    let items = found.iter().map(shown).collect();
    Ok(Json(Page { format_version: FORMAT_VERSION, items, next }))
}
