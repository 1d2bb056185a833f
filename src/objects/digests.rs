use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

use super::walk::check_depth;
use super::{Item, ItemKind, Mirror, ObjectsError};
use crate::model::{Digest, EntryDigest, ObjectId, blob_digest, tree_digest};

/// What is known of a rendered tree without walking it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Its digest.
    pub digest: Digest,
    /// Files in it, links among them.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What is remembered of a folder: its own summary, and that of each entry in git's order.
struct Record {
    own: Summary,
    entries: Vec<Summary>,
}

const SUMMARY_BYTES: usize = 48;
const TRAILER_BYTES: usize = 32;

impl Mirror {
    /// Digest, files and bytes of a rendered tree. What a folder came to is remembered beside the
    /// mirror, so this costs what changed since `hint`, a tree that was summed up before.
    ///
    /// # Errors
    /// [`ObjectsError::Damaged`]; what cannot be remembered is worked out again the next time.
    pub fn summary(&self, tree: ObjectId, hint: Option<ObjectId>) -> Result<Summary, ObjectsError> {
        self.sum_up(tree, hint.filter(|hint| self.has(*hint)), 0)
    }

    fn sum_up(
        &self,
        tree: ObjectId,
        hint: Option<ObjectId>,
        depth: usize,
    ) -> Result<Summary, ObjectsError> {
        if let Some(record) = self.recall(tree) {
            return Ok(record.own);
        }
        check_depth(tree, depth)?;
        let known = match hint {
            Some(hint) => self.known(hint)?,
            None => Vec::new(),
        };
        let items = self.items(tree)?;
        let mut entries = Vec::with_capacity(items.len());
        for item in &items {
            let before = known
                .binary_search_by(|(known, _)| known.name.cmp(&item.name))
                .ok()
                .and_then(|at| known.get(at));
            entries.push(match before {
                Some((before, Some(summary)))
                    if before.id == item.id && before.kind == item.kind =>
                {
                    *summary
                }
                before => {
                    let hint =
                        before.filter(|(b, _)| b.kind == ItemKind::Folder).map(|(b, _)| b.id);
                    self.sum_up_item(item, hint, depth)?
                }
            });
        }
        let record = Record { own: total(&items, &entries), entries };
        self.remember(tree, &record);
        Ok(record.own)
    }

    fn sum_up_item(
        &self,
        item: &Item,
        hint: Option<ObjectId>,
        depth: usize,
    ) -> Result<Summary, ObjectsError> {
        match item.kind {
            ItemKind::Folder => self.sum_up(item.id, hint, depth + 1),
            ItemKind::File(_) | ItemKind::Submodule => {
                let bytes = self.blob(item.id)?;
                Ok(Summary { digest: blob_digest(&bytes), files: 1, bytes: bytes.len() as u64 })
            }
        }
    }

    /// The entries of a folder, sorted by name, each with what is remembered of it.
    fn known(&self, tree: ObjectId) -> Result<Vec<(Item, Option<Summary>)>, ObjectsError> {
        let items = self.items(tree)?;
        let record = self.recall(tree).filter(|record| record.entries.len() == items.len());
        let summaries: Vec<Option<Summary>> = match record {
            Some(record) => record.entries.into_iter().map(Some).collect(),
            None => vec![None; items.len()],
        };
        let mut known: Vec<_> = items.into_iter().zip(summaries).collect();
        known.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
        Ok(known)
    }

    fn record_file(&self, tree: ObjectId) -> PathBuf {
        let id = tree.to_string();
        let (folder, name) = id.split_at(2);
        self.path().join("kconfigd").join("digests").join(folder).join(name)
    }

    /// What is remembered of a folder; `None` when nothing is, or what is was torn.
    fn recall(&self, tree: ObjectId) -> Option<Record> {
        let bytes = std::fs::read(self.record_file(tree)).ok()?;
        let (body, trailer) = bytes.split_at_checked(bytes.len().checked_sub(TRAILER_BYTES)?)?;
        if Sha256::digest(body)[..] != *trailer || !body.len().is_multiple_of(SUMMARY_BYTES) {
            return None;
        }
        let mut summaries = body.chunks_exact(SUMMARY_BYTES).map(summary_from);
        Some(Record { own: summaries.next()??, entries: summaries.collect::<Option<_>>()? })
    }

