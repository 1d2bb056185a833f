use std::collections::BTreeMap;

use super::{Point, View, ViewError};
use crate::gates::{self, Rules};
use crate::model::{Finding, ObjectId, TreePath};
use crate::objects::EMPTY_TREE;

/// Files that one trial may bring.
pub const FILES_MAX: usize = 1000;

/// What the gates say of something that is not live.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Whether it could go live.
    pub valid: bool,
    /// What they said.
    pub findings: Vec<Finding>,
}

impl View {
    /// Holds files against the gates, laid over the live tree so that what they refer to is there.
    /// Nothing is kept.
    ///
    /// # Errors
    /// [`ViewError::Path`] for what cannot be a file; see [`ViewError`].
    pub fn try_files(&self, files: &BTreeMap<String, Vec<u8>>) -> Result<Trial, ViewError> {
        let live = match self.point("live") {
            Ok(point) => Some(point),
            Err(ViewError::Unknown { .. }) => None,
            Err(error) => return Err(error),
        };
        let mut tree = live.as_ref().map_or(EMPTY_TREE, |live| live.tree);
        for (path, bytes) in files {
            let parsed =
                TreePath::parse(path).map_err(|_| ViewError::Path { path: path.clone() })?;
            tree = self.mirror().with_file(tree, &parsed, Some(bytes))?;
        }
        self.judge(tree, live.as_ref())
    }

    /// Holds a revision against the gates.
    ///
    /// # Errors
    /// See [`ViewError`]; one that gives no tree is a trial that failed.
    pub fn try_revision(&self, name: &str) -> Result<Trial, ViewError> {
        match self.point(name) {
            Ok(point) => self.judge(point.tree, self.point("live").ok().as_ref()),
            Err(ViewError::Refused { findings, .. }) => Ok(Trial { valid: false, findings }),
            Err(error) => Err(error),
        }
    }

    fn judge(&self, tree: ObjectId, live: Option<&Point>) -> Result<Trial, ViewError> {
        let rules = Rules::of(&self.settings)?;
        let passed = self.journal.standing()?.rules;
        let live = live.filter(|_| passed.as_deref() == Some(&rules.key()));
        let findings = gates::check(self.mirror(), tree, live.map(|live| live.tree), &rules)?;
        Ok(Trial { valid: !rules.refuse(&findings), findings })
    }
}
