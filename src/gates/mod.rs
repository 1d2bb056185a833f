//! The gates: what a tree must pass before it may become live.
//!
//! Each rule family is a function over one changed file, or over the whole tree; the list of them
//! is [`Gate::ALL`], and the next family is one more entry there. May touch the object store only.
//! Never decides what follows from a finding.
//!
//! Names, depths and sizes are checked while the tree is rendered, before a blob is read: a tree with
//! a name that cannot be a path does not come this far. What the limits say of a whole tree is said
//! here again, since files that rendering passed over as known count too.

mod error;
mod lfs;
mod limits;
mod links;
mod syntax;

pub use error::GateError;

use sha2::{Digest as _, Sha256};

use crate::model::{Change, Entry, FileMode, Finding, Findings, Limits, ObjectId, TreePath};
use crate::objects::Mirror;

/// What the gates go by.
#[derive(Clone, Debug)]
pub struct Rules {
    limits: Limits,
    recipe: String,
}

impl Rules {
    /// The rules of these limits.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self { limits: limits.clone(), recipe: String::new() }
    }

    /// The same rules, for trees that `recipe` makes of a commit: rendering has findings of its own,
    /// and a commit that it refused is worth another look once it is rendered in another way.
    #[must_use]
    pub fn made_by(self, recipe: String) -> Self {
        Self { recipe, ..self }
    }

    /// Names everything that findings depend on: when it changes, what was refused is looked at
    /// again. Limits that no gate looks at are no part of it.
    #[must_use]
    pub fn key(&self) -> String {
        /// Grows when a rule family says something else of the same tree.
        const RULES_VERSION: u32 = 2;
        let Limits {
            files_max,
            file_bytes_max,
            tree_bytes_max,
            path_bytes_max,
            depth_max,
            yaml_aliases_max,
            yaml_depth_max,
            yaml_documents_max,
            fetch_bytes_max: _,
            policy_time_max_ms: _,
            policy_memory_bytes_max: _,
            webhook_body_bytes_max: _,
            http_body_bytes_max: _,
            exec_output_bytes_max: _,
            mirror_packs_max: _,
        } = self.limits;
        let on_trees = [files_max, file_bytes_max, tree_bytes_max, path_bytes_max, depth_max];
        let on_documents = [yaml_aliases_max, yaml_depth_max, yaml_documents_max];
        let recipe = &self.recipe;
        let text = format!("{RULES_VERSION} {on_trees:?} {on_documents:?} {recipe}");
        Sha256::digest(text.as_bytes())[..8].iter().map(|b| format!("{b:02x}")).collect()
    }
}

/// A tree that is held against the rules, and how it differs from one that passed them.
struct Candidate<'a> {
    mirror: &'a Mirror,
    tree: ObjectId,
    changes: &'a [Change],
    rules: &'a Rules,
}

/// A rule family.
#[derive(Clone, Copy)]
enum Gate {
    /// Says something of the tree as a whole.
    Tree(fn(&Candidate<'_>, &mut Findings) -> Result<(), GateError>),
    /// Says something of one file from its bytes; asked for each file that changed, links aside.
    File(fn(&TreePath, &[u8], &Rules) -> Vec<Finding>),
}

impl Gate {
    /// In the order of the contract.
    const ALL: &'static [Self] = &[
        Self::Tree(limits::check),
        Self::Tree(links::check),
        Self::File(lfs::check),
        Self::File(|path, bytes, rules| syntax::check(path, bytes, &rules.limits)),
    ];
}

/// From this many files on, threads are started for them.
const FILES_SHARED_FROM: usize = 500;

/// Holds a rendered tree against the rules. Files that `live` has too, unchanged, passed the same
/// rules before and are not read again; the caller gives `None` where the rules are others now.
/// One bad file hides no other; a few hundred findings are kept, errors first.
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
    let candidate = Candidate { mirror, tree, changes: &changes, rules };
    let mut found = Findings::default();
    for gate in Gate::ALL {
        if let Gate::Tree(check) = gate {
            check(&candidate, &mut found)?;
        }
    }
    let parts = mirror.share_out(&changes, FILES_SHARED_FROM, |mirror, part| {
        let mut found = Findings::default();
        for change in part {
            if let Some(entry) = change.new {
                check_file(mirror, &change.path, entry, rules, &mut found)?;
            }
        }
        Ok::<_, GateError>(found)
    })?;
    parts.into_iter().for_each(|part| found.append(part));
    Ok(found.into_sorted())
}

fn check_file(
    mirror: &Mirror,
    path: &TreePath,
    entry: Entry,
    rules: &Rules,
    found: &mut Findings,
) -> Result<(), GateError> {
    if let Some(finding) = limits::check_size(path, mirror.blob_size(entry.id)?, rules) {
        // What breaks a limit is not read: that is what the limit is for.
        found.push(finding);
        return Ok(());
    }
    if entry.mode == FileMode::Link {
        return Ok(());
    }
    let of_this = mirror.with_blob(entry.id, |bytes| {
        let families = Gate::ALL.iter().filter_map(|gate| match gate {
            Gate::File(check) => Some(check(path, bytes, rules)),
            Gate::Tree(_) => None,
        });
        families.flatten().collect::<Vec<_>>()
    })?;
    found.extend(of_this);
    Ok(())
}

#[cfg(test)]
mod tests;
