//! What was given: the file, the environment and the flags, each value with its place and origin,
//! laid over each other key by key.

use std::collections::BTreeMap;
use std::fmt;

use super::table::{self, Kind};
use super::values::shown;
use crate::document::{self, Document, Format, Node, Scalar, Style, Value};
use crate::model::{Finding, Limits};

/// Where a value came from, the later ones in front of the earlier.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Nobody gave it.
    Default,
    /// The settings file, by the name it was opened with.
    File(String),
    /// An environment variable.
    Environment(String),
    /// A flag, with its dashes.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Default => "default",
            Self::File(name) | Self::Environment(name) => name,
            Self::Flag(name) => name,
        })
    }
}

impl Origin {
    /// How strong it is: flag, environment, file.
    pub(super) const fn rank(&self) -> u8 {
        match self {
            Self::Default => 0,
            Self::File(_) => 1,
            Self::Environment(_) => 2,
            Self::Flag(_) => 3,
        }
    }
}

/// A value that was given.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    /// The value.
    pub(super) node: Node,
    /// Who gave it.
    pub(super) origin: Origin,
}

/// What was given, by key.
#[derive(Clone, Debug, Default)]
pub(super) struct Given {
    /// The strongest value of each key.
    pub(super) settings: BTreeMap<&'static str, Setting>,
    /// What is wrong so far.
    pub(super) findings: Vec<Finding>,
    /// Whether the file is no YAML, so that nobody knows what it says.
    pub(super) is_broken: bool,
}

/// A finding about what stands at `node` and came from `origin`.
pub(super) fn finding_at(origin: &Origin, node: &Node, message: impl Into<String>) -> Finding {
    let finding = Finding::error("config.value", message);
    match origin {
        Origin::Default => finding,
        Origin::File(name) => finding.in_file(name).at(node.line, node.column),
        Origin::Environment(name) => finding.in_file(name),
        Origin::Flag(name) => finding.in_file(*name),
    }
}

/// Characters of a variable's name in a message.
const VARIABLE_CHARS_MAX: usize = 200;

impl Given {
    /// Lays the settings file over what is there.
    pub(super) fn add_file(&mut self, name: &str, bytes: &[u8]) {
        let origin = Origin::File(name.to_owned());
        match document::parse(bytes, Format::Yaml, &Limits::default()) {
            Ok(documents) => {
                if let Some(second) = documents.get(1) {
                    let message = "a second document starts here; the settings are one";
                    self.findings.push(finding_at(&origin, &second.root, message));
                }
                if let Some(Document { root }) = documents.first() {
                    self.walk("", root, &origin);
                }
            }
            Err(findings) => {
                self.is_broken = true;
                self.findings.extend(findings.into_iter().map(|f| f.in_file(name)));
            }
        }
    }

    /// Lays the variables that start with `KCONFIGD_` over what is there.
    pub(super) fn add_environment(&mut self, environment: &[(String, String)]) {
        let mut ours: Vec<_> =
            environment.iter().filter(|(name, _)| name.starts_with("KCONFIGD_")).collect();
        // a group before the keys in it, so that the more exact of the two counts
        ours.sort();
        for (name, value) in ours {
            self.add_variable(name, value);
        }
    }

    fn add_variable(&mut self, name: &str, value: &str) {
        // Names that are none of ours may hold anything, and messages are printed.
        let plain: String =
            name.chars().take(VARIABLE_CHARS_MAX).flat_map(char::escape_debug).collect();
        let origin = Origin::Environment(plain.clone());
        let rest = name.strip_prefix("KCONFIGD_").unwrap_or(name);
        let path = rest.to_lowercase().replace("__", ".");
        let is_twin = table::twin_of(&path) == name;
        let place = scalar(value, Style::Plain);
        if is_twin && table::is_group(&path) {
            if let Some(node) = self.json(&origin, value) {
                self.walk(&format!("{path}."), &node, &origin);
            }
        } else if let Some(key) = table::find(&path).filter(|key| is_twin && key.twin().is_some()) {
            let node = match key.kind {
                // an empty variable takes a value away
                _ if value.is_empty() => Some(scalar("null", Style::Plain)),
                kind if kind.is_json() => self.json(&origin, value),
                Kind::Bool => Some(place),
                _ => Some(scalar(value, Style::DoubleQuoted)),
            };
            if let Some(node) = node {
                self.settings.insert(key.path, Setting { node, origin });
            }
        } else if rest.contains("__") {
            let message = format!("no key of the settings has the twin {plain}");
            let twins = table::keys().iter().filter_map(table::Key::twin).collect::<Vec<_>>();
            let nearest = table::nearest(name, twins.iter().map(String::as_str));
            let hint = match nearest {
                Some(twin) => format!("did you mean {twin}?"),
                None => "take it away; `kconfigd config schema` shows every key".to_owned(),
            };
            let finding = finding_at(&origin, &place, message).hint(hint);
            self.findings.push(Finding { rule: "config.unknown_key".to_owned(), ..finding });
        } else if !FOR_PROGRAMS.contains(&name) {
            let message = "this variable is not ours and is not used";
            let warning = Finding::warning("config.environment", message);
            self.findings.push(warning.in_file(plain));
        }
    }

