//! The audit trail: who did what, and what it changed, in the transaction of the change itself.
//!
//! Each record carries the hash of the one before, and the newest of a transaction is signed
//! ([`seal`]), so nothing of it can be edited, removed, put elsewhere or cut off unseen
//! ([`verify`]). A record's text is kept as it was hashed; what it is searched by is worked out
//! from that text by SQLite and stored nowhere.

mod chain;
pub(super) mod deeds;
#[cfg(test)]
mod edits_tests;
mod record;
mod seal;
#[cfg(test)]
mod tests;
mod verify;

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use self::chain::{Hash, START};
use self::seal::Purpose;
use super::error::query;
use super::open::{read_meta, write_meta};
use super::{Journal, JournalError};
use crate::model::{AuditRecord, By, Timestamp};

pub use seal::{Checkpoint, InvalidCheckpoint, SEED_BYTES, Sealer};
pub use verify::{AuditFault, Verified};

pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS audit (
    id INTEGER PRIMARY KEY,
    body TEXT NOT NULL,
    hash BLOB NOT NULL,
    at INTEGER GENERATED ALWAYS AS (iif(json_valid(body), json_extract(body, '$.at_ms'), NULL)) VIRTUAL,
    name TEXT GENERATED ALWAYS AS (iif(json_valid(body), json_extract(body, '$.by.name'), NULL)) VIRTUAL,
    action TEXT GENERATED ALWAYS AS (iif(json_valid(body), json_extract(body, '$.action'), NULL)) VIRTUAL,
    outcome TEXT GENERATED ALWAYS AS (iif(json_valid(body), json_extract(body, '$.outcome'), NULL)) VIRTUAL
) STRICT;
CREATE TABLE IF NOT EXISTS checkpoints (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL,
    at INTEGER NOT NULL,
    signature BLOB NOT NULL
) STRICT;
";

/// Records between two checkpoints that are kept; the newest is kept too.
const CHECKPOINT_EVERY: u64 = 1000;
/// Where the chain begins since old records were forgotten: a checkpoint.
const BASE: &str = "audit_base";
/// Records that one listing gives.
const LISTING_MAX: usize = 1000;

/// One record in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audited {
    /// Its number, from 1, without gaps.
    pub id: u64,
    /// The record.
    pub record: AuditRecord,
    /// The hash of it and all before it, in hexadecimal.
    pub hash: String,
}

/// What to look for in the trail; all that is given has to fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Below this number: where the page before ended.
    pub before: Option<u64>,
    /// Who, exactly.
    pub name: Option<String>,
    /// What; with a dot at the end, all that begins so.
    pub action: Option<String>,
    /// What became of it.
    pub outcome: Option<String>,
    /// From then on.
    pub since: Option<Timestamp>,
    /// Until then.
    pub until: Option<Timestamp>,
}

