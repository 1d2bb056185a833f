use std::path::PathBuf;

/// Why the journal could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The database could not be opened.
    #[error("cannot open the journal {path}")]
    Open {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        #[source]
        source: rusqlite::Error,
    },
    /// It was written by a newer kconfigd.
    #[error(
        "the journal {path} has format {found}, and this kconfigd knows up to {known}: use the newer kconfigd, or another --state-dir"
    )]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// A damaged journal could not be put aside.
    #[error("cannot put the damaged journal {path} aside")]
    Aside {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// Too many orders wait already.
    #[error("{waiting} orders wait already; send it again once some of them are followed")]
    Busy {
        /// How many.
        waiting: u32,
    },
    /// A statement failed.
    #[error("cannot {operation} in the journal")]
    Query {
        /// What was to be done.
        operation: &'static str,
        /// What SQLite says.
        #[source]
        source: rusqlite::Error,
    },
}

impl JournalError {
    /// Whether the database file itself is damaged.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        let (Self::Open { source, .. } | Self::Query { source, .. }) = self else { return false };
        matches!(
            source.sqlite_error_code(),
            Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase)
        )
    }
}

/// Names the operation of a failed statement.
pub(super) fn query(operation: &'static str) -> impl Fn(rusqlite::Error) -> JournalError {
    move |source| JournalError::Query { operation, source }
}