    /// Lays one flag over what is there.
    pub(super) fn add_flag(&mut self, flag: &'static str, key: &'static str, value: &str) {
        let node = scalar(value, Style::DoubleQuoted);
        self.settings.insert(key, Setting { node, origin: Origin::Flag(flag) });
    }

    fn json(&mut self, origin: &Origin, value: &str) -> Option<Node> {
        match document::parse(value.as_bytes(), Format::Json, &Limits::default()) {
            Ok(documents) => documents.into_iter().next().map(|document| document.root),
            Err(findings) => {
                let said = findings.first().map(|f| f.message.as_str()).unwrap_or_default();
                let message = format!("its value is not JSON: {said}");
                let place = scalar(value, Style::Plain);
                let hint = "lists and mappings are JSON in the environment: [\"a\", \"b\"]";
                self.findings.push(finding_at(origin, &place, message).hint(hint));
                None
            }
        }
    }

    /// Takes the keys of a mapping; `prefix` is empty, or a group or `<list>[]` and a dot.
    pub(super) fn walk(&mut self, prefix: &str, node: &Node, origin: &Origin) {
        let group = prefix.trim_end_matches('.');
        let Value::Mapping(pairs) = &node.value else {
            if !node.is_null() {
                let group = if group.is_empty() { "the settings" } else { group };
                let message = format!("{group}: keys and values are expected, not {}", node.kind());
                self.findings.push(finding_at(origin, node, message));
            }
            return;
        };
        for (name, value) in pairs {
            let plain = |text: &&str| name.tag.is_none() && !text.contains(['.', '[']);
            let Some(name_text) = name.text().filter(plain) else {
                let message = "a key is a plain name; levels are mappings inside each other";
                self.findings.push(finding_at(origin, name, message));
                continue;
            };
            let path = format!("{prefix}{name_text}");
            if let Some(tag) = value.tag.as_deref().filter(|tag| !tag.starts_with("!!")) {
                let message = format!("{path}: the tag {} has no meaning here", shown(tag));
                self.findings.push(finding_at(origin, value, message));
            } else if let Some(key) = table::find(&path) {
                let setting = Setting { node: value.clone(), origin: origin.clone() };
                self.settings.insert(key.path, setting);
            } else if table::is_group(&path) {
                self.walk(&format!("{path}."), value, origin);
            } else {
                self.unknown(prefix, name_text, name, origin);
            }
        }
    }

    fn unknown(&mut self, prefix: &str, name: &str, place: &Node, origin: &Origin) {
        let siblings = table::names_below(prefix);
        let shown_key = shown(&format!("{prefix}{name}"));
        let message = format!("{} is not a key", shown_key.trim_matches('"'));
        let elsewhere = || {
            let same_name =
                |path: &&str| !prefix.contains('[') && path.rsplit('.').next() == Some(name);
            table::keys().iter().map(|key| key.path).find(same_name)
        };
        let hint = if let Some(sibling) = table::nearest(name, siblings.iter().copied()) {
            format!("did you mean `{sibling}`?")
        } else if let Some(path) = elsewhere() {
            format!("did you mean `{path}`?")
        } else {
            format!("the keys here are {}", siblings.join(", "))
        };
        let finding = finding_at(origin, place, message).hint(hint);
        self.findings.push(Finding { rule: "config.unknown_key".to_owned(), ..finding });
    }
}

/// What we give to the programs that we start, and so may inherit from one.
const FOR_PROGRAMS: [&str; 6] = [
    "KCONFIGD_TREE",
    "KCONFIGD_DEPLOYMENT",
    "KCONFIGD_REVISION",
    "KCONFIGD_PREVIOUS_REVISION",
    "KCONFIGD_DIGEST",
    "KCONFIGD_CHANGES",
];

fn scalar(text: &str, style: Style) -> Node {
    Node {
        line: 1,
        column: 1,
        tag: None,
        value: Value::Scalar(Scalar { text: text.into(), style }),
    }
}
