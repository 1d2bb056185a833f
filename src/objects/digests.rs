use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;

use git2::Tree;
use sha2::{Digest as _, Sha256};

use super::memory::DIGESTS;
use super::mirror::{kind_of, object_id};
use super::walk::check_depth;
use super::{ItemKind, Mirror, ObjectsError, is_same, pairs};
use crate::model::{Digest, EntryDigest, FileMode, ObjectId, blob_digest, tree_digest};

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

/// A summary, and how many links are among the files.
#[derive(Clone, Copy)]
struct Sum {
    summary: Summary,
    links: u64,
}

/// What is remembered of a folder: its own sum, and that of each entry in git's order.
pub(super) struct Record {
    own: Sum,
    entries: Vec<Sum>,
}

/// What was recalled of long folders last: a root is asked for several times in a pass.
#[derive(Default)]
pub(super) struct Recalled(RefCell<Vec<(ObjectId, Arc<Record>)>>);

/// So many are at hand: that of a root, and that of the one before.
const RECALLED_MAX: usize = 2;
/// Entries of the folders that they are of: less are recalled as fast, more take too much memory.
pub(super) const RECALLED_ENTRIES: RangeInclusive<usize> = 256..=4_096;

impl Recalled {
    fn get(&self, tree: ObjectId) -> Option<Arc<Record>> {
        let recalled = self.0.borrow();
        recalled.iter().find(|(of, _)| *of == tree).map(|(_, record)| Arc::clone(record))
    }

    /// Forgets them, as what they were recalled from is forgotten.
    pub(super) fn forget(&self) {
        self.0.take();
    }

    fn put(&self, tree: ObjectId, record: &Arc<Record>) {
        if !RECALLED_ENTRIES.contains(&record.entries.len()) {
            return;
        }
        let mut recalled = self.0.borrow_mut();
        recalled.retain(|(of, _)| *of != tree);
        if recalled.len() == RECALLED_MAX {
            recalled.remove(0);
        }
        recalled.push((tree, Arc::clone(record)));
    }
}

/// An entry of a folder of which is not known what it comes to.
struct Open {
    /// Which one it is, in git's order.
    at: usize,
    id: ObjectId,
    kind: ItemKind,
    /// What was in its place: a folder if it is one, and something else if it is not.
    before: Option<ObjectId>,
}

/// Names the record's format; what starts otherwise is made again.
const MAGIC: &[u8; 16] = b"kconfigd sums 2\n";
/// From this many folders on, threads are started for them.
const FOLDERS_SHARED_FROM: usize = 32;
const HEADER_BYTES: usize = MAGIC.len() + 20;
const SUM_BYTES: usize = 56;
const TRAILER_BYTES: usize = 32;

impl Mirror {
    /// Digest, files and bytes of a rendered tree. What a folder came to is remembered beside the
    /// mirror, so this costs what changed since `hint`, a tree that was summed up before.
    ///
    /// # Errors
    /// [`ObjectsError::Damaged`]; what cannot be remembered is worked out again the next time.
    pub fn summary(&self, tree: ObjectId, hint: Option<ObjectId>) -> Result<Summary, ObjectsError> {
        Ok(self.sum_up(tree, hint.filter(|hint| self.has(*hint)), 0)?.summary)
    }

    /// Which entries of a folder, in git's order, are links or hold some; `None` when nothing is
    /// remembered of it.
    pub(super) fn holders_of_links(&self, tree: ObjectId) -> Option<Vec<bool>> {
        Some(self.recall(tree)?.entries.iter().map(|sum| sum.links > 0).collect())
    }

    fn sum_up(
        &self,
        tree: ObjectId,
        hint: Option<ObjectId>,
        depth: usize,
    ) -> Result<Sum, ObjectsError> {
        if let Some(record) = self.recall(tree) {
            return Ok(record.own);
        }
        check_depth(tree, depth)?;
        let list = self.list(tree)?;
        let (mut entries, open) = self.compared(&list, hint)?;
        if depth == 0 {
            if let Some(hint) = hint {
                self.read_ahead(hint, tree);
            }
            self.sum_up_folders(&open)?;
        }
        for one in &open {
            let sum = self.sum_up_item(one, depth)?;
            if let Some(entry) = entries.get_mut(one.at) {
                *entry = Some(sum);
            }
        }
        let mut sums = Vec::with_capacity(entries.len());
        sums.extend(entries.into_iter().flatten());
        let own = total(&list, &sums);
        self.remember(tree, Record { own, entries: sums });
        Ok(own)
    }

