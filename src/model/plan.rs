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
    /// Each file that differs.
    pub changes: Vec<Change>,
    /// How many files the tree before has.
    pub files_before: u64,
    /// How many files the tree after has.
    pub files_after: u64,
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
