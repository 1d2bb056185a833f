//! `schema`: documents are held against JSON Schemas (2020-12), written as YAML or JSON.
//!
//! A schema sees a document as JSON by the core schema of YAML 1.2. References of a schema (`$ref`)
//! stay inside its own file: nothing is fetched. Patterns go to an engine whose time is linear.
//! What is said of a document has the place of the key or the value in its file.

mod cost;
mod explain;
mod instance;
mod text;

use std::path::Path;
use std::sync::OnceLock;

use jsonschema::{PatternOptions, Validator};
use serde_json::Value as Json;

use super::rules::RULE_FILE_BYTES_MAX;
use super::{GateError, Rules};
use crate::config::RuleFile;
use crate::document::{self, Document, Format};
use crate::model::{Finding, Findings, Limits, ObjectId, TreePath};
use crate::objects::{ItemKind, Mirror};

use cost::Cost;
pub(super) use explain::Context;
pub(super) use instance::json;

/// Findings about one document by one schema.
const FINDINGS_MAX: usize = 1_000;
/// Bytes of a compiled pattern, and of what it remembers while it runs.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// A schema that can be used.
pub(super) struct Schema {
    validator: Validator,
    /// The schema itself, for what it says to people.
    json: Json,
    cost: Cost,
    name: String,
}

/// A schema, and where it comes from. Read and compiled when the first file asks for it.
pub(super) struct Source<'a> {
    name: String,
    bytes: Bytes<'a>,
    /// Where it is, when it is a file of this node.
    of_node: Option<&'a Path>,
    compiled: OnceLock<Result<Schema, Vec<Finding>>>,
}

enum Bytes<'a> {
    Here(&'a [u8]),
    Read(Vec<u8>),
    Missing,
    TooLarge(u64),
}

impl<'a> Source<'a> {
    /// A schema that comes with kconfigd.
    pub(super) fn built_in(name: &str, text: String) -> Self {
        Self::new(name, Bytes::Read(text.into_bytes()))
    }

    fn new(name: &str, bytes: Bytes<'a>) -> Self {
        Self { name: name.to_owned(), bytes, of_node: None, compiled: OnceLock::new() }
    }

    /// Tells what is wrong with the schema itself.
    ///
    /// # Errors
    /// When it is a file of this node: no revision can put that right.
    pub(super) fn judge(&self, found: &mut Findings) -> Result<(), GateError> {
        match (self.compiled(), self.of_node) {
            (Ok(_), _) => Ok(()),
            (Err(findings), None) => {
                found.extend(findings.iter().cloned());
                Ok(())
            }
            (Err(findings), Some(path)) => {
                let (path, findings) = (path.to_owned(), findings.clone());
                Err(GateError::NodeRules { what: "schema", path, findings })
            }
        }
    }

    fn compiled(&self) -> &Result<Schema, Vec<Finding>> {
        self.compiled.get_or_init(|| {
            let bytes = match &self.bytes {
                Bytes::Here(bytes) => bytes,
                Bytes::Read(bytes) => bytes.as_slice(),
                Bytes::Missing => return Err(vec![missing(&self.name)]),
                Bytes::TooLarge(found) => {
                    let text = format!(
                        "a schema has at most {RULE_FILE_BYTES_MAX} bytes, and this one {found}"
                    );
                    return Err(vec![Finding::error("schema.broken", text).in_file(&self.name)]);
                }
            };
            Schema::compile(bytes, &self.name)
        })
    }

    /// What the schema has to say of a document. Nothing where it is broken itself.
    pub(super) fn check(&self, document: &Document, context: &Context<'_>) -> Vec<Finding> {
        match self.compiled() {
            Ok(schema) => schema.check(document, context),
            Err(_) => Vec::new(),
        }
    }
}

fn missing(name: &str) -> Finding {
    Finding::error("schema.missing", "this schema of the settings is not in the tree")
        .in_file(name)
        .hint("add it, or change `validation.schemas`; a path that starts with `/` or `./` is a file of the node")
}

