use crate::gates::GateError;
use crate::journal::JournalError;
use crate::model::Reason;
use crate::objects::ObjectsError;
use crate::render::RenderError;
use crate::source::SourceError;
use crate::trees::{PublishError, TreesError};
use crate::trust::TrustError;

/// Why a pass could not go on. What a repository does wrong is no error of ours: that is findings.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The source.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The mirror.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    /// Rendering.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// Gates.
    #[error(transparent)]
    Gates(#[from] GateError),
    /// The trees.
    #[error(transparent)]
    Trees(#[from] TreesError),
    /// Publishing.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// Trust.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A tree is live, and the journal could not be told: recovery tells it before the next pass.
    #[error(
        "the new tree is live, but that could not be recorded, which is tried again before the next pass"
    )]
    Unrecorded(#[source] JournalError),
    /// An order that cannot be followed as it stands.
    #[error("{0}")]
    Order(String),
}

impl SyncError {
    /// Whether the mirror is damaged, so that it is rebuilt before the next pass.
    #[must_use]
    pub fn mirror_damaged(&self) -> bool {
        match self {
            Self::Source(error) => error.mirror_damaged(),
            Self::Objects(error) => error.is_damage(),
            Self::Render(error) => error.mirror_damaged(),
            Self::Gates(error) => error.mirror_damaged(),
            Self::Trust(error) => error.mirror_damaged(),
            Self::Trees(error) => error.mirror_damaged(),
            Self::Publish(error) => error.source.mirror_damaged(),
            Self::Journal(_) | Self::Order(_) | Self::Unrecorded(_) => false,
        }
    }

    /// The stable code for it.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Source(error) => error.reason(),
            _ if self.mirror_damaged() => Reason::SourceDamaged,
            _ => Reason::ApplyFailed,
        }
    }

    /// The error and all that caused it, in one line.
    #[must_use]
    pub fn chain(&self) -> String {
        chain(self)
    }
}

/// An error and all that caused it, in one line; what a text says already is not said twice.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}
