//! The object store: the bare mirror `<state_dir>/repo.git`, read and written by object id.
//!
//! A rendered tree is a git tree in here, so comparing two trees skips what is equal and history
//! costs what changed. May touch the mirror's folder only. Never talks to a remote and never
//! decides: the mirror is a cache that may be deleted at any time.

mod ahead;
mod commit;
mod digests;
mod error;
mod graft;
mod indexing;
mod memory;
mod mirror;
mod pairs;
mod share;
mod upkeep;
mod walk;
mod words;

pub use commit::blob_id;
pub use digests::Summary;
pub use error::ObjectsError;
pub(crate) use indexing::Indexing;
pub(crate) use mirror::{EMPTY_TREE, prepare_libgit2};
pub use mirror::{Item, ItemKind, Mirror, SignedKind};
pub use pairs::{Difference, Shape};
pub(crate) use pairs::{NAME_BYTES_MAX, is_same, pairs};
pub(crate) use walk::DEPTH_MAX;
pub use words::CommitWords;