    /// Remembers a folder. Not made durable: a torn record is noticed by its trailer, and one that
    /// is missing is made again.
    fn remember(&self, tree: ObjectId, record: &Record) {
        let mut bytes = Vec::with_capacity((record.entries.len() + 1) * SUMMARY_BYTES);
        for summary in [&record.own].into_iter().chain(&record.entries) {
            bytes.extend_from_slice(&summary.digest.0);
            bytes.extend_from_slice(&summary.files.to_be_bytes());
            bytes.extend_from_slice(&summary.bytes.to_be_bytes());
        }
        let trailer = Sha256::digest(&bytes);
        bytes.extend_from_slice(&trailer);
        let file = self.record_file(tree);
        let written = file
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| std::fs::write(&file, &bytes));
        if let Err(error) = written {
            tracing::debug!(file = %file.display(), error = %error, "a digest is not remembered");
        }
    }

    /// Forgets every record: they are made again when they are needed.
    ///
    /// # Errors
    /// [`ObjectsError::File`].
    pub fn drop_digests(&self) -> Result<(), ObjectsError> {
        let path = self.path().join("kconfigd").join("digests");
        match std::fs::remove_dir_all(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(ObjectsError::File { operation: "remove", path, source })
            }
            _ => Ok(()),
        }
    }
}

fn total(items: &[Item], entries: &[Summary]) -> Summary {
    let mut digests: Vec<EntryDigest<'_>> = items
        .iter()
        .zip(entries)
        .filter(|(_, summary)| summary.files > 0)
        .map(|(item, summary)| EntryDigest {
            name: &item.name,
            mode: match item.kind {
                ItemKind::File(mode) => Some(mode),
                ItemKind::Folder | ItemKind::Submodule => None,
            },
            digest: summary.digest,
        })
        .collect();
    Summary {
        digest: tree_digest(&mut digests),
        files: entries.iter().map(|s| s.files).sum(),
        bytes: entries.iter().map(|s| s.bytes).sum(),
    }
}

fn summary_from(bytes: &[u8]) -> Option<Summary> {
    let number = |range: std::ops::Range<usize>| {
        Some(u64::from_be_bytes(bytes.get(range)?.try_into().ok()?))
    };
    Some(Summary {
        digest: Digest(bytes.get(..32)?.try_into().ok()?),
        files: number(32..40)?,
        bytes: number(40..48)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FileMode;

    fn mirror() -> (tempfile::TempDir, Mirror) {
        let folder = tempfile::tempdir().unwrap();
        let mirror = Mirror::open_or_create(&folder.path().join("repo.git")).unwrap();
        (folder, mirror)
    }

    fn file(mirror: &Mirror, name: &str, bytes: &[u8]) -> Item {
        let id = mirror.write_blob(bytes).unwrap();
        Item { name: name.into(), id, kind: ItemKind::File(FileMode::Regular) }
    }

    fn folder(mirror: &Mirror, name: &str, items: &[Item]) -> Item {
        let id = mirror.write_tree(items).unwrap();
        Item { name: name.into(), id, kind: ItemKind::Folder }
    }

    #[test]
    fn a_digest_is_that_of_the_documented_format() {
        let (_keep, mirror) = mirror();
        let inner = folder(&mirror, "a", &[file(&mirror, "b", b"x")]);
        let tree = mirror.write_tree(&[inner, file(&mirror, "c", b"yy")]).unwrap();
        let leaf = |name, bytes: &[u8]| EntryDigest {
            name,
            mode: Some(FileMode::Regular),
            digest: blob_digest(bytes),
        };
        let a = tree_digest(&mut [leaf(b"b", b"x")]);
        let entry = EntryDigest { name: b"a", mode: None, digest: a };
        let digest = tree_digest(&mut [leaf(b"c", b"yy"), entry]);
        assert_eq!(mirror.summary(tree, None).unwrap(), Summary { digest, files: 2, bytes: 3 });
    }

    #[test]
    fn what_did_not_change_is_not_read_again() {
        let (_keep, mirror) = mirror();
        let gone = file(&mirror, "same", b"same");
        let old = mirror.write_tree(&[gone.clone(), file(&mirror, "f", b"1")]).unwrap();
        mirror.summary(old, None).unwrap();
        let new = mirror.write_tree(&[gone.clone(), file(&mirror, "f", b"2")]).unwrap();
        // Without its object, the unchanged file can only come from what is remembered.
        let id = gone.id.to_string();
        std::fs::remove_file(mirror.path().join("objects").join(&id[..2]).join(&id[2..])).unwrap();
        let fresh = Mirror::open_or_create(mirror.path()).unwrap();
        assert!(fresh.summary(new, None).is_err());
        assert_eq!(fresh.summary(new, Some(old)).unwrap().files, 2);
    }

    #[test]
    fn a_torn_record_is_noticed_and_made_again() {
        let (_keep, mirror) = mirror();
        let tree = mirror.write_tree(&[file(&mirror, "f", b"1")]).unwrap();
        let first = mirror.summary(tree, None).unwrap();
        let record = mirror.record_file(tree);
        let bytes = std::fs::read(&record).unwrap();
        for torn in [&bytes[..bytes.len() / 2], &[], &vec![0; bytes.len()]] {
            std::fs::write(&record, torn).unwrap();
            assert_eq!(mirror.summary(tree, None).unwrap(), first);
        }
    }
}
