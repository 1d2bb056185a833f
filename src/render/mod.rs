//! Rendering: from a commit to the git tree that this node is to have.
//!
//! `path`, then `layers`, then `include`, `exclude` and `needs`, with submodules in their places. Everything
//! that could harm a later room is found here, before a blob is read: names that no tree of ours
//! may have, folders out of order, files that are too many or too large. Nothing behind this room
//! ever sees one. May touch the object store only. Pure over it: the same commit and settings give
//! the same tree, and what did not change since the live tree is not looked at again.

mod budget;
mod error;
mod filter;
mod layers;
mod names;
mod needed;
mod place;
mod tree;

pub use error::RenderError;

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use budget::Budget;
use filter::Filter;

use crate::config::RenderSettings;
use crate::document::EMITTER;
use crate::model::{Finding, Findings, Limits, ObjectId, Revision};
use crate::objects::{Mirror, Shape};

/// What is rendered, and how.
pub struct Input<'a> {
    /// The commit.
    pub commit: &'a Revision,
    /// Which part of it, and how.
    pub settings: &'a RenderSettings,
    /// The trees of its submodules by their path; empty when they are off.
    pub submodules: &'a BTreeMap<String, ObjectId>,
    /// The limits.
    pub limits: &'a Limits,
    /// A tree that the same settings gave before: what is equal in it needs no second look.
    pub hint: Option<ObjectId>,
}

/// What a commit gives.
#[derive(Debug)]
pub struct Rendered {
    /// The tree; `None` where a finding made one impossible.
    pub tree: Option<ObjectId>,
    /// Where a finding made one impossible, what is left without the files that are to blame: to be
    /// looked at, so that they hide nothing that is wrong with others, and never to be live.
    pub rest: Option<ObjectId>,
    /// What is wrong with it so far.
    pub findings: Vec<Finding>,
}

/// Renders.
///
/// # Errors
/// When the mirror is damaged or cannot be written. What the repository does wrong is a finding.
pub fn render(mirror: &Mirror, input: &Input<'_>) -> Result<Rendered, RenderError> {
    let mut work = Work {
        mirror,
        input,
        prefix: place::prefix(&input.settings.path),
        recipe: recipe(input),
        findings: Findings::default(),
        budget: Budget::new(input.limits),
    };
    let built = work.tree()?;
    let refuse = work.findings.refuse();
    // What was not gone through to its end, and what cannot be relied on, is not looked at further.
    let is_whole = !work.is_over();
    let findings = work.findings.into_sorted();
    let rest = built.filter(|_| {
        refuse && is_whole && !findings.iter().any(|finding| finding.rule == names::ORDER)
    });
    Ok(Rendered { tree: built.filter(|_| !refuse), rest, findings })
}

/// One rendering while it is made.
struct Work<'a> {
    mirror: &'a Mirror,
    input: &'a Input<'a>,
    /// `path` as it stands before a path of the repository: empty, or ending in a slash.
    prefix: String,
    /// Names all settings that the result depends on.
    recipe: [u8; 32],
    findings: Findings,
    budget: Budget<'a>,
}

impl Work<'_> {
    fn tree(&mut self) -> Result<Option<ObjectId>, RenderError> {
        let settings = self.input.settings;
        let root = self.mirror.commit_tree(self.input.commit)?;
        let Some(base) = self.folder_at(root, "", &settings.path, &place::PATH)? else {
            return Ok(None);
        };
        let base = if settings.layers.is_empty() { Some(base) } else { self.merge_layers(base)? };
        let Some(base) = base else { return Ok(None) };
        let filter = match Filter::new(&settings.include, &settings.exclude) {
            Ok(filter) => filter,
            Err(finding) => {
                self.findings.push(*finding);
                return Ok(None);
            }
        };
        let filter = match &settings.only_for {
            None => filter,
            Some(profile) => match self.unused(base, profile)? {
                Some(unused) => filter.without(unused),
                None => return Ok(None),
            },
        };
        tree::Builder::new(self, filter).build(base).map(Some)
    }

    /// Whether going on is in vain: the commit is refused, and there is no end to it.
    const fn is_over(&self) -> bool {
        self.budget.is_spent() || self.findings.are_enough()
    }

    /// What is told of a folder by going through its list; `None`, and the commit is refused, where that
    /// is too long to read.
    fn look_through(&mut self, tree: ObjectId) -> Result<Option<Shape>, RenderError> {
        if !self.budget.may_read(self.mirror.tree_size(tree)?, &mut self.findings) {
            return Ok(None);
        }
        let shape = self.mirror.shape(tree)?;
        self.budget.look_at(shape.entries, &mut self.findings);
        Ok(Some(shape))
    }

    /// The key under which a part of this rendering is remembered.
    fn key(&self, path: &str, ids: impl Iterator<Item = ObjectId>) -> [u8; 32] {
        let mut hash = Sha256::new_with_prefix(self.recipe);
        hash.update((path.len() as u64).to_be_bytes());
        hash.update(path);
        ids.for_each(|id| hash.update(id.0));
        hash.finalize().into()
    }
}

/// Grows when the same commit and settings give another tree, so that nothing old is remembered.
const RENDER_VERSION: u32 = 2;

fn recipe(input: &Input<'_>) -> [u8; 32] {
    let Input { commit: _, settings, submodules, limits, hint: _ } = input;
    let text = format!("{RENDER_VERSION} {EMITTER} {settings:?} {submodules:?} {limits:?}");
    Sha256::digest(text.as_bytes()).into()
}

#[cfg(test)]
mod tests;
