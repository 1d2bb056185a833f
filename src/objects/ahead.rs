//! What a pass reads before it is asked for: files that it reads more than once, to sum them up, to look at
//! them and to write them; and lists of the tree before, while a server works on its answer.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::digests::RECALLED_ENTRIES;
use super::mirror::TREE_KEPT_BYTES_MAX;
use super::walk::check_depth;
use super::{Difference, ItemKind, Mirror, ObjectsError};
use crate::model::ObjectId;

/// What is kept, in bytes: some thousand files of configuration. The rest of a larger change is read
/// each time that it is asked for.
const KEPT_BYTES_MAX: usize = 1 << 20;
/// Files that are read ahead, at most.
const AHEAD_MAX: usize = 4_096;
/// The largest file that is read ahead: larger ones are few.
const FILE_KEPT_BYTES_MAX: u64 = 16 << 10;
/// From this many files on, threads are started for them.
const FILES_SHARED_FROM: usize = 200;

/// The bytes of small files, as long as a handle is open, and for the handles of its threads too.
#[derive(Default)]
pub(super) struct Kept(Mutex<Files>);

#[derive(Default)]
struct Files {
    by_id: HashMap<ObjectId, Arc<[u8]>>,
    bytes: usize,
    is_full: bool,
}

impl Kept {
    fn files(&self) -> MutexGuard<'_, Files> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A file's bytes, where they are kept.
    pub(super) fn get(&self, id: ObjectId) -> Option<Arc<[u8]>> {
        self.files().by_id.get(&id).cloned()
    }

    /// Keeps the bytes of a file that was read ahead, where there is room for them.
    fn keep(&self, id: ObjectId, bytes: &[u8]) {
        let mut files = self.files();
        if files.bytes + bytes.len() > KEPT_BYTES_MAX {
            files.is_full = true;
        } else if files.by_id.insert(id, bytes.into()).is_none() {
            files.bytes += bytes.len();
        }
    }

    fn is_full(&self) -> bool {
        self.files().is_full
    }
}

/// Trees that are going to be asked for.
#[derive(Default)]
pub(super) struct Expected(RefCell<BTreeSet<ObjectId>>);

impl Mirror {
    /// Whether something is to be read before it is asked for.
    #[cfg(test)]
    pub(crate) fn expects(&self) -> bool {
        !self.expected.0.borrow().is_empty()
    }

    /// Says that a tree is going to be asked for.
    pub fn expect(&self, tree: ObjectId) {
        self.expected.0.borrow_mut().insert(tree);
    }

    /// Reads what was said to be asked for: the tree's list, and what its entries come to, where that
    /// is kept until then. To be called while somebody else works. What is wrong is told when it is
    /// asked for.
    pub fn read_expected(&self) {
        for tree in self.expected.0.take() {
            if self.tree_size(tree).is_ok_and(|bytes| bytes <= TREE_KEPT_BYTES_MAX as u64)
                && let Ok(list) = self.list(tree)
                && RECALLED_ENTRIES.contains(&list.len())
            {
                self.recall(tree);
            }
        }
    }

    /// Reads the files that a tree has and another has not, by all threads where they are many, and
    /// keeps them at hand for all that ask for them in this pass. What is wrong is told when it is asked
    /// for.
    pub(super) fn read_ahead(&self, known: ObjectId, tree: ObjectId) {
        let mut fresh = BTreeSet::new();
        if self.fresh_files(Some(known), tree, 0, &mut fresh).is_ok() {
            let fresh: Vec<ObjectId> = fresh.into_iter().collect();
            drop(self.share_out(&fresh, FILES_SHARED_FROM, Self::keep_all));
        }
    }

    fn keep_all(&self, files: &[ObjectId]) -> Result<(), ObjectsError> {
        for id in files {
            if self.kept.is_full() {
                break;
            }
            if self.blob_size(*id)? <= FILE_KEPT_BYTES_MAX {
                self.with_blob(*id, |bytes| self.kept.keep(*id, bytes))?;
            }
        }
        Ok(())
    }

