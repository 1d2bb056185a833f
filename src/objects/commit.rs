use super::mirror::{damaged, object_id, oid};
use super::{Item, ItemKind, Mirror, ObjectsError};
use crate::model::{FileMode, ObjectId, Revision, Timestamp};

/// Who commits what comes over the API; its author is whoever sent it.
const COMMITTER: &str = "kconfigd";
/// No address is known of either.
const ADDRESS: &str = "kconfigd@localhost";

/// The id that git gives a file of these bytes.
#[must_use]
pub fn blob_id(bytes: &[u8]) -> ObjectId {
    // It fails for kinds that are none alone.
    let id = git2::Oid::hash_object(git2::ObjectType::Blob, bytes);
    object_id(id.unwrap_or(git2::Oid::ZERO_SHA1))
}

impl Mirror {
    /// Writes a commit with one file in it, behind another that need not be here. No branch shows it.
    ///
    /// # Errors
    /// [`ObjectsError`] when nothing can be written.
    pub fn chain(
        &self,
        parent: Option<&Revision>,
        (name, bytes): (&str, &[u8]),
        message: &str,
        now: Timestamp,
    ) -> Result<Revision, ObjectsError> {
        let kind = ItemKind::File(FileMode::Regular);
        let file = Item { name: name.into(), id: self.write_blob(bytes)?, kind };
        let tree = self.write_tree(&[file])?;
        let parent = parent.map(|parent| format!("parent {parent}\n")).unwrap_or_default();
        let who = format!("{COMMITTER} <{ADDRESS}> {} +0000", now.0.div_euclid(1000));
        let text = format!("tree {tree}\n{parent}author {who}\ncommitter {who}\n\n{message}\n");
        let written = || {
            let odb = self.repository().odb()?;
            odb.write(git2::ObjectType::Commit, text.as_bytes())
        };
        written().map(|id| Revision::from(object_id(id))).map_err(damaged("commit", tree))
    }

    /// Writes a commit. No branch shows it.
    ///
    /// # Errors
    /// [`ObjectsError::Damaged`] when the tree or the parent is not there, [`ObjectsError::Write`]
    /// when the commit cannot be written.
    pub fn commit(
        &self,
        tree: ObjectId,
        parent: Option<&Revision>,
        author: &str,
        message: &str,
        now: Timestamp,
    ) -> Result<Revision, ObjectsError> {
        let git = self.repository();
        let tree = git.find_tree(oid(tree)).map_err(damaged("tree", tree))?;
        let found = |parent: &Revision| {
            git.find_commit(oid(parent.id())).map_err(damaged("commit", parent.id()))
        };
        let parent = parent.map(found).transpose()?;
        let written = || {
            let time = git2::Time::new(now.0.div_euclid(1000), 0);
            // Signs that a name cannot have in a commit.
            let plain: String =
                author.chars().filter(|c| !matches!(c, '<' | '>') && !c.is_control()).collect();
            // What git finds no name in is told in the message alone.
            let author = git2::Signature::new(plain.trim(), ADDRESS, &time)
                .or_else(|_| git2::Signature::new(COMMITTER, ADDRESS, &time))?;
            let committer = git2::Signature::new(COMMITTER, ADDRESS, &time)?;
            let parents: Vec<_> = parent.iter().collect();
            git.commit(None, &author, &committer, message, &tree, &parents)
        };
        written().map(|id| Revision::from(object_id(id))).map_err(self.unwritten("commit"))
    }
}
