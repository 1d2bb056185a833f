//! `validation`: what a revision is held against beside what always counts.

use std::fmt;
use std::path::PathBuf;

use super::decode::glob;
use super::paths::resolve;
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
    Validation { preset, schemas: schemas(reader), references: references(reader), fail_on }
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

/// What starts with `/` or `./` is the node's, anything else the tree's.
pub(super) fn rule_file(text: &str, resolve: impl Fn(&str) -> Read<PathBuf>) -> Read<RuleFile> {
    if text.starts_with('/') || text.starts_with("./") || text.starts_with("../") {
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
            "  policies: [a.rego]\n",
        ] {
            page.push_str(&format!("{block}{}\n\n", read_block(block).unwrap_err()));
        }
        insta::assert_snapshot!(page);
    }
}