/// The schemas of the settings, in their order.
///
/// # Errors
/// When the mirror is damaged, or a schema of this node cannot be read.
pub(super) fn sources<'a>(
    mirror: &Mirror,
    tree: ObjectId,
    rules: &'a Rules,
) -> Result<Vec<Source<'a>>, GateError> {
    let mut sources = Vec::new();
    for rule in &rules.validation.schemas {
        sources.push(match &rule.schema {
            RuleFile::Node(path) => {
                let name = path.display().to_string();
                let source = Source::new(
                    &name,
                    Bytes::Here(rules.node_file(path, "schema", "validation.schemas")?),
                );
                Source { of_node: Some(path), ..source }
            }
            RuleFile::Tree(path) => {
                let bytes = match file_at(mirror, tree, path)? {
                    None => Bytes::Missing,
                    Some(id) => match mirror.blob_size(id)? {
                        0..=RULE_FILE_BYTES_MAX => Bytes::Read(mirror.blob(id)?),
                        found => Bytes::TooLarge(found),
                    },
                };
                Source::new(path.as_str(), bytes)
            }
        });
    }
    Ok(sources)
}

/// The blobs of the schemas that are in the tree: others mean that all is looked at again.
pub(super) fn blobs(
    mirror: &Mirror,
    tree: ObjectId,
    rules: &Rules,
) -> Result<Vec<Option<ObjectId>>, GateError> {
    let mut found = Vec::new();
    for rule in &rules.validation.schemas {
        if let RuleFile::Tree(path) = &rule.schema {
            found.push(file_at(mirror, tree, path)?);
        }
    }
    Ok(found)
}

/// The blob at a path, where there is a plain file.
fn file_at(
    mirror: &Mirror,
    tree: ObjectId,
    path: &TreePath,
) -> Result<Option<ObjectId>, GateError> {
    let mut at = tree;
    let mut names = path.as_str().split('/').peekable();
    while let Some(name) = names.next() {
        match mirror.item(at, name.as_bytes())? {
            Some(item) if item.kind == ItemKind::Folder => at = item.id,
            Some(item) if names.peek().is_none() && matches!(item.kind, ItemKind::File(_)) => {
                return Ok(Some(item.id));
            }
            _ => return Ok(None),
        }
    }
    Ok(None)
}

impl Schema {
    /// Reads and compiles a schema.
    ///
    /// # Errors
    /// What is wrong with it, with its place in `name`.
    pub(super) fn compile(bytes: &[u8], name: &str) -> Result<Self, Vec<Finding>> {
        let broken = |finding: Finding| Finding { rule: "schema.broken".to_owned(), ..finding };
        let format = Format::of_path(name).unwrap_or(Format::Yaml);
        let documents = document::parse(bytes, format, &Limits::default()).map_err(|found| {
            found.into_iter().map(|f| broken(f.in_file(name))).collect::<Vec<_>>()
        })?;
        let [document] = documents.as_slice() else {
            let count = documents.len();
            let text = format!("a schema is one document, and the file has {count}");
            let hint = "write one document; an empty schema is `{}`";
            let finding = Finding::error("schema.broken", text).at(1, 1).hint(hint);
            return Err(vec![finding.in_file(name)]);
        };
        let schema = json(&document.root);
        let built = jsonschema::options()
            .offline()
            .with_pattern_options(
                PatternOptions::regex()
                    .size_limit(PATTERN_BYTES_MAX)
                    .dfa_size_limit(PATTERN_BYTES_MAX),
            )
            .should_validate_formats(true)
            .build(&schema);
        match built {
            Ok(validator) => {
                let cost = Cost::new(&schema);
                Ok(Self { validator, json: schema, cost, name: name.to_owned() })
            }
            Err(error) => Err(vec![explain::broken(&error, document).in_file(name)]),
        }
    }

    fn check(&self, document: &Document, context: &Context<'_>) -> Vec<Finding> {
        let instance = instance::of(document);
        if !self.cost.is_bearable(&self.json, &instance) {
            let text = format!("the schema {} takes too many steps on this document", self.name);
            let hint = "its parts refer to each other over and over (`$ref`): let each be referred to once for a value";
            let root = &document.root;
            return vec![Finding::error("schema.cost", text).at(root.line, root.column).hint(hint)];
        }
        if self.validator.is_valid(&instance) {
            return Vec::new();
        }
        let mut told = explain::Teller::new(&document.root, &self.json, context);
        for error in self.validator.iter_errors(&instance).take(FINDINGS_MAX) {
            told.tell(&error);
        }
        told.into_findings()
    }
}

#[cfg(test)]
mod tests;
