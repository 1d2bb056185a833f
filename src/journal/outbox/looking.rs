//! What people and retention do with the outbox: list, count, send again, forget.

use std::sync::atomic::Ordering;

use rusqlite::{OptionalExtension as _, params};

use super::rows::{self, DELIVERY};
use super::{Journal, JournalError, audit, number, strings};
use crate::model::{
    AuditOutcome, AuditRecord, By, Delivery, DeliveryState, DeploymentId, Event, EventKind,
    OutboxCounts, Timestamp,
};

/// Failed deliveries of one node that retention keeps.
const FAILED_MAX: i64 = 10_000;
/// Rows that one listing gives.
const LISTING_MAX: u32 = 1000;

/// Chooses the events of deployment `?1`, in the words of their index.
pub(super) const OF_DEPLOYMENT: &str = "d.event_sequence IN (SELECT sequence FROM events WHERE \
     CASE WHEN json_valid(facts) THEN json_extract(facts, '$.deployment') END = ?1)";

/// What there is for one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Its newest delivery.
    pub last: Option<Delivery>,
    /// Those that wait, and those that were given up.
    pub counts: OutboxCounts,
}

impl Journal {
    /// Queues a delivery again that was delivered or given up, and gives the state it had; `None`
    /// when there is no such delivery. It goes out in the order of its event. A stopped endpoint is
    /// tried again by it.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn redeliver(
        &self,
        id: u64,
        by: By,
        now: Timestamp,
    ) -> Result<Option<DeliveryState>, JournalError> {
        self.change("queueing a delivery again", |tx| {
            let state = tx
                .query_row("SELECT state FROM deliveries WHERE id = ?1", [number(id)], |row| {
                    rows::state(row, 0)
                })
                .optional()?;
            if !matches!(state, None | Some(DeliveryState::Pending)) {
                tx.execute(
                    "DELETE FROM endpoints_gone
                     WHERE node = (SELECT node FROM deliveries WHERE id = ?1)",
                    [number(id)],
                )?;
                tx.execute(
                    "UPDATE deliveries SET state = 'pending', attempts = 0, queued_at = ?2,
                     next_at = ?2, not_before = 0, finished_at = NULL WHERE id = ?1",
                    params![number(id), now.0],
                )?;
                let record = AuditRecord::new(now, by, "delivery.redeliver", AuditOutcome::Done);
                audit::append(tx, self.sealer(), &record.of(format!("delivery {id}")))?;
            }
            if state.is_some() {
                self.mark(tx, None)?;
            }
            Ok(state)
        })
    }

    /// Deliveries, newest first: at most `limit` (and never more than 1,000), those with a number
    /// below `before` if it is given, the failed ones alone if `failed`.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn deliveries(
        &self,
        failed: bool,
        limit: u32,
        before: Option<u64>,
    ) -> Result<Vec<Delivery>, JournalError> {
        self.look("listing deliveries", |connection| {
            let only = if failed { "AND d.state = 'failed'" } else { "" };
            let sql = format!("{DELIVERY} WHERE d.id < ?1 {only} ORDER BY d.id DESC LIMIT ?2");
            let before = before.map_or(i64::MAX, number);
            let mut statement = connection.prepare_cached(&sql)?;
            let rows =
                statement.query_map(params![before, limit.min(LISTING_MAX)], rows::delivery)?;
            rows.collect()
        })
    }

    /// Counts what this process wrote about deliveries by themselves; beside [`Journal::changes`],
    /// which counts those that came with a change.
    #[must_use]
    pub fn outbox_changes(&self) -> u64 {
        self.outbox_changes.load(Ordering::Acquire)
    }

    /// The newest deliveries to one node, newest first.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn deliveries_to(&self, node: &str, limit: u32) -> Result<Vec<Delivery>, JournalError> {
        self.look("listing a node's deliveries", |connection| {
            let sql = format!("{DELIVERY} WHERE d.node = ?1 ORDER BY d.id DESC LIMIT ?2");
            let mut statement = connection.prepare_cached(&sql)?;
            let rows =
                statement.query_map(params![node, limit.min(LISTING_MAX)], rows::delivery)?;
            rows.collect()
        })
    }

    /// The deliveries of a deployment's events, oldest first.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn deliveries_of(&self, deployment: DeploymentId) -> Result<Vec<Delivery>, JournalError> {
        self.look("listing a deployment's deliveries", |connection| {
            let sql = format!("{DELIVERY} WHERE {OF_DEPLOYMENT} ORDER BY d.id LIMIT ?2");
            let mut statement = connection.prepare_cached(&sql)?;
            let rows =
                statement.query_map(params![number(deployment.0), LISTING_MAX], rows::delivery)?;
            rows.collect()
        })
    }

    /// What there is for one node.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn queue_of(&self, node: &str) -> Result<Queue, JournalError> {
        self.look("reading a node's deliveries", |connection| {
            let count = |state: &str| {
                let sql = format!(
                    "SELECT count(*) FROM deliveries WHERE state = '{state}' AND node = ?1"
                );
                connection.prepare_cached(&sql)?.query_row([node], |row| row.get(0))
            };
            let counts = OutboxCounts { pending: count("pending")?, failed: count("failed")? };
            let sql = format!("{DELIVERY} WHERE d.node = ?1 ORDER BY d.id DESC LIMIT 1");
            let mut statement = connection.prepare_cached(&sql)?;
            Ok(Queue { last: statement.query_row([node], rows::delivery).optional()?, counts })
        })
    }

    /// The place of the last event in the order of all; 0 before the first.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn last_event(&self) -> Result<u64, JournalError> {
        self.look("looking for the last event", |connection| {
            connection
                .prepare_cached("SELECT COALESCE(MAX(sequence), 0) FROM events")?
                .query_row([], |row| row.get(0))
        })
    }

    /// The place of an event in the order of all; `None`: it is not known any more.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn event_place(&self, id: &str) -> Result<Option<u64>, JournalError> {
        self.look("looking for an event", |connection| {
            connection
                .prepare_cached("SELECT sequence FROM events WHERE id = ?1")?
                .query_row([id], |row| row.get(0))
                .optional()
        })
    }

    /// How many deliveries wait, and how many were given up.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn outbox_counts(&self) -> Result<OutboxCounts, JournalError> {
        self.look("counting deliveries", |connection| {
            let count = |state: &str| {
                let sql = format!("SELECT count(*) FROM deliveries WHERE state = '{state}'");
                connection.prepare_cached(&sql)?.query_row([], |row| row.get::<_, i64>(0))
            };
            let [pending, failed] =
                [count("pending")?, count("failed")?].map(|n| u64::try_from(n).unwrap_or_default());
            Ok(OutboxCounts { pending, failed })
        })
    }

    /// When the oldest delivery was queued that is still to be made.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn oldest_pending(&self) -> Result<Option<Timestamp>, JournalError> {
        self.look("looking for the oldest delivery", |connection| {
            let sql = "SELECT min(queued_at) FROM deliveries WHERE state = 'pending'";
            let oldest: Option<i64> =
                connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
            Ok(oldest.map(Timestamp))
        })
    }

    /// Events after a place in the order, oldest first: at most `limit`, and never more than 1,000.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn events_after(&self, sequence: u64, limit: u32) -> Result<Vec<Event>, JournalError> {
        self.look("reading events", |connection| {
            // The columns stand where `event` looks for them in a delivery's row.
            let mut statement = connection.prepare_cached(
                "SELECT NULL, NULL, id, kind, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
                 sequence, at, facts FROM events WHERE sequence > ?1 ORDER BY sequence LIMIT ?2",
            )?;
            let limit = limit.min(LISTING_MAX);
            statement.query_map(params![number(sequence), limit], rows::event)?.collect()
        })
    }

    /// Events of one kind since a moment, oldest first: at most 1,000. A record that cannot be read
    /// any more is passed over.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn events_since(&self, kind: EventKind, at: Timestamp) -> Result<Vec<Event>, JournalError> {
        self.look("reading events", |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT NULL, NULL, id, kind, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
                 sequence, at, facts FROM events WHERE at >= ?1 AND kind = ?2
                 ORDER BY sequence LIMIT ?3",
            )?;
            let rows =
                statement.query_map(params![at.0, kind.as_str(), LISTING_MAX], rows::event)?;
            Ok(rows.filter_map(Result::ok).collect())
        })
    }

    /// Retention: forgets what was delivered before `before`, failed deliveries beyond the newest
    /// 10,000 of each node, and the older events of which no delivery is left. Gives the number of
    /// rows that went.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn prune_outbox(&self, before: Timestamp) -> Result<usize, JournalError> {
        self.change("forgetting old deliveries", |tx| {
            let mut gone = tx.execute(
                "DELETE FROM deliveries WHERE state = 'delivered' AND finished_at < ?1",
                [before.0],
            )?;
            for node in strings(tx, "SELECT DISTINCT node FROM deliveries WHERE state = 'failed'")?
            {
                gone += tx.execute(
                    "DELETE FROM deliveries WHERE id IN
                     (SELECT id FROM deliveries WHERE state = 'failed' AND node = ?1
                      ORDER BY id DESC LIMIT -1 OFFSET ?2)",
                    params![node, FAILED_MAX],
                )?;
            }
            gone += tx.execute(
                "DELETE FROM events WHERE at < ?1 AND NOT EXISTS
                 (SELECT 1 FROM deliveries d WHERE d.event_sequence = events.sequence)",
                [before.0],
            )?;
            Ok(gone)
        })
    }
}
