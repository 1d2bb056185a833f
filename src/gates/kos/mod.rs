//! The preset `kos`: what is known of a kOS configuration.
//!
//! Where its parts are: `profiles/`, `agents/`, `plugins/`, `themes/`, `klp/`, `system.env`,
//! `secrets.env`, and the blocks `gitops` and `bootstrap`. Each kind of document has a schema in
//! `schemas/`, made of the seed's own blocks; what a schema cannot say is here. Files elsewhere are
//! left alone.

mod env;
mod extended;
mod names;
mod needs;
mod peers;

use std::sync::OnceLock;

use sha2::{Digest as _, Sha256};

use super::AtHand;
use super::references::{Facts, Target};
use super::schema::{Context, Source};
use crate::config::Preset;
use crate::model::{Finding, TreePath};
use crate::profiles::Part;

pub(super) use extended::{Extended, Member, Shelf, check_extended};
pub(super) use needs::{PresetNeed, judge};

/// Definitions that the schemas share: they are added at the end of each.
const DEFINITIONS: &str = include_str!("schemas/definitions.yaml");

/// The schemas, with what each is for.
const SCHEMAS: [(Part, &str, &str); 6] = [
    (Part::Profile, "kos/profile.yaml", include_str!("schemas/profile.yaml")),
    (Part::Agent, "kos/agent.yaml", include_str!("schemas/agent.yaml")),
    (Part::Plugin, "kos/plugin.yaml", include_str!("schemas/plugin.yaml")),
    (Part::Theme, "kos/theme.yaml", include_str!("schemas/theme.yaml")),
    (Part::KlpSettings, "kos/klp_settings.yaml", include_str!("schemas/klp_settings.yaml")),
    (Part::Blocks, "kos/blocks.yaml", include_str!("schemas/blocks.yaml")),
];

/// Grows when the preset says something else of the same tree, its schemas aside.
const VERSION: u32 = 3;

/// Names what the preset says, so that another kconfigd looks again.
pub(super) fn version(preset: Preset) -> Vec<u8> {
    if preset != Preset::Kos {
        return Vec::new();
    }
    let mut hash = Sha256::new_with_prefix(VERSION.to_be_bytes());
    hash.update(DEFINITIONS);
    SCHEMAS.iter().for_each(|(_, _, text)| hash.update(text));
    hash.finalize().to_vec()
}

/// The preset's schemas; each is compiled when the first file asks for it.
#[derive(Default)]
pub(super) struct BuiltIn {
    sources: [OnceLock<Source<'static>>; SCHEMAS.len()],
}

impl BuiltIn {
    fn of(&self, part: Part) -> Option<&Source<'static>> {
        let at = SCHEMAS.iter().position(|(of, _, _)| *of == part)?;
        let (_, name, text) = SCHEMAS.get(at)?;
        let source = self.sources.get(at)?;
        Some(source.get_or_init(|| Source::built_in(name, format!("{text}\n{DEFINITIONS}"))))
    }
}

/// Whether a file is one of the preset's.
pub(super) fn is_known(path: &TreePath) -> bool {
    Part::of(path).is_some()
}

/// Holds a file against what is known of its kind.
pub(super) fn check(file: &AtHand<'_>) -> Vec<Finding> {
    if file.rules.validation.preset != Preset::Kos {
        return Vec::new();
    }
    let Some(part) = Part::of(file.path) else { return Vec::new() };
    match part {
        Part::Environment => env::check(file),
        Part::Peers => peers::check(file),
        _ => documents(file, part),
    }
}

fn documents(file: &AtHand<'_>, part: Part) -> Vec<Finding> {
    let mut found = Vec::new();
    let context = Context::new(file.path, file.rules.masker.as_ref());
    let documents = match &file.documents {
        Ok(documents) => documents,
        // That it cannot be read is said already.
        Err(_) => return found,
    };
    let [document] = documents.as_slice() else {
        let text = match documents.len() {
            0 => "the file is empty".to_owned(),
            many => format!("one document is expected, and the file has {many}"),
        };
        let hint = "a file of this folder holds one document: write it, or take the file out";
        found.push(Finding::error("kos.document", text).at(1, 1).hint(hint));
        return found;
    };
    if let Some(source) = file.schemas.built_in.of(part) {
        found.extend(source.check(document, &context));
    }
    found.extend(names::check(file, part, document));
    found
}

/// What a file of the preset says that matters to others.
pub(super) fn facts(file: &AtHand<'_>) -> Facts {
    match Part::of(file.path) {
        Some(Part::Environment) => env::facts(file),
        Some(Part::Peers) => Facts { peers: peers::count(file), ..Facts::default() },
        Some(part) => needs::facts(file, part),
        None => Facts::default(),
    }
}

/// How many targets the preset has.
pub(super) const TARGETS: usize = 4;
/// Their numbers.
const AGENT: usize = 0;
const PLUGIN: usize = 1;
const PROFILE: usize = 2;
const BESIDE_KLP: usize = 3;

/// What names in a kOS configuration must be found as.
pub(super) fn targets() -> Vec<Target> {
    let target = |what: &'static str, folder: &str| Target {
        what,
        paths: ["yaml", "yml", "json"].map(|end| format!("{folder}/*.{end}")).to_vec(),
    };
    let beside_klp = Target { what: "file", paths: vec!["klp/*".to_owned()] };
    vec![
        target("agent", "agents"),
        target("plugin", "plugins"),
        target("profile", "profiles"),
        beside_klp,
    ]
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod variants;
