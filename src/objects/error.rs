use std::path::PathBuf;

use crate::model::ObjectId;

/// Why the object store could not do something.
#[derive(Debug, thiserror::Error)]
pub enum ObjectsError {
    /// The mirror could not be made or opened.
    #[error("cannot open the mirror {path}")]
    Open {
        /// The mirror's folder.
        path: PathBuf,
        /// What libgit2 says.
        #[source]
        source: git2::Error,
    },
    /// An object is missing, damaged, or of another kind than it should be.
    #[error("the mirror has no usable {what} {id}")]
    Damaged {
        /// `commit`, `tree` or `blob`.
        what: &'static str,
        /// Its id.
        id: ObjectId,
        /// What libgit2 says.
        #[source]
        source: git2::Error,
    },
    /// An object could not be written.
    #[error("cannot write a {what} to the mirror {path}")]
    Write {
        /// `tree`, `blob` or `commit`.
        what: &'static str,
        /// The mirror's folder.
        path: PathBuf,
        /// What libgit2 says.
        #[source]
        source: git2::Error,
    },
    /// A file beside the objects could not be read or written.
    #[error("cannot {operation} {path}")]
    File {
        /// `read`, `write`, `remove` …
        operation: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
}

impl ObjectsError {
    /// Whether the mirror itself is damaged, so that it is to be rebuilt beside.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        matches!(self, Self::Open { .. } | Self::Damaged { .. })
    }
}
