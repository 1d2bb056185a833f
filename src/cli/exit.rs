use std::process::ExitCode;

use crate::app::AppError;
use crate::http::wire::ReportBody;
use crate::journal::JournalError;
use crate::model::Reason;
use crate::sync::SyncError;
use crate::trees::{LockError, TreesError};

/// What the process ends with. The numbers are the contract's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// Done; in sync.
    Done = 0,
    /// An error that has no code below.
    Error = 1,
    /// There are differences.
    Differences = 2,
    /// A configuration error.
    Configuration = 10,
    /// The source.
    Source = 11,
    /// Trust.
    Trust = 12,
    /// A gate.
    Gate = 13,
    /// It could not be applied; the live tree is as it was.
    ApplyFailed = 14,
    /// Applied, then rolled back.
    RolledBack = 15,
    /// Another kconfigd holds the state folder.
    Held = 16,
    /// Held, quarantined or suspended: nothing was done.
    Waiting = 17,
    /// Live, but a notification could not be delivered.
    Undelivered = 18,
    /// Usage.
    Usage = 64,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A verb that failed: what is said, what to do, and the code.
#[derive(Debug)]
pub(super) struct Failure {
    /// The code.
    pub(super) exit: Exit,
    /// What went wrong, with its causes, in one line or a few.
    pub(super) message: String,
    /// What to do about it.
    pub(super) hint: Option<String>,
}

impl Failure {
    /// A failure with a code.
    pub(super) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hint: None }
    }

    /// The same, with advice.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Something that the system refused.
    pub(super) fn io(verb: &str, what: &str, source: std::io::Error) -> Self {
        Self::new(Exit::Error, format!("cannot {verb} {what}: {source}"))
    }
}

/// The code for how a pass ended.
#[must_use]
pub(super) fn of_report(report: &ReportBody) -> Exit {
    let reason = report.reason.as_deref().and_then(Reason::from_word);
    match (report.outcome.as_str(), reason) {
        ("in_sync" | "applied" | "rolled_back_to" | "repaired" | "planned", _) => Exit::Done,
        ("rolled_back", _) => Exit::RolledBack,
        ("held", _) => Exit::Waiting,
        ("refused", Some(Reason::VerificationRefused | Reason::HistoryRewritten)) => Exit::Trust,
        ("refused", _) => Exit::Gate,
        ("unreachable", _) => Exit::Source,
        ("failed", _) => Exit::ApplyFailed,
        _ => Exit::Error,
    }
}

impl From<AppError> for Failure {
    fn from(error: AppError) -> Self {
        let exit = match &error {
            AppError::Config(_) => Exit::Configuration,
            AppError::Lock(LockError::Held { .. }) => Exit::Held,
            AppError::Source(_) => Exit::Configuration,
            AppError::Trees(error) | AppError::Sync(SyncError::Trees(error)) => of_trees(error),
            AppError::Listen { .. } | AppError::Tls { .. } => Exit::Configuration,
            _ => Exit::Error,
        };
        Self::new(exit, chain(&error))
    }
}

fn of_trees(error: &TreesError) -> Exit {
    match error {
        TreesError::Foreign(_) | TreesError::AsideTaken { .. } | TreesError::LivePath(_) => {
            Exit::Configuration
        }
        TreesError::Lock(LockError::Held { .. }) => Exit::Held,
        TreesError::Disk(_) | TreesError::NoExchange { .. } | TreesError::Lock(_) => {
            Exit::ApplyFailed
        }
        _ => Exit::Error,
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        Self::new(Exit::Error, chain(&error))
    }
}

impl From<crate::config::ConfigError> for Failure {
    fn from(error: crate::config::ConfigError) -> Self {
        Self::new(Exit::Configuration, chain(&error))
    }
}

/// An error and all that caused it: the one place where chains are put into words for people.
#[must_use]
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
