use std::collections::{HashMap, HashSet};

use crate::model::ObjectId;
use crate::objects::{ItemKind, Mirror, ObjectsError};

/// Which files a tree has; each folder is read once.
pub(in super::super) struct Files<'a> {
    mirror: &'a Mirror,
    tree: ObjectId,
    folders: HashMap<String, HashSet<String>>,
}

impl<'a> Files<'a> {
    pub(super) fn new(mirror: &'a Mirror, tree: ObjectId) -> Self {
        Self { mirror, tree, folders: HashMap::new() }
    }

    /// Whether a file (or a link) is at a path.
    pub(in super::super) fn has(&mut self, path: &str) -> Result<bool, ObjectsError> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        Ok(self.folder(folder)?.contains(name))
    }

    /// What can stand for the `*` of a path whose folders have none.
    pub(super) fn names(&mut self, pattern: &str) -> Result<Vec<String>, ObjectsError> {
        let (folder, name) = pattern.rsplit_once('/').unwrap_or(("", pattern));
        let (Some((before, after)), false) = (name.split_once('*'), folder.contains('*')) else {
            return Ok(Vec::new());
        };
        let names = self.folder(folder)?.iter();
        let mut found: Vec<String> = names
            .filter_map(|name| name.strip_prefix(before)?.strip_suffix(after))
            .map(str::to_owned)
            .collect();
        found.sort_unstable();
        Ok(found)
    }

    fn folder(&mut self, path: &str) -> Result<&HashSet<String>, ObjectsError> {
        if !self.folders.contains_key(path) {
            let names = self.read(path)?;
            self.folders.insert(path.to_owned(), names);
        }
        Ok(self.folders.entry(path.to_owned()).or_default())
    }

    fn read(&self, path: &str) -> Result<HashSet<String>, ObjectsError> {
        let mut at = self.tree;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            match self.mirror.item(at, name.as_bytes())? {
                Some(item) if item.kind == ItemKind::Folder => at = item.id,
                _ => return Ok(HashSet::new()),
            }
        }
        let items = self.mirror.items(at)?.into_iter();
        Ok(items
            .filter(|item| matches!(item.kind, ItemKind::File(_)))
            .filter_map(|item| String::from_utf8(item.name).ok())
            .collect())
    }
}
