use std::io;

use serde_json::Value;

use super::super::exit::{Exit, Failure, chain};

/// Characters of what was seen instead that are shown.
const SEEN_CHARS_MAX: usize = 1500;

/// Why the demo ended early.
#[derive(Debug, thiserror::Error)]
pub(super) enum DemoError {
    /// A step did not do what it tells.
    #[error("not as told: {what}\n{seen}")]
    NotAsTold {
        /// What was told.
        what: String,
        /// What was seen instead.
        seen: String,
    },
    /// A condition did not come true in time.
    #[error("not as told: {what} did not come within {seconds} s")]
    Deadline {
        /// What was waited for.
        what: String,
        /// How long.
        seconds: u64,
    },
    /// The agent is gone.
    #[error("the agent ended by itself ({status}) while the demo waited for {what}")]
    AgentEnded {
        /// How it ended.
        status: String,
        /// What was waited for.
        what: String,
    },
    /// The system refused something.
    #[error("the demo cannot {operation} {what}")]
    Io {
        /// What was to be done.
        operation: &'static str,
        /// With what.
        what: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// git refused something.
    #[error("the demo cannot {operation} its repository")]
    Git {
        /// What was to be done.
        operation: &'static str,
        /// Why not.
        #[source]
        source: git2::Error,
    },
    /// The stage could not be set up, or nothing be printed.
    #[error("{}", .0.message)]
    Failed(Failure),
    /// Ctrl-C.
    #[error("interrupted; what the demo started is ended")]
    Interrupted,
}

impl DemoError {
    /// Something that the system refused.
    pub(super) fn io(operation: &'static str, what: impl Into<String>, source: io::Error) -> Self {
        Self::Io { operation, what: what.into(), source }
    }

    /// Something that git refused.
    pub(super) fn git(operation: &'static str) -> impl Fn(git2::Error) -> Self {
        move |source| Self::Git { operation, source }
    }
}

impl From<Failure> for DemoError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<DemoError> for Failure {
    fn from(error: DemoError) -> Self {
        match error {
            DemoError::Failed(failure) => failure,
            error => Self::new(Exit::Error, chain(&error)),
        }
    }
}

/// Holds a step to what was told; `seen` is shown if it is not so.
pub(super) fn expect(what: &str, is_so: bool, seen: &Value) -> Result<(), DemoError> {
    if is_so {
        return Ok(());
    }
    let seen = match seen {
        Value::Null => "see the folder, with --keep".to_owned(),
        seen => format!("{seen:#}").chars().take(SEEN_CHARS_MAX).collect(),
    };
    Err(DemoError::NotAsTold { what: what.to_owned(), seen })
}
