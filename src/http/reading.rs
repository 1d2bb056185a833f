use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;

use super::Api;
use super::access::{Caller, lock};
use super::extract::{Asked, Named};
pub(super) use super::paging::Paging;
use super::paging::{below, limit, of_numbered};
use super::parties;
use super::problem::Problem;
use super::wire::{
    AuditBody, CountsBody, DeliveryBody, DeploymentBody, FindingBody, NodeBody, Page, StatusBody,
};
use crate::journal::{AuditFilter, Audited, Journal, JournalError};
use crate::model::{
    DeploymentId, FailingQueue, OutboxCounts, Party, Status, Suspension, Timestamp,
};

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
        if let Some(error) = &mut body.source.error {
            error.message.clone_from(&error.reason);
        }
        if let Some(stop) = &mut body.suspended {
            stop.reason = None;
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
        let settings = self.settings.borrow();
        let issuer = parties::issuer(&settings, self.access.issuer(now).as_ref(), now);
        parties::parties(Some(&settings), status, issuer, next, now)
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
    let page = api.journal.history(paging.limit(), paging.below()?.map(DeploymentId))?;
    let items = page.items.iter().map(|row| seen(&caller, row.into())).collect();
    Ok(Json(of_numbered(items, page.next.map(|id| id.0))))
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
    let items = api.journal.deliveries(paging.failed, rows, paging.below()?)?;
    let next = (items.len() == limit).then(|| items.last().map(|d| d.id)).flatten();
    Ok(Json(of_numbered(items.iter().map(Into::into).collect(), next)))
}

fn hide(caller: &Caller, findings: &mut Vec<FindingBody>) {
    findings.retain(|finding| caller.sees_found(finding.file.as_deref()));
}

fn seen(caller: &Caller, mut row: DeploymentBody) -> DeploymentBody {
    hide(caller, &mut row.findings);
    if !caller.sees_all() {
        // A count tells of files that are not seen, and a sentence may name them.
        row.changes = CountsBody { added: 0, modified: 0, removed: 0 };
        row.reason = None;
    }
    row
}

/// Who is told, each with its newest delivery.
pub(super) async fn nodes(
    State(api): State<Api>,
    caller: Caller,
    Asked(paging): Asked<Paging>,
) -> Result<Json<Page<NodeBody>>, Problem> {
    let settings = api.settings.borrow().clone();
    let mut items = Vec::new();
    for node in &settings.nodes {
        let queue = api.journal.queue_of(&node.name)?;
        items.push(NodeBody {
            name: node.name.clone(),
            url: node.url.clone(),
            labels: node.labels.iter().cloned().collect(),
            events: node.events.iter().map(|kind| kind.as_str().to_owned()).collect(),
            paths: node.paths.iter().filter(|path| caller.sees_of(path)).cloned().collect(),
            last: queue.last.as_ref().map(Into::into),
            pending: queue.counts.pending,
            failed: queue.counts.failed,
        });
    }
    paging.of_named(items, |node| &node.name).map(Json)
}

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Trail {
    pub(super) limit: Option<usize>,
    pub(super) before: Option<u64>,
    pub(super) cursor: Option<String>,
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
        before: below(trail.before, trail.cursor.as_deref())?,
        name: trail.name,
        action: trail.action,
        outcome: trail.outcome,
        since: moment(trail.since)?,
        until: moment(trail.until)?,
    };
    let limit = limit(trail.limit);
    let found = api.journal.audited(&filter, limit)?;
    let next = (found.len() == limit).then(|| found.last().map(|record| record.id)).flatten();
    let shown = |audited: &Audited| {
        let mut body = AuditBody::from(audited);
        if !caller.sees_all() {
            // What more is said may name files.
            (body.detail, body.reason) = (None, None);
            body.target = body.target.filter(|target| names_no_file(target) || caller.sees(target));
        }
        body
    };
    let items = found.iter().map(shown).collect();
    Ok(Json(of_numbered(items, next)))
}

/// Whether what was done was done to something else than a file: a revision, a deployment, a delivery.
fn names_no_file(target: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
    let numbered = ["deployment ", "delivery "].iter().find_map(|kind| target.strip_prefix(kind));
    is_number(numbered.unwrap_or(target))
}
