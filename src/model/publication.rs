use super::{ObjectId, TreePath};

/// A file that is to be written into the repository, for everybody: a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// The file, in the tree.
    pub path: TreePath,
    /// Its bytes; `None`: it goes.
    pub content: Option<Vec<u8>>,
    /// What has to be there before.
    pub before: Before,
    /// What the commit says; `None`: a sentence of ours.
    pub message: Option<String>,
}

/// What a file has to be before it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// Not there.
    Absent,
    /// There, whatever it holds.
    Present,
    /// There, with the bytes that this blob has.
    Blob(ObjectId),
}
