use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;

use super::secret_files::audit_key;
use super::{AppError, journal_file};
use crate::board::Board;
use crate::clock::{Clock, SystemClock};
use crate::config::Settings;
use crate::journal::{Journal, JournalError, Opened};
use crate::model::Timestamp;
use crate::source::Remote;
use crate::sync::{Agent, Parts, Started};
use crate::telemetry;
use crate::trees::{Lock, LockError, RealDisk, Trees, TreesError};

/// An agent that has recovered and holds both locks.
pub struct Engine {
    /// The agent.
    pub agent: Agent,
    /// Its journal.
    pub journal: Journal,
    /// Where it shows itself.
    pub board: Board,
    /// Its clock.
    pub clock: Arc<dyn Clock>,
    /// Its settings.
    pub settings: Arc<Settings>,
    /// What recovery found.
    pub started: Started,
    /// How the journal was found.
    pub opened: Opened,
    lock: Lock,
}

impl Engine {
    /// The agent, and the lock that is to be held as long as it works.
    #[must_use]
    pub fn into_agent(self) -> (Agent, Lock) {
        (self.agent, self.lock)
    }
}

/// Opens everything an agent works with: folder, lock, journal, trees, source; then recovers.
/// `verb` is what others are told of the holder of the locks.
///
/// # Errors
/// See [`AppError`]; nothing is live then that was not before.
pub fn open(settings: Settings, verb: &str) -> Result<Engine, AppError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let settings = Arc::new(settings);
    telemetry::switch(settings.telemetry.as_ref());
    make_state_dir(&settings.state_dir)?;
    let holder = format!("kconfigd {verb}, process {}", std::process::id());
    let lock = Lock::take(&settings.state_dir.join("lock"), &holder)?;
    let (journal, opened) = open_journal(&settings.state_dir, clock.now())?;
    if let Opened::Rebuilt { aside, why } = &opened {
        tracing::error!(aside = %aside.display(), why, "the journal was damaged: it is kept aside, and what is known from the trees and the source is filled in");
    }
    make_live_parent(&settings.live.path)?;
    let limit = settings.policy.rollback_limit;
    let trees = Trees::open(&settings.live, limit, Arc::new(RealDisk::default()), Some(&holder))
        .map_err(held_lock)?;
    let source = Remote::new(&settings.source, &settings.limits, &settings.state_dir)?;
    let board = Board::default();
    let mut agent = Agent::new(Parts {
        settings: settings.clone(),
        source: Box::new(source),
        trees,
        journal: journal.clone(),
        clock: clock.clone(),
        board: board.clone(),
    })?;
    let started = agent.recover()?;
    Ok(Engine { agent, journal, board, clock, settings, started, opened, lock })
}

/// The journal of a state folder, with the key that signs its audit trail.
///
/// # Errors
/// See [`JournalError`].
pub fn open_journal(state_dir: &Path, now: Timestamp) -> Result<(Journal, Opened), JournalError> {
    let (journal, opened) = Journal::open(&journal_file(state_dir), now)?;
    match audit_key(state_dir) {
        Ok(key) => journal.seal_audit(key),
        Err(error) => {
            tracing::error!(error = %error, "the audit trail is not signed: its key cannot be used");
        }
    }
    Ok((journal, opened))
}

fn held_lock(error: TreesError) -> AppError {
    match error {
        TreesError::Lock(lock @ LockError::Held { .. }) => AppError::Lock(lock),
        error => AppError::Trees(error),
    }
}

/// The state folder holds credentials' neighbours and operators' words: it is its owner's alone.
fn make_state_dir(path: &Path) -> Result<(), AppError> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|source| {
        AppError::State { operation: "make the state folder", path: path.to_owned(), source }
    })
}

/// The folder that is to hold the live path, for a first start on a bare machine.
fn make_live_parent(path: &Path) -> Result<(), AppError> {
    let Some(parent) = path.parent() else { return Ok(()) };
    std::fs::create_dir_all(parent).map_err(|source| AppError::State {
        operation: "make the folder that holds the live path",
        path: parent.to_owned(),
        source,
    })
}