    /// What each entry of a folder comes to, where that is known from what it was before, and the
    /// entries of which it is not.
    fn compared(
        &self,
        list: &Tree<'_>,
        hint: Option<ObjectId>,
    ) -> Result<(Vec<Option<Sum>>, Vec<Open>), ObjectsError> {
        let (before, record) = self.known(hint)?;
        let mut sums = record.iter().flat_map(|record| &record.entries);
        let (mut entries, mut open) = (Vec::with_capacity(list.len()), Vec::new());
        for (before, entry) in pairs(before.as_ref(), Some(list)) {
            let sum = before.as_ref().and_then(|_| sums.next().copied());
            let Some(entry) = &entry else { continue };
            let sum = sum.filter(|_| is_same(before.as_ref(), Some(entry)));
            if sum.is_none() {
                open.push(Open {
                    at: entries.len(),
                    id: object_id(entry.id()),
                    kind: kind_of(entry),
                    before: before.map(|before| object_id(before.id())),
                });
            }
            entries.push(sum);
        }
        Ok((entries, open))
    }

    /// Sums up the folders that nothing is known of, shared among threads: what they come to is
    /// remembered, and found by the walk that follows.
    fn sum_up_folders(&self, open: &[Open]) -> Result<(), ObjectsError> {
        let fresh: Vec<(ObjectId, Option<ObjectId>)> = open
            .iter()
            .filter(|one| one.kind == ItemKind::Folder)
            .map(|one| (one.id, one.before))
            .collect();
        if fresh.len() >= FOLDERS_SHARED_FROM {
            self.share_out(&fresh, FOLDERS_SHARED_FROM, |mirror, part| {
                part.iter().try_for_each(|(id, hint)| mirror.sum_up(*id, *hint, 1).map(drop))
            })?;
        }
        Ok(())
    }

    fn sum_up_item(&self, one: &Open, depth: usize) -> Result<Sum, ObjectsError> {
        if one.kind == ItemKind::Folder {
            return self.sum_up(one.id, one.before, depth + 1);
        }
        let summary = self.with_blob(one.id, |bytes| Summary {
            digest: blob_digest(bytes),
            files: 1,
            bytes: bytes.len() as u64,
        })?;
        Ok(Sum { summary, links: u64::from(one.kind == ItemKind::File(FileMode::Link)) })
    }

    /// The list of a folder that was summed up before, and what is remembered of each entry.
    fn known(
        &self,
        hint: Option<ObjectId>,
    ) -> Result<(Option<Tree<'_>>, Option<Arc<Record>>), ObjectsError> {
        let Some(hint) = hint else { return Ok((None, None)) };
        let list = self.list(hint)?;
        let record = self.recall(hint).filter(|record| record.entries.len() == list.len());
        Ok((Some(list), record))
    }

    fn record_file(&self, tree: ObjectId) -> PathBuf {
        self.memory_file(DIGESTS, &tree.0)
    }

    /// What is remembered of a folder; `None` when nothing is, or what is was torn.
    pub(super) fn recall(&self, tree: ObjectId) -> Option<Arc<Record>> {
        if let Some(record) = self.recalled.get(tree) {
            return Some(record);
        }
        let record = Arc::new(Record::decode(&self.note(&self.record_file(tree))?, tree)?);
        self.recalled.put(tree, &record);
        Some(record)
    }

    /// Remembers a folder. Not made durable: a torn record is noticed by its trailer, and one that
    /// is missing is made again.
    fn remember(&self, tree: ObjectId, record: Record) {
        self.keep_in_memory(&self.record_file(tree), &record.encode(tree));
        self.recalled.put(tree, &Arc::new(record));
    }
}

impl Record {
    /// `MAGIC`, the tree's id, the sums (own first), and the SHA-256 of all that.
    fn encode(&self, tree: ObjectId) -> Vec<u8> {
        let sums = [&self.own].into_iter().chain(&self.entries);
        let mut bytes =
            Vec::with_capacity(HEADER_BYTES + (self.entries.len() + 1) * SUM_BYTES + TRAILER_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&tree.0);
        for Sum { summary, links } in sums {
            bytes.extend_from_slice(&summary.digest.0);
            for number in [summary.files, summary.bytes, *links] {
                bytes.extend_from_slice(&number.to_be_bytes());
            }
        }
        let trailer = Sha256::digest(&bytes);
        bytes.extend_from_slice(&trailer);
        bytes
    }

    fn decode(bytes: &[u8], tree: ObjectId) -> Option<Self> {
        let (body, trailer) = bytes.split_at_checked(bytes.len().checked_sub(TRAILER_BYTES)?)?;
        if Sha256::digest(body)[..] != *trailer {
            return None;
        }
        let sums = body.strip_prefix(MAGIC)?.strip_prefix(&tree.0)?;
        let (sums, []) = sums.as_chunks::<SUM_BYTES>() else { return None };
        let mut sums = sums.iter().map(Sum::decode);
        Some(Self { own: sums.next()??, entries: sums.collect::<Option<_>>()? })
    }
}

