use super::mirror::EMPTY_TREE;
use super::{Item, ItemKind, Mirror, ObjectsError};
use crate::model::{FileMode, ObjectId, TreePath};

impl Mirror {
    /// The tree that differs from `tree` in one file: with these bytes, or, with `None`, without it.
    /// A file keeps its mode; a new one is a regular one. What stands in the way (a file where a
    /// folder has to be) is replaced, and a folder that becomes empty goes.
    ///
    /// # Errors
    /// [`ObjectsError`].
    pub fn with_file(
        &self,
        tree: ObjectId,
        path: &TreePath,
        bytes: Option<&[u8]>,
    ) -> Result<ObjectId, ObjectsError> {
        let blob = bytes.map(|bytes| self.write_blob(bytes)).transpose()?;
        let names: Vec<&str> = path.as_str().split('/').collect();
        self.graft(tree, &names, blob)
    }

    fn graft(
        &self,
        tree: ObjectId,
        names: &[&str],
        blob: Option<ObjectId>,
    ) -> Result<ObjectId, ObjectsError> {
        let Some((first, rest)) = names.split_first() else { return Ok(tree) };
        let mut items = if tree == EMPTY_TREE { Vec::new() } else { self.items(tree)? };
        let at = items.iter().position(|item| item.name == first.as_bytes());
        let old = at.map(|at| items.remove(at));
        let name = first.as_bytes().to_vec();
        if rest.is_empty() {
            let kind = match old.map(|item| item.kind) {
                Some(ItemKind::File(mode)) if mode != FileMode::Link => ItemKind::File(mode),
                _ => ItemKind::File(FileMode::Regular),
            };
            items.extend(blob.map(|id| Item { name, id, kind }));
        } else {
            let below = match old {
                Some(Item { id, kind: ItemKind::Folder, .. }) => id,
                _ => EMPTY_TREE,
            };
            let id = self.graft(below, rest, blob)?;
            if id != EMPTY_TREE {
                items.push(Item { name, id, kind: ItemKind::Folder });
            }
        }
        if items.is_empty() { Ok(EMPTY_TREE) } else { self.write_tree(&items) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(mirror: &Mirror, tree: ObjectId) -> Vec<String> {
        let changes = mirror.changes(None, tree).unwrap();
        changes.iter().map(|change| change.path.to_string()).collect()
    }

    #[test]
    fn one_file_differs_and_the_mirror_on_disk_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("repo.git");
        let mirror = Mirror::open_or_create(&path).unwrap();
        let file = |text: &str| TreePath::parse(text).unwrap();
        let one = mirror.with_file(EMPTY_TREE, &file("a/b/c.yaml"), Some(b"c: 1\n")).unwrap();
        let view = Mirror::open_view(&path).unwrap().unwrap();
        let two = view.with_file(one, &file("a/d.yaml"), Some(b"d: 1\n")).unwrap();
        assert_eq!(paths(&view, two), ["a/b/c.yaml", "a/d.yaml"]);
        assert!(!Mirror::open_or_create(&path).unwrap().has(two));
        let three = view.with_file(two, &file("a/b/c.yaml"), None).unwrap();
        assert_eq!(paths(&view, three), ["a/d.yaml"]);
        assert_eq!(view.with_file(three, &file("a/d.yaml"), None).unwrap(), EMPTY_TREE);
        let four = view.with_file(three, &file("a/d.yaml/e"), Some(b"")).unwrap();
        assert_eq!(paths(&view, four), ["a/d.yaml/e"]);
    }
}
