//! What the agent itself did, as the trail tells it.

use rusqlite::{Connection, OptionalExtension as _};

use crate::journal::deployments::{Adoption, Completion};
use crate::journal::intent::IntentKind;
use crate::journal::open::read_meta;
use crate::journal::wire::{self, WireLive};
use crate::model::{
    AuditOutcome, AuditRecord, By, Deployment, Digest, LiveState, Outcome, Timestamp,
};

/// The digest that is live before a change; for a transaction that has not written yet.
pub(in crate::journal) fn live_digest(connection: &Connection) -> rusqlite::Result<Option<Digest>> {
    let live = read_meta(connection, "live")?;
    let live = live.and_then(|text| wire::from_json::<WireLive>(&text)?.into_live());
    Ok(live.map(|live| live.digest))
}

/// A tree became live.
pub(in crate::journal) fn completed(
    connection: &Connection,
    done: &Completion,
    before: Option<Digest>,
) -> rusqlite::Result<AuditRecord> {
    let row = &done.deployment;
    let action = match done.kind {
        IntentKind::Deployment => format!("deployment.{}", row.origin),
        IntentKind::Repair => "tree.repair".to_owned(),
    };
    let record = AuditRecord {
        before,
        after: Some(done.live.digest),
        deployment: Some(done.live.deployment.0),
        detail: ordered(connection, done.wish)?,
        ..AuditRecord::new(row.finished_at, By::agent(), &action, AuditOutcome::Done)
    };
    Ok(record.of(row.revision.to_string()).because(row.reason.as_deref()))
}

/// An attempt that did not become live.
pub(in crate::journal) fn attempted(
    connection: &Connection,
    row: &Deployment,
    wish: Option<u64>,
) -> rusqlite::Result<AuditRecord> {
    let outcome = match row.outcome {
        Outcome::Refused => AuditOutcome::Refused,
        _ => AuditOutcome::Failed,
    };
    let first = row.findings.first().map(|finding| match &finding.file {
        Some(file) => format!("{}: {file}", finding.rule),
        None => finding.rule.clone(),
    });
    let more = row.findings.len().saturating_sub(1);
    let said =
        first.map(|first| if more == 0 { first } else { format!("{first}, and {more} more") });
    let ordered = ordered(connection, wish)?;
    let action = format!("deployment.{}", row.origin);
    let record = AuditRecord {
        deployment: Some(row.id.0),
        detail: match (ordered, said) {
            (Some(ordered), Some(said)) => Some(format!("{ordered}; {said}")),
            (ordered, said) => ordered.or(said),
        },
        ..AuditRecord::new(row.finished_at, By::agent(), &action, outcome)
    };
    Ok(record.of(row.revision.to_string()).because(row.reason.as_deref()))
}

/// The live tree stands for another commit.
pub(in crate::journal) fn adopted(
    connection: &Connection,
    live: &LiveState,
    adoption: &Adoption,
) -> rusqlite::Result<AuditRecord> {
    let record = AuditRecord {
        before: Some(live.digest),
        after: Some(live.digest),
        deployment: Some(live.deployment.0),
        detail: ordered(connection, adoption.wish)?,
        ..AuditRecord::new(adoption.at, By::agent(), "deployment.same_content", AuditOutcome::Done)
    };
    Ok(record.of(adoption.revision.to_string()))
}

/// The journal was brought into line with what the live path shows; nothing: it was let go of.
pub(in crate::journal) fn followed(
    before: Option<Digest>,
    live: Option<&LiveState>,
    by: By,
    at: Timestamp,
) -> AuditRecord {
    let action = if live.is_some() { "deployment.found_live" } else { "agent.detach" };
    AuditRecord {
        target: live.map(|live| live.revision.to_string()),
        before,
        after: live.map(|live| live.digest),
        deployment: live.map(|live| live.deployment.0),
        ..AuditRecord::new(at, by, action, AuditOutcome::Done)
    }
}

/// Who ordered it: the order's own record says how that is known.
fn ordered(connection: &Connection, wish: Option<u64>) -> rusqlite::Result<Option<String>> {
    let Some(wish) = wish else { return Ok(None) };
    let actor: Option<String> = connection
        .prepare_cached("SELECT actor FROM wishes WHERE id = ?1")?
        .query_row([wish], |row| row.get(0))
        .optional()?;
    Ok(actor.map(|actor| format!("order {wish} of {actor}")))
}
