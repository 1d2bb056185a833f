//! Typed reading of what was given: each read names a key of the table, whose default counts where
//! nothing was given; what is wrong becomes a finding with its place.

use std::path::PathBuf;
use std::time::Duration;

use super::gather::{Given, Origin, Setting, finding_at};
use super::paths::resolve;
use super::table::{self, Kind};
use super::values::{self, Read};
use crate::document::{self, Format, Node, Value};
use crate::model::{Finding, Limits, Severity};

/// Folders that relative paths are relative to, both absolute.
#[derive(Clone, Debug)]
pub(super) struct Folders {
    /// The settings file's.
    pub(super) file: PathBuf,
    /// The one we were started in: what flags and variables mean.
    pub(super) working: PathBuf,
}

/// Reads typed values out of [`Given`].
pub(super) struct Reader<'a> {
    given: Given,
    folders: &'a Folders,
    item: Option<Item>,
}

/// The list item that is being read.
struct Item {
    /// `nodes[]`
    list: &'static str,
    /// What messages call it: `nodes[2]`.
    name: String,
    /// Where it stands.
    place: Setting,
}

impl<'a> Reader<'a> {
    pub(super) fn new(given: Given, folders: &'a Folders) -> Self {
        Self { given, folders, item: None }
    }

    /// What was found wrong, in the order it was found.
    pub(super) fn into_given(self) -> Given {
        self.given
    }

    /// What was given under a key, null left out.
    pub(super) fn setting(&self, key: &'static str) -> Option<&Setting> {
        self.given.settings.get(key).filter(|setting| !setting.node.is_null())
    }

