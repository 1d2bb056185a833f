//! The gates: what a tree must pass before it may become live.
//!
//! Each rule family is a function over one changed file, or over the whole tree; the list of them
//! is [`Gate::ALL`], and the next family is one more entry there. May touch the object store only.
//! Never decides what follows from a finding.
//!
//! Names and depths were checked when the tree was rendered: a tree with a name that cannot be a
//! path does not come this far.

mod error;
mod lfs;
mod limits;
mod links;
mod syntax;

pub use error::GateError;

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use crate::model::{Change, Entry, FileMode, Finding, Limits, ObjectId, TreePath};
use crate::objects::Mirror;

/// Findings that are kept; one more says how many there were.
const FINDINGS_MAX: usize = 200;

/// What the gates go by.
#[derive(Clone, Debug)]
pub struct Rules {
    limits: Limits,
}

impl Rules {
    /// The rules of these limits.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self { limits: limits.clone() }
    }

    /// Names everything that findings depend on: when it changes, what was refused is looked at
    /// again.
    #[must_use]
    pub fn key(&self) -> String {
        /// Grows when a rule family says something else of the same tree.
        const RULES_VERSION: u32 = 1;
        let text = format!("{RULES_VERSION} {:?}", self.limits);
        Sha256::digest(text.as_bytes())[..8].iter().map(|b| format!("{b:02x}")).collect()
    }
}

type TreeRule = fn(&Mirror, ObjectId, &[Change], &Rules) -> Result<Vec<Finding>, GateError>;

/// A rule family.
#[derive(Clone, Copy)]
enum Gate {
    /// Says something of one file from its bytes; asked for each file that changed.
    File(fn(&TreePath, Entry, &[u8], &Rules) -> Vec<Finding>),
    /// Says something of the tree as a whole.
    Tree(TreeRule),
}

impl Gate {
    /// In the order of the contract.
    const ALL: &'static [Self] = &[
        Self::Tree(limits::check),
        Self::Tree(links::check),
        Self::File(lfs::check),
        Self::File(|path, _, bytes, rules| syntax::check(path, bytes, &rules.limits)),
    ];
}

/// Holds a tree against the rules. Files that `live` has too, unchanged, passed the same rules
/// before and are not read again; the caller gives `None` where the rules are others now.
///
/// # Errors
/// When the mirror is damaged.
pub fn check(
    mirror: &Mirror,
    tree: ObjectId,
    live: Option<ObjectId>,
    rules: &Rules,
) -> Result<Vec<Finding>, GateError> {
    let changes = mirror.changes(live.filter(|live| mirror.has(*live)), tree)?;
    let mut found = Vec::new();
    for gate in Gate::ALL {
        if let Gate::Tree(check) = gate {
            found.extend(check(mirror, tree, &changes, rules)?);
        }
    }
    // What breaks a limit is not read: that is what the limit is for.
    let refused: BTreeSet<&str> =
        found.iter().filter_map(|f: &Finding| f.file.as_deref()).collect();
    let mut in_files = Vec::new();
    for change in &changes {
        let Some(entry) = change.new.filter(|e| e.mode != FileMode::Link) else { continue };
        if refused.contains(change.path.as_str()) || in_files.len() > 2 * FINDINGS_MAX {
            continue;
        }
        let bytes = mirror.blob(entry.id)?;
        for gate in Gate::ALL {
            if let Gate::File(check) = gate {
                in_files.extend(check(&change.path, entry, &bytes, rules));
            }
        }
    }
    found.extend(in_files);
    Ok(in_order(found))
}

/// By file and place; no more than people can read.
fn in_order(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by(|a, b| {
        (!a.is_error(), &a.file, a.line, a.column).cmp(&(!b.is_error(), &b.file, b.line, b.column))
    });
    let more = findings.len().saturating_sub(FINDINGS_MAX);
    if more > 0 {
        findings.truncate(FINDINGS_MAX);
        findings
            .push(Finding::warning("gates.more", format!("{more} more findings are not shown")));
    }
    findings
}

#[cfg(test)]
mod tests;
