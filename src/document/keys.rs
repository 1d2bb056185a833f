use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::mask::HIDDEN;
use super::tree::key_name;
use super::{Document, Masker, Node, Scalar, Style, Value, cut};
use crate::model::KeyChange;

/// Changes told of one file; a last entry says how many more there are.
const CHANGES_MAX: usize = 1000;

/// Characters of a value.
const VALUE_CHARS_MAX: usize = 120;

/// Characters of a key's path.
const PATH_CHARS_MAX: usize = 500;

/// A secret that is shorter is not looked for in other places: it would be found everywhere.
const SECRET_BYTES_MIN: usize = 4;

/// The keys that differ, each down to its single value: `agents.scheduler.interval`, `list[0]`, and
/// `list[name]` where all items of a list have a `name` or `id` of their own. Keys with dots or
/// other signs are in double quotes. With several documents the path starts with `document 2: `.
///
/// Values are one line of at most 120 characters. After 1,000 changes one entry without values
/// follows whose key says how many more there are. Nothing is hidden; see [`super::detail()`].
#[must_use]
pub fn key_changes(old: &[Document], new: &[Document]) -> Vec<KeyChange> {
    Comparison::new(None, old, new).run(old, new)
}

/// [`key_changes`] without the values of secrets: that they changed is told, not what.
pub(super) fn masked_key_changes(
    old: &[Document],
    new: &[Document],
    masker: &Masker,
) -> Vec<KeyChange> {
    Comparison::new(Some(masker), old, new).run(old, new)
}

/// A value on one line, as people read it; a long one is cut.
#[must_use]
pub fn on_one_line(node: &Node) -> String {
    Comparison::new(None, &[], &[]).one_line(node)
}

/// The path of a key below another.
pub(super) fn child_path(path: &str, key: &Node) -> String {
    joined(path, &quoted_key(&key_name(key)))
}

fn joined(path: &str, name: &str) -> String {
    let path = if path.is_empty() || path.ends_with(": ") {
        format!("{path}{name}")
    } else {
        format!("{path}.{name}")
    };
    cut(&path, PATH_CHARS_MAX).into_owned()
}

fn quoted_key(text: &str) -> String {
    let simple = |c: char| c.is_alphanumeric() || "_-/$<".contains(c);
    if !text.is_empty() && text.chars().all(simple) {
        text.to_owned()
    } else {
        format!("\"{}\"", text.escape_debug())
    }
}

/// Where in a mapping each key is.
pub(super) fn index(pairs: &[(Node, Node)]) -> HashMap<Cow<'_, str>, usize> {
    pairs.iter().enumerate().map(|(n, (key, _))| (key_name(key), n)).collect()
}

/// The value under the same key.
pub(super) fn value_of<'a>(
    key: &Node,
    pairs: &'a [(Node, Node)],
    index: &HashMap<Cow<'_, str>, usize>,
) -> Option<&'a Node> {
    pairs.get(*index.get(&key_name(key))?).map(|(_, value)| value)
}

struct Comparison<'a> {
    masker: Option<&'a Masker>,
    /// Texts that are hidden wherever they are: an alias may bring a secret elsewhere.
    secrets: HashSet<&'a str>,
    changes: Vec<KeyChange>,
    left_out: u64,
}

impl<'a> Comparison<'a> {
    fn new(masker: Option<&'a Masker>, old: &'a [Document], new: &'a [Document]) -> Self {
        let secrets = masker.map_or_else(Vec::new, |masker| {
            let mut secrets = masker.secrets(old);
            secrets.extend(masker.secrets(new));
            secrets
        });
        let secrets = secrets.into_iter().filter(|s| s.len() >= SECRET_BYTES_MIN).collect();
        Self { masker, secrets, changes: Vec::new(), left_out: 0 }
    }

    fn run(mut self, old: &[Document], new: &[Document]) -> Vec<KeyChange> {
        let several = old.len() > 1 || new.len() > 1;
        for n in 0..old.len().max(new.len()) {
            let path = if several { format!("document {}: ", n + 1) } else { String::new() };
            self.nodes(&path, old.get(n).map(|d| &d.root), new.get(n).map(|d| &d.root));
        }
        if self.left_out > 0 {
            let key = format!("… and {} more", self.left_out);
            self.changes.push(KeyChange { key, old: None, new: None });
        }
        self.changes
    }

