//! `policy`: documents are held against rules in Rego, one by one and all together.
//!
//! There are three sets of rules, and none sees another: those of the preset, those of the node and
//! those of the tree. So whoever writes to the repository cannot weaken what the node asks. Rules are
//! evaluated in a child process ([`crate::rego`]), for whatever they do is done by whoever wrote them.

mod asking;
mod combined;
mod data;
mod findings;
mod of_node;
mod of_tree;
mod trials;

use std::collections::HashSet;
use std::time::Duration;

use super::rules::RULE_FILE_BYTES_MAX;
use super::{GateError, Rules, kos};
use crate::config::{Preset, RuleFile, RulePattern};
use crate::document;
use crate::model::{Finding, Findings, ObjectId, TreePath};
use crate::objects::Mirror;
use crate::rego::{self, Bounds, Broken, Evaluator, SetText, SourceText};

pub(super) use asking::{Asked, Asking};
pub(super) use of_node::OfNode;
pub use trials::{Tried, run_tests};

/// Files of rules, and of data, that are read from one place.
const FILES_MAX: usize = 1_000;

/// What rules and data are called in the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Rules,
    /// Rules and their tests, where tests are what is run.
    RulesAndTests,
    Data,
}

/// Whose a set of rules is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Preset,
    Node,
    Tree,
}

/// The rules of the preset.
const PRESET: &[(&str, &str)] = &[
    ("kos/encryption.rego", include_str!("kos/encryption.rego")),
    ("kos/enterprise.rego", include_str!("kos/enterprise.rego")),
    ("kos/session.rego", include_str!("kos/session.rego")),
    ("kos/transport.rego", include_str!("kos/transport.rego")),
    ("kos/values.rego", include_str!("kos/values.rego")),
    ("kos/versions.rego", include_str!("kos/versions.rego")),
];

/// What the preset's rules say, for who names the rules that findings depend on.
pub(super) fn preset_text() -> impl Iterator<Item = &'static str> {
    PRESET.iter().map(|(_, text)| *text)
}

/// All rules that a tree is held against.
pub(super) struct Policies<'a> {
    rules: &'a Rules,
    sets: Vec<SetText>,
    owners: Vec<Owner>,
    bounds: Bounds,
    /// Whether there are rules about single documents, and about all of them.
    has_single: bool,
    has_combined: bool,
    /// Files that are rules or data themselves.
    left_out: HashSet<String>,
    /// What is wrong with the files of the tree.
    faults: Vec<Finding>,
}

impl<'a> Policies<'a> {
    /// Reads them.
    ///
    /// # Errors
    /// When the mirror is damaged, or files of this node cannot be used.
    pub(super) fn open(
        mirror: &Mirror,
        tree: ObjectId,
        rules: &'a Rules,
    ) -> Result<Self, GateError> {
        let limits = &rules.limits;
        let bounds = Bounds {
            time_max: Duration::from_millis(limits.policy_time_max_ms),
            memory_bytes_max: limits.policy_memory_bytes_max,
        };
        let mut policies = Self {
            rules,
            sets: Vec::new(),
            owners: Vec::new(),
            bounds,
            has_single: false,
            has_combined: false,
            left_out: HashSet::new(),
            faults: Vec::new(),
        };
        if rules.validation.preset == Preset::Kos {
            let files = PRESET.iter().map(|(name, text)| source(name, text)).collect();
            policies.add(Owner::Preset, files, "{}");
        }
        if rules.validation.policies.is_empty() {
            return Ok(policies);
        }
        policies.left_out.extend(of_tree::list(mirror, tree, rules, Kind::Data)?.into_keys());
        policies.left_out.extend(rules.validation.schemas.iter().filter_map(|s| match &s.schema {
            RuleFile::Tree(path) => Some(path.as_str().to_owned()),
            RuleFile::Node(_) => None,
        }));
        let of_node = rules.policy_files.sources(rules, Kind::Rules)?;
        let (of_tree, faults) = of_tree::read(mirror, tree, rules, Kind::Rules)?;
        policies.faults = faults;
        let data = match data::read(mirror, tree, rules)? {
            Ok(data) => data,
            Err(faults) => {
                policies.faults.extend(faults);
                return Ok(policies);
            }
        };
        policies.add(Owner::Node, of_node, &data);
        policies.add(Owner::Tree, of_tree, &data);
        Ok(policies)
    }

