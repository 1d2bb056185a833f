//! Rendering: from a commit to the git tree that this node is to have.
//!
//! `path`, then `layers`, then `include` and `exclude`, then submodules; names that no tree of ours
//! may have become findings here, so that nothing behind this room ever sees one. May touch the
//! object store only. Pure over it: the same commit and settings give the same tree, and what did
//! not change since the live tree is not looked at again.

mod error;
mod filter;
mod layers;
mod tree;

pub use error::RenderError;

use std::collections::BTreeMap;

use filter::Filter;

use crate::config::RenderSettings;
use crate::model::{Finding, Limits, ObjectId, Revision};
use crate::objects::{ItemKind, Mirror};

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
    /// What is wrong with it so far.
    pub findings: Vec<Finding>,
}

/// Renders.
///
/// # Errors
/// When the mirror is damaged or cannot be written. What the repository does wrong is a finding.
pub fn render(mirror: &Mirror, input: &Input<'_>) -> Result<Rendered, RenderError> {
    let root = mirror.commit_tree(input.commit)?;
    let mut findings = Vec::new();
    let Some(base) = folder_at(mirror, root, &input.settings.path, &mut findings)? else {
        return Ok(Rendered { tree: None, findings });
    };
    let prefix = &input.settings.path;
    let base = if input.settings.layers.is_empty() {
        Some(base)
    } else {
        layers::merge(mirror, base, input, &mut findings)?
    };
    let Some(base) = base else { return Ok(Rendered { tree: None, findings }) };
    let filter = match Filter::new(&input.settings.include, &input.settings.exclude) {
        Ok(filter) => filter,
        Err(finding) => {
            findings.push(*finding);
            return Ok(Rendered { tree: None, findings });
        }
    };
    let mut builder = tree::Builder::new(mirror, input, filter, prefix, findings);
    let tree = builder.build(base)?;
    let findings = builder.into_findings();
    let refused = findings.iter().any(Finding::is_error);
    Ok(Rendered { tree: (!refused).then_some(tree), findings })
}

/// The tree of a folder of the repository; a finding where there is none.
fn folder_at(
    mirror: &Mirror,
    root: ObjectId,
    path: &str,
    findings: &mut Vec<Finding>,
) -> Result<Option<ObjectId>, RenderError> {
    let path = path.trim_matches('/');
    if path.is_empty() || path == "." {
        return Ok(Some(root));
    }
    match mirror.find(root, path)? {
        Some(item) if item.kind == ItemKind::Folder => Ok(Some(item.id)),
        found => {
            let what = if found.is_some() { "is no folder" } else { "is not in the repository" };
            let mut finding = Finding::error("render.path", format!("`{path}` {what}"));
            let siblings: Vec<String> = mirror
                .items(root)?
                .into_iter()
                .filter(|item| item.kind == ItemKind::Folder)
                .map(|item| String::from_utf8_lossy(&item.name).into_owned())
                .collect();
            let first = path.split('/').next().unwrap_or(path);
            let near = siblings
                .iter()
                .max_by(|a, b| strsim::jaro(a, first).total_cmp(&strsim::jaro(b, first)));
            if let Some(near) = near {
                finding = finding.hint(format!("gitops.path names a folder; there is `{near}`"));
            }
            findings.push(finding);
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests;