impl Sum {
    fn decode(bytes: &[u8; SUM_BYTES]) -> Option<Self> {
        let (digest, numbers) = bytes.split_first_chunk::<32>()?;
        let (numbers, _) = numbers.as_chunks::<8>();
        let [files, bytes, links] = *numbers else { return None };
        let [files, bytes, links] = [files, bytes, links].map(u64::from_be_bytes);
        Some(Self { summary: Summary { digest: Digest(*digest), files, bytes }, links })
    }
}

/// A folder's own sum. Numbers stop at their greatest: a tree that holds itself over and over, by
/// the same ids, reaches it with a few objects.
fn total(list: &Tree<'_>, entries: &[Sum]) -> Sum {
    let mut names = Vec::with_capacity(list.len());
    names.extend(list);
    let with_files = names.iter().zip(entries).filter(|(_, sum)| sum.summary.files > 0);
    let mut digests = Vec::with_capacity(list.len());
    digests.extend(with_files.map(|(entry, sum)| EntryDigest {
        name: entry.name_bytes(),
        mode: match kind_of(entry) {
            ItemKind::File(mode) => Some(mode),
            ItemKind::Folder | ItemKind::Submodule => None,
        },
        digest: sum.summary.digest,
    }));
    let add = |number: fn(&Sum) -> u64| entries.iter().map(number).fold(0, u64::saturating_add);
    let summary = Summary {
        digest: tree_digest(&mut digests),
        files: add(|sum| sum.summary.files),
        bytes: add(|sum| sum.summary.bytes),
    };
    Sum { summary, links: add(|sum| sum.links) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;

    use super::*;
    use crate::objects::Item;
    use crate::objects::mirror::tests::mirror;

    fn file(mirror: &Mirror, name: &str, bytes: &[u8]) -> Item {
        let id = mirror.write_blob(bytes).unwrap();
        Item { name: name.into(), id, kind: ItemKind::File(FileMode::Regular) }
    }

    fn folder(mirror: &Mirror, name: &str, items: &[Item]) -> Item {
        let id = mirror.write_tree(items).unwrap();
        Item { name: name.into(), id, kind: ItemKind::Folder }
    }

    /// A folder as a plain map, and what the documentation says its digest is, by SHA-256 alone.
    #[derive(Clone, Debug)]
    enum Plain {
        File(FileMode, Vec<u8>),
        Folder(BTreeMap<String, Plain>),
    }

    impl Plain {
        fn digest(&self) -> Option<[u8; 32]> {
            let mut bytes;
            match self {
                Self::File(_, content) => {
                    bytes = b"kconfigd file 1\0".to_vec();
                    bytes.extend(content);
                }
                Self::Folder(entries) => {
                    bytes = b"kconfigd tree 1\0".to_vec();
                    for (name, entry) in entries {
                        let mode = match entry {
                            Self::File(FileMode::Regular, _) => "100644",
                            Self::File(FileMode::Executable, _) => "100755",
                            Self::File(FileMode::Link, _) => "120000",
                            Self::Folder(_) => "40000",
                        };
                        if let Some(digest) = entry.digest() {
                            bytes.extend(format!("{mode} {name}\0").into_bytes());
                            bytes.extend(digest);
                        }
                    }
                }
            }
            let empty = matches!(self, Self::Folder(entries) if entries.values().all(|e| e.digest().is_none()));
            (!empty).then(|| Sha256::digest(&bytes).into())
        }

        fn write(&self, mirror: &Mirror, name: &str) -> Item {
            match self {
                Self::File(mode, content) => Item {
                    name: name.into(),
                    id: mirror.write_blob(content).unwrap(),
                    kind: ItemKind::File(*mode),
                },
                Self::Folder(entries) => {
                    let items: Vec<_> = entries.iter().map(|(n, e)| e.write(mirror, n)).collect();
                    folder(mirror, name, &items)
                }
            }
        }
    }

    fn plain() -> impl Strategy<Value = Plain> {
        let mode =
            prop_oneof![Just(FileMode::Regular), Just(FileMode::Executable), Just(FileMode::Link)];
        let file = (mode, proptest::collection::vec(any::<u8>(), 0..4));
        let leaf = file.prop_map(|(mode, bytes)| Plain::File(mode, bytes));
        let names = || prop_oneof![Just("a"), Just("a.b"), Just("a0"), Just("b"), Just("ä")];
        leaf.prop_recursive(4, 24, 5, move |inner| {
            let entries =
                proptest::collection::btree_map(names().prop_map(str::to_owned), inner, 0..5);
            entries.prop_map(Plain::Folder)
        })
    }

    #[test]
    fn a_digest_depends_on_names_modes_and_bytes_alone() {
        let (_keep, mirror) = mirror();
        let mut runner = TestRunner::new(ProptestConfig::with_cases(256));
        let property = |(one, other, hinted): (Plain, Plain, bool)| {
            let root = |plain: Plain| Plain::Folder(BTreeMap::from([("r".to_owned(), plain)]));
            let (one, other) = (root(one), root(other));
            let before = one.write(&mirror, "").id;
            mirror.summary(before, None).unwrap();
            let tree = other.write(&mirror, "").id;
            let summary = mirror.summary(tree, hinted.then_some(before)).unwrap();
            let empty = Sha256::digest(b"kconfigd tree 1\0").into();
            prop_assert_eq!(summary.digest, Digest(other.digest().unwrap_or(empty)));
            // What is remembered says the same, and so does what is worked out without memory.
            prop_assert_eq!(mirror.summary(tree, None).unwrap(), summary);
            mirror.drop_digests().unwrap();
            prop_assert_eq!(mirror.summary(tree, None).unwrap(), summary);
            Ok(())
        };
        runner.run(&(plain(), plain(), any::<bool>()), property).unwrap();
    }

    #[test]
    fn a_digest_is_that_of_the_documented_vectors() {
        let (_keep, mirror) = mirror();
        let text = include_str!("../../docs/on-disk-format.md");
        let settings = file(&mirror, "settings.yaml", b"interval: 30s\n");
        let mode = |mode, item: Item| Item { kind: ItemKind::File(mode), ..item };
        let run = file(&mirror, "run", b"#!/bin/sh\nexit 0\n");
        let current = file(&mirror, "current", b"../settings.yaml");
        let hooks = [mode(FileMode::Executable, run), mode(FileMode::Link, current)];
        let hooks = folder(&mirror, "hooks", &hooks);
        let nested = mirror.write_tree(&[settings, hooks.clone()]).unwrap();
        for (id, files, bytes) in [(hooks.id, 2, 33), (nested, 3, 47)] {
            let found = mirror.summary(id, None).unwrap();
            assert_eq!((found.files, found.bytes), (files, bytes));
            assert!(text.contains(&found.digest.to_string()), "{}", found.digest);
        }
    }

    #[test]
    fn a_tree_that_holds_the_same_folder_over_and_over_is_summed_up_at_once() {
        let (_keep, mirror) = mirror();
        let mut bomb = folder(&mirror, "0", &[file(&mirror, "f", b"1")]);
        for _ in 0..100 {
            let same = |name: &str| Item { name: name.into(), ..bomb.clone() };
            bomb = folder(&mirror, "0", &[same("0"), same("1")]);
        }
        assert_eq!(mirror.summary(bomb.id, None).unwrap().files, u64::MAX);
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
        mirror.notes.write();
        let fresh = Mirror::open_or_create(mirror.path()).unwrap();
        assert!(fresh.summary(new, None).is_err());
        assert_eq!(fresh.summary(new, Some(old)).unwrap().files, 2);
    }

    #[test]
    fn what_is_forgotten_is_worked_out_again() {
        let (_keep, mirror) = mirror();
        let count = *RECALLED_ENTRIES.start();
        let files: Vec<Item> = (0..count).map(|at| file(&mirror, &at.to_string(), b"x")).collect();
        let tree = mirror.write_tree(&files).unwrap();
        let summary = mirror.summary(tree, None).unwrap();
        let id = files[0].id.to_string();
        std::fs::remove_file(mirror.path().join("objects").join(&id[..2]).join(&id[2..])).unwrap();
        assert_eq!(mirror.summary(tree, None).unwrap(), summary);
        mirror.drop_digests().unwrap();
        assert!(mirror.summary(tree, None).is_err());
    }

    #[test]
    fn a_record_of_another_tree_does_not_count() {
        let (_keep, mirror) = mirror();
        let one = mirror.write_tree(&[file(&mirror, "f", b"1")]).unwrap();
        let other = mirror.write_tree(&[file(&mirror, "f", b"2")]).unwrap();
        let first = mirror.summary(one, None).unwrap();
        mirror.summary(other, None).unwrap();
        mirror.notes.write();
        std::fs::copy(mirror.record_file(other), mirror.record_file(one)).unwrap();
        assert_eq!(mirror.summary(one, None).unwrap(), first);
    }

    #[test]
    fn a_torn_record_is_noticed_and_made_again() {
        let (_keep, mirror) = mirror();
        let tree = mirror.write_tree(&[file(&mirror, "f", b"1")]).unwrap();
        let first = mirror.summary(tree, None).unwrap();
        mirror.notes.write();
        let record = mirror.record_file(tree);
        let bytes = std::fs::read(&record).unwrap();
        for torn in [&bytes[..bytes.len() / 2], &[], &vec![0; bytes.len()]] {
            std::fs::write(&record, torn).unwrap();
            assert_eq!(mirror.summary(tree, None).unwrap(), first);
            mirror.notes.write();
            assert_eq!(std::fs::read(&record).unwrap(), bytes, "made again");
        }
    }
}
