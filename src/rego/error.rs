use std::io;

/// Why policies could not be evaluated, without a fault of theirs.
#[derive(Debug, thiserror::Error)]
pub enum RegoError {
    /// The child could not be started.
    #[error("the process that evaluates policies could not be started")]
    Start(#[source] io::Error),
    /// The child ended before it was given anything to evaluate.
    #[error(
        "the process that evaluates policies ended at once ({how}): is limits.policy_memory_bytes_max too low?"
    )]
    Ended {
        /// How it ended.
        how: String,
    },
    /// What is asked does not fit into one message.
    #[error("it is too large to be held against policies")]
    TooLarge,
    /// The machine gave the child no time.
    #[error(
        "the process that evaluates policies gave no answer, and used no time of its own: the machine is busy"
    )]
    Silent,
    /// What it said is not what was asked.
    #[error("the process that evaluates policies cannot be talked to")]
    Talk(#[source] io::Error),
}

impl RegoError {
    /// Whether it may be the size of what was asked that ended the child, or kept it from being
    /// asked.
    #[must_use]
    pub const fn is_of_what_is_asked(&self) -> bool {
        matches!(self, Self::TooLarge | Self::Ended { .. })
    }
}

impl From<io::Error> for RegoError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::FileTooLarge => Self::TooLarge,
            _ => Self::Talk(error),
        }
    }
}
