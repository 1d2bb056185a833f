//! Queues of the outbox that fail, for those who look: since when, how often, and what was given up.
//! Nothing is decided by it. A queue has a row from its first failure to its next success.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Journal, JournalError, short};
use crate::model::{Failing, FailingQueue, Timestamp};

/// A table that an older kconfigd does not know and does not mind.
pub(in crate::journal) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS queues_failing (
    node TEXT PRIMARY KEY,
    failures INTEGER NOT NULL,
    since INTEGER NOT NULL,
    error TEXT NOT NULL,
    given_up INTEGER NOT NULL
) STRICT;
";

/// A delivery arrived: its queue is well.
pub(super) fn well(tx: &Connection, delivery: i64) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "DELETE FROM queues_failing WHERE node = (SELECT node FROM deliveries WHERE id = ?1)",
    )?
    .execute([delivery])?;
    Ok(())
}

/// A try of a delivery failed; with `gave_up` it was the last.
pub(super) fn failed(
    tx: &Connection,
    delivery: i64,
    error: &str,
    gave_up: bool,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let node: Option<String> = tx
        .prepare_cached("SELECT node FROM deliveries WHERE id = ?1")?
        .query_row([delivery], |row| row.get(0))
        .optional()?;
    let Some(node) = node else { return Ok(()) };
    tx.prepare_cached(
        "INSERT INTO queues_failing (node, failures, since, error, given_up)
         VALUES (?1, 1, ?2, ?3, ?4)
         ON CONFLICT (node) DO UPDATE SET failures = failures + 1, error = ?3,
         given_up = given_up + ?4",
    )?
    .execute(params![node, now.0, short(error), gave_up])?;
    Ok(())
}

/// Deliveries were given up without a try.
pub(super) fn lost(
    tx: &Connection,
    node: &str,
    count: usize,
    error: &str,
    now: Timestamp,
) -> rusqlite::Result<()> {
    if count > 0 {
        tx.prepare_cached(
            "INSERT INTO queues_failing (node, failures, since, error, given_up)
             VALUES (?1, 0, ?2, ?3, ?4)
             ON CONFLICT (node) DO UPDATE SET given_up = given_up + ?4",
        )?
        .execute(params![node, now.0, short(error), count])?;
    }
    Ok(())
}

/// Forgets all but those of these nodes.
pub(super) fn keep(tx: &Connection, nodes: &[(String, String)]) -> rusqlite::Result<()> {
    for node in super::strings(tx, "SELECT node FROM queues_failing")? {
        if !nodes.iter().any(|(name, _)| *name == node) {
            tx.execute("DELETE FROM queues_failing WHERE node = ?1", [node])?;
        }
    }
    Ok(())
}

impl Journal {
    /// The queues that fail, by name.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn failing_queues(&self) -> Result<Vec<FailingQueue>, JournalError> {
        self.look("looking for queues that fail", |connection| {
            // Read beside an older kconfigd, which has none.
            let known = "SELECT 1 FROM sqlite_master WHERE name = 'queues_failing'";
            if !connection.prepare_cached(known)?.exists([])? {
                return Ok(Vec::new());
            }
            let mut statement = connection.prepare_cached(
                "SELECT f.node, f.failures, f.since, f.error, f.given_up,
                 (SELECT d.next_at FROM deliveries d WHERE d.state = 'pending' AND d.node = f.node
                  ORDER BY d.event_sequence, d.id LIMIT 1)
                 FROM queues_failing f ORDER BY f.node",
            )?;
            let queue = |row: &rusqlite::Row<'_>| {
                Ok(FailingQueue {
                    node: row.get(0)?,
                    failing: Failing {
                        failures: row.get(1)?,
                        since: Timestamp(row.get(2)?),
                        error: row.get(3)?,
                        next_try_at: row.get::<_, Option<i64>>(5)?.map(Timestamp),
                    },
                    given_up: row.get(4)?,
                })
            };
            statement.query_map([], queue)?.collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{By, Event, EventFacts, EventKind};

    const T: Timestamp = Timestamp(1000);

    fn journal(events: u32) -> Journal {
        let journal = Journal::open_in_memory().unwrap();
        for number in 0..events {
            let facts = EventFacts::default();
            let (id, kind) = (format!("evt_{number}"), EventKind::Applied);
            let event = Event { id, sequence: 0, kind, at: T, facts, trace: None };
            journal.record_event(&event, &["a".to_owned(), "b".to_owned()]).unwrap();
        }
        journal
    }

    fn told(journal: &Journal) -> Vec<(String, u32, i64, u32, Option<i64>)> {
        let queues = journal.failing_queues().unwrap().into_iter();
        queues
            .map(|q| {
                let next = q.failing.next_try_at.map(|at| at.0);
                (q.node, q.failing.failures, q.failing.since.0, q.given_up, next)
            })
            .collect()
    }

    #[test]
    fn a_queue_fails_from_its_first_failure_to_its_next_success() {
        let journal = journal(2);
        assert_eq!(told(&journal), []);
        journal
            .failed_attempt(1, None, "no route", Timestamp(2000), None, Timestamp(1500))
            .unwrap();
        journal.failed_attempt(1, None, "still", Timestamp(7000), None, Timestamp(2000)).unwrap();
        assert_eq!(told(&journal), [("a".to_owned(), 2, 1500, 0, Some(7000))]);
        assert_eq!(journal.failing_queues().unwrap()[0].failing.error, "still");
        journal.give_up(1, None, "too long", Timestamp(8000)).unwrap();
        assert_eq!(
            told(&journal),
            [("a".to_owned(), 3, 1500, 1, Some(1000))],
            "the next one waits"
        );
        journal.delivered(2, 204, Timestamp(9000)).unwrap();
        assert_eq!(told(&journal).len(), 1, "another queue's success says nothing");
        journal.delivered(3, 204, Timestamp(9000)).unwrap();
        assert_eq!(told(&journal), []);
    }

    #[test]
    fn an_endpoint_that_is_gone_fails_until_something_arrives_again() {
        let journal = journal(3);
        journal.give_up(1, Some(410), "gone", T).unwrap();
        journal.endpoint_gone("a", "x", T).unwrap();
        assert_eq!(told(&journal), [("a".to_owned(), 1, 1000, 3, None)]);
        journal.redeliver(1, By::agent(), T).unwrap();
        journal.delivered(1, 204, T).unwrap();
        assert_eq!(told(&journal), []);
    }

    #[test]
    fn who_left_the_settings_fails_no_more() {
        let journal = journal(1);
        journal.failed_attempt(1, None, "no route", T, None, T).unwrap();
        journal.set_nodes(&[("b".to_owned(), String::new())], T).unwrap();
        assert_eq!(told(&journal), []);
    }
}
