use super::{Difference, Item, ItemKind, Mirror, ObjectsError};
use crate::model::{Change, Entry, FileMode, ObjectId, TreePath};

/// Folders inside each other before a tree counts as damaged: little enough for any stack. Rendering
/// refuses a tree before it comes to this.
pub(crate) const DEPTH_MAX: usize = 512;

impl Mirror {
    /// What differs between two rendered trees, sorted by path. What is equal is skipped by object
    /// id, whole folders at a time.
    ///
    /// # Errors
    /// [`ObjectsError::Damaged`].
    pub fn changes(
        &self,
        old: Option<ObjectId>,
        new: ObjectId,
    ) -> Result<Vec<Change>, ObjectsError> {
        let mut changes = Vec::new();
        if old != Some(new) {
            self.compare(old, Some(new), None, 0, &mut changes)?;
            changes.sort_by(|a: &Change, b| a.path.cmp(&b.path));
            changes.shrink_to_fit();
        }
        Ok(changes)
    }

    fn compare(
        &self,
        old: Option<ObjectId>,
        new: Option<ObjectId>,
        at: Option<&TreePath>,
        depth: usize,
        changes: &mut Vec<Change>,
    ) -> Result<(), ObjectsError> {
        for tree in [old, new].into_iter().flatten() {
            check_depth(tree, depth)?;
        }
        for Difference { old, new } in self.differing(old, new)? {
            self.compare_items(old.as_ref(), new.as_ref(), at, depth, changes)?;
        }
        Ok(())
    }

    fn compare_items(
        &self,
        old: Option<&Item>,
        new: Option<&Item>,
        at: Option<&TreePath>,
        depth: usize,
        changes: &mut Vec<Change>,
    ) -> Result<(), ObjectsError> {
        let Some(item) = old.or(new) else { return Ok(()) };
        let path = path_of(at, item)?;
        let (old_file, new_file) = (old.and_then(file), new.and_then(file));
        if old_file.is_some() || new_file.is_some() {
            changes.push(Change { path: path.clone(), old: old_file, new: new_file });
        }
        let (old, new) = (old.and_then(folder), new.and_then(folder));
        if old.is_some() || new.is_some() {
            self.compare(old, new, Some(&path), depth + 1, changes)?;
        }
        Ok(())
    }

    /// Calls `visit` for each file in the order of the trees, and ends with its first error.
    ///
    /// # Errors
    /// What `visit` says, or [`ObjectsError::Damaged`].
    pub fn each_file<E: From<ObjectsError>>(
        &self,
        tree: ObjectId,
        visit: &mut dyn FnMut(&TreePath, Entry) -> Result<(), E>,
    ) -> Result<(), E> {
        self.visit_folder(tree, None, 0, visit)
    }

    fn visit_folder<E: From<ObjectsError>>(
        &self,
        tree: ObjectId,
        at: Option<&TreePath>,
        depth: usize,
        visit: &mut dyn FnMut(&TreePath, Entry) -> Result<(), E>,
    ) -> Result<(), E> {
        check_depth(tree, depth)?;
        for item in self.items(tree)? {
            let path = path_of(at, &item)?;
            match item.kind {
                ItemKind::Folder => self.visit_folder(item.id, Some(&path), depth + 1, visit)?,
                ItemKind::File(mode) => visit(&path, Entry { mode, id: item.id })?,
                ItemKind::Submodule => {}
            }
        }
        Ok(())
    }

    /// Calls `visit` for each link; folders in which a summary found none are passed over.
    ///
    /// # Errors
    /// What `visit` says, or [`ObjectsError::Damaged`].
    pub fn each_link<E: From<ObjectsError>>(
        &self,
        tree: ObjectId,
        visit: &mut dyn FnMut(&TreePath, ObjectId) -> Result<(), E>,
    ) -> Result<(), E> {
        self.visit_links(tree, None, 0, visit)
    }

