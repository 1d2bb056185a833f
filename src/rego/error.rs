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
    /// The machine gave the child no time.
    #[error(
        "the process that evaluates policies gave no answer, and used no time of its own: the machine is busy"
    )]
    Silent,
    /// What it said is not what was asked.
    #[error("the process that evaluates policies cannot be talked to")]
    Talk(#[source] io::Error),
}
