//! The outbox: events, and what became of each on its way to each node.
//!
//! An event is recorded in the transaction of the change that caused it. A node's deliveries go
//! out in the order of their events; whatever became of one stays visible until retention.

use std::sync::atomic::Ordering;

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use self::rows::DELIVERY;
use super::audit;
use super::facts;
use super::{Journal, JournalError};
use crate::model::{Delivery, DeliveryState, Event, Timestamp};

pub(super) mod failing;
mod looking;
mod rows;

pub use looking::Queue;

pub(super) const SCHEMA: &str = "
CREATE TABLE events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    facts TEXT NOT NULL
) STRICT;
CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    event_sequence INTEGER NOT NULL REFERENCES events (sequence),
    node TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    queued_at INTEGER NOT NULL,
    next_at INTEGER NOT NULL,
    not_before INTEGER NOT NULL DEFAULT 0,
    finished_at INTEGER,
    last_status INTEGER,
    last_error TEXT
) STRICT;
CREATE INDEX deliveries_pending ON deliveries (node, event_sequence) WHERE state = 'pending';
CREATE INDEX deliveries_failed ON deliveries (node, id) WHERE state = 'failed';
CREATE INDEX deliveries_delivered ON deliveries (finished_at) WHERE state = 'delivered';
CREATE INDEX deliveries_event ON deliveries (event_sequence);
CREATE INDEX events_at ON events (at);
CREATE TABLE endpoints_gone (
    node TEXT PRIMARY KEY,
    address TEXT NOT NULL,
    since INTEGER NOT NULL
) STRICT;
";

/// What later versions look for by: made where it is not there yet, and no matter to older ones. Facts
/// that are no JSON are of no deployment.
pub(super) const INDEXES: &str = "
CREATE INDEX IF NOT EXISTS events_deployment ON events
    (CASE WHEN json_valid(facts) THEN json_extract(facts, '$.deployment') END);
CREATE INDEX IF NOT EXISTS deliveries_node ON deliveries (node, id);
";

/// Pending deliveries of one node; beyond, the oldest is given up, and stays visible as failed.
const PENDING_MAX: i64 = 10_000;
/// Characters kept of an error.
const ERROR_CHARS_MAX: usize = 300;

const GONE: &str = "the endpoint is gone (410); change its settings or redeliver to try it again";

/// The delivery that is next for a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The node's name.
    pub node: String,
    /// When it is due.
    pub next_at: Timestamp,
}

/// Records an event and a delivery for each of `nodes`, and gives its place in the order. What
/// waits for those nodes becomes due: a newer event is a reason to try now.
pub(super) fn record(
    tx: &Transaction<'_>,
    event: &Event,
    nodes: &[String],
) -> rusqlite::Result<u64> {
    let facts = facts::to_json(&event.facts, event.trace.as_deref())
        .map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))?;
    tx.prepare_cached("INSERT INTO events (id, kind, at, facts) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![event.id, event.kind.as_str(), event.at.0, facts])?;
    let sequence = tx.last_insert_rowid();
    for node in nodes {
        let gone = tx
            .prepare_cached("SELECT 1 FROM endpoints_gone WHERE node = ?1")?
            .exists(params![node])?;
        let state = if gone { DeliveryState::Failed } else { DeliveryState::Pending };
        tx.prepare_cached(
            "INSERT INTO deliveries
             (event_sequence, node, state, queued_at, next_at, finished_at, last_error)
             VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6)",
        )?
        .execute(params![
            sequence,
            node,
            state.as_str(),
            event.at.0,
            gone.then_some(event.at.0),
            gone.then_some(GONE)
        ])?;
        if gone {
            failing::lost(tx, node, 1, GONE, event.at)?;
        } else {
            bound(tx, node, event.at)?;
            wake(tx, node, event.at)?;
        }
    }
    Ok(u64::try_from(sequence).unwrap_or_default())
}

/// Gives up the oldest deliveries of a node beyond [`PENDING_MAX`].
fn bound(tx: &Connection, node: &str, now: Timestamp) -> rusqlite::Result<()> {
    let lost = tx
        .prepare_cached(
            "UPDATE deliveries SET state = 'failed', finished_at = ?2, last_error = 'queue full'
             WHERE id IN (SELECT id FROM deliveries WHERE state = 'pending' AND node = ?1
                          ORDER BY event_sequence DESC, id DESC LIMIT -1 OFFSET ?3)",
        )?
        .execute(params![node, now.0, PENDING_MAX])?;
    failing::lost(tx, node, lost, "queue full", now)
}

