use crate::objects::ObjectsError;

/// Why the gates could not be asked. What a tree does wrong is a finding, not this.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// The mirror is damaged.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
}

impl GateError {
    /// Whether the mirror is what is damaged.
    #[must_use]
    pub const fn mirror_damaged(&self) -> bool {
        match self {
            Self::Objects(error) => error.is_damage(),
        }
    }
}