    fn nodes(&mut self, path: &str, old: Option<&Node>, new: Option<&Node>) {
        if let (Some(a), Some(b)) = (old, new) {
            if a.means_the_same(b) {
                return;
            }
            if a.tag != b.tag {
                return self.tell(path, Some(a), Some(b));
            }
        }
        match (old.map(|n| &n.value), new.map(|n| &n.value)) {
            (Some(Value::Mapping(a)), Some(Value::Mapping(b))) => {
                self.mappings(path, old, new, a, b);
            }
            (Some(Value::Sequence(a)), Some(Value::Sequence(b))) => self.lists(path, a, b),
            (None, Some(Value::Mapping(b))) if !b.is_empty() => {
                self.mappings(path, old, new, &[], b);
            }
            (Some(Value::Mapping(a)), None) if !a.is_empty() => {
                self.mappings(path, old, new, a, &[]);
            }
            (None, Some(Value::Sequence(b))) if !all_scalars(b) => self.lists(path, &[], b),
            (Some(Value::Sequence(a)), None) if !all_scalars(a) => self.lists(path, a, &[]),
            _ => self.tell(path, old, new),
        }
    }

    fn mappings(
        &mut self,
        path: &str,
        old: Option<&Node>,
        new: Option<&Node>,
        a: &[(Node, Node)],
        b: &[(Node, Node)],
    ) {
        let (in_a, in_b) = (index(a), index(b));
        for (key, value) in a {
            self.pair(path, key, (old, Some(value)), (new, value_of(key, b, &in_b)));
        }
        for (key, value) in b {
            if value_of(key, a, &in_a).is_none() {
                self.pair(path, key, (old, None), (new, Some(value)));
            }
        }
    }

    /// One key of two mappings: each side with the mapping that its value is in.
    fn pair(
        &mut self,
        path: &str,
        key: &Node,
        old: (Option<&Node>, Option<&Node>),
        new: (Option<&Node>, Option<&Node>),
    ) {
        let hides = |mapping: Option<&Node>| {
            self.masker.is_some_and(|masker| {
                mapping.is_some_and(|mapping| masker.hides_value(mapping, key))
            })
        };
        let path = match key.text() {
            Some(text) => joined(path, &self.text(text, quoted_key(text))),
            None => joined(path, &quoted_key(&self.one_line(key))),
        };
        if !(hides(old.0) || hides(new.0)) {
            return self.nodes(&path, old.1, new.1);
        }
        if let (Some(a), Some(b)) = (old.1, new.1)
            && a.means_the_same(b)
        {
            return;
        }
        let hidden = |value: Option<&Node>| value.map(|_| HIDDEN.to_owned());
        self.push(path, hidden(old.1), hidden(new.1));
    }

