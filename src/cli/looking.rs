use std::sync::Arc;

use super::exit::{Exit, Failure, chain};
use crate::app::journal_file;
use crate::config::Settings;
use crate::journal::Journal;
use crate::view::{View, ViewError};

/// Opens what this machine's state folder lets anyone look at.
pub(super) fn open(settings: &Settings) -> Result<View, Failure> {
    let nothing = || {
        Failure::new(Exit::Error, "nothing is live here that could be looked at").hint(format!(
            "this looked in {}; give another folder with --state-dir, or use sudo",
            settings.state_dir.display()
        ))
    };
    let journal = Journal::open_to_read(&journal_file(&settings.state_dir))?;
    let journal = journal.ok_or_else(nothing)?;
    match View::open(Arc::new(settings.clone()), journal) {
        Err(ViewError::Nothing) => Err(nothing()),
        opened => Ok(opened?),
    }
}

impl From<ViewError> for Failure {
    fn from(error: ViewError) -> Self {
        let failure = Self::new(Exit::Error, chain(&error));
        match error {
            ViewError::Unknown { .. } => {
                failure.hint("give `live`, `desired`, a number of `kconfigd history`, a revision, or a branch or tag of the source")
            }
            ViewError::NotKept { .. } => failure.hint("gitops.rollback_limit says how many are"),
            ViewError::NotFetched { .. } => {
                failure.hint("`kconfigd plan` fetches a revision and says what it would change")
            }
            ViewError::Refused { findings, .. } => match findings.first() {
                Some(finding) => failure.hint(finding.to_string()),
                None => failure,
            },
            ViewError::Objects(_) => failure
                .hint("the mirror is a cache: the next pass of the agent makes it whole again"),
            ViewError::Layout(_) => Self { exit: Exit::Configuration, ..failure },
            ViewError::Profile(_)
            | ViewError::Nothing
            | ViewError::Path { .. }
            | ViewError::Render(_)
            | ViewError::Gates(_)
            | ViewError::Journal(_)
            | ViewError::Manifest(_) => failure,
        }
    }
}
