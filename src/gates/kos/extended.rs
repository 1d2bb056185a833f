//! Profiles that extend others are held against the same rules once more, with all that they extend
//! in them: what one file may lack, the whole must have.

use std::collections::HashSet;

use super::needs::of_profile;
use super::{BuiltIn, PROFILE, Part};
use crate::document::Document;
use crate::gates::references::{Facts, Need, Use, Whole};
use crate::gates::schema::Context;
use crate::gates::{GateError, Rules};
use crate::model::{Finding, Findings, ObjectId, TreePath};
use crate::objects::Mirror;
use crate::profiles::{self, FOLDER, Profile, ProfileError};

/// What profiles are read from and held against.
pub(in super::super) struct Shelf<'a> {
    pub(in super::super) mirror: &'a Mirror,
    pub(in super::super) tree: ObjectId,
    pub(in super::super) rules: &'a Rules,
    pub(in super::super) built_in: &'a BuiltIn,
}

/// Looks at every profile that extends another. `known` is what was found in single files, which is
/// not said again.
pub(in super::super) fn check_extended(
    shelf: &Shelf<'_>,
    whole: &mut Whole<'_>,
    known: &[Finding],
    found: &mut Findings,
) -> Result<(), GateError> {
    let said: HashSet<(&str, &str)> = known
        .iter()
        .filter_map(|finding| Some((finding.file.as_deref()?, finding.message.as_str())))
        .collect();
    for (path, facts) in whole.facts {
        let Some((name, extends)) = extending(path, facts) else { continue };
        let limits = &shelf.rules.limits;
        let read = |path: &str| shelf.mirror.read_file(shelf.tree, path, limits.file_bytes_max);
        match profiles::resolve(name, limits, read)? {
            Ok(profile) => {
                let told = |finding: &Finding| {
                    let message = finding.message.as_str();
                    profile.files.iter().any(|file| said.contains(&(file.as_str(), message)))
                };
                let mut findings = of_schema(shelf, path, &profile);
                findings.extend(of_needs(whole, &profile)?);
                findings.retain(|finding| !told(finding));
                found.extend(findings.into_iter().map(|f| placed(f, path, extends)));
            }
            // References and the syntax say these, where they are.
            Err(ProfileError::Missing { .. } | ProfileError::Unreadable { .. }) => {}
            Err(error @ ProfileError::NotOneMapping { .. }) => {
                tracing::debug!(%error, "told by the file's own schema");
            }
            Err(error) => {
                let text = format!("what it extends cannot be laid below it: {error}");
                let hint = "let each profile extend one that stands without it";
                let finding = Finding::error("kos.extends", text).hint(hint);
                found.push(finding.in_file(path).at(extends.line, extends.column));
            }
        }
    }
    Ok(())
}

/// The name of a profile that extends another, and where it says so.
fn extending<'f>(path: &'f str, facts: &'f Facts) -> Option<(&'f str, &'f Use)> {
    let name = path.strip_prefix(FOLDER)?.strip_prefix('/')?.strip_suffix(".yaml")?;
    let is_extends = |one: &&Use| matches!(one.need, Need::File { target: PROFILE, .. });
    Some((name, facts.uses.iter().find(is_extends)?))
}

fn of_schema(shelf: &Shelf<'_>, path: &str, profile: &Profile) -> Vec<Finding> {
    let Ok(path) = TreePath::parse(path) else { return Vec::new() };
    let context = Context::new(&path, shelf.rules.masker.as_ref());
    let check = |document: &Document| {
        shelf.built_in.of(Part::Profile).map(|source| source.check(document, &context))
    };
    check(&profile.document).unwrap_or_default()
}

/// What only the preset knows to be needed; names are looked for where they are written.
fn of_needs(whole: &mut Whole<'_>, profile: &Profile) -> Result<Vec<Finding>, GateError> {
    let mut facts = Facts::default();
    of_profile(&profile.document.root, &mut facts);
    let mut findings = Vec::new();
    for one in &facts.uses {
        if let Need::Preset(need) = one.need {
            findings.extend(super::judge(whole, one, need)?);
        }
    }
    Ok(findings)
}

/// The place of a finding about more than one file is the line that brought them together.
fn placed(finding: Finding, path: &str, extends: &Use) -> Finding {
    let message = format!("with what it extends: {}", finding.message);
    Finding { message, ..finding }.in_file(path).at(extends.line, extends.column)
}
