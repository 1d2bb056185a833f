//! The journal, `<state_dir>/kconfigd.db`: deployments, holds, quarantine, wishes, outbox, and the
//! audit trail of all of it.
//!
//! SQLite lives here and nowhere else. What promises depend on is written with
//! `synchronous=FULL`; a change and the events it causes are one transaction. Never decides, and
//! never claims a tree live without a [`crate::trees::Live`] in hand.

mod audit;
mod bake;
#[cfg(test)]
pub(crate) mod cuts;
mod deployments;
mod error;
mod facts;
mod intent;
mod open;
mod outbox;
mod problems;
mod publications;
mod repeats;
mod standing;
mod wire;
mod wishes;

pub use audit::{
    AuditFault, AuditFilter, Audited, Checkpoint, InvalidCheckpoint, SEED_BYTES, Sealer, Verified,
};
pub use deployments::{Adoption, Completion, HistoryPage};
pub use error::JournalError;
pub use intent::{Intent, IntentKind};
pub use open::{Journal, Opened};
pub use outbox::{Head as QueueHead, Queue};
pub use repeats::{Begun, Kept, Once, REPEATS_KEPT};
pub use standing::Standing;
