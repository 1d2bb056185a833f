//! The bounded view: what may be looked at of trees, revisions and profiles without a pass.
//!
//! For whoever asks while the agent works: diffs, validation and profiles are read from the object
//! store through a handle of its own, whose writes stay in memory, so nothing here changes a disk or
//! waits for a pass. May touch the mirror, the manifests and the journal, all to read. Never talks to
//! the source: what was not fetched yet is not here.

mod error;
mod impact;
mod known;
mod point;
mod profile;
mod search;
mod trial;

use std::sync::Arc;

use crate::config::{Mask, Settings};
use crate::decide::cost;
use crate::diff::{self, Told};
use crate::journal::Journal;
use crate::model::{Plan, Revision};
use crate::objects::{CommitWords, Mirror};

pub use error::ViewError;
pub use known::Known;
pub use point::Point;
pub use profile::{ProfileFile, names};
pub use search::{Found, Hit};
pub use trial::{FILES_MAX, Trial};

/// What may be looked at.
pub struct View {
    settings: Arc<Settings>,
    journal: Journal,
    mirror: Mirror,
    known: Known,
}

impl View {
    /// Opens it.
    ///
    /// # Errors
    /// [`ViewError::Nothing`] before anything was fetched; see [`ViewError`] for the rest.
    pub fn open(settings: Arc<Settings>, journal: Journal) -> Result<Self, ViewError> {
        let mirror = Mirror::open_view(&settings.state_dir.join("repo.git"))?;
        let mirror = mirror.ok_or(ViewError::Nothing)?;
        Ok(Self { settings, journal, mirror, known: Known::default() })
    }

    /// The same view, which knows what others with the same `known` found out.
    #[must_use]
    pub fn knowing(self, known: Known) -> Self {
        Self { known, ..self }
    }

    /// The object store.
    #[must_use]
    pub const fn mirror(&self) -> &Mirror {
        &self.mirror
    }

    /// How two trees differ, told in full as far as that is bounded.
    ///
    /// # Errors
    /// See [`ViewError`].
    pub fn between(&self, from: &Point, to: &Point) -> Result<(Plan, Told), ViewError> {
        let plan = Plan {
            from: Some(from.digest),
            to: to.digest,
            from_tree: Some(from.tree),
            to_tree: to.tree,
            changes: self.mirror.changes(Some(from.tree), to.tree)?,
            files_before: from.files,
            files_after: to.files,
        };
        let told = self.told(&plan)?;
        Ok((plan, told))
    }

    /// A plan told in full: what changes in its files, what it costs, what it touches.
    ///
    /// # Errors
    /// See [`ViewError`].
    pub fn told(&self, plan: &Plan) -> Result<Told, ViewError> {
        let past = self.journal.durations(cost::PAST_MAX)?;
        let told = diff::tell(&self.mirror, plan, &past, self.mask(), &self.settings.limits)?;
        Ok(Told { impact: self.impact(plan)?, ..told })
    }

    /// The texts of a plan's first files, line by line; `None` where there is none to be shown.
    ///
    /// # Errors
    /// See [`ViewError`].
    pub fn texts(&self, plan: &Plan, files: usize) -> Result<Vec<Option<String>>, ViewError> {
        Ok(diff::texts(&self.mirror, plan, self.mask(), &self.settings.limits, files)?)
    }

    /// What a commit says of itself; `None` where it is not here any more.
    #[must_use]
    pub fn words_of(&self, revision: &Revision) -> Option<CommitWords> {
        self.mirror.words_of(revision)
    }

    fn mask(&self) -> &Mask {
        &self.settings.mask
    }
}
