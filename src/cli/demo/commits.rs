use std::collections::BTreeMap;
use std::path::Path;

use git2::build::{CheckoutBuilder, TreeUpdateBuilder};
use git2::{FileMode, ObjectType, Oid, Repository, Signature, TreeWalkMode, TreeWalkResult};

use super::check::DemoError;

const MAIN: &str = "refs/heads/main";
const PROPOSAL: &str = "refs/heads/proposal";

/// The repository of the demo, as its authors use it.
pub(super) struct Commits(Repository);

impl Commits {
    /// Opens the repository in a folder.
    pub(super) fn open(folder: &Path) -> Result<Self, DemoError> {
        Repository::open(folder).map(Self).map_err(DemoError::git("open"))
    }

    /// The commit at the head of main.
    pub(super) fn head(&self) -> Result<String, DemoError> {
        let head = self.0.refname_to_id(MAIN).map_err(DemoError::git("read"))?;
        Ok(head.to_string())
    }

    /// Every file of a commit, with its bytes.
    pub(super) fn files(&self, commit: &str) -> Result<BTreeMap<String, Vec<u8>>, DemoError> {
        let failed = DemoError::git("read");
        let commit =
            Oid::from_str(commit).and_then(|id| self.0.find_commit(id)).map_err(&failed)?;
        let tree = commit.tree().map_err(&failed)?;
        let mut files = BTreeMap::new();
        let mut unread = None;
        tree.walk(TreeWalkMode::PreOrder, |folder, entry| {
            if entry.kind() == Some(ObjectType::Blob) {
                match self.0.find_blob(entry.id()) {
                    Ok(blob) => {
                        let name =
                            format!("{folder}{}", String::from_utf8_lossy(entry.name_bytes()));
                        files.insert(name, blob.content().to_vec());
                    }
                    Err(error) => unread = Some(error),
                }
            }
            TreeWalkResult::Ok
        })
        .map_err(&failed)?;
        unread.map_or(Ok(files), |error| Err(failed(error)))
    }

    /// A commit after main's head with one file changed, on a branch of its own.
    pub(super) fn propose(
        &self,
        file: &str,
        text: &str,
        message: &str,
    ) -> Result<String, DemoError> {
        let failed = DemoError::git("commit to");
        let parent = self
            .0
            .refname_to_id(MAIN)
            .and_then(|head| self.0.find_commit(head))
            .map_err(&failed)?;
        let blob = self.0.blob(text.as_bytes()).map_err(&failed)?;
        let before = parent.tree().map_err(&failed)?;
        let tree = TreeUpdateBuilder::new()
            .upsert(file, blob, FileMode::Blob)
            .create_updated(&self.0, &before)
            .and_then(|tree| self.0.find_tree(tree))
            .map_err(&failed)?;
        let author = Signature::now("A. Author", "author@example.com").map_err(&failed)?;
        let commit =
            self.0.commit(None, &author, &author, message, &tree, &[&parent]).map_err(&failed)?;
        self.0.reference(PROPOSAL, commit, true, message).map_err(&failed)?;
        Ok(commit.to_string())
    }

    /// Makes a proposed commit main's head, and checks it out for who works on in the folder.
    pub(super) fn merge(&self, commit: &str) -> Result<(), DemoError> {
        let failed = DemoError::git("merge in");
        let id = Oid::from_str(commit).map_err(&failed)?;
        self.0.reference(MAIN, id, true, "merged").map_err(&failed)?;
        self.0.checkout_head(Some(CheckoutBuilder::new().force())).map_err(&failed)
    }
}