    fn add(&mut self, owner: Owner, files: Vec<SourceText>, data: &str) {
        if !files.is_empty() {
            let combined = files.iter().filter(|file| rego::is_combined(&file.text)).count();
            self.has_combined |= combined > 0;
            self.has_single |= combined < files.len();
            self.sets.push(SetText { files, data: data.to_owned() });
            self.owners.push(owner);
        }
    }

    /// Whether there is anything to ask.
    pub(super) const fn are_any(&self) -> bool {
        !self.sets.is_empty()
    }

    fn start(&self) -> Result<Evaluator, GateError> {
        Ok(Evaluator::start(&self.sets, self.bounds)?)
    }

    /// Tells what is wrong with the rules themselves.
    ///
    /// # Errors
    /// When there can be no child, or it is a file of this node that is wrong: no revision can put
    /// that right.
    pub(super) fn judge(&self, found: &mut Findings) -> Result<(), GateError> {
        found.extend(self.faults.iter().cloned());
        if self.are_any() { self.tell_broken(self.start()?.broken(), found) } else { Ok(()) }
    }

    fn tell_broken(&self, broken: &[Broken], found: &mut Findings) -> Result<(), GateError> {
        for one in broken {
            let finding = findings::broken(one);
            if self.owners.get(one.set) == Some(&Owner::Node) {
                let path = one.place.file.clone().into();
                return Err(GateError::NodeRules { what: "policy", path, findings: vec![finding] });
            }
            found.push(finding);
        }
        Ok(())
    }

    /// The numbers of the sets that have nothing to do with a file: the preset's rules are for the
    /// preset's files alone.
    fn not_for(&self, path: &TreePath) -> Vec<usize> {
        if kos::is_known(path) {
            return Vec::new();
        }
        let of_preset = self.owners.iter().position(|owner| *owner == Owner::Preset);
        of_preset.into_iter().collect()
    }

    /// Whether any rule is asked about the documents of a file alone.
    fn single_for(&self, path: &TreePath) -> bool {
        self.has_single
            && document::Format::of_path(path.as_str()).is_some()
            && !self.left_out.contains(path.as_str())
            && self.not_for(path).len() < self.sets.len()
    }

    /// What a file with rules is called: those of the preset come with kconfigd.
    fn called(&self, set: usize, file: &str) -> String {
        match self.owners.get(set) {
            Some(Owner::Preset) => format!("kconfigd's {file}"),
            _ => file.to_owned(),
        }
    }

    /// Holds the whole tree against the rules that compare files.
    ///
    /// # Errors
    /// When the mirror is damaged, or rules cannot be asked.
    pub(super) fn judge_all(
        &self,
        mirror: &Mirror,
        tree: ObjectId,
        found: &mut Findings,
    ) -> Result<(), GateError> {
        if self.has_combined { combined::check(mirror, tree, self, found) } else { Ok(()) }
    }
}

fn source(name: &str, text: &str) -> SourceText {
    SourceText { name: name.to_owned(), text: text.to_owned() }
}

/// The blobs of the rules and the data that are in the tree: others mean that all is looked at again.
pub(super) fn blobs(
    mirror: &Mirror,
    tree: ObjectId,
    rules: &Rules,
) -> Result<Vec<Option<ObjectId>>, GateError> {
    let mut found = Vec::new();
    for kind in [Kind::Rules, Kind::Data] {
        let files = of_tree::list(mirror, tree, rules, kind)?;
        found.extend(files.into_values().map(Some));
    }
    Ok(found)
}

/// The patterns of one kind.
fn patterns(rules: &Rules, kind: Kind) -> &[RulePattern] {
    match kind {
        Kind::Rules | Kind::RulesAndTests => &rules.validation.policies,
        Kind::Data => &rules.validation.policy_data,
    }
}

impl Kind {
    /// What it is called in messages.
    const fn word(self) -> &'static str {
        match self {
            Self::Rules | Self::RulesAndTests => "policy",
            Self::Data => "file of policy data",
        }
    }

    /// The setting that names it.
    const fn setting(self) -> &'static str {
        match self {
            Self::Rules | Self::RulesAndTests => "validation.policies",
            Self::Data => "validation.policy_data",
        }
    }

    /// Whether a file of this name is taken.
    fn takes(self, name: &str) -> bool {
        match self {
            Self::Rules => name.ends_with(".rego") && !rego::is_of_tests(name),
            Self::RulesAndTests => name.ends_with(".rego"),
            Self::Data => crate::document::Format::of_path(name).is_some(),
        }
    }
}

#[cfg(test)]
mod tests;
