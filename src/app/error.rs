use std::path::PathBuf;

use crate::config::ConfigError;
use crate::journal::JournalError;
use crate::source::SourceError;
use crate::sync::SyncError;
use crate::trees::{LockError, TreesError};

/// Why the agent could not be started or go on.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The state folder.
    #[error("cannot {operation} {path}")]
    State {
        /// What was to be done.
        operation: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// Another agent holds the state folder.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The source's own settings, such as a certificate that cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The trees.
    #[error(transparent)]
    Trees(#[from] TreesError),
    /// The first look at the state.
    #[error(transparent)]
    Sync(#[from] SyncError),
    /// The API has no certificate to show.
    #[error("api.tls cannot be used")]
    Tls {
        /// Why not.
        source: crate::http::TlsError,
    },
    /// The address of the API.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address or socket.
        address: String,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A task of our own ended as it should not have.
    #[error("the {0} ended unexpectedly; this is a bug")]
    Task(&'static str),
}
