use rusqlite::{Connection, params};

use super::chain::{self, Hash, START};
use super::seal::Purpose;
use super::{CHECKPOINT_EVERY, Checkpoint, Journal, JournalError, base, checkpoint_from};
use crate::journal::error::query;
use crate::model::Timestamp;

/// A trail that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Records that were looked at.
    pub records: u64,
    /// The first one's number; earlier ones were forgotten by retention.
    pub first: u64,
    /// The last one's.
    pub last: u64,
    /// Checkpoints whose signature and record fit.
    pub checkpoints: u64,
}

/// What is wrong with a trail.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuditFault {
    /// A record is not there.
    #[error("record {id} is missing: it was removed, or another was put in its place")]
    Missing {
        /// Its number.
        id: u64,
    },
    /// A record is not what was written.
    #[error("record {id} is not what was written, or the one before it is not")]
    Changed {
        /// Its number.
        id: u64,
    },
    /// A record cannot be read.
    #[error("record {id} cannot be read: {why}")]
    Unreadable {
        /// Its number.
        id: u64,
        /// Why.
        why: String,
    },
    /// The newest records are gone.
    #[error(
        "the trail ends at record {last}, and a checkpoint was made at record {checkpoint}: what came after was cut off"
    )]
    CutOff {
        /// The last record.
        last: u64,
        /// The checkpoint's.
        checkpoint: u64,
    },
    /// A checkpoint tells another record than the trail.
    #[error("record {id} is not the one that a checkpoint was made of: the trail was written anew")]
    Rewritten {
        /// The record.
        id: u64,
    },
    /// A checkpoint was not made by this key.
    #[error("the checkpoint at record {id} was not signed by this key")]
    Unsigned {
        /// The record.
        id: u64,
    },
    /// A checkpoint that stays is gone.
    #[error(
        "record {id} has no signed checkpoint, and one of every {CHECKPOINT_EVERY} stays: it was removed"
    )]
    Unwitnessed {
        /// The record.
        id: u64,
    },
    /// The last record has no checkpoint.
    #[error(
        "the last record, {last}, has no signed checkpoint: it was not written by kconfigd, or the checkpoint was removed"
    )]
    Unsealed {
        /// The last record.
        last: u64,
    },
}

impl Journal {
    /// Goes through the whole trail: each hash, each number, each checkpoint, and those that were
    /// kept elsewhere. `Ok(Err(…))` is the first thing that is wrong with it.
    ///
    /// # Errors
    /// When the journal cannot be read at all.
    pub fn verify_audit(
        &self,
        public_key: &str,
        kept: &[Checkpoint],
    ) -> Result<Result<Verified, AuditFault>, JournalError> {
        let connection = self.reader();
        walk(&connection, public_key, kept).map_err(query("read the audit trail"))
    }
}

fn walk(
    connection: &Connection,
    public_key: &str,
    kept: &[Checkpoint],
) -> rusqlite::Result<Result<Verified, AuditFault>> {
    let mut checkpoints = stored(connection)?;
    // What is kept elsewhere does not stand for what has to be here.
    let own = checkpoints.len();
    checkpoints.extend_from_slice(kept);
    let base = base(connection)?;
    if let Some(unsigned) = base.iter().chain(&checkpoints).find(|c| !c.is_signed_by(public_key)) {
        return Ok(Err(AuditFault::Unsigned { id: unsigned.id }));
    }
    let (mut last, mut hash) = base.map_or((0, START), |base| (base.id, base.hash));
    let first = last + 1;
    let mut fitting = 0;
    let mut sealed = last == 0;
    let mut statement = connection.prepare("SELECT id, body, hash FROM audit ORDER BY id")?;
    let mut rows = statement.query(params![])?;
    while let Some(row) = rows.next()? {
        let id: u64 = match row.get(0) {
            Ok(id) => id,
            Err(error) => return Ok(Err(unreadable(last + 1, &error))),
        };
        if id != last + 1 {
            return Ok(Err(AuditFault::Missing { id: last + 1 }));
        }
        let (body, written): (String, Hash) = match (row.get(1), row.get(2)) {
            (Ok(body), Ok(written)) => (body, written),
            (Err(error), _) | (_, Err(error)) => return Ok(Err(unreadable(id, &error))),
        };
        (last, hash) = (id, chain::next(&hash, id, &body));
        if hash != written {
            return Ok(Err(AuditFault::Changed { id }));
        }
        sealed = false;
        for (at, checkpoint) in checkpoints.iter().enumerate().filter(|(_, c)| c.id == id) {
            if checkpoint.hash != hash {
                return Ok(Err(AuditFault::Rewritten { id }));
            }
            (fitting, sealed) = (fitting + 1, sealed || at < own);
        }
        if !sealed && id.is_multiple_of(CHECKPOINT_EVERY) {
            return Ok(Err(AuditFault::Unwitnessed { id }));
        }
    }
    if let Some(beyond) = checkpoints.iter().find(|c| c.id > last) {
        return Ok(Err(AuditFault::CutOff { last, checkpoint: beyond.id }));
    }
    if !sealed && last >= first {
        return Ok(Err(AuditFault::Unsealed { last }));
    }
    Ok(Ok(Verified { records: last + 1 - first, first, last, checkpoints: fitting }))
}

fn stored(connection: &Connection) -> rusqlite::Result<Vec<Checkpoint>> {
    let mut statement =
        connection.prepare("SELECT id, hash, at, signature FROM checkpoints ORDER BY id")?;
    // One that cannot be read is one that nobody signed.
    let unsigned = Checkpoint {
        purpose: Purpose::Witness,
        id: 0,
        hash: START,
        at: Timestamp(0),
        signature: Vec::new(),
    };
    let rows = statement
        .query_map([], |row| Ok(checkpoint_from(row).unwrap_or_else(|_| unsigned.clone())))?;
    rows.collect()
}

fn unreadable(id: u64, error: &rusqlite::Error) -> AuditFault {
    AuditFault::Unreadable { id, why: error.to_string() }
}
