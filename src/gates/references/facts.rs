use crate::config::{KeyPath, Step};
use crate::document::{Node, Value, key_name};

/// Names that one file may use; those after them are not looked at.
const USES_MAX: usize = 10_000;
/// Characters of a key that are kept for messages.
const KEY_CHARS_MAX: usize = 120;

/// What a file says that matters to others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Facts {
    /// What it needs.
    pub(in super::super) uses: Vec<Use>,
    /// Variables that it defines.
    pub(in super::super) variables: Vec<String>,
    /// Federation peers that it lists.
    pub(in super::super) peers: u32,
}

/// Something that a file needs, and where it says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Use {
    pub(in super::super) need: Need,
    /// The key that says so.
    pub(in super::super) key: String,
    pub(in super::super) line: u32,
    pub(in super::super) column: u32,
}

/// What is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Need {
    /// A file, by the number of the target.
    File { target: usize, name: String },
    /// A variable.
    Variable(String),
    /// Something that only the preset knows.
    Preset(crate::gates::kos::PresetNeed),
}

impl Facts {
    /// How many things it says.
    pub(in super::super) fn count(&self) -> usize {
        self.uses.len() + self.variables.len() + usize::from(self.peers > 0)
    }

    /// Notes a need.
    pub(in super::super) fn needs(&mut self, need: Need, key: &str, node: &Node) {
        if self.uses.len() < USES_MAX {
            let key = key.chars().take(KEY_CHARS_MAX).collect();
            self.uses.push(Use { need, key, line: node.line, column: node.column });
        }
    }

    /// Notes that a node holds the name of a file; nothing where it holds no text.
    pub(in super::super) fn uses_name(&mut self, target: usize, key: &str, node: &Node) {
        if let Some(name) = node.text().filter(|name| !name.is_empty() && !node.is_null()) {
            self.needs(Need::File { target, name: name.to_owned() }, key, node);
        }
    }
}

/// The values at a way through a document, each with its own way.
pub(in super::super) fn at_key<'n>(root: &'n Node, path: &KeyPath) -> Vec<(String, &'n Node)> {
    let mut found = vec![(String::new(), root)];
    for step in &path.0 {
        let mut next = Vec::new();
        for (key, node) in found {
            match (step, &node.value) {
                (Step::Key(name), Value::Mapping(_)) => {
                    next.extend(node.get(name).map(|value| (below(&key, name), value)));
                }
                (Step::Values, Value::Mapping(pairs)) => {
                    next.extend(pairs.iter().map(|(k, v)| (below(&key, &key_name(k)), v)));
                }
                (Step::Items, Value::Sequence(items)) => {
                    next.extend(items.iter().enumerate().map(|(n, v)| (format!("{key}[{n}]"), v)));
                }
                _ => {}
            }
        }
        found = next;
        found.truncate(USES_MAX);
    }
    found
}

fn below(key: &str, name: &str) -> String {
    if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") }
}
