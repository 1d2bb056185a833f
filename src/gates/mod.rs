//! The gates: what a tree must pass before it may become live.
//!
//! Each rule family is a function over one changed file, or over the whole tree; the list of them
//! is [`Gate::ALL`], and the next family is one more entry there. May touch the object store, and read the
//! files of this node that the settings name as rules.
//! Never decides what follows from a finding.
//!
//! Names, depths and sizes are checked while the tree is rendered, before a blob is read: a tree with
//! a name that cannot be a path does not come this far. What the limits say of a whole tree is said
//! here again, since files that rendering passed over as known count too.

mod at_hand;
mod error;
mod files;
mod kos;
mod leaks;
mod lfs;
mod limits;
mod links;
mod policies;
mod record;
mod references;
mod rules;
mod schema;
mod sealed;
mod syntax;

pub use error::GateError;
pub use policies::{Tried, run_tests};
pub use rules::Rules;

use at_hand::AtHand;
use files::Schemas;

use crate::model::{Change, Finding, Findings, ObjectId, Plan};
use crate::objects::Mirror;

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
    File(fn(&AtHand<'_>) -> Vec<Finding>),
}

impl Gate {
    /// In the order of the contract. References are no part of it: they are about what files say
    /// of each other, and come when all files were looked at. Policies are none, for they are asked
    /// about many documents together. Leaks are none either: they are about
    /// the repository's own bytes, whatever those are decrypted to.
    const ALL: &'static [Self] = &[
        Self::Tree(limits::check),
        Self::Tree(links::check),
        Self::File(lfs::check),
        Self::File(syntax::check),
        Self::File(Schemas::check),
        Self::File(kos::check),
    ];
}

/// From this many files on, threads are started for them.
const FILES_SHARED_FROM: usize = 500;

/// Holds a rendered tree against the rules. Files that `live` has too, unchanged, passed the same
/// rules before and are not read again; the caller gives `None` where the rules are others now.
/// What was found in a tree is remembered, so the next one costs what differs, also after a refusal.
/// One bad file hides no other; a few hundred findings are kept, errors first.
///
/// # Errors
/// When the mirror is damaged, or rules that are files of this node cannot be used.
pub fn check(
    mirror: &Mirror,
    tree: ObjectId,
    live: Option<ObjectId>,
    rules: &Rules,
) -> Result<Vec<Finding>, GateError> {
    let live = live.filter(|live| mirror.has(*live));
    judge(mirror, tree, live, &mirror.changes(live, tree)?, rules)
}

/// The same of the tree that a plan leads to, for whoever has one: what it begins with is `passed`
/// more often than not, and then nobody has to look for what differs again.
///
/// # Errors
/// See [`check`].
pub fn check_plan(
    mirror: &Mirror,
    plan: &Plan,
    passed: Option<ObjectId>,
    rules: &Rules,
) -> Result<Vec<Finding>, GateError> {
    if plan.from_tree == passed {
        judge(mirror, plan.to_tree, passed, &plan.changes, rules)
    } else {
        check(mirror, plan.to_tree, passed, rules)
    }
}

fn judge(
    mirror: &Mirror,
    tree: ObjectId,
    live: Option<ObjectId>,
    changes: &[Change],
    rules: &Rules,
) -> Result<Vec<Finding>, GateError> {
    let candidate = Candidate { mirror, tree, changes, rules };
    let mut found = Findings::default();
    for gate in Gate::ALL {
        if let Gate::Tree(check) = gate {
            check(&candidate, &mut found)?;
        }
    }
    files::check(&candidate, live, &mut found)?;
    Ok(found.into_sorted())
}

#[cfg(test)]
mod tests;
