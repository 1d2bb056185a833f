use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use super::Api;
use super::access::{Caller, lock};
use super::extract::{Asked, Named};
use super::parties;
use super::problem::Problem;
use super::wire::{
    AuditBody, DeliveryBody, DeploymentBody, FORMAT_VERSION, FindingBody, NodeBody, Page,
    StatusBody,
};
use crate::journal::{AuditFilter, Audited};
use crate::model::{
    DeploymentId, FailingQueue, OutboxCounts, Party, Status, Suspension, Timestamp,
};

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
    (status.outbox, status.suspended, status.failing) = api.of_journal()?;
    let parties = api.parties(&status);
    let mut body = StatusBody::new(&status, &parties, now, true);
    if !caller.sees_all() {
        body.drift.paths.retain(|drifted| caller.sees(&drifted.path));
        if let Some(attempted) = &mut body.attempted {
            hide(&caller, &mut attempted.findings);
        }
        // Sentences for people may name files.
        body.message = body.reason.clone().unwrap_or_else(|| body.state.clone());
        for party in &mut body.parties {
            party.error = None;
        }
        for quarantined in &mut body.quarantine {
            quarantined.message.clone_from(&quarantined.reason);
        }
    }
    Ok(Json(body))
}

/// What the status tells out of the journal, and what that counted then.
pub(super) type OfJournal = Option<((u64, u64), InJournal)>;

/// Events on their way, an operator's stop, and queues that fail.
type InJournal = (OutboxCounts, Option<Suspension>, Vec<FailingQueue>);

impl Api {
    /// What the status tells that others write too: read again only after something was written.
    pub(super) fn of_journal(&self) -> Result<InJournal, Problem> {
        // Counted before it is read: what is written meanwhile is read with the next request.
        let changes = (self.journal.changes(), self.journal.outbox_changes());
        let mut kept = lock(&self.of_journal);
        if let Some((_, known)) = kept.as_ref().filter(|(of, _)| *of == changes) {
            return Ok(known.clone());
        }
        let outbox = self.journal.outbox_counts()?;
        let stop = self.journal.standing()?.suspended;
        let known = (outbox, stop, self.journal.failing_queues()?);
        *kept = Some((changes, known.clone()));
        Ok(known)
    }

    /// Everybody outside, by a status that knows which queues fail.
    pub(super) fn parties(&self, status: &Status) -> Vec<Party> {
        let (now, next) = (self.clock.now(), self.board.next_ask());
        parties::parties(Some(&self.settings.borrow()), status, next, now)
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
    findings.retain(|finding| finding.file.as_ref().is_none_or(|file| caller.sees(file)));
}

fn seen(caller: &Caller, mut row: DeploymentBody) -> DeploymentBody {
    hide(caller, &mut row.findings);
    row
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
    let shown = |audited: &Audited| {
        let mut body = AuditBody::from(audited);
        // What more is said may name files.
        body.detail = body.detail.filter(|_| caller.sees_all());
        body
    };
    let items = found.iter().map(shown).collect();
    Ok(Json(Page { format_version: FORMAT_VERSION, items, next }))
}
