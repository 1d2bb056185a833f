mod text;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::tree::key_name;
use super::{Document, Node, Scalar, Style, Value};
use crate::decide::patterns::{InvalidPattern, Patterns};
use crate::model::TreePath;

/// What is shown in place of a secret.
pub(super) const HIDDEN: &str = "(hidden)";

/// Files that are secret as a whole.
const FILES: [&str; 2] = ["secrets.env", "*.age"];

/// Parts of keys whose values are secret, without signs and in lower case.
const KEYS: [&str; 7] =
    ["password", "passwd", "secret", "token", "apikey", "privatekey", "credential"];

/// Keys that hold a part of [`KEYS`] and are known to be none: language models count in tokens.
const NOT_SECRET: [&str; 10] = [
    "maxtokens",
    "mintokens",
    "maxnewtokens",
    "maxinputtokens",
    "maxoutputtokens",
    "numtokens",
    "tokenlimit",
    "tokencount",
    "tokenbudget",
    "tokenizer",
];

impl Node {
    /// Takes the value away, and says so in its place.
    pub fn hide(&mut self) {
        self.value = Value::Scalar(Scalar { text: HIDDEN.into(), style: Style::Plain });
    }
}

/// Knows what is secret by its place: files by their path, values by their key.
///
/// It is meant to hide too much rather than too little.
#[derive(Clone, Debug)]
pub struct Masker {
    files: Patterns,
    /// Beside [`KEYS`], written the same way.
    keys: Vec<String>,
}

impl Masker {
    /// Hides `files` (gitignore-style) and values whose key holds one of `keys` (without regard to
    /// case and signs), beside what is always hidden.
    ///
    /// # Errors
    /// When a pattern cannot be read.
    pub fn new(files: &[String], keys: &[String]) -> Result<Self, InvalidPattern> {
        let files = FILES.into_iter().chain(files.iter().map(String::as_str));
        let files = Patterns::new(files)?;
        let keys = keys.iter().map(|key| normal(key)).filter(|key| !key.is_empty()).collect();
        Ok(Self { files, keys })
    }

    /// Whether a file is secret as a whole, by its path.
    #[must_use]
    pub fn hides_file(&self, path: &TreePath) -> bool {
        self.files.mean_file(path.as_str())
    }

    /// Whether the value under a key is secret.
    #[must_use]
    pub fn hides_key(&self, key: &str) -> bool {
        let key = normal(key);
        if self.keys.iter().any(|part| key.contains(part.as_str())) {
            return true;
        }
        !NOT_SECRET.contains(&key.as_str()) && KEYS.iter().any(|part| key.contains(part))
    }

    /// Whether a mapping's value is secret: by its key, or because it is the `value` of an entry
    /// whose `name` or `key` says so, as in lists of environment variables.
    pub(super) fn hides_value(&self, mapping: &Node, key: &Node) -> bool {
        let text = key_name(key);
        self.hides_key(&text)
            || (text.eq_ignore_ascii_case("value")
                && ["name", "key", "Name", "Key"]
                    .iter()
                    .filter_map(|name| mapping.get(name)?.text())
                    .any(|name| self.hides_key(name)))
    }

    /// The same text without secrets: values behind keys in `key=value`, `key: value`, `--key
    /// value` and what belongs to them on the lines below, private keys in PEM, passwords in URLs,
    /// `Bearer` and `Basic` credentials. Lines stay lines.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        self.lines(text).join("\n")
    }

    /// The same document without secrets: what stands at a secret place, the same text wherever
    /// else it stands, and what [`Self::text`] hides in other values.
    #[must_use]
    pub fn hide(&self, document: &Document) -> Document {
        let mut hidden = document.clone();
        let secrets: BTreeSet<&str> =
            self.secrets(std::slice::from_ref(document)).into_iter().collect();
        self.hide_in(&mut hidden.root, &secrets);
        hidden
    }

    fn hide_in(&self, node: &mut Node, secrets: &BTreeSet<&str>) {
        let hides: Vec<bool> = match &node.value {
            Value::Mapping(pairs) => {
                pairs.iter().map(|(key, _)| self.hides_value(node, key)).collect()
            }
            Value::Sequence(_) | Value::Scalar(_) => Vec::new(),
        };
        match &mut node.value {
            Value::Scalar(scalar) => {
                let masked = match secrets.contains(&*scalar.text) {
                    true => HIDDEN.to_owned(),
                    false => self.text(&scalar.text),
                };
                if masked != *scalar.text {
                    scalar.text = masked.into();
                }
            }
            Value::Sequence(items) => {
                items.iter_mut().for_each(|item| self.hide_in(item, secrets));
            }
            Value::Mapping(pairs) => {
                for ((_, value), hides) in pairs.iter_mut().zip(hides) {
                    if hides && !value.is_null() {
                        value.hide();
                    } else {
                        self.hide_in(value, secrets);
                    }
                }
            }
        }
    }

    /// [`Self::text`] of each line.
    pub(super) fn lines(&self, text: &str) -> Vec<String> {
        text::hide(self, text)
    }

    /// The texts of all values that documents hold in secret places.
    #[must_use]
    pub fn secrets<'a>(&self, documents: &'a [Document]) -> Vec<&'a str> {
        let mut found = Vec::new();
        self.visit(documents, &mut |node, hidden| match &node.value {
            Value::Scalar(scalar) if hidden => found.push(&*scalar.text),
            _ => {}
        });
        found
    }

    /// The lines, from 1, on which values in secret places stand, with all lines up to the one on
    /// which the next value or key begins, and that one too: where a value ends nobody wrote down.
    pub(super) fn secret_lines(&self, documents: &[Document]) -> Vec<RangeInclusive<u32>> {
        let (mut starts, mut secret) = (BTreeSet::new(), BTreeSet::new());
        self.visit(documents, &mut |node, hidden| {
            starts.insert(node.line);
            if hidden {
                secret.insert(node.line);
            }
        });
        let end = |line: u32| starts.range(line.saturating_add(1)..).next().copied();
        secret.iter().map(|line| *line..=end(*line).unwrap_or(u32::MAX)).collect()
    }

    /// Shows every node of documents, and whether it stands in a secret place.
    fn visit<'a>(&self, documents: &'a [Document], look: &mut impl FnMut(&'a Node, bool)) {
        documents.iter().for_each(|document| self.visit_node(&document.root, false, look));
    }

    fn visit_node<'a>(&self, node: &'a Node, hidden: bool, look: &mut impl FnMut(&'a Node, bool)) {
        look(node, hidden);
        match &node.value {
            Value::Scalar(_) => {}
            Value::Sequence(items) => {
                items.iter().for_each(|item| self.visit_node(item, hidden, look));
            }
            Value::Mapping(pairs) => {
                for (key, value) in pairs {
                    self.visit_node(key, hidden, look);
                    self.visit_node(value, hidden || self.hides_value(node, key), look);
                }
            }
        }
    }
}

/// A key without case and signs: `API-Key`, `api_key` and `apiKey` are the same.
fn normal(key: &str) -> String {
    let bare: String =
        key.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    if bare.is_empty() { key.trim().to_lowercase() } else { bare }
}

#[cfg(test)]
mod tests;
