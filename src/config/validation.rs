//! `validation`: what a revision is held against beside what always counts.

use std::fmt;
use std::path::PathBuf;

use super::decode::glob;
use super::paths::resolve;
use super::policies::{self, RulePattern};
use super::reader::Reader;
use super::values::{self, Read, shown};
use crate::document::Node;
use crate::model::{Severity, TreePath};

/// Steps of a key's way.
const STEPS_MAX: usize = 32;

/// The rules of the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validation {
    /// Rules that come with kconfigd.
    pub preset: Preset,
    /// Schemas, in the order of the settings; a file may have to fit several.
    pub schemas: Vec<SchemaRule>,
    /// What must be there because it is named.
    pub references: Vec<ReferenceRule>,
    /// The least severity that refuses a revision.
    pub fail_on: Severity,
    /// Files with rules in Rego.
    pub policies: Vec<RulePattern>,
    /// Files with data for them.
    pub policy_data: Vec<RulePattern>,
    /// What is done about credentials in plain text.
    pub leaks: LeakPolicy,
    /// What looks like one and is none.
    pub leak_allow: Vec<LeakAllowed>,
}

/// What is done about credentials in plain text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeakPolicy {
    /// They are told, and with a preset that wants that, refused.
    Unsaid,
    /// Nothing.
    Off,
    /// They are told.
    Warn,
    /// They refuse the revision.
    Refuse,
}

/// Something that looks like a credential and is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeakAllowed {
    /// gitignore-style patterns of the files that it is in.
    pub files: Vec<String>,
    /// The rule without its family; `None`: all.
    pub rule: Option<String>,
    /// Why.
    pub reason: String,
}

/// Rules that come with kconfigd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// None.
    None,
    /// Those of a kOS configuration.
    Kos,
}

/// A schema, and the files that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaRule {
    /// gitignore-style patterns.
    pub files: Vec<String>,
    /// Where the schema is.
    pub schema: RuleFile,
}

/// A file of rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleFile {
    /// On the node: absolute.
    Node(PathBuf),
    /// In the tree that is checked.
    Tree(TreePath),
}

/// Names in some files that must be found as others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferenceRule {
    /// gitignore-style patterns of the files that name others.
    pub files: Vec<String>,
    /// Where the names stand in them.
    pub key: KeyPath,
    /// Paths with one `*`, which stands for the name.
    pub targets: Vec<String>,
}

/// The way from the top of a document to values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPath(pub Vec<Step>);

/// One step of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Into the value under a key.
    Key(String),
    /// Into every item of a list.
    Items,
    /// Into every value of a mapping.
    Values,
}

impl Default for Validation {
    fn default() -> Self {
        Self {
            preset: Preset::None,
            schemas: Vec::new(),
            references: Vec::new(),
            fail_on: Severity::Error,
            policies: Vec::new(),
            policy_data: Vec::new(),
            leaks: LeakPolicy::Unsaid,
            leak_allow: Vec::new(),
        }
    }
}

impl KeyPath {
    /// Reads `a.b`, `a[]`, `a.*`, `a[].b`; `[]` alone is a list at the top. `None` when it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut steps = Vec::new();
        for part in text.split('.') {
            let name = part.trim_end_matches("[]");
            let lists = (part.len() - name.len()) / 2;
            match name {
                "*" => steps.push(Step::Values),
                "" if steps.is_empty() && lists > 0 => {}
                "" => return None,
                _ if name.contains(['[', ']', '*']) => return None,
                _ => steps.push(Step::Key(name.to_owned())),
            }
            steps.extend(std::iter::repeat_n(Step::Items, lists));
        }
        (1..=STEPS_MAX).contains(&steps.len()).then_some(Self(steps))
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, step) in self.0.iter().enumerate() {
            let dot = if n > 0 { "." } else { "" };
            match step {
                Step::Key(key) => write!(f, "{dot}{key}")?,
                Step::Values => write!(f, "{dot}*")?,
                Step::Items => f.write_str("[]")?,
            }
        }
        Ok(())
    }
}

/// Reads the whole group.
pub(super) fn read(reader: &mut Reader<'_>) -> Validation {
    let preset = match reader.word("validation.preset") {
        "kos" => Preset::Kos,
        _ => Preset::None,
    };
    let fail_on = match reader.word("validation.fail_on") {
        "warning" => Severity::Warning,
        _ => Severity::Error,
    };
    let leaks = match reader.word("validation.leaks") {
        _ if reader.setting("validation.leaks").is_none() => LeakPolicy::Unsaid,
        "off" => LeakPolicy::Off,
        "refuse" => LeakPolicy::Refuse,
        _ => LeakPolicy::Warn,
    };
    let (schemas, references) = (schemas(reader), references(reader));
    let policies = policies::read(reader, "validation.policies");
    let policy_data = policies::read(reader, "validation.policy_data");
    let leak_allow = leak_allow(reader);
    Validation { preset, schemas, references, fail_on, policies, policy_data, leaks, leak_allow }
}

fn schemas(reader: &mut Reader<'_>) -> Vec<SchemaRule> {
    let folder = reader.folder("validation.schemas").clone();
    reader.items("validation.schemas", "validation.schemas[]", |item| {
        let files = item.required("validation.schemas[].match", globs);
        let schema = item.required("validation.schemas[].schema", |node| {
            let text = values::text(node)?;
            rule_file(&text, |text| resolve(&folder, text))
        });
        Some(SchemaRule { files: files?, schema: schema? })
    })
}