/// Writes a record behind the last one and signs it.
pub(super) fn append(
    tx: &Transaction<'_>,
    sealer: Option<&Sealer>,
    record: &AuditRecord,
) -> rusqlite::Result<()> {
    let (last, before) = head(tx)?;
    let id = last + 1;
    let body = record::to_text(record);
    let hash = chain::next(&before, id, &body);
    tx.prepare_cached("INSERT INTO audit (id, body, hash) VALUES (?1, ?2, ?3)")?
        .execute(params![id, body, &hash[..]])?;
    let Some(sealer) = sealer else { return Ok(()) };
    let seal = sealer.seal(Purpose::Witness, id, &hash, record.at);
    // Of a thousand records one checkpoint stays; the last one of all is always there.
    tx.prepare_cached("DELETE FROM checkpoints WHERE id = ?1 AND ?1 % ?2 != 0")?
        .execute(params![last, CHECKPOINT_EVERY])?;
    tx.prepare_cached(
        "INSERT OR REPLACE INTO checkpoints (id, hash, at, signature) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![id, &hash[..], record.at.0, seal.signature])?;
    Ok(())
}

/// The last record's number and hash.
fn head(connection: &Connection) -> rusqlite::Result<(u64, Hash)> {
    let last = connection
        .prepare_cached("SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match last {
        Some(last) => Ok(last),
        None => Ok(base(connection)?.map_or((0, START), |base| (base.id, base.hash))),
    }
}

/// Where the chain begins, if its first records were forgotten.
fn base(connection: &Connection) -> rusqlite::Result<Option<Checkpoint>> {
    let base = read_meta(connection, BASE)?.and_then(|text| Checkpoint::parse(&text).ok());
    Ok(base.filter(|base| base.purpose == Purpose::Beginning))
}

impl Journal {
    /// From now on the trail is signed by this key.
    pub fn seal_audit(&self, sealer: Sealer) {
        // A second key for one journal has no meaning; the first stays.
        drop(self.sealer.set(sealer));
    }

    /// Writes down something that changes nothing else: an attempt that was not allowed.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn audit(&self, record: &AuditRecord) -> Result<(), JournalError> {
        self.transaction("write the audit trail", |tx| append(tx, self.sealer(), record))
    }

    /// Records, newest first: at most `limit`, and never more than [`LISTING_MAX`]. One that cannot
    /// be read is passed over here; [`Journal::verify_audit`] tells of it.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn audited(
        &self,
        filter: &AuditFilter,
        limit: usize,
    ) -> Result<Vec<Audited>, JournalError> {
        let read = |connection: &Connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, body, hash FROM audit
                 WHERE id < ?1 AND (?2 IS NULL OR name = ?2)
                   AND (?3 IS NULL OR action = ?3
                        OR (substr(?3, -1) = '.' AND substr(action, 1, length(?3)) = ?3))
                   AND (?4 IS NULL OR outcome = ?4)
                   AND (?5 IS NULL OR at >= ?5) AND (?6 IS NULL OR at < ?6)
                 ORDER BY id DESC LIMIT ?7",
            )?;
            let before = filter.before.and_then(|id| i64::try_from(id).ok()).unwrap_or(i64::MAX);
            let rows = statement.query_map(
                params![
                    before,
                    filter.name,
                    filter.action,
                    filter.outcome,
                    filter.since.map(|at| at.0),
                    filter.until.map(|at| at.0),
                    limit.min(LISTING_MAX)
                ],
                audited,
            )?;
            rows.filter_map(Result::transpose).collect::<rusqlite::Result<Vec<_>>>()
        };
        read(&self.reader()).map_err(query("read the audit trail"))
    }

    /// Records after a number, oldest first, as [`Journal::audited`] gives them.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn audited_after(&self, id: u64, limit: usize) -> Result<Vec<Audited>, JournalError> {
        let read = |connection: &Connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, body, hash FROM audit WHERE id > ?1 ORDER BY id LIMIT ?2",
            )?;
            let rows = statement.query_map(params![id, limit.min(LISTING_MAX)], audited)?;
            rows.filter_map(Result::transpose).collect::<rusqlite::Result<Vec<_>>>()
        };
        read(&self.reader()).map_err(query("read the audit trail"))
    }

    /// The newest checkpoint; `None` while nothing was signed.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn checkpoint(&self) -> Result<Option<Checkpoint>, JournalError> {
        self.reader()
            .prepare_cached(
                "SELECT id, hash, at, signature FROM checkpoints ORDER BY id DESC LIMIT 1",
            )
            .and_then(|mut statement| statement.query_row([], checkpoint_from).optional())
            .map_err(query("read the last checkpoint"))
    }

    /// Forgets records from before a moment. The chain begins at a signed checkpoint then; without
    /// a key nothing is forgotten. Gives how many went.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn prune_audit(&self, before: Timestamp, now: Timestamp) -> Result<u64, JournalError> {
        let Some(sealer) = self.sealer() else { return Ok(0) };
        let oldest: Option<i64> = self
            .lock()
            .query_row("SELECT at FROM audit ORDER BY id LIMIT 1", [], |row| row.get(0))
            .optional()
            .map_err(query("look for old records"))?;
        if oldest.is_none_or(|oldest| oldest >= before.0) {
            return Ok(0);
        }
        self.transaction("forget old records", |tx| {
            // Only what is older than the first that stays: clocks may have gone back.
            let last: Option<(u64, Hash)> = tx
                .query_row(
                    "SELECT id, hash FROM audit WHERE id <
                       COALESCE((SELECT MIN(id) FROM audit WHERE at >= ?1), 9223372036854775807)
                     ORDER BY id DESC LIMIT 1",
                    [before.0],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
                .optional()?;
            let Some((id, hash)) = last else { return Ok(0) };
            let base = sealer.seal(Purpose::Beginning, id, &hash, now);
            write_meta(tx, BASE, Some(&base.to_text()))?;
            let gone = tx.execute("DELETE FROM audit WHERE id <= ?1", [id])?;
            tx.execute("DELETE FROM checkpoints WHERE id <= ?1", [id])?;
            let what = AuditRecord {
                detail: Some(format!("{gone} records up to number {id}, by retention")),
                ..AuditRecord::new(
                    now,
                    By::agent(),
                    "audit.prune",
                    crate::model::AuditOutcome::Done,
                )
            };
            append(tx, self.sealer(), &what)?;
            Ok(gone as u64)
        })
    }
}

type Read = rusqlite::Result<Option<Audited>>;

fn audited(row: &rusqlite::Row<'_>) -> Read {
    let (id, body): (u64, String) = (row.get(0)?, row.get(1)?);
    let hash: Hash = row.get(2)?;
    Ok(record::from_text(&body).map(|record| Audited { id, record, hash: chain::hex(&hash) }))
}

fn checkpoint_from(row: &rusqlite::Row<'_>) -> rusqlite::Result<Checkpoint> {
    Ok(Checkpoint {
        purpose: Purpose::Witness,
        id: row.get(0)?,
        hash: row.get(1)?,
        at: Timestamp(row.get(2)?),
        signature: row.get(3)?,
    })
}
