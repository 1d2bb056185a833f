//! `references`: what one document names must be there.
//!
//! What single files say (the names they use, the variables they define) is taken from them once
//! and remembered, so that a change is held against the whole set without reading it again.

mod facts;
mod files;

pub(super) use facts::{Facts, Need, Use, at_key};

use std::collections::{BTreeMap, HashSet};

use super::kos::{BuiltIn, Extended, Shelf};
use super::{AtHand, GateError, Rules, kos};
use crate::config::Preset;
use crate::document::nearest;
use crate::model::{Finding, Findings, ObjectId};
use crate::objects::Mirror;
use files::Files;

/// How much of a name has to be the same for it to be meant, 0 to 1.
const NEAR: f64 = 0.7;

/// Names that are missing for which a near one is looked for among all; more findings than these are
/// hardly shown.
const NEAREST_MAX: usize = 500;

/// What a name must be found as: paths with one `*`, which stands for it.
pub(super) struct Target {
    /// What it is called: `agent`. Empty for those of the settings.
    pub(super) what: &'static str,
    pub(super) paths: Vec<String>,
}

/// Whether there are rules about the whole set.
pub(super) fn are_asked_for(rules: &Rules) -> bool {
    rules.validation.preset == Preset::Kos || !rules.validation.references.is_empty()
}

/// What names may have to be found as: those of the preset, then those of the settings.
fn targets(rules: &Rules) -> Vec<Target> {
    let preset = match rules.validation.preset {
        Preset::Kos => kos::targets(),
        Preset::None => Vec::new(),
    };
    let of_settings = rules.validation.references.iter();
    preset
        .into_iter()
        .chain(of_settings.map(|rule| Target { what: "", paths: rule.targets.clone() }))
        .collect()
}

/// What a file says that matters to others.
pub(super) fn facts(file: &AtHand<'_>) -> Facts {
    let rules = file.rules;
    let mut facts = match rules.validation.preset {
        Preset::Kos => kos::facts(file),
        Preset::None => Facts::default(),
    };
    let first = match rules.validation.preset {
        Preset::Kos => kos::TARGETS,
        Preset::None => 0,
    };
    for (n, rule) in rules.validation.references.iter().enumerate() {
        let is_meant =
            rules.reference_files.get(n).is_some_and(|p| p.mean_file(file.path.as_str()));
        for document in file.readable().iter().filter(|_| is_meant) {
            for (key, node) in at_key(&document.root, &rule.key) {
                facts.uses_name(first + n, &key, node);
            }
        }
    }
    facts
}

/// Holds what all files say against the tree. `known` is what was found in single files, `extended`
/// what profiles came to with all that they extend.
pub(super) fn check(
    mirror: &Mirror,
    tree: ObjectId,
    rules: &Rules,
    facts: &BTreeMap<String, Facts>,
    (built_in, known): (&BuiltIn, &[Finding]),
    extended: &mut BTreeMap<String, Extended>,
    findings: &mut Findings,
) -> Result<(), GateError> {
    let mut whole = Whole {
        files: Files::new(mirror, tree),
        targets: targets(rules),
        variables: facts.values().flat_map(|f| f.variables.iter().map(String::as_str)).collect(),
        facts,
        found: Vec::new(),
        hints_left: NEAREST_MAX,
    };
    whole.found.resize(whole.targets.len(), HashSet::new());
    let mut known = known.to_vec();
    for (path, facts) in facts {
        for one in &facts.uses {
            if let Some(finding) = whole.judge(one)? {
                known.push(finding.in_file(path).at(one.line, one.column));
                findings.extend(known.last().cloned());
            }
        }
    }
    if rules.validation.preset == Preset::Kos {
        let shelf = Shelf { mirror, tree, rules, built_in };
        kos::check_extended(&shelf, &mut whole, &known, extended, findings)?;
    }
    Ok(())
}

/// All that names can be held against.
pub(super) struct Whole<'a> {
    pub(super) files: Files<'a>,
    targets: Vec<Target>,
    pub(super) variables: HashSet<&'a str>,
    pub(super) facts: &'a BTreeMap<String, Facts>,
    /// Names that were found already, for each target.
    found: Vec<HashSet<String>>,
    /// What of [`NEAREST_MAX`] is left.
    hints_left: usize,
}

impl Whole<'_> {
    fn judge(&mut self, one: &Use) -> Result<Option<Finding>, GateError> {
        match &one.need {
            Need::File { target, name } => self.file(one, *target, name),
            Need::Variable(name) => Ok(self.variable(one, name)),
            Need::Preset(need) => kos::judge(self, one, *need),
        }
    }

    fn file(&mut self, one: &Use, target: usize, name: &str) -> Result<Option<Finding>, GateError> {
        let Some(Target { what, paths }) = self.targets.get(target) else { return Ok(None) };
        let Some(found) = self.found.get_mut(target) else { return Ok(None) };
        if found.contains(name) {
            return Ok(None);
        }
        for path in paths {
            if self.files.has(&path.replace('*', name))? {
                found.insert(name.to_owned());
                return Ok(None);
            }
        }
        let Some(first) = paths.first() else { return Ok(None) };
        let shown = name.chars().take(100).collect::<String>().replace(char::is_control, "�");
        let article = if what.is_empty() { String::new() } else { format!("the {what} ") };
        let path = first.replace('*', &shown);
        let text = format!("`{}` names {article}`{shown}`, and {path} is not in the tree", one.key);
        let mut known = Vec::new();
        for path in paths.iter().filter(|_| self.hints_left > 0) {
            known.extend(self.files.names(path)?);
        }
        self.hints_left = self.hints_left.saturating_sub(1);
        // Names of one kind often end alike, so they have to be nearer than keys.
        let near = |meant: &&str| strsim::normalized_damerau_levenshtein(name, meant) >= NEAR;
        let hint = match nearest(name, known.iter().map(String::as_str)).filter(near) {
            Some(meant) => format!("did you mean `{meant}`? Otherwise add {path}"),
            None => format!("add {path}, or take the name out"),
        };
        Ok(Some(Finding::error("references.missing", text).hint(hint)))
    }

    fn variable(&mut self, one: &Use, name: &str) -> Option<Finding> {
        if self.variables.contains(name) {
            return None;
        }
        let known = self.variables.iter().copied().filter(|_| self.hints_left > 0);
        let text = format!(
            "`{}` uses `${{{name}}}`, which neither system.env nor secrets.env defines",
            one.key
        );
        let near = |meant: &&str| strsim::normalized_damerau_levenshtein(name, meant) >= NEAR;
        let meant = nearest(name, known).filter(near);
        self.hints_left = self.hints_left.saturating_sub(1);
        let hint = match meant {
            Some(meant) => format!("did you mean `${{{meant}}}`?"),
            None => format!("define {name} in system.env, or write `${{{name}:-default}}`"),
        };
        Some(Finding::error("references.variable", text).hint(hint))
    }
}

#[cfg(test)]
mod tests;
