use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;

/// One document of a YAML or JSON file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its only node that is in no other.
    pub root: Node,
}

/// A value with its place in the file. For what an alias brought in, that is the alias itself at
/// the top, and the anchor's text below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// An explicit tag, as YAML can read it again: `!!str`, `!include`, `!<tag:example.com,2000:x>`.
    pub tag: Option<Box<str>>,
    /// What is there.
    pub value: Value,
}

/// What a node holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A string, number, boolean or null: text, not interpreted.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Node>),
    /// Keys and values in the order of the file; no key is there twice.
    Mapping(Vec<(Node, Node)>),
}

/// A value without parts, as it was written: `1.10` stays `1.10`, and `no` stays `no`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    /// Its text: for a plain one as written (line breaks folded), for a quoted one without quotes
    /// and escapes, for a block its content.
    pub text: Box<str>,
    /// How it was written; only a plain one can be anything but a string.
    pub style: Style,
}

/// How a scalar was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Style {
    /// Without quotes; JSON's numbers, `true`, `false` and `null` too.
    Plain,
    /// `'…'`
    SingleQuoted,
    /// `"…"`; JSON's strings too.
    DoubleQuoted,
    /// `|`
    Literal,
    /// `>`
    Folded,
}

/// What a node is, as merging sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Keys and values.
    Mapping,
    /// Values in order.
    List,
    /// A string, number or boolean.
    Scalar,
    /// Nothing.
    Null,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mapping => "a mapping",
            Self::List => "a list",
            Self::Scalar => "a single value",
            Self::Null => "null",
        })
    }
}

impl Scalar {
    /// Whether it is null by the core schema of YAML 1.2 (10.3.2): plain, and `null`, `Null`,
    /// `NULL`, `~` or nothing.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.style == Style::Plain && matches!(&*self.text, "" | "~" | "null" | "Null" | "NULL")
    }

    /// Whether some YAML 1.1 or 1.2 reader takes this text, when it is plain, for something else
    /// than a string: null, a boolean, a number, a time.
    #[must_use]
    pub(super) fn looks_special(&self) -> bool {
        const WORDS: [&str; 16] = [
            "", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", ".inf", "+.inf",
            "-.inf", ".nan", "<<",
        ];
        let unsigned = self.text.strip_prefix(['+', '-']).unwrap_or(&self.text);
        let number = unsigned.strip_prefix('.').unwrap_or(unsigned).trim_start_matches('_');
        let of_a_number = |c: char| c.is_ascii_hexdigit() || "xXoO_.:+-TtZz ".contains(c);
        WORDS.iter().any(|word| self.text.eq_ignore_ascii_case(word))
            || (number.starts_with(|c: char| c.is_ascii_digit()) && number.chars().all(of_a_number))
    }

    /// Takes quotes away that say nothing. One that ends with a colon would be a key without them.
    fn unquote(&mut self) {
        let begins = |c: char| c.is_alphanumeric() || matches!(c, '/' | '_' | '.');
        let is_plain = self.text.starts_with(begins) && !self.text.ends_with(':');
        if self.style == Style::DoubleQuoted && is_plain && !self.looks_special() {
            self.style = Style::Plain;
        }
    }

    /// Whether every reader takes both for the same value.
    #[must_use]
    pub(super) fn means_the_same(&self, other: &Self) -> bool {
        let plain = (self.style == Style::Plain, other.style == Style::Plain);
        self.text == other.text && (plain.0 == plain.1 || !self.looks_special())
    }
}

impl Node {
    /// What it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match &self.value {
            Value::Mapping(_) => Kind::Mapping,
            Value::Sequence(_) => Kind::List,
            Value::Scalar(_) if self.is_null() => Kind::Null,
            Value::Scalar(_) => Kind::Scalar,
        }
    }

    /// Whether it is null; a tag other than `!!null` makes it something else.
    #[must_use]
    pub fn is_null(&self) -> bool {
        match (&self.value, self.tag.as_deref()) {
            (Value::Scalar(scalar), None) => scalar.is_null(),
            (Value::Scalar(_), Some(tag)) => tag == "!!null",
            _ => false,
        }
    }

    /// The text of a scalar.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }

    /// The value under a key of a mapping; keys are compared by their text, quoted or not.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Mapping(pairs) => {
                pairs.iter().find(|(k, _)| k.text() == Some(key)).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// Whether every reader takes both for the same value, wherever they stand.
    #[must_use]
    pub fn means_the_same(&self, other: &Self) -> bool {
        self.tag == other.tag
            && match (&self.value, &other.value) {
                (Value::Scalar(a), Value::Scalar(b)) => a.means_the_same(b),
                (Value::Sequence(a), Value::Sequence(b)) => {
                    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.means_the_same(b))
                }
                (Value::Mapping(a), Value::Mapping(b)) => {
                    a.len() == b.len()
                        && a.iter()
                            .zip(b)
                            .all(|(a, b)| a.0.means_the_same(&b.0) && a.1.means_the_same(&b.1))
                }
                _ => false,
            }
    }

    /// The same, with quotes only where a reader would take the text for something else without
    /// them: what was JSON, as a person would write it.
    #[must_use]
    pub fn unquoted(mut self) -> Self {
        match &mut self.value {
            Value::Scalar(scalar) => scalar.unquote(),
            Value::Sequence(items) => {
                *items = std::mem::take(items).into_iter().map(Self::unquoted).collect();
            }
            Value::Mapping(pairs) => {
                let all = std::mem::take(pairs).into_iter();
                *pairs = all.map(|(key, value)| (key.unquoted(), value.unquoted())).collect();
            }
        }
        self
    }

    /// The node in flow style on one line: what tells two keys apart that are not scalars.
    pub(super) fn write_flow(&self, out: &mut String) {
        match &self.value {
            Value::Scalar(scalar) => out.push_str(&scalar.text),
            Value::Sequence(items) => {
                out.push('[');
                for item in items {
                    item.write_flow(out);
                    out.push_str(", ");
                }
                out.push(']');
            }
            Value::Mapping(pairs) => {
                out.push('{');
                for (key, value) in pairs {
                    key.write_flow(out);
                    out.push_str(": ");
                    value.write_flow(out);
                    out.push_str(", ");
                }
                out.push('}');
            }
        }
    }
}

/// What tells a key from the others of its mapping: its text, or all of it where it is no scalar.
pub(crate) fn key_name(key: &Node) -> Cow<'_, str> {
    match key.text() {
        Some(text) => text.into(),
        None => {
            let mut flow = String::new();
            key.write_flow(&mut flow);
            flow.into()
        }
    }
}

/// The keys of a mapping that were there before, each with the earlier one and their name.
pub(super) fn repeated_keys(pairs: &[(Node, Node)]) -> Vec<(&Node, &Node, Cow<'_, str>)> {
    /// Up to here comparing all with all is faster than hashing.
    const FEW: usize = 8;
    let mut found = Vec::new();
    if pairs.len() <= FEW && pairs.iter().all(|(key, _)| key.text().is_some()) {
        for (n, (key, _)) in pairs.iter().enumerate() {
            if let Some((first, _)) = pairs.iter().take(n).find(|(k, _)| k.text() == key.text()) {
                found.push((first, key, key_name(key)));
            }
        }
        return found;
    }
    let mut seen = HashMap::with_capacity(pairs.len());
    for (key, _) in pairs {
        match seen.entry(key_name(key)) {
            Entry::Occupied(first) => found.push((*first.get(), key, first.key().clone())),
            Entry::Vacant(free) => {
                free.insert(key);
            }
        }
    }
    found
}
