use std::time::Duration;

/// Why a program gave no answer: nothing of this says anything about the tree.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// It could not be started.
    #[error("{program} could not be started")]
    Start {
        /// The first of its arguments.
        program: String,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// It could not be waited for.
    #[error("{program} could not be waited for")]
    Wait {
        /// The first of its arguments.
        program: String,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A process or an address could not be reached.
    #[error("{what} was not reached")]
    Reach {
        /// The file with its number, or its address.
        what: String,
        /// What went wrong.
        #[source]
        source: std::io::Error,
    },
    /// It ran out of time, and its process group was ended.
    #[error("{program} did not end within {} ms", after.as_millis())]
    TimedOut {
        /// The first of its arguments.
        program: String,
        /// What it was given.
        after: Duration,
    },
    /// The agent was told to stop while it ran, and its process group was ended.
    #[error("{program} was ended because kconfigd stops")]
    Stopped {
        /// The first of its arguments.
        program: String,
    },
}
