use std::collections::BTreeMap;
use std::iter;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::audit::{self, Sealer};
use super::error::query;
use super::{JournalError, Once, outbox, publications, repeats};
use crate::model::Timestamp;

/// The journal. Clones share one connection; each call is short.
#[derive(Clone)]
pub struct Journal {
    connection: Arc<Mutex<Connection>>,
    /// What is read with, where that is another one.
    beside: Option<Arc<Mutex<Connection>>>,
    changes: Arc<AtomicU64>,
    /// Counts what became of deliveries, which no pass asks about.
    pub(super) outbox_changes: Arc<AtomicU64>,
    /// What signs the audit trail.
    pub(super) sealer: Arc<OnceLock<Sealer>>,
    /// The request that this is the journal of, where it is to be done once.
    pub(super) once: Option<Arc<Once>>,
}

/// How a journal was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// It was there and whole.
    Fine,
    /// There was none.
    Fresh,
    /// It was damaged: it was put aside, and a new one was begun.
    Rebuilt {
        /// Where the damaged file is now.
        aside: PathBuf,
        /// What was wrong with it.
        why: String,
    },
}

/// The format this program writes, kept in SQLite's `user_version`.
const FORMAT: i64 = 1;
/// How long a statement waits for another process that reads.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// SQLite's page cache, in KiB: little, since the journal is small.
const CACHE_KIB: i64 = 256;
/// Statements that are kept ready: about as many as a deployment needs.
const STATEMENTS_KEPT: usize = 64;

const SCHEMA: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE deployments (
    id INTEGER PRIMARY KEY, revision TEXT NOT NULL, digest TEXT, origin TEXT NOT NULL,
    trigger TEXT NOT NULL, actor TEXT, reason TEXT, outcome TEXT NOT NULL,
    started_at INTEGER NOT NULL, finished_at INTEGER NOT NULL, duration_ms INTEGER NOT NULL,
    added INTEGER NOT NULL, modified INTEGER NOT NULL, removed INTEGER NOT NULL,
    confirmed INTEGER, findings TEXT NOT NULL, tree TEXT NOT NULL);
CREATE INDEX deployments_live ON deployments (id) WHERE outcome = 'live';
CREATE TABLE quarantine (
    kind TEXT NOT NULL, key TEXT NOT NULL, revision TEXT NOT NULL, reason TEXT NOT NULL,
    rules TEXT NOT NULL, message TEXT NOT NULL, since INTEGER NOT NULL,
    PRIMARY KEY (kind, key)) WITHOUT ROWID;
CREATE TABLE wishes (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, revision TEXT, target INTEGER,
    hold INTEGER NOT NULL, actor TEXT NOT NULL, reason TEXT, at INTEGER NOT NULL,
    done_at INTEGER);
CREATE TABLE intent (id INTEGER PRIMARY KEY CHECK (id = 1), body TEXT NOT NULL);
";

/// What every connection is given, whatever it is for.
fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    // Otherwise a statement is compiled again for other values, in case these would let SQLite look
    // things up in another way: our indexes have their conditions in the statements' own words.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

impl Journal {
    /// Opens the journal, making one where there is none. A damaged one is put aside, kept, and
    /// begun anew; what the trees and the source know is filled in by recovery.
    ///
    /// # Errors
    /// See [`JournalError`]; a full disk or a missing right is no damage.
    pub fn open(path: &Path, now: Timestamp) -> Result<(Self, Opened), JournalError> {
        let existed = path.exists();
        match Self::open_at(path) {
            Ok(journal) => Ok((journal, if existed { Opened::Fine } else { Opened::Fresh })),
            Err(error) if error.is_damage() => {
                let why = error_text(&error);
                let aside = put_aside(path, now)?;
                Ok((Self::open_at(path)?, Opened::Rebuilt { aside, why }))
            }
            Err(error) => Err(error),
        }
    }

    fn open_at(path: &Path) -> Result<Self, JournalError> {
        let open = |source| JournalError::Open { path: path.to_owned(), source };
        let connection = Connection::open(path).map_err(open)?;
        restrict(path).map_err(|source| JournalError::Aside { path: path.to_owned(), source })?;
        Self::set_up(connection, path)
    }