    fn fresh_files(
        &self,
        known: Option<ObjectId>,
        tree: ObjectId,
        depth: usize,
        fresh: &mut BTreeSet<ObjectId>,
    ) -> Result<(), ObjectsError> {
        check_depth(tree, depth)?;
        for Difference { old, new } in self.differing(known, Some(tree))? {
            let Some(new) = new else { continue };
            if fresh.len() >= AHEAD_MAX {
                break;
            }
            match new.kind {
                ItemKind::Folder => {
                    let old = old.filter(|old| old.kind == ItemKind::Folder);
                    self.fresh_files(old.map(|old| old.id), new.id, depth + 1, fresh)?;
                }
                ItemKind::File(_) => {
                    fresh.insert(new.id);
                }
                ItemKind::Submodule => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FileMode;
    use crate::objects::Item;
    use crate::objects::mirror::tests::mirror;

    fn file(mirror: &Mirror, name: &str, bytes: &[u8]) -> Item {
        let id = mirror.write_blob(bytes).unwrap();
        Item { name: name.into(), id, kind: ItemKind::File(FileMode::Regular) }
    }

    fn damage(mirror: &Mirror, id: ObjectId) {
        let id = id.to_string();
        std::fs::remove_file(mirror.path().join("objects").join(&id[..2]).join(&id[2..])).unwrap();
    }

    #[test]
    fn what_is_kept_is_there_for_a_handle_and_those_of_its_threads() {
        let (_keep, mirror) = mirror();
        let id = mirror.write_blob(b"x").unwrap();
        mirror.keep_all(&[id]).unwrap();
        damage(&mirror, id);
        assert_eq!(mirror.blob(id).unwrap(), b"x");
        let fours = mirror.share_out(&[id; 8], 1, |mirror, ids| {
            ids.iter().map(|id| mirror.blob(*id)).collect::<Result<Vec<_>, _>>()
        });
        assert_eq!(fours.unwrap().concat(), vec![b"x".to_vec(); 8]);
        let other = Mirror::open_or_create(mirror.path()).unwrap();
        assert!(other.blob(id).is_err(), "it is kept as long as the handle is open");
    }

    #[test]
    fn what_is_expected_is_read_before_it_is_asked_for() {
        let (_keep, mirror) = mirror();
        let files: Vec<Item> = (0..300).map(|at| file(&mirror, &format!("{at}"), b"x")).collect();
        let tree = mirror.write_tree(&files).unwrap();
        let summary = mirror.summary(tree, None).unwrap();
        let path = mirror.path().to_owned();
        drop(mirror);
        let mirror = Mirror::open_or_create(&path).unwrap();
        mirror.expect(tree);
        mirror.expect(ObjectId([7; 20]));
        mirror.read_expected();
        damage(&mirror, tree);
        std::fs::remove_dir_all(path.join("kconfigd")).unwrap();
        assert_eq!(mirror.items(tree).unwrap().len(), 300);
        assert_eq!(mirror.summary(tree, None).unwrap(), summary);
    }

    #[test]
    fn what_is_kept_has_bounds() {
        const FILE: usize = FILE_KEPT_BYTES_MAX as usize;
        let (_keep, mirror) = mirror();
        let blob = |last: u8, length| {
            let mut bytes = vec![0; length];
            *bytes.last_mut().unwrap() = last;
            mirror.write_blob(&bytes).unwrap()
        };
        let is_kept = |id: ObjectId| mirror.kept.get(id).is_some();
        let large = blob(0, FILE + 1);
        mirror.keep_all(&[large]).unwrap();
        assert!(!is_kept(large));
        let room = u8::try_from(KEPT_BYTES_MAX / FILE).unwrap();
        let ids: Vec<ObjectId> = (0..=room).map(|last| blob(last, FILE)).collect();
        let (more, fit) = ids.split_last().unwrap();
        mirror.keep_all(fit).unwrap();
        assert!(fit.iter().all(|id| is_kept(*id)) && !mirror.kept.is_full());
        mirror.keep_all(&[*more]).unwrap();
        assert!(!is_kept(*more) && mirror.kept.is_full());
    }

    #[test]
    fn files_that_differ_are_read_ahead_and_no_others() {
        let (_keep, mirror) = mirror();
        let name = |number: usize| format!("{number:03}");
        let files = |text: &str, count: usize| -> Vec<Item> {
            (0..count)
                .map(|at| file(&mirror, &name(at), format!("{at} {text}").as_bytes()))
                .collect()
        };
        let folder = |items: &[Item]| {
            let id = mirror.write_tree(items).unwrap();
            let folder = Item { name: b"folder".into(), id, kind: ItemKind::Folder };
            mirror.write_tree(&[folder, file(&mirror, "same", b"same")]).unwrap()
        };
        let before = folder(&files("before", FILES_SHARED_FROM));
        for count in [1, FILES_SHARED_FROM] {
            let fresh = files(&format!("after {count}"), count);
            mirror.summary(folder(&fresh), Some(before)).unwrap();
            assert!(fresh.iter().all(|item| mirror.kept.get(item.id).is_some()));
        }
        let same = mirror.write_blob(b"same").unwrap();
        assert!(mirror.kept.get(same).is_none());
    }
}