    fn lists(&mut self, path: &str, a: &[Node], b: &[Node]) {
        let identity = ["name", "id"].into_iter().find(|key| {
            !self.masker.is_some_and(|masker| masker.hides_key(key))
                && identities(a, key).is_some()
                && identities(b, key).is_some()
        });
        let named = identity.and_then(|key| Some((identities(a, key)?, identities(b, key)?)));
        let Some((in_a, in_b)) = named else {
            for n in 0..a.len().max(b.len()) {
                self.nodes(&format!("{path}[{n}]"), a.get(n), b.get(n));
            }
            return;
        };
        let mut names: Vec<_> = in_a.iter().map(|(name, n)| (*n, *name)).collect();
        names.sort_unstable();
        let mut added: Vec<_> = in_b
            .iter()
            .filter(|(name, _)| !in_a.contains_key(*name))
            .map(|(name, n)| (*n, *name))
            .collect();
        added.sort_unstable();
        for (_, name) in names.into_iter().chain(added) {
            let path = format!("{path}[{}]", self.text(name, quoted_key(name)));
            let side = |index: &HashMap<&str, usize>, items: &'_ [Node]| {
                index.get(name).filter(|n| **n < items.len()).copied()
            };
            let (old, new) = (side(&in_a, a), side(&in_b, b));
            self.nodes(&path, old.and_then(|n| a.get(n)), new.and_then(|n| b.get(n)));
        }
    }

    fn tell(&mut self, path: &str, old: Option<&Node>, new: Option<&Node>) {
        if self.changes.len() >= CHANGES_MAX {
            self.left_out += 1;
            return;
        }
        let old = old.map(|node| self.one_line(node));
        let new = new.map(|node| self.one_line(node));
        self.push(path.to_owned(), old, new);
    }

    fn push(&mut self, mut key: String, old: Option<String>, new: Option<String>) {
        if key.is_empty() || key.ends_with(": ") {
            key.push_str("(all of it)");
        }
        if self.changes.len() >= CHANGES_MAX {
            self.left_out += 1;
        } else {
            self.changes.push(KeyChange { key, old, new });
        }
    }

    fn one_line(&self, node: &Node) -> String {
        let mut out = String::new();
        self.write(node, &mut out);
        cut(&out, VALUE_CHARS_MAX).into_owned()
    }

    fn write(&self, node: &Node, out: &mut String) {
        // The rest would be cut anyway; a character has up to four bytes.
        if out.len() > VALUE_CHARS_MAX * 4 {
            return;
        }
        if let Some(tag) = &node.tag {
            out.push_str(tag);
            out.push(' ');
        }
        match &node.value {
            Value::Scalar(scalar) => out.push_str(&self.text(&scalar.text, shown(scalar))),
            Value::Sequence(items) => {
                out.push('[');
                for (n, item) in items.iter().enumerate() {
                    out.push_str(if n > 0 { ", " } else { "" });
                    self.write(item, out);
                }
                out.push(']');
            }
            Value::Mapping(pairs) => {
                out.push('{');
                for (n, (key, value)) in pairs.iter().enumerate() {
                    out.push_str(if n > 0 { ", " } else { "" });
                    self.write(key, out);
                    out.push_str(": ");
                    if self.masker.is_some_and(|masker| masker.hides_value(node, key)) {
                        out.push_str(HIDDEN);
                    } else {
                        self.write(value, out);
                    }
                }
                out.push('}');
            }
        }
    }

    /// `shown`, unless the text behind it is a secret or holds one.
    fn text(&self, text: &str, shown: String) -> String {
        let Some(masker) = self.masker else { return shown };
        if self.secrets.contains(text) {
            return HIDDEN.to_owned();
        }
        let masked = masker.text(text);
        if masked == text { shown } else { one_line(&masked) }
    }
}

fn all_scalars(items: &[Node]) -> bool {
    items.iter().all(|item| item.text().is_some())
}

/// Where in a list each item is, by its value under `key`; `None` when not all have one of their own.
fn identities<'a>(items: &'a [Node], key: &str) -> Option<HashMap<&'a str, usize>> {
    let mut found = HashMap::with_capacity(items.len());
    for (n, item) in items.iter().enumerate() {
        let name = item.get(key)?;
        if name.is_null() || found.insert(name.text()?, n).is_some() {
            return None;
        }
    }
    Some(found)
}

/// A scalar as people read it: without quotes, unless it would be taken for something else.
fn shown(scalar: &Scalar) -> String {
    let quoted = scalar.style != Style::Plain;
    let odd = scalar.text.starts_with(char::is_whitespace)
        || scalar.text.ends_with(char::is_whitespace)
        || scalar.text.chars().any(char::is_control);
    match (quoted && (odd || scalar.looks_special()), scalar.text.is_empty()) {
        (true, _) => format!("\"{}\"", one_line(&scalar.text)),
        (false, true) => "null".to_owned(),
        (false, false) => one_line(&scalar.text),
    }
}

fn one_line(text: &str) -> String {
    let text = cut(text, VALUE_CHARS_MAX);
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { out.extend(c.escape_debug()) } else { out.push(c) }
    }
    out
}

#[cfg(test)]
mod tests;