    /// Opens a journal for reading, beside whoever writes it. `None` when there is none.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn open_to_read(path: &Path) -> Result<Option<Self>, JournalError> {
        if !path.exists() {
            return Ok(None);
        }
        let open = |source| JournalError::Open { path: path.to_owned(), source };
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(open)?;
        prepare(&connection).map_err(open)?;
        check_format(&connection, path)?;
        Ok(Some(Self::of(connection)))
    }

    /// The same journal for those who must not wait while somebody writes: what it reads it reads
    /// through a connection of its own, which sees all that was committed.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn read_beside(&self, path: &Path) -> Result<Self, JournalError> {
        let open = |source| JournalError::Open { path: path.to_owned(), source };
        // Not read-only: whoever closes the file last writes the log's pages into it.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(open)?;
        prepare(&connection).map_err(open)?;
        connection
            .execute_batch(&format!("PRAGMA query_only=ON; PRAGMA cache_size=-{CACHE_KIB};"))
            .map_err(open)?;
        Ok(Self { beside: Some(Arc::new(Mutex::new(connection))), ..self.clone() })
    }

    /// A journal that is gone when it is dropped.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn open_in_memory() -> Result<Self, JournalError> {
        let path = Path::new(":memory:");
        let open = |source| JournalError::Open { path: path.to_owned(), source };
        Self::set_up(Connection::open_in_memory().map_err(open)?, path)
    }

    fn set_up(mut connection: Connection, path: &Path) -> Result<Self, JournalError> {
        let open = |source| JournalError::Open { path: path.to_owned(), source };
        prepare(&connection).map_err(open)?;
        connection
            .execute_batch(&format!(
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;
                 PRAGMA cache_size=-{CACHE_KIB}; PRAGMA journal_size_limit=1048576;"
            ))
            .map_err(open)?;
        let format = check_format(&connection, path)?;
        if format == 0 {
            let transaction = connection.transaction().map_err(open)?;
            transaction.execute_batch(SCHEMA).map_err(open)?;
            transaction.execute_batch(outbox::SCHEMA).map_err(open)?;
            transaction.pragma_update(None, "user_version", FORMAT).map_err(open)?;
            transaction.commit().map_err(open)?;
        }
        // Tables that an older kconfigd does not know and does not mind.
        connection.execute_batch(audit::SCHEMA).map_err(open)?;
        connection.execute_batch(publications::SCHEMA).map_err(open)?;
        connection.execute_batch(outbox::INDEXES).map_err(open)?;
        connection.execute_batch(outbox::failing::SCHEMA).map_err(open)?;
        connection.execute_batch(repeats::SCHEMA).map_err(open)?;
        quick_check(&connection).map_err(open)?;
        Ok(Self::of(connection))
    }

    fn of(connection: Connection) -> Self {
        Self {
            connection: Arc::new(Mutex::new(connection)),
            beside: None,
            changes: Arc::default(),
            outbox_changes: Arc::default(),
            sealer: Arc::default(),
            once: None,
        }
    }

    /// Counts what this process wrote, but for what became of deliveries. As long as it is the same
    /// there is nothing new for a pass to read, since nobody else writes while we hold the state
    /// folder's lock.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// What signs the audit trail, where that was given.
    pub(super) fn sealer(&self) -> Option<&Sealer> {
        self.sealer.get()
    }

    /// Lets go of what was kept in memory of the file: it is read again when it is asked for.
    pub fn give_back(&self) {
        for connection in iter::once(&self.connection).chain(&self.beside) {
            // Who has it right now may wait for the disk, and needs its pages.
            let connection = match connection.try_lock() {
                Ok(connection) => connection,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => continue,
            };
            if let Err(error) = connection.release_memory() {
                tracing::trace!(%error, "what is kept of the journal stays");
            }
        }
    }

    /// The connection, for one short call.
    pub(super) fn lock(&self) -> MutexGuard<'_, Connection> {
        // A panic while it was held left SQLite whole: an open transaction was rolled back.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection to read with, for one short call.
    pub(super) fn reader(&self) -> MutexGuard<'_, Connection> {
        let connection = self.beside.as_ref().unwrap_or(&self.connection);
        connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `body` in one transaction that is durable when this returns.
    pub(super) fn transaction<T>(
        &self,
        operation: &'static str,
        body: impl FnOnce(&rusqlite::Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, JournalError> {
        let mut connection = self.lock();
        let transaction = connection.transaction().map_err(query(operation))?;
        let value = body(&transaction).map_err(query(operation))?;
        #[cfg(test)]
        super::cuts::pass(operation, super::cuts::Moment::Before).map_err(query(operation))?;
        let committed = transaction.commit();
        drop(connection);
        // Also after an error: nobody knows what became of it.
        self.changes.fetch_add(1, Ordering::Release);
        committed.map_err(query(operation))?;
        #[cfg(test)]
        super::cuts::pass(operation, super::cuts::Moment::After).map_err(query(operation))?;
        Ok(value)
    }
}

pub(super) fn read_meta(connection: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    use rusqlite::OptionalExtension as _;
    connection
        .prepare_cached("SELECT value FROM meta WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()
}

/// All of the table `meta`: some twenty values.
pub(super) fn all_meta(connection: &Connection) -> rusqlite::Result<BTreeMap<String, String>> {
    connection
        .prepare_cached("SELECT key, value FROM meta")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// Writes one value of the table `meta`; `None` removes it.
pub(super) fn write_meta(
    connection: &Connection,
    key: &str,
    value: Option<&str>,
) -> rusqlite::Result<()> {
    match value {
        Some(value) => connection
            .prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)")?
            .execute([key, value])?,
        None => connection.prepare_cached("DELETE FROM meta WHERE key = ?1")?.execute([key])?,
    };
    Ok(())
}

fn check_format(connection: &Connection, path: &Path) -> Result<i64, JournalError> {
    let found: i64 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(|source| JournalError::Open { path: path.to_owned(), source })?;
    if found > FORMAT {
        return Err(JournalError::TooNew { path: path.to_owned(), found, known: FORMAT });
    }
    Ok(found)
}

/// The journal is small, so all of its pages can be looked at whenever it is opened.
fn quick_check(connection: &Connection) -> rusqlite::Result<()> {
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict == "ok" {
        return Ok(());
    }
    Err(rusqlite::Error::SqliteFailure(
        rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT),
        Some(verdict),
    ))
}

/// Events may tell file names and operators' words: the journal is its owner's alone.
fn restrict(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
}

fn put_aside(path: &Path, now: Timestamp) -> Result<PathBuf, JournalError> {
    let suffix = format!(".damaged-{}", now.millis());
    let named = |path: &Path, suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let aside = named(path, &suffix);
    for part in ["", "-wal", "-shm"] {
        let from = named(path, part);
        if from.exists() {
            std::fs::rename(&from, named(&from, &suffix))
                .map_err(|source| JournalError::Aside { path: from.clone(), source })?;
        }
    }
    Ok(aside)
}

fn error_text(error: &JournalError) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
impl Journal {
    /// From now on nothing can be written to a table, or again it can: a disk that is full at a
    /// bad moment.
    pub(crate) fn refuse(&self, table: &str, refused: bool) {
        for verb in ["INSERT", "UPDATE"] {
            let trigger = format!("refuse_{table}_{verb}");
            let sql = if refused {
                format!(
                    "CREATE TEMP TRIGGER {trigger} BEFORE {verb} ON {table} BEGIN SELECT RAISE(ABORT, 'refused'); END"
                )
            } else {
                format!("DROP TRIGGER {trigger}")
            };
            self.lock().execute_batch(&sql).unwrap();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_reads_beside_sees_what_was_committed_and_waits_for_no_writer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        let (journal, _) = Journal::open(&path, Timestamp(0)).unwrap();
        let beside = journal.read_beside(&path).unwrap();
        journal.note_place("/live").unwrap();
        let mut writing = journal.lock();
        let transaction = writing.transaction().unwrap();
        write_meta(&transaction, "place", Some("/other")).unwrap();
        // Nor does giving memory back, which would be for ever here.
        beside.give_back();
        assert_eq!(beside.standing().unwrap().place.as_deref(), Some("/live"));
        transaction.commit().unwrap();
        drop(writing);
        assert_eq!(beside.standing().unwrap().place.as_deref(), Some("/other"));
        beside.note_place("/third").unwrap();
        assert_eq!(beside.standing().unwrap().place.as_deref(), Some("/third"));
        // It may be the last one: the file is whole then too.
        drop(journal);
        drop(beside);
        assert!(!folder.path().join("journal.db-wal").exists());
    }

    #[test]
    fn a_damaged_journal_is_kept_aside_and_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kconfigd.db");
        std::fs::write(&path, b"this is no database, and it is longer than a header is").unwrap();
        let (_, opened) = Journal::open(&path, Timestamp(7)).unwrap();
        let Opened::Rebuilt { aside, .. } = opened else { panic!("{opened:?}") };
        assert!(std::fs::read(aside).unwrap().starts_with(b"this is no database"));
        assert_eq!(Journal::open(&path, Timestamp(8)).unwrap().1, Opened::Fine);
    }

    #[test]
    fn a_journal_of_a_newer_program_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kconfigd.db");
        drop(Journal::open(&path, Timestamp(0)).unwrap());
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update(None, "user_version", FORMAT + 1).unwrap();
        drop(connection);
        let error = Journal::open(&path, Timestamp(0)).err().unwrap();
        assert!(matches!(error, JournalError::TooNew { .. }), "{error}");
    }
}
