//! Trees on disk: staged beside the live path, published by one rename, kept for the way back.
//!
//! May touch the folder that holds the live path, and there only the live path itself, its
//! `.<name>.trees` folder and what it moves aside; everything through the [`Disk`] trait. Never
//! edits a tree that is live or can be returned to, never removes a live tree, and knows nothing
//! of the journal: what is live is what the live path shows.

mod bring;
mod compare;
mod disk;
mod error;
mod inotify;
mod keep;
mod layout;
mod lock;
mod manifest;
mod pending;
mod place;
mod publish;
mod real;
mod recover;
mod regain;
mod retire;
mod scan;
mod seals;
#[cfg(test)]
pub(crate) mod sim;
mod stage;
mod unseal;
mod watch;

pub use compare::{DRIFT_PATHS_MAX, Drift};
pub use disk::{Attributes, Disk, DiskError, Kind, Stat, Tell, WatchId};
pub use error::TreesError;
pub use layout::Layout;
pub use lock::{Lock, LockError};
pub use manifest::{Manifest, Use};
pub use place::Materialisation;
pub use publish::{Live, PublishError};
pub use real::RealDisk;
pub use recover::Found;
pub use retire::Rubbish;
pub use scan::{Look, Scan, Scanned};
pub use seals::Seals;
pub use stage::{Staged, Target, Trees};
pub use unseal::Unsealed;
