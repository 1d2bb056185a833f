//! Requests that are to be done once, however often they come: what was answered to each, by its
//! caller and its key.
//!
//! A row is begun before anything is done, and marked in the transaction of what is done. So after a
//! restart in the middle it is known whether anything was.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{OptionalExtension as _, Transaction, params};

use super::{Journal, JournalError};
use crate::model::Timestamp;

pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS repeats (
    caller TEXT NOT NULL,
    key TEXT NOT NULL,
    request BLOB NOT NULL,
    at INTEGER NOT NULL,
    wish INTEGER,
    status INTEGER,
    answer BLOB,
    PRIMARY KEY (caller, key)
) STRICT, WITHOUT ROWID;
";

/// How long a key is known.
pub const REPEATS_KEPT: Duration = Duration::from_hours(24);
/// Keys of one caller that are known; beyond, the oldest are forgotten.
const KEYS_OF_CALLER_MAX: u32 = 1000;
/// Keys that are known in all.
const KEYS_MAX: u32 = 5000;

/// A request that is to be done once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    /// Who asks, and how that is known.
    pub caller: String,
    /// Their key for it.
    pub key: String,
    /// The status of the answer once it is done, where that alone is the answer.
    pub done: u16,
}

/// What is known of a request that begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Nothing was done: it begins now.
    New,
    /// It was done.
    Again(Kept),
    /// The key was used for another request.
    Other,
}

/// What was done for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The order that was written down.
    pub wish: Option<u64>,
    /// The answer's status.
    pub status: Option<u16>,
    /// The answer, as it was given to be kept.
    pub answer: Option<Vec<u8>>,
}

impl Journal {
    /// Begins a request, `request` being what it is known by.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn begin_once(
        &self,
        once: &Once,
        request: &[u8; 32],
        now: Timestamp,
    ) -> Result<Begun, JournalError> {
        self.transaction("begin what is to be done once", |tx| {
            forget_old(tx, &once.caller, now)?;
            let found = tx
                .prepare_cached(
                    "SELECT request, wish, status, answer FROM repeats
                     WHERE caller = ?1 AND key = ?2",
                )?
                .query_row(params![once.caller, once.key], |row| {
                    let kept = Kept { wish: row.get(1)?, status: row.get(2)?, answer: row.get(3)? };
                    Ok((row.get::<_, Vec<u8>>(0)?, kept))
                })
                .optional()?;
            match found {
                Some((other, _)) if other != request => return Ok(Begun::Other),
                Some((_, kept)) if kept.wish.is_some() || kept.status.is_some() => {
                    return Ok(Begun::Again(kept));
                }
                Some(_) | None => {}
            }
            tx.prepare_cached(
                "INSERT OR REPLACE INTO repeats (caller, key, request, at) VALUES (?1,?2,?3,?4)",
            )?
            .execute(params![once.caller, once.key, &request[..], now.0])?;
            Ok(Begun::New)
        })
    }

    /// Ends a request with its answer; `None`: it is not kept. Where nothing was done and the answer
    /// is no success, the request may come again.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn end_once(
        &self,
        once: &Once,
        status: u16,
        answer: Option<&[u8]>,
    ) -> Result<(), JournalError> {
        self.transaction("end what was done once", |tx| {
            if !(200..300).contains(&status) {
                tx.prepare_cached(
                    "DELETE FROM repeats WHERE caller = ?1 AND key = ?2
                     AND wish IS NULL AND status IS NULL",
                )?
                .execute(params![once.caller, once.key])?;
            }
            tx.prepare_cached(
                "UPDATE repeats SET status = ?3, answer = ?4 WHERE caller = ?1 AND key = ?2",
            )?
            .execute(params![once.caller, once.key, status, answer])?;
            Ok(())
        })
    }

    /// The same journal for a request that is to be done once: what is ordered by it is noted with
    /// the request.
    #[must_use]
    pub fn marking(&self, once: Arc<Once>) -> Self {
        let mut journal = self.clone();
        journal.once = Some(once);
        journal
    }

    /// Notes that the request of this journal was done, with the order that it made.
    pub(super) fn mark(&self, tx: &Transaction<'_>, wish: Option<u64>) -> rusqlite::Result<()> {
        let Some(once) = &self.once else { return Ok(()) };
        let status = wish.is_none().then_some(once.done);
        tx.prepare_cached(
            "UPDATE repeats SET wish = ?3, status = ?4 WHERE caller = ?1 AND key = ?2",
        )?
        .execute(params![once.caller, once.key, wish, status])?;
        Ok(())
    }
}

