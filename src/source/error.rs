use std::path::PathBuf;
use std::time::Duration;

use crate::model::Reason;
use crate::objects::ObjectsError;

/// Why the source could not be asked or fetched from. No message holds a credential.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It could not be reached, or not in time.
    #[error("cannot reach {place}: {detail}")]
    Unreachable {
        /// The repository, without credentials.
        place: String,
        /// What happened.
        detail: String,
        /// How long it asked us to wait.
        retry_after: Option<Duration>,
    },
    /// The reference is not there.
    #[error("{place} has no {wanted}{}", hint.as_deref().map(|h| format!(" ({h})")).unwrap_or_default())]
    NotFound {
        /// The repository.
        place: String,
        /// What was looked for, in words.
        wanted: String,
        /// What is there instead.
        hint: Option<String>,
    },
    /// It has no commits yet.
    #[error("{place} has no commits yet: push one")]
    Empty {
        /// The repository.
        place: String,
    },
    /// What it sent is not git, or damaged.
    #[error("{place} cannot be used as a git repository: {detail}")]
    Damaged {
        /// The repository.
        place: String,
        /// What is wrong.
        detail: String,
    },
    /// A file of ours for it cannot be used.
    #[error("cannot read {path} for {place}")]
    File {
        /// The repository.
        place: String,
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The mirror cannot be used.
    #[error(transparent)]
    Mirror(#[from] ObjectsError),
}

impl SourceError {
    /// The stable code for it.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Unreachable { .. } => Reason::SourceUnreachable,
            Self::NotFound { .. } => Reason::ReferenceNotFound,
            Self::Empty { .. } => Reason::RepositoryEmpty,
            Self::Damaged { .. } | Self::Mirror(_) => Reason::SourceDamaged,
            Self::File { .. } => Reason::CredentialsRefused,
        }
    }

    /// How long the source asked us to wait.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unreachable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether the mirror is what is damaged.
    #[must_use]
    pub const fn mirror_damaged(&self) -> bool {
        matches!(self, Self::Mirror(error) if error.is_damage())
    }
}
