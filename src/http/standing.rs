//! The status as the journal tells it, when no agent runs that could.

use crate::journal::{Journal, JournalError};
use crate::model::{State, Status};

/// The status as it was when the agent ended.
///
/// # Errors
/// When the journal cannot be read.
pub fn status_of(journal: &Journal) -> Result<Status, JournalError> {
    let standing = journal.standing()?;
    let (state, reason, message) = standing
        .state
        .unwrap_or_else(|| (State::Starting, None, "no pass has ended yet".to_owned()));
    Ok(Status {
        state,
        reason,
        message,
        live: standing.live,
        desired: standing.desired,
        attempted: journal.last_attempt()?,
        source: standing.source,
        drift: standing.drift,
        suspended: standing.suspended,
        quarantine: standing.quarantine,
        outbox: journal.outbox_counts()?,
        failing: journal.failing_queues()?,
    })
}