    fn visit_links<E: From<ObjectsError>>(
        &self,
        tree: ObjectId,
        at: Option<&TreePath>,
        depth: usize,
        visit: &mut dyn FnMut(&TreePath, ObjectId) -> Result<(), E>,
    ) -> Result<(), E> {
        check_depth(tree, depth)?;
        let holders = self.holders_of_links(tree);
        if holders.as_ref().is_some_and(|holders| !holders.contains(&true)) {
            return Ok(());
        }
        for (at_entry, item) in self.items(tree)?.iter().enumerate() {
            let holds = holders.as_ref().and_then(|holders| holders.get(at_entry));
            match item.kind {
                ItemKind::Folder if holds != Some(&false) => {
                    let path = path_of(at, item)?;
                    self.visit_links(item.id, Some(&path), depth + 1, visit)?;
                }
                ItemKind::File(FileMode::Link) => visit(&path_of(at, item)?, item.id)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// The file at a path; `None` when there is none, or a folder.
    ///
    /// # Errors
    /// [`ObjectsError::Damaged`].
    pub fn entry(&self, tree: ObjectId, path: &TreePath) -> Result<Option<Entry>, ObjectsError> {
        let found = self.find(tree, path.as_str())?;
        Ok(found.as_ref().and_then(file))
    }

    /// The bytes of the file at a path; `None` when there is none, a folder, a link, or more than
    /// `bytes_max` of them.
    ///
    /// # Errors
    /// [`ObjectsError::Damaged`].
    pub fn read_file(
        &self,
        tree: ObjectId,
        path: &str,
        bytes_max: u64,
    ) -> Result<Option<Vec<u8>>, ObjectsError> {
        let found = self.find(tree, path)?;
        match found.as_ref().and_then(file) {
            Some(entry) if entry.mode == FileMode::Link => Ok(None),
            Some(entry) if self.blob_size(entry.id)? <= bytes_max => self.blob(entry.id).map(Some),
            _ => Ok(None),
        }
    }

    /// What is at a path of names separated by `/`.
    ///
    /// # Errors
    /// [`ObjectsError::Damaged`].
    pub fn find(&self, tree: ObjectId, path: &str) -> Result<Option<Item>, ObjectsError> {
        let mut found: Option<Item> = None;
        for name in path.split('/') {
            let below = match &found {
                None => tree,
                Some(item) if item.kind == ItemKind::Folder => item.id,
                Some(_) => return Ok(None),
            };
            found = self.item(below, name.as_bytes())?;
            if found.is_none() {
                return Ok(None);
            }
        }
        Ok(found)
    }
}

const fn file(item: &Item) -> Option<Entry> {
    match item.kind {
        ItemKind::File(mode) => Some(Entry { mode, id: item.id }),
        ItemKind::Submodule => Some(Entry { mode: FileMode::Regular, id: item.id }),
        ItemKind::Folder => None,
    }
}

fn folder(item: &Item) -> Option<ObjectId> {
    (item.kind == ItemKind::Folder).then_some(item.id)
}

fn path_of(at: Option<&TreePath>, item: &Item) -> Result<TreePath, ObjectsError> {
    TreePath::join(at, &item.name).map_err(|error| ObjectsError::Damaged {
        what: "tree entry",
        id: item.id,
        source: git2::Error::from_str(&error.to_string()),
    })
}

pub(super) fn check_depth(tree: ObjectId, depth: usize) -> Result<(), ObjectsError> {
    if depth < DEPTH_MAX {
        return Ok(());
    }
    let source = git2::Error::from_str("folders are too deep inside each other");
    Err(ObjectsError::Damaged { what: "tree", id: tree, source })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;

    use super::*;

    type Files = BTreeMap<String, (bool, Vec<u8>)>;

    fn mirror() -> (tempfile::TempDir, Mirror) {
        let folder = tempfile::tempdir().unwrap();
        let mirror = Mirror::open_or_create(&folder.path().join("repo.git")).unwrap();
        (folder, mirror)
    }

    /// Builds a tree of files whose paths do not clash.
    fn build(mirror: &Mirror, files: &Files) -> ObjectId {
        let mut here = Vec::new();
        let mut below: BTreeMap<&str, Files> = BTreeMap::new();
        for (path, content) in files {
            match path.split_once('/') {
                Some((folder, rest)) => {
                    below.entry(folder).or_default().insert(rest.to_owned(), content.clone());
                }
                None => {
                    let mode = if content.0 { FileMode::Executable } else { FileMode::Regular };
                    let id = mirror.write_blob(&content.1).unwrap();
                    let name = path.clone().into_bytes();
                    here.push(Item { name, id, kind: ItemKind::File(mode) });
                }
            }
        }
        for (folder, files) in &below {
            let id = build(mirror, files);
            here.push(Item { name: folder.as_bytes().to_vec(), id, kind: ItemKind::Folder });
        }
        mirror.write_tree(&here).unwrap()
    }

    fn content(mirror: &Mirror, entry: Entry) -> (bool, Vec<u8>) {
        (entry.mode == FileMode::Executable, mirror.blob(entry.id).unwrap())
    }

    /// What is a file in one tree may be a folder in another; within one, the shorter path counts.
    fn files() -> impl Strategy<Value = Files> {
        let content = (any::<bool>(), "[xyz]{0,2}".prop_map(String::into_bytes));
        let files =
            proptest::collection::btree_map("(a|b|a\\.b)(/(a|b|a\\.b)){0,2}", content, 0..12);
        files.prop_map(|files: Files| {
            let is_below = |path: &str, other: &str| {
                path.strip_prefix(other).is_some_and(|rest| rest.starts_with('/'))
            };
            let fits = |path: &str| !files.keys().any(|other| is_below(path, other));
            files
                .iter()
                .filter(|(path, _)| fits(path))
                .map(|(p, c)| (p.clone(), c.clone()))
                .collect()
        })
    }

    #[test]
    fn a_plan_applied_to_its_source_gives_its_target() {
        let (_folder, mirror) = mirror();
        let mut runner = TestRunner::new(ProptestConfig::with_cases(256));
        let property = |(a, b): (Files, Files)| {
            let (old, new) = (build(&mirror, &a), build(&mirror, &b));
            let changes = mirror.changes(Some(old), new).unwrap();
            prop_assert!(changes.is_sorted_by(|a, b| a.path < b.path));
            let mut result = a.clone();
            for change in changes {
                let path = change.path.to_string();
                let before = change.old.map(|entry| content(&mirror, entry));
                prop_assert_eq!(before.as_ref(), result.get(&path));
                prop_assert_ne!(change.old, change.new);
                match change.new {
                    Some(entry) => result.insert(path, content(&mirror, entry)),
                    None => result.remove(&path),
                };
            }
            prop_assert_eq!(result, b);
            Ok(())
        };
        runner.run(&(files(), files()), property).unwrap();
    }

    #[test]
    fn a_plan_from_a_tree_to_itself_is_empty() {
        let (_folder, mirror) = mirror();
        let mut runner = TestRunner::new(ProptestConfig::with_cases(64));
        let property = |files: Files| {
            let tree = build(&mirror, &files);
            prop_assert!(mirror.changes(Some(tree), tree).unwrap().is_empty());
            prop_assert_eq!(mirror.changes(None, tree).unwrap().len(), files.len());
            Ok(())
        };
        runner.run(&files(), property).unwrap();
    }

    #[test]
    fn links_are_found_with_a_summary_and_without() {
        let (_folder, mirror) = mirror();
        let plain = build(&mirror, &Files::from([("d/f".to_owned(), (false, b"x".to_vec()))]));
        let target = mirror.write_blob(b"f").unwrap();
        let link = Item { name: b"l".to_vec(), id: target, kind: ItemKind::File(FileMode::Link) };
        let held = Item {
            name: b"held".to_vec(),
            id: mirror.write_tree(&[link]).unwrap(),
            kind: ItemKind::Folder,
        };
        let free = Item { name: b"free".to_vec(), id: plain, kind: ItemKind::Folder };
        let tree = mirror.write_tree(&[held, free]).unwrap();
        for _ in 0..2 {
            let mut found = Vec::new();
            mirror
                .each_link::<ObjectsError>(tree, &mut |path, id| {
                    found.push((path.to_string(), id));
                    Ok(())
                })
                .unwrap();
            assert_eq!(found, [("held/l".to_owned(), target)]);
            mirror.summary(tree, None).unwrap();
        }
    }

    #[test]
    fn a_tree_that_is_too_deep_is_an_error_and_no_overflow() {
        let (_folder, mirror) = mirror();
        let mut tree = build(&mirror, &Files::from([("f".to_owned(), (false, b"x".to_vec()))]));
        for _ in 0..DEPTH_MAX {
            let item = Item { name: b"d".to_vec(), id: tree, kind: ItemKind::Folder };
            tree = mirror.write_tree(&[item]).unwrap();
        }
        let visit = &mut |_: &TreePath, _| Ok::<(), ObjectsError>(());
        assert!(mirror.each_file(tree, visit).is_err());
        assert!(mirror.each_link(tree, &mut |_, _| Ok::<(), ObjectsError>(())).is_err());
        assert!(mirror.changes(None, tree).is_err());
        assert!(mirror.summary(tree, None).is_err());
    }

    #[test]
    fn a_file_that_becomes_a_folder_is_removed_and_added() {
        let (_folder, mirror) = mirror();
        let one = |path: &str| Files::from([(path.to_owned(), (false, b"x".to_vec()))]);
        let (old, new) = (build(&mirror, &one("a")), build(&mirror, &one("a/b")));
        let changes = mirror.changes(Some(old), new).unwrap();
        let told: Vec<_> =
            changes.iter().map(|c| (c.path.as_str(), c.old.is_some(), c.new.is_some())).collect();
        assert_eq!(told, [("a", true, false), ("a/b", false, true)]);
    }
}
