use rusqlite::OptionalExtension as _;

use super::deployments::finish_wish;
use super::error::query;
use super::{Journal, JournalError, audit, publications};
use crate::model::{
    AuditOutcome, AuditRecord, By, DeploymentId, Revision, Sought, Timestamp, Wish, WishKind,
};

/// Orders that were followed and are remembered.
pub(super) const FOLLOWED_MAX: u64 = 1000;
/// Orders that wait at once; beyond, none is taken.
pub(super) const PENDING_MAX: u32 = 100;

impl Journal {
    /// Writes down what an operator wants; the loop is woken afterwards.
    ///
    /// # Errors
    /// [`JournalError::Busy`] when too many wait already; see [`JournalError`].
    pub fn wish(
        &self,
        kind: &WishKind,
        by: &By,
        reason: Option<&str>,
        now: Timestamp,
    ) -> Result<u64, JournalError> {
        let (word, revision, target, hold) = match kind {
            WishKind::Apply(revision) => {
                ("apply", revision.as_ref().map(ToString::to_string), None, false)
            }
            WishKind::Rollback { to, hold } => ("rollback", None, to.map(|id| id.0), *hold),
            WishKind::Repair => ("repair", None, None, false),
            WishKind::Compare => ("compare", None, None, false),
            WishKind::Publish(one) => ("publish", Some(one.path.to_string()), None, false),
            WishKind::Plan(sought) => {
                ("plan", sought.as_ref().map(ToString::to_string), None, false)
            }
            WishKind::Fetch(sought) => ("fetch", Some(sought.to_string()), None, false),
        };
        let written = self.transaction("write down what is wanted", |tx| {
            let waiting: u32 = tx
                .prepare_cached("SELECT count(*) FROM wishes WHERE done_at IS NULL")?
                .query_row([], |row| row.get(0))?;
            if waiting >= PENDING_MAX {
                return Ok(Err(JournalError::Busy { waiting }));
            }
            tx.prepare_cached(
                "INSERT INTO wishes (kind, revision, target, hold, actor, reason, at)
                 VALUES (?1,?2,?3,?4,?5,?6,?7)",
            )?
            .execute(rusqlite::params![word, revision, target, hold, by.name, reason, now.0])?;
            let order = tx.last_insert_rowid().unsigned_abs();
            if let WishKind::Publish(one) = kind {
                publications::insert(tx, order, one)?;
            }
            self.mark(tx, Some(order))?;
            // What changes nothing needs no witness.
            if !matches!(kind, WishKind::Compare | WishKind::Plan(_) | WishKind::Fetch(_)) {
                let target =
                    revision.clone().or_else(|| target.map(|id| format!("deployment {id}")));
                let record = AuditRecord {
                    target,
                    detail: Some(format!("order {order}")),
                    ..AuditRecord::new(
                        now,
                        by.clone(),
                        &format!("order.{word}"),
                        AuditOutcome::Ordered,
                    )
                };
                audit::append(tx, self.sealer(), &record.because(reason))?;
            }
            Ok(Ok(order))
        });
        written?
    }

    /// The oldest wish behind `after` that nothing was done about yet.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn pending_wish(&self, after: u64) -> Result<Option<Wish>, JournalError> {
        let connection = self.reader();
        connection
            .prepare_cached(
                "SELECT * FROM wishes WHERE done_at IS NULL AND id > ?1 ORDER BY id LIMIT 1",
            )
            .and_then(|mut statement| statement.query_row([after], wish_from).optional())
            .and_then(|found| match found {
                Some((wish, true)) => publications::complete(&connection, wish).map(Some),
                found => Ok(found.map(|(wish, _)| wish)),
            })
            .map_err(query("read what is wanted"))
    }

    /// Ends every wish that is open: of verbs that were killed, and whose answer nobody waits for.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn end_open_wishes(&self, now: Timestamp) -> Result<(), JournalError> {
        self.transaction("end what was wanted", |tx| {
            tx.execute("UPDATE wishes SET done_at = ?1 WHERE done_at IS NULL", [now.0])?;
            tx.execute("DELETE FROM publications", [])?;
            Ok(())
        })
    }

    /// Ends a wish that led to no deployment.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn end_wish(&self, id: u64, now: Timestamp) -> Result<(), JournalError> {
        self.transaction("end what was wanted", |tx| finish_wish(tx, id, now))
    }
}

/// A wish, and whether it is about a file that is kept apart.
fn wish_from(row: &rusqlite::Row<'_>) -> rusqlite::Result<(Wish, bool)> {
    let word: String = row.get("kind")?;
    let revision: Option<String> = row.get("revision")?;
    let target: Option<u64> = row.get("target")?;
    let kind = match word.as_str() {
        "fetch" => WishKind::Fetch(Sought::of(revision.as_deref().unwrap_or_default())),
        "rollback" => WishKind::Rollback { to: target.map(DeploymentId), hold: row.get("hold")? },
        "repair" => WishKind::Repair,
        "plan" => WishKind::Plan(revision.as_deref().map(Sought::of)),
        "apply" => WishKind::Apply(revision.and_then(|text| Revision::parse(&text).ok())),
        // The one that changes nothing.
        _ => WishKind::Compare,
    };
    let wish =
        Wish { id: row.get("id")?, kind, actor: row.get("actor")?, reason: row.get("reason")? };
    Ok((wish, word == "publish"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_orders_than_the_limit_are_not_taken_until_some_are_followed() {
        let journal = Journal::open_in_memory().unwrap();
        let order = || journal.wish(&WishKind::Compare, &By::operator("a"), None, Timestamp(0));
        let ids: Vec<u64> = (0..PENDING_MAX).map(|_| order().unwrap()).collect();
        assert!(matches!(order(), Err(JournalError::Busy { waiting: PENDING_MAX })));
        journal.end_wish(ids[0], Timestamp(1)).unwrap();
        order().unwrap();
        assert!(order().is_err());
    }
}
