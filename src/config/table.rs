use super::keys::KEYS;
pub(super) use crate::document::nearest;

/// One key of `kconfigd.yaml`: what the reader, the JSON Schema, `config check` and the
/// documentation know of it.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its way from the top: `gitops.sync_interval`; `nodes[].name` for a key of list items.
    pub path: &'static str,
    /// What it may hold.
    pub kind: Kind,
    /// Its default as YAML; `null` for none.
    pub default: &'static str,
    /// A value for the documentation, as YAML.
    pub example: &'static str,
    /// What it does, in Markdown.
    pub about: &'static str,
}

/// What a key may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Count {
        /// The least that is taken.
        min: u64,
        /// The greatest that is taken.
        max: u64,
    },
    /// Bytes: a whole number, or one with `KiB`, `MiB` or `GiB`.
    Bytes {
        /// The least that is taken.
        min: u64,
    },
    /// `500ms`, `30s`, `5m`, `24h`, `7d`.
    Duration {
        /// The shortest that is taken, in milliseconds.
        min_ms: u64,
    },
    /// A duration, or `off`.
    Pause {
        /// The shortest that is taken, in milliseconds.
        min_ms: u64,
    },
    /// `0%` to `100%`.
    Percent,
    /// A part of the files or a number of them.
    Deletions,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A path; a relative one is relative to the file.
    Path,
    /// An `http` or `https` URL without credentials.
    Url,
    /// An IP address and a port.
    Address,
    /// `user:group`.
    Owner,
    /// Permission bits in octal.
    Mode,
    /// A list of texts.
    Texts,
    /// A mapping of texts to texts.
    Labels,
    /// A list of mappings whose keys are in the table, under `<path>[].`.
    Items,
    /// A mapping whose keys are names.
    AnyMap,
}

impl Kind {
    /// The kind in words, as the documentation has it.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Bool => "`true` or `false`".to_owned(),
            Self::Count { min, max } => format!("number from {min} to {max}"),
            Self::Bytes { min } => format!("size, at least {min} bytes"),
            Self::Duration { min_ms: 0 } => "duration".to_owned(),
            Self::Duration { min_ms } if min_ms % 1000 == 0 => {
                format!("duration, at least `{}s`", min_ms / 1000)
            }
            Self::Duration { min_ms } => format!("duration, at least `{min_ms}ms`"),
            Self::Pause { .. } => "duration, or `off`".to_owned(),
            Self::Percent => "percentage".to_owned(),
            Self::Deletions => "percentage or number of files".to_owned(),
            Self::Word(words) => {
                let words: Vec<_> = words.iter().map(|w| format!("`{w}`")).collect();
                words.join(", ")
            }
            Self::Path => "path".to_owned(),
            Self::Url => "URL".to_owned(),
            Self::Address => "address and port".to_owned(),
            Self::Owner => "`user:group`".to_owned(),
            Self::Mode => "octal mode, in quotes".to_owned(),
            Self::Texts => "list of texts".to_owned(),
            Self::Labels => "mapping of texts".to_owned(),
            Self::Items => "list of mappings".to_owned(),
            Self::AnyMap => "mapping".to_owned(),
        }
    }

    /// Whether its environment twin holds JSON.
    #[must_use]
    pub const fn is_json(self) -> bool {
        matches!(self, Self::Texts | Self::Labels | Self::Items | Self::AnyMap)
    }
}

impl Key {
    /// The environment variable that sets it; `None` for the keys of list items, which are set
    /// with the whole list.
    #[must_use]
    pub fn twin(&self) -> Option<String> {
        (!self.path.contains("[]")).then(|| twin_of(self.path))
    }

    /// Whether a list item without it is refused.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.path.contains("[]") && self.default == "null"
    }
}

/// The environment variable for a key or for a group of keys.
pub(super) fn twin_of(path: &str) -> String {
    format!("KCONFIGD_{}", path.replace('.', "__").to_uppercase())
}

/// Every key, in the order of the documentation.
#[must_use]
pub fn keys() -> &'static [Key] {
    KEYS
}

/// The key of a way from the top.
pub(super) fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// Whether a way from the top leads to keys, and is none itself.
pub(super) fn is_group(path: &str) -> bool {
    KEYS.iter().any(|key| key.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
}

/// The names right below `prefix`, which is empty or ends with a dot.
pub(super) fn names_below(prefix: &str) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = Vec::new();
    for key in KEYS {
        let Some(rest) = key.path.strip_prefix(prefix) else { continue };
        let name = rest.split(['.', '[']).next().unwrap_or(rest);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_there_twice_or_is_a_group_too() {
        for (n, key) in KEYS.iter().enumerate() {
            assert!(KEYS[..n].iter().all(|other| other.path != key.path), "{}", key.path);
            assert!(!is_group(key.path), "{}", key.path);
        }
    }

    #[test]
    fn twins_have_two_underscores_between_levels() {
        assert_eq!(
            find("gitops.sync_interval").unwrap().twin().unwrap(),
            "KCONFIGD_GITOPS__SYNC_INTERVAL"
        );
        assert_eq!(find("profile").unwrap().twin().unwrap(), "KCONFIGD_PROFILE");
        assert_eq!(find("nodes[].name").unwrap().twin(), None);
    }
}
