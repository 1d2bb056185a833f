use std::collections::BTreeMap;

use super::{View, ViewError};
use crate::gates::Rules;
use crate::model::{Deployment, DeploymentId, Digest, ObjectId, Revision};
use crate::render::{Input, render};
use crate::trees::{Layout, Manifest, RealDisk};

/// A tree that can be looked at, and what it is known as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// The tree in the object store.
    pub tree: ObjectId,
    /// Its digest.
    pub digest: Digest,
    /// Files in it.
    pub files: u64,
    /// The commit.
    pub revision: Revision,
    /// The deployment, where it is one's.
    pub deployment: Option<DeploymentId>,
}

/// Deployments that a revision is looked for in.
const SEARCHED_MAX: usize = 1000;
/// Digits of a revision from which on it is taken for one.
const DIGITS_MIN: usize = 4;

impl View {
    /// What a name stands for: `live`, `desired`, the number of a deployment, or a revision (the
    /// beginning of one that was live, or the whole of one that was fetched).
    ///
    /// # Errors
    /// See [`ViewError`].
    pub fn point(&self, name: &str) -> Result<Point, ViewError> {
        let unknown = || ViewError::Unknown { name: name.to_owned() };
        let standing = self.journal.standing()?;
        match name {
            "live" => {
                let live = standing.live.ok_or_else(unknown)?;
                let row = self.journal.deployment(live.deployment)?.ok_or_else(unknown)?;
                return self.of_deployment(&row);
            }
            "desired" => {
                let desired = standing.desired.ok_or_else(unknown)?;
                return self.of_revision(&desired.revision);
            }
            _ => {}
        }
        if let Some(number) = name.parse::<u64>().ok().filter(|_| name.len() < 12) {
            let row = self.journal.deployment(DeploymentId(number))?.ok_or_else(unknown)?;
            return self.of_deployment(&row);
        }
        if let Ok(revision) = Revision::parse(name) {
            return self.of_revision(&revision);
        }
        let begins =
            |d: &Deployment| name.len() >= DIGITS_MIN && d.revision.to_string().starts_with(name);
        let row = self.journal.returnable(SEARCHED_MAX)?.into_iter().find(begins);
        self.of_deployment(&row.ok_or_else(unknown)?)
    }

    /// The live tree, where the object store has it, and whether it passed the rules of now.
    fn live_tree(&self) -> Result<(Option<ObjectId>, bool), ViewError> {
        let standing = self.journal.standing()?;
        let Some(live) = standing.live else { return Ok((None, false)) };
        let tree = self.kept(&live.tree)?.map(|manifest| manifest.tree);
        let rules = Rules::of(&self.settings)?;
        Ok((tree, standing.rules.as_deref() == Some(&rules.key())))
    }

    /// The manifest of a tree that can be looked at whole.
    fn kept(&self, tree: &str) -> Result<Option<Manifest>, ViewError> {
        let layout = Layout::new(&self.settings.live.path, self.settings.live.mode)?;
        let manifest = Manifest::read(&RealDisk::default(), &layout, tree)?;
        Ok(manifest.filter(|manifest| self.mirror.has(manifest.tree)))
    }

    fn of_deployment(&self, row: &Deployment) -> Result<Point, ViewError> {
        match self.kept(&row.tree)? {
            Some(manifest) => Ok(Point {
                tree: manifest.tree,
                digest: manifest.digest,
                files: manifest.files,
                revision: row.revision.clone(),
                deployment: Some(row.id),
            }),
            // One that was refused, or whose tree is gone: its commit may still be here.
            None => match self.of_revision(&row.revision) {
                Ok(point) => Ok(Point { deployment: Some(row.id), ..point }),
                Err(ViewError::NotFetched { .. }) => {
                    Err(ViewError::NotKept { deployment: row.id.0 })
                }
                Err(error) => Err(error),
            },
        }
    }

    /// What a commit gives this machine, rendered in memory. Submodules are part of it only where
    /// it was deployed.
    pub(super) fn of_revision(&self, revision: &Revision) -> Result<Point, ViewError> {
        if !self.mirror.has(revision.id()) {
            return Err(ViewError::NotFetched { revision: revision.to_string() });
        }
        if self.mirror.is_no_commit(revision.id()) {
            return Err(ViewError::Unknown { name: revision.to_string() });
        }
        let known = self.known.recall(&self.settings, revision);
        // What was rendered into another view's memory is not here.
        if let Some(known) = known.filter(|known| self.mirror.has(known.tree)) {
            return Ok(known);
        }
        // What it has in common with the live tree is known, and costs nothing. Where that cannot be
        // told, all of it is looked at.
        let (live, same_rules) = self.live_tree().unwrap_or_default();
        let input = Input {
            commit: revision,
            settings: &self.settings.render,
            submodules: &BTreeMap::new(),
            limits: &self.settings.limits,
            hint: live.filter(|_| same_rules),
        };
        let rendered = render(&self.mirror, &input)?;
        let Some(tree) = rendered.tree else {
            let findings = rendered.findings;
            return Err(ViewError::Refused { revision: revision.to_string(), findings });
        };
        let summary = self.mirror.summary(tree, live)?;
        let point = Point {
            tree,
            digest: summary.digest,
            files: summary.files,
            revision: revision.clone(),
            deployment: None,
        };
        self.known.remember(&self.settings, &point);
        Ok(point)
    }
}