fn forget_old(tx: &Transaction<'_>, caller: &str, now: Timestamp) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM repeats WHERE at <= ?1")?
        .execute([now.minus(REPEATS_KEPT).0])?;
    let beyond = |place: &str| {
        format!(
            "DELETE FROM repeats WHERE (caller, key) IN
             (SELECT caller, key FROM repeats {place} ORDER BY at DESC LIMIT -1 OFFSET ?1)"
        )
    };
    tx.prepare_cached(&beyond("WHERE caller = ?2"))?
        .execute(params![KEYS_OF_CALLER_MAX - 1, caller])?;
    tx.prepare_cached(&beyond(""))?.execute([KEYS_MAX - 1])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{By, WishKind};

    fn once(caller: &str, key: &str) -> Once {
        Once { caller: caller.to_owned(), key: key.to_owned(), done: 204 }
    }

    const FIRST: [u8; 32] = [1; 32];

    #[test]
    fn what_was_done_is_known_and_what_was_not_may_come_again() {
        let journal = Journal::open_in_memory().unwrap();
        let ann = once("token ann", "k");
        let begin = |once: &Once, request, at| journal.begin_once(once, request, Timestamp(at));
        assert_eq!(begin(&ann, &FIRST, 0).unwrap(), Begun::New);
        assert_eq!(begin(&ann, &FIRST, 1).unwrap(), Begun::New, "nothing was done");
        assert_eq!(begin(&ann, &[2; 32], 1).unwrap(), Begun::Other);
        assert_eq!(begin(&once("jwt ann", "k"), &[2; 32], 1).unwrap(), Begun::New, "another's");
        let marking = journal.marking(Arc::new(ann.clone()));
        let by = By::operator("ann");
        let order = marking.wish(&WishKind::Repair, &by, None, Timestamp(2)).unwrap();
        let kept = Kept { wish: Some(order), status: None, answer: None };
        assert_eq!(begin(&ann, &FIRST, 3).unwrap(), Begun::Again(kept));
        journal.end_once(&ann, 202, Some(b"yes")).unwrap();
        let kept = Kept { wish: Some(order), status: Some(202), answer: Some(b"yes".to_vec()) };
        assert_eq!(begin(&ann, &FIRST, 3).unwrap(), Begun::Again(kept));
        let day = i64::try_from(REPEATS_KEPT.as_millis()).unwrap();
        assert_eq!(begin(&ann, &[2; 32], day + 1).unwrap(), Begun::New, "a day later");
    }

    #[test]
    fn a_failure_that_did_nothing_is_forgotten_and_one_that_did_is_kept() {
        let journal = Journal::open_in_memory().unwrap();
        let ann = once("token ann", "k");
        journal.begin_once(&ann, &FIRST, Timestamp(0)).unwrap();
        journal.end_once(&ann, 400, Some(b"no")).unwrap();
        assert_eq!(journal.begin_once(&ann, &[2; 32], Timestamp(1)).unwrap(), Begun::New);
        let marking = journal.marking(Arc::new(ann.clone()));
        marking.resume(By::operator("ann"), None, Timestamp(2)).unwrap();
        let kept = Kept { wish: None, status: Some(204), answer: None };
        assert_eq!(journal.begin_once(&ann, &[2; 32], Timestamp(3)).unwrap(), Begun::Again(kept));
        journal.end_once(&ann, 422, Some(b"no")).unwrap();
        let kept = Kept { wish: None, status: Some(422), answer: Some(b"no".to_vec()) };
        assert_eq!(journal.begin_once(&ann, &[2; 32], Timestamp(3)).unwrap(), Begun::Again(kept));
    }

    #[test]
    fn keys_are_bounded_and_one_caller_takes_none_from_another() {
        let journal = Journal::open_in_memory().unwrap();
        let ben = once("token ben", "k");
        journal.begin_once(&ben, &FIRST, Timestamp(0)).unwrap();
        journal.end_once(&ben, 204, None).unwrap();
        for n in 0..KEYS_OF_CALLER_MAX + 10 {
            let one = once("token ann", &n.to_string());
            journal.begin_once(&one, &FIRST, Timestamp(i64::from(n))).unwrap();
        }
        let count: u32 =
            journal.lock().query_row("SELECT count(*) FROM repeats", [], |row| row.get(0)).unwrap();
        assert_eq!(count, KEYS_OF_CALLER_MAX + 1);
        let again = journal.begin_once(&ben, &FIRST, Timestamp(5000)).unwrap();
        assert!(matches!(again, Begun::Again(_)), "{again:?}");
    }
}