/// Makes the oldest delivery of a node due, but not before its `Retry-After`. Only the oldest can
/// have been put off: the others have never been tried.
fn wake(tx: &Connection, node: &str, now: Timestamp) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE deliveries SET next_at = min(next_at, max(not_before, ?2))
         WHERE id = (SELECT id FROM deliveries WHERE state = 'pending' AND node = ?1
                     ORDER BY event_sequence, id LIMIT 1)",
    )?
    .execute(params![node, now.0])?;
    Ok(())
}

impl Journal {
    /// Records an event that no deployment goes with (drift, a source that cannot be reached), and
    /// a delivery for each of `nodes`. Gives its place in the order of events.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn record_event(&self, event: &Event, nodes: &[String]) -> Result<u64, JournalError> {
        self.change("recording an event", |tx| record(tx, event, nodes))
    }

    /// Says which nodes there are, each with a fingerprint of its address. What waits for others
    /// is given up, what waits for these becomes due, and an endpoint that had said 410 is tried
    /// again when its address is another one now.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn set_nodes(
        &self,
        nodes: &[(String, String)],
        now: Timestamp,
    ) -> Result<(), JournalError> {
        self.change("taking over the list of nodes", |tx| {
            let waiting: Vec<String> =
                strings(tx, "SELECT DISTINCT node FROM deliveries WHERE state = 'pending'")?;
            for node in waiting.iter().filter(|w| !nodes.iter().any(|(name, _)| name == *w)) {
                fail_pending(tx, node, "node is no longer configured", now)?;
            }
            failing::keep(tx, nodes)?;
            for gone in strings(tx, "SELECT node FROM endpoints_gone")? {
                let address = nodes.iter().find(|(name, _)| *name == gone).map(|(_, a)| a);
                tx.execute(
                    "DELETE FROM endpoints_gone WHERE node = ?1 AND address IS NOT ?2",
                    params![gone, address],
                )?;
            }
            nodes.iter().try_for_each(|(name, _)| wake(tx, name, now))
        })
    }

    /// Makes what waits for a node due, except before its `Retry-After`.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn wake_node(&self, node: &str, now: Timestamp) -> Result<(), JournalError> {
        self.query("waking a node", |connection| wake(connection, node, now))
    }

    /// When the next delivery of each of `nodes` is due; nodes for which nothing waits are left out.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn heads(&self, nodes: &[String]) -> Result<Vec<Head>, JournalError> {
        self.query("looking for deliveries", |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT next_at FROM deliveries WHERE state = 'pending' AND node = ?1
                 ORDER BY event_sequence, id LIMIT 1",
            )?;
            let mut heads = Vec::new();
            for node in nodes {
                let next_at = statement.query_row(params![node], |row| row.get(0)).optional()?;
                let head = |next_at| Head { node: node.clone(), next_at: Timestamp(next_at) };
                heads.extend(next_at.map(head));
            }
            Ok(heads)
        })
    }

    /// The oldest pending delivery of a node, due or not. A record that cannot be read any more is
    /// given up on the way, so that it does not hold up those behind it.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn next_for(
        &self,
        node: &str,
        now: Timestamp,
    ) -> Result<Option<(Delivery, Event)>, JournalError> {
        self.query("reading the next delivery", |connection| {
            let sql = format!(
                "{DELIVERY} WHERE d.state = 'pending' AND d.node = ?1
                 ORDER BY d.event_sequence, d.id LIMIT 1"
            );
            loop {
                let mut statement = connection.prepare_cached(&sql)?;
                let found = statement.query_row(params![node], |row| {
                    let id: i64 = row.get(0)?;
                    Ok((id, rows::delivery(row).and_then(|d| Ok((d, rows::event(row)?)))))
                });
                match found.optional()? {
                    None => return Ok(None),
                    Some((_, Ok(next))) => return Ok(Some(next)),
                    Some((id, Err(rusqlite::Error::FromSqlConversionFailure(..)))) => {
                        finish(connection, id, None, "its record cannot be read", now)?;
                    }
                    Some((_, Err(error))) => return Err(error),
                }
            }
        })
    }

    /// Notes that a node took a delivery.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn delivered(&self, id: u64, status: u16, now: Timestamp) -> Result<(), JournalError> {
        self.change("noting a delivery", |tx| {
            tx.prepare_cached(
                "UPDATE deliveries SET state = 'delivered', attempts = attempts + 1,
                 finished_at = ?2, last_status = ?3, last_error = NULL WHERE id = ?1",
            )?
            .execute(params![number(id), now.0, status])?;
            failing::well(tx, number(id))
        })
    }

    /// Notes a try that failed; the next is at `next_at`, and `not_before` (what the node asked
    /// for with `Retry-After`) holds even when a newer event comes.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn failed_attempt(
        &self,
        id: u64,
        status: Option<u16>,
        error: &str,
        next_at: Timestamp,
        not_before: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), JournalError> {
        self.change("noting a try that failed", |tx| {
            failing::failed(tx, number(id), error, false, now)?;
            tx.prepare_cached(
                "UPDATE deliveries SET attempts = attempts + 1, last_status = ?2, last_error = ?3,
                 next_at = ?4, not_before = ?5 WHERE id = ?1 AND state = 'pending'",
            )?
            .execute(params![
                number(id),
                status,
                short(error),
                next_at.0,
                not_before.unwrap_or_default().0
            ])?;
            Ok(())
        })
    }

    /// Gives up a delivery after a last try; it stays visible and can be sent again.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn give_up(
        &self,
        id: u64,
        status: Option<u16>,
        error: &str,
        now: Timestamp,
    ) -> Result<(), JournalError> {
        self.change("giving up a delivery", |tx| {
            failing::failed(tx, number(id), error, true, now)?;
            finish(tx, number(id), status, error, now)
        })
    }

    /// Stops an endpoint that answered 410: what waits for it is given up, and what comes is
    /// recorded as failed, until its `address` changes or a delivery of it is sent again.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn endpoint_gone(
        &self,
        node: &str,
        address: &str,
        now: Timestamp,
    ) -> Result<(), JournalError> {
        self.change("stopping an endpoint", |tx| {
            tx.execute(
                "INSERT INTO endpoints_gone (node, address, since) VALUES (?1, ?2, ?3)
                 ON CONFLICT (node) DO UPDATE SET address = ?2, since = ?3",
                params![node, address, now.0],
            )?;
            let lost = fail_pending(tx, node, GONE, now)?;
            failing::lost(tx, node, lost, GONE, now)
        })
    }

    fn look<T>(
        &self,
        operation: &'static str,
        run: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, JournalError> {
        run(&self.reader()).map_err(|source| JournalError::Query { operation, source })
    }

    fn query<T>(
        &self,
        operation: &'static str,
        run: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, JournalError> {
        let connection = self.lock();
        let before = connection.total_changes();
        let result = run(&connection);
        if connection.total_changes() != before {
            self.outbox_changes.fetch_add(1, Ordering::Release);
        }
        result.map_err(|source| JournalError::Query { operation, source })
    }

    fn change<T>(
        &self,
        operation: &'static str,
        run: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, JournalError> {
        self.query(operation, |connection| {
            let tx = connection.unchecked_transaction()?;
            let result = run(&tx)?;
            tx.commit()?;
            Ok(result)
        })
    }
}

fn finish(
    connection: &Connection,
    id: i64,
    status: Option<u16>,
    error: &str,
    now: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE deliveries SET state = 'failed', attempts = attempts + 1, finished_at = ?2,
             last_status = ?3, last_error = ?4 WHERE id = ?1 AND state = 'pending'",
        )?
        .execute(params![id, now.0, status, short(error)])?;
    Ok(())
}

fn fail_pending(
    tx: &Connection,
    node: &str,
    error: &str,
    now: Timestamp,
) -> rusqlite::Result<usize> {
    tx.execute(
        "UPDATE deliveries SET state = 'failed', finished_at = ?2, last_error = ?3
         WHERE state = 'pending' AND node = ?1",
        params![node, now.0, error],
    )
}

fn strings(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<String>> {
    connection.prepare_cached(sql)?.query_map([], |row| row.get(0))?.collect()
}

fn number(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}

fn short(error: &str) -> String {
    error.chars().take(ERROR_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests;
