use crate::objects::ObjectsError;

/// Why a commit could not be rendered. What the repository does wrong is a finding, not this.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The mirror is damaged or cannot be written.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
}

impl RenderError {
    /// Whether the mirror is what is damaged.
    #[must_use]
    pub const fn mirror_damaged(&self) -> bool {
        match self {
            Self::Objects(error) => error.is_damage(),
        }
    }
}
