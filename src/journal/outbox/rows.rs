//! Rows of the outbox, read into the nouns.

use rusqlite::{Row, types::Type};

use super::super::facts::{self, DamagedFacts};
use crate::model::{Delivery, DeliveryState, Event, EventKind, Timestamp};

/// What [`delivery`] and [`event`] read: put a `WHERE` behind it.
pub(super) const DELIVERY: &str = "SELECT d.id, d.node, e.id, e.kind, d.state, d.attempts, d.queued_at, \
     d.next_at, d.finished_at, d.last_status, d.last_error, e.sequence, e.at, e.facts \
     FROM deliveries d JOIN events e ON e.sequence = d.event_sequence";

/// Reads a row of [`DELIVERY`].
pub(super) fn delivery(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    Ok(Delivery {
        id: unsigned(row, 0)?,
        node: row.get(1)?,
        event_id: row.get(2)?,
        kind: kind(row)?,
        state: state(row, 4)?,
        attempts: row.get(5)?,
        queued_at: Timestamp(row.get(6)?),
        next_at: Timestamp(row.get(7)?),
        finished_at: row.get::<_, Option<i64>>(8)?.map(Timestamp),
        last_status: row.get(9)?,
        last_error: row.get(10)?,
    })
}

/// Reads the event in a row of [`DELIVERY`].
pub(super) fn event(row: &Row<'_>) -> rusqlite::Result<Event> {
    let text: String = row.get(13)?;
    let (facts, trace) = facts::from_json(&text).map_err(|e| unreadable(13, e))?;
    Ok(Event {
        id: row.get(2)?,
        kind: kind(row)?,
        sequence: unsigned(row, 11)?,
        at: Timestamp(row.get(12)?),
        facts,
        trace,
    })
}

fn kind(row: &Row<'_>) -> rusqlite::Result<EventKind> {
    let word: String = row.get(3)?;
    EventKind::from_word(&word).ok_or_else(|| unreadable(3, DamagedFacts::Word(word)))
}

pub(super) fn state(row: &Row<'_>, column: usize) -> rusqlite::Result<DeliveryState> {
    let word: String = row.get(column)?;
    DeliveryState::from_word(&word).ok_or_else(|| unreadable(column, DamagedFacts::Word(word)))
}

fn unreadable(column: usize, error: DamagedFacts) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}

fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(|n| u64::try_from(n).unwrap_or_default())
}
