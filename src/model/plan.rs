use super::deployment::words;
use super::{Digest, ObjectId, TreePath};

/// What git keeps of a file's mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileMode {
    /// 100644
    Regular,
    /// 100755
    Executable,
    /// 120000
    Link,
}

impl FileMode {
    /// Git's text for it.
    #[must_use]
    pub const fn as_git(self) -> &'static str {
        match self {
            Self::Regular => "100644",
            Self::Executable => "100755",
            Self::Link => "120000",
        }
    }
}

/// A file of a tree: its git mode and its blob in the mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Regular, executable, or a link.
    pub mode: FileMode,
    /// The blob.
    pub id: ObjectId,
}

/// What happens to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeKind {
    /// It was not there.
    Added,
    /// Its bytes or its mode differ.
    Modified,
    /// It will not be there.
    Removed,
}

impl ChangeKind {
    /// `added`, `modified` or `removed`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Modified => "modified",
            Self::Removed => "removed",
        }
    }
}

/// One file that differs between two trees.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Change {
    /// Which file.
    pub path: TreePath,
    /// The entry in the tree before; `None` when it is added.
    pub old: Option<Entry>,
    /// The entry in the tree after; `None` when it is removed.
    pub new: Option<Entry>,
}

impl Change {
    /// What happens to the file.
    #[must_use]
    pub const fn kind(&self) -> ChangeKind {
        match (&self.old, &self.new) {
            (None, _) => ChangeKind::Added,
            (Some(_), Some(_)) => ChangeKind::Modified,
            (Some(_), None) => ChangeKind::Removed,
        }
    }
}

/// The differences between the live tree and a target, sorted by path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The tree before; `None` when nothing is live.
    pub from: Option<Digest>,
    /// The tree after.
    pub to: Digest,
    /// The tree before, in the mirror; `None` when nothing is live, or the mirror lost it.
    pub from_tree: Option<ObjectId>,
    /// The tree after, in the mirror.
    pub to_tree: ObjectId,
    /// Each file that differs.
    pub changes: Vec<Change>,
    /// How many files the tree before has.
    pub files_before: u64,
    /// How many files the tree after has.
    pub files_after: u64,
}

impl Plan {
    /// Whether a step that works with it does well to have memory given back before it.
    #[must_use]
    pub const fn is_large(&self) -> bool {
        /// Changes.
        const LARGE: usize = 10_000;
        self.changes.len() >= LARGE
    }
}

/// One key of a YAML or JSON document that differs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyChange {
    /// Dotted path of the key; list positions as `[0]`.
    pub key: String,
    /// The value before, as one line; `None` when the key is new.
    pub old: Option<String>,
    /// The value after, as one line; `None` when the key is gone.
    pub new: Option<String>,
}

words! {
    /// What has to happen for a change of files to take effect.
    Needs {
        /// Nobody uses them.
        Nothing = "nothing",
        /// Whoever uses them reads them again.
        Reload = "reload",
        /// Whoever uses them reads them when it starts.
        Restart = "restart",
    }
}

/// One thing that a plan touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    /// What, in the words of the configuration's own layout: `agents/schedulerAgent`.
    pub unit: String,
    /// What it needs; `None`: nothing is known of it.
    pub needs: Option<Needs>,
    /// Why, in a few words; empty where nothing is known.
    pub because: String,
}

/// What a plan touches, and what that needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Impact {
    /// Each thing, sorted, without doubles.
    pub units: Vec<Touched>,
    /// How many more there are.
    pub more: u64,
    /// The `reload` entries that would run, in their order.
    pub reloads: Vec<String>,
    /// The nodes that would be told, in their order.
    pub nodes: Vec<String>,
}