    /// Where a key's value stands: the folder that its relative paths mean.
    pub(super) fn folder(&self, key: &'static str) -> &'a PathBuf {
        match self.setting(key).map(|setting| &setting.origin) {
            Some(Origin::Environment(_) | Origin::Flag(_)) => &self.folders.working,
            _ => &self.folders.file,
        }
    }

    /// Notes what is wrong with a key's value.
    pub(super) fn wrong(&mut self, key: &'static str, message: &str) {
        let finding = self.finding(key, message);
        self.given.findings.push(finding);
    }

    /// Notes what is wrong with a key's value, and what to do about it.
    pub(super) fn advise(&mut self, key: &'static str, message: &str, hint: &str) {
        let finding = self.finding(key, message).hint(hint);
        self.given.findings.push(finding);
    }

    /// Notes a warning about a key's value.
    pub(super) fn warn(&mut self, key: &'static str, message: &str) {
        let finding = Finding { severity: Severity::Warning, ..self.finding(key, message) };
        self.given.findings.push(finding);
    }

    fn finding(&self, key: &'static str, message: &str) -> Finding {
        let called = match &self.item {
            Some(item) => key.replacen(item.list, &item.name, 1),
            None => key.to_owned(),
        };
        let message = format!("{called}: {message}");
        match self.setting(key).or(self.item.as_ref().map(|item| &item.place)) {
            Some(setting) => finding_at(&setting.origin, &setting.node, message),
            None => Finding::error("config.value", message),
        }
    }

    /// A key's value, or its default's, or nothing.
    pub(super) fn optional<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&Node) -> Read<T>,
    ) -> Option<T> {
        if let Some(setting) = self.setting(key) {
            match read(&setting.node) {
                Ok(value) => return Some(value),
                Err(message) => {
                    self.wrong(key, &message);
                }
            }
        }
        default_of(key).and_then(|node| read(&node).ok())
    }

    /// A key's value, which has to be there.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&Node) -> Read<T>,
    ) -> Option<T> {
        if self.setting(key).is_none() {
            self.wrong(key, "is missing");
        }
        self.optional(key, read)
    }

    pub(super) fn text(&mut self, key: &'static str) -> Option<String> {
        self.optional(key, values::text)
    }

    pub(super) fn boolean(&mut self, key: &'static str) -> bool {
        self.optional(key, values::boolean).unwrap_or_default()
    }

    pub(super) fn count(&mut self, key: &'static str) -> u64 {
        let (min, max) = match kind_of(key) {
            Some(Kind::Count { min, max }) => (min, max),
            _ => (0, u64::MAX),
        };
        self.optional(key, |node| values::count(node, min, max)).unwrap_or_default()
    }

    pub(super) fn bytes(&mut self, key: &'static str) -> u64 {
        let min = match kind_of(key) {
            Some(Kind::Bytes { min }) => min,
            _ => 0,
        };
        self.optional(key, |node| values::bytes(node, min)).unwrap_or_default()
    }

    pub(super) fn duration(&mut self, key: &'static str) -> Duration {
        let min = shortest(key);
        self.optional(key, |node| values::duration(node, min)).unwrap_or_default()
    }

    /// A duration; `None`: off.
    pub(super) fn pause(&mut self, key: &'static str) -> Option<Duration> {
        let min = shortest(key);
        self.optional(key, |node| values::pause(node, min)).flatten()
    }

    pub(super) fn word(&mut self, key: &'static str) -> &'static str {
        let words = match kind_of(key) {
            Some(Kind::Word(words)) => words,
            _ => &[],
        };
        self.optional(key, |node| values::word(node, words)).unwrap_or_default()
    }

    pub(super) fn texts(&mut self, key: &'static str) -> Vec<String> {
        self.optional(key, values::texts).unwrap_or_default()
    }

    /// A path, absolute.
    pub(super) fn path(&mut self, key: &'static str) -> Option<PathBuf> {
        let folder = self.folder(key);
        self.optional(key, |node| resolve(folder, &values::text(node)?))
    }

    /// The items of a list of mappings, each read by `read`; what that gives as `None` had findings.
    pub(super) fn items<T>(
        &mut self,
        key: &'static str,
        prefix: &'static str,
        mut read: impl FnMut(&mut Reader<'a>) -> Option<T>,
    ) -> Vec<T> {
        let (nodes, origin) = match self.setting(key) {
            Some(setting) => match values::list(&setting.node) {
                Ok(nodes) => (nodes.to_vec(), setting.origin.clone()),
                Err(message) => {
                    self.wrong(key, &message);
                    return Vec::new();
                }
            },
            None => match default_of(key).map(|node| node.value) {
                Some(Value::Sequence(nodes)) => (nodes, Origin::Default),
                _ => return Vec::new(),
            },
        };
        let mut values = Vec::new();
        for (index, node) in nodes.iter().enumerate() {
            let name = format!("{key}[{index}]");
            if !matches!(node.value, Value::Mapping(_)) {
                let message = format!("{name}: keys and values are expected, not {}", node.kind());
                self.given.findings.push(finding_at(&origin, node, message));
                continue;
            }
            let mut given = Given::default();
            given.walk(&format!("{prefix}."), node, &origin);
            for finding in &mut given.findings {
                finding.message = finding.message.replacen(prefix, &name, 1);
            }
            let place = Setting { node: node.clone(), origin: origin.clone() };
            let item = Some(Item { list: prefix, name, place });
            let mut reader = Reader { given, folders: self.folders, item };
            values.extend(read(&mut reader));
            self.given.findings.extend(reader.given.findings);
        }
        values
    }

    /// Several keys of which at most one may be given: the one that counts. A stronger origin's
    /// (a flag's) puts those of weaker ones aside.
    pub(super) fn only_one(&mut self, keys: &[&'static str]) -> Option<&'static str> {
        let mut given: Vec<(u8, &'static str)> =
            keys.iter().filter_map(|key| Some((self.setting(key)?.origin.rank(), *key))).collect();
        let strongest = given.iter().map(|(rank, _)| *rank).max()?;
        for (_, weaker) in given.extract_if(.., |(rank, _)| *rank < strongest) {
            self.given.settings.remove(weaker);
        }
        let (_, first) = *given.first()?;
        for (_, key) in given.into_iter().skip(1) {
            let name = first.rsplit('.').next().unwrap_or(first);
            let message = format!("`{name}` is given too, and only one of them can count");
            self.advise(key, &message, "keep one of the two");
        }
        Some(first)
    }
}

fn kind_of(key: &str) -> Option<Kind> {
    table::find(key).map(|key| key.kind)
}

/// The shortest duration that a key takes.
pub(super) fn shortest(key: &str) -> Duration {
    match kind_of(key) {
        Some(Kind::Duration { min_ms } | Kind::Pause { min_ms }) => Duration::from_millis(min_ms),
        _ => Duration::ZERO,
    }
}

/// A key's default as the table has it; `None` for null.
pub(super) fn default_of(key: &str) -> Option<Node> {
    let default = table::find(key)?.default;
    if default == "null" {
        return None;
    }
    let documents = document::parse(default.as_bytes(), Format::Yaml, &Limits::default()).ok()?;
    documents.into_iter().next().map(|document| document.root)
}
