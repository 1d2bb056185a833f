use std::path::PathBuf;

use super::{DiskError, LockError};
use crate::model::Digest;
use crate::objects::ObjectsError;
use crate::secrets::SecretsError;

/// Why a tree could not be staged, published or looked at.
#[derive(Debug, thiserror::Error)]
pub enum TreesError {
    /// A disk verb failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// An object that is to be written is not to be had.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    /// Another agent uses the trees folder.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The live path has no folder above it or no name.
    #[error("{0} cannot be a live path: it needs a name and a folder that holds it")]
    LivePath(PathBuf),
    /// Something that is not ours is at the live path.
    #[error(
        "{0} is there already and was not made by kconfigd: move it away, or set `live.adopt: true` to have it moved aside to <name>.before-kconfigd"
    )]
    Foreign(PathBuf),
    /// `live.adopt` is set, but the name to move to is taken.
    #[error("cannot move {from} aside: {to} is there already; move it away")]
    AsideTaken {
        /// What is to be moved.
        from: PathBuf,
        /// Where to.
        to: PathBuf,
    },
    /// The tree that is to be returned to cannot be had any more.
    #[error("the tree {0} is on no disk and in no mirror any more")]
    Gone(Digest),
    /// A file that was encrypted cannot be decrypted.
    #[error("{path} cannot be decrypted, and no tree on disk has it")]
    Sealed {
        /// The file, as the repository names it.
        path: String,
        /// Why.
        #[source]
        source: SecretsError,
    },
    /// A file gives other bytes than it gave before.
    #[error("{0} does not decrypt to what it gave before")]
    Unsealed(String),
    /// The system has no random numbers.
    #[error("the system gives no random numbers, which a key needs")]
    NoChance,
    /// The file system cannot exchange two folders.
    #[error(
        "the file system of {path} cannot exchange two folders in one step: use `live.mode: symlink`"
    )]
    NoExchange {
        /// The live path.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
}

impl TreesError {
    /// Whether the mirror is what is damaged.
    #[must_use]
    pub fn mirror_damaged(&self) -> bool {
        matches!(self, Self::Objects(error) if error.is_damage())
    }
}