fn references(reader: &mut Reader<'_>) -> Vec<ReferenceRule> {
    reader.items("validation.references", "validation.references[]", |item| {
        let files = item.required("validation.references[].from.files", globs);
        let key = item.required("validation.references[].from.key", |node| {
            let text = values::text(node)?;
            KeyPath::parse(&text).ok_or_else(|| {
                format!("{} is not the way to a key, such as services[] or a.b", shown(&text))
            })
        });
        let targets = item.required("validation.references[].to.files", |node| {
            some(values::list(node)?)?.iter().map(target).collect::<Read<Vec<_>>>()
        });
        Some(ReferenceRule { files: files?, key: key?, targets: targets? })
    })
}

fn leak_allow(reader: &mut Reader<'_>) -> Vec<LeakAllowed> {
    reader.items("validation.leak_allow", "validation.leak_allow[]", |item| {
        let files = item.required("validation.leak_allow[].match", globs);
        let rule = item.optional("validation.leak_allow[].rule", values::text);
        let reason = item.required("validation.leak_allow[].reason", |node| {
            let text = values::text(node)?;
            if text.trim().is_empty() { Err("it says no reason".to_owned()) } else { Ok(text) }
        });
        Some(LeakAllowed { files: files?, rule, reason: reason? })
    })
}

/// Patterns of files, at least one.
fn globs(node: &Node) -> Read<Vec<String>> {
    some(values::list(node)?)?.iter().map(glob).collect()
}

fn some(items: &[Node]) -> Read<&[Node]> {
    if items.is_empty() { Err("an empty list means no file".to_owned()) } else { Ok(items) }
}

/// A path with one `*`.
fn target(node: &Node) -> Read<String> {
    let text = values::text(node)?;
    let stars = text.bytes().filter(|b| *b == b'*').count();
    if stars != 1 || TreePath::parse(&text.replace('*', "name")).is_err() {
        let shown = shown(&text);
        return Err(format!("{shown} is not a path with one `*` for the name: agents/*.yaml"));
    }
    Ok(text)
}

/// Whether a path is one of the node.
pub(super) fn is_of_node(text: &str) -> bool {
    text.starts_with('/') || text.starts_with("./") || text.starts_with("../")
}

/// What starts with `/` or `./` is the node's, anything else the tree's.
pub(super) fn rule_file(text: &str, resolve: impl Fn(&str) -> Read<PathBuf>) -> Read<RuleFile> {
    if is_of_node(text) {
        return resolve(text).map(RuleFile::Node);
    }
    match TreePath::parse(text) {
        Ok(path) => Ok(RuleFile::Tree(path)),
        Err(why) => Err(format!("{} is not a file of the repository: {why}", shown(text))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_to_keys_are_read_and_written_the_same() {
        for text in ["a", "a.b", "services[]", "a[].b", "a.*.b[]", "[]", "[].name", "a[][]", "*"] {
            assert_eq!(KeyPath::parse(text).unwrap().to_string(), text);
        }
        for text in ["", ".", "a.", ".a", "a[", "a[0]", "a..b", "a.[]", "a*"] {
            assert_eq!(KeyPath::parse(text), None, "{text}");
        }
    }

    fn read_block(block: &str) -> Result<Validation, String> {
        let text = format!(
            "state_dir: /s\ngitops: {{repository: /r}}\nlive: {{path: /l}}\nvalidation:\n{block}"
        );
        let loaded = crate::config::load_bytes(text.as_bytes(), Vec::new());
        loaded.map(|loaded| loaded.settings.validation).map_err(|error| error.to_string())
    }

    #[test]
    fn rules_are_the_nodes_or_the_trees_by_how_their_path_starts() {
        let rule = |path: &str| {
            let block = format!("  schemas: [{{match: [a], schema: {path}}}]\n");
            read_block(&block).unwrap().schemas.remove(0).schema
        };
        assert_eq!(rule("/etc/s.yaml"), RuleFile::Node("/etc/s.yaml".into()));
        let here = std::env::current_dir().unwrap();
        assert_eq!(rule("./s.yaml"), RuleFile::Node(here.join("s.yaml")));
        assert_eq!(rule("s/s.yaml"), RuleFile::Tree(TreePath::parse("s/s.yaml").unwrap()));
    }

    #[test]
    fn what_cannot_be_meant_is_told_with_its_place() {
        let mut page = String::new();
        for block in [
            "  preset: koss\n",
            "  schemas: [{match: [], schema: s.yaml}]\n",
            "  schemas: [{match: a.yaml, schema: .git/s}]\n",
            "  schemas: [{schema: s.yaml, matches: [a]}]\n",
            "  references: [{from: {files: [a], key: 'a[0]'}, to: {files: [b/]}}]\n",
            "  references: [{from: {files: [a]}, to: {files: ['*/*.yaml']}}]\n",
            "  references: [{from: a, to: {files: [../*.yaml]}}]\n",
            "  fail_on: info\n",
            "  policies: {a: b}\n",
        ] {
            page.push_str(&format!("{block}{}\n\n", read_block(block).unwrap_err()));
        }
        insta::assert_snapshot!(page);
    }
}
