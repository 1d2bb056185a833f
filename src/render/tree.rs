use std::collections::{HashMap, HashSet};

use sha2::{Digest as _, Sha256};

use super::filter::Filter;
use super::names::{self, Where};
use super::{RenderError, Work};
use crate::model::{FileMode, Finding, ObjectId, TreePath};
use crate::objects::{DEPTH_MAX, Difference, EMPTY_TREE, Item, ItemKind, Shape};

/// Builds a tree out of a repository's: filtered, with submodules in their places, and with names
/// that are safe to be joined to a path.
pub(super) struct Builder<'w, 'a> {
    work: &'w mut Work<'a>,
    filter: Filter,
}

/// A folder on the way down.
struct Place<'a> {
    path: Option<&'a TreePath>,
    depth: u64,
    hint: Option<ObjectId>,
}

/// What was seen of a folder.
struct Seen {
    shape: Shape,
    /// The entries that are not the hint's.
    changed: Vec<Item>,
    /// Those of them whose names can be used, each with its path.
    usable: Vec<(TreePath, Item)>,
    /// What the hint has in their places, by name.
    hints: HashMap<Vec<u8>, Item>,
}

impl<'w, 'a> Builder<'w, 'a> {
    pub(super) const fn new(work: &'w mut Work<'a>, filter: Filter) -> Self {
        Self { work, filter }
    }

    pub(super) fn build(mut self, tree: ObjectId) -> Result<ObjectId, RenderError> {
        let hint = self.work.input.hint.filter(|hint| self.work.mirror.has(*hint));
        self.folder(tree, &Place { path: None, depth: 0, hint })
    }

    /// Builds one folder; its own id when nothing in it has to change.
    fn folder(&mut self, tree: ObjectId, place: &Place<'_>) -> Result<ObjectId, RenderError> {
        let path = place.path.map_or("", TreePath::as_str);
        // What the same settings gave before, they make of itself again; only what a profile used
        // then it may not use any more.
        if (place.hint == Some(tree) && !self.filter.narrows(path)) || self.work.is_over() {
            return Ok(tree);
        }
        let key = (!self.filter.is_everything()).then(|| {
            let key = self.work.key(path, [tree].into_iter());
            // What another profile made of the same folder is not remembered for this one.
            self.filter.unused_in(path).fold(key, |key, name| {
                Sha256::new_with_prefix(key).chain_update(name).finalize().into()
            })
        });
        let known = key.and_then(|key| self.work.mirror.recall_object("filtered", &key));
        if let Some(known) = known {
            return Ok(known);
        }
        let before = self.work.findings.count();
        let built = self.contents(tree, place)?;
        if let Some(key) = key
            && self.work.findings.count() == before
        {
            self.work.mirror.remember_object("filtered", &key, built);
        }
        Ok(built)
    }

    fn contents(&mut self, tree: ObjectId, place: &Place<'_>) -> Result<ObjectId, RenderError> {
        let Some(seen) = self.look_through(tree, place)? else { return Ok(tree) };
        let results = self.results(&seen, place.depth)?;
        self.finish(tree, place, &seen, results)
    }

    /// What becomes of each entry that is usable. By itself, since it goes down into folders: little
    /// of the stack is taken for each.
    fn results(&mut self, seen: &Seen, depth: u64) -> Result<Vec<Option<Item>>, RenderError> {
        let mut results = Vec::with_capacity(seen.usable.len());
        for (path, item) in &seen.usable {
            results.push(self.item(path, item, depth, seen.hints.get(&item.name))?);
        }
        Ok(results)
    }

    fn finish(
        &mut self,
        tree: ObjectId,
        place: &Place<'_>,
        seen: &Seen,
        results: Vec<Option<Item>>,
    ) -> Result<ObjectId, RenderError> {
        // What is left of a tree never has a name that cannot be used.
        let same = seen.usable.len() == seen.changed.len()
            && seen.shape.twice.is_empty()
            && seen
                .usable
                .iter()
                .zip(&results)
                .all(|((_, item), result)| result.as_ref() == Some(item));
        if (same && seen.shape.is_lower_case) || self.work.is_over() {
            return Ok(tree);
        }
        let built = self.built(tree, seen, results)?;
        names::warn_of_case(&built, place.path, &mut self.work.findings);
        if same { Ok(tree) } else { Ok(self.work.mirror.write_tree(&built)?) }
    }

    /// What there is to do in a folder: what is the hint's too, to the letter, is as it should be.
    /// `None` where its list is too long to read, or not to be relied on.
    fn look_through(
        &mut self,
        tree: ObjectId,
        place: &Place<'_>,
    ) -> Result<Option<Box<Seen>>, RenderError> {
        let here = Where { at: place.path, place: "" };
        let Some(shape) = self.work.look_through(tree)? else { return Ok(None) };
        names::check(&shape, here, &mut self.work.findings);
        if !shape.is_in_order {
            return Ok(None);
        }
        let path = place.path.map_or("", TreePath::as_str);
        let like = place.hint.filter(|_| !self.filter.narrows(path));
        let (mut changed, mut hints) = (Vec::new(), HashMap::new());
        for Difference { old, new } in self.work.mirror.differing(like, Some(tree))? {
            changed.extend(new);
            hints.extend(old.map(|old| (old.name.clone(), old)));
        }
        if like.is_none() {
            hints = self.hints(place.hint)?;
        }
        let others = shape.files - changed.iter().filter(|item| is_file(item)).count();
        self.work.budget.take_known(others, &mut self.work.findings);
        let usable = names::usable(changed.clone(), here, &mut self.work.findings);
        Ok(Some(Box::new(Seen { shape, changed, usable, hints })))
    }

    /// A folder with `results` instead of what changed, and without a folder whose name something
    /// else has.
    fn built(
        &self,
        tree: ObjectId,
        Seen { shape, changed, .. }: &Seen,
        results: Vec<Option<Item>>,
    ) -> Result<Vec<Item>, RenderError> {
        let mut built: Vec<Item> = results.into_iter().flatten().collect();
        if changed.len() < shape.entries {
            let changed: HashSet<&Item> = changed.iter().collect();
            let items = self.work.mirror.items(tree)?.into_iter();
            built.extend(items.filter(|item| !changed.contains(item)));
        }
        built.retain(|item| item.kind != ItemKind::Folder || !shape.twice.contains(&item.name));
        built.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(built)
    }

    /// What the hint has in this folder, by name.
    fn hints(&self, hint: Option<ObjectId>) -> Result<HashMap<Vec<u8>, Item>, RenderError> {
        let Some(hint) = hint else { return Ok(HashMap::new()) };
        let items = self.work.mirror.items(hint)?.into_iter();
        Ok(items.map(|item| (item.name.clone(), item)).collect())
    }

    fn item(
        &mut self,
        path: &TreePath,
        item: &Item,
        depth: u64,
        hint: Option<&Item>,
    ) -> Result<Option<Item>, RenderError> {
        let taken = match item.kind {
            ItemKind::File(_) => self.filter.takes_file(path.as_str()),
            ItemKind::Folder | ItemKind::Submodule => !self.filter.leaves_out_folder(path.as_str()),
        };
        if !taken || !self.within_limits(path, depth) {
            return Ok(None);
        }
        let id = match item.kind {
            ItemKind::File(mode) => {
                let known = hint.is_some_and(|hint| hint.id == item.id);
                let fits = self.take_file(path, item.id, mode, known)?;
                return Ok(fits.then(|| item.clone()));
            }
            ItemKind::Folder => Some(item.id),
            ItemKind::Submodule => self.submodule(path),
        };
        let Some(id) = id else { return Ok(None) };
        let hint = hint.filter(|hint| hint.kind == ItemKind::Folder).map(|hint| hint.id);
        let id = self.folder(id, &Place { path: Some(path), depth: depth + 1, hint })?;
        let folder = Item { name: item.name.clone(), id, kind: ItemKind::Folder };
        Ok((id != EMPTY_TREE).then_some(folder))
    }

    /// Counts a file. Its size comes from the object's header, so that one that is too large is
    /// refused before it is read.
    fn take_file(
        &mut self,
        path: &TreePath,
        id: ObjectId,
        mode: FileMode,
        known: bool,
    ) -> Result<bool, RenderError> {
        let bytes = if known { 0 } else { self.work.mirror.blob_size(id)? };
        let allowed = self.work.input.limits.file_bytes_max;
        if bytes > allowed {
            let what = if mode == FileMode::Link { "the link's target" } else { "it" };
            let what = format!("{what} has {bytes} bytes");
            let finding = Finding::over_limit("limits.file_bytes_max", what, allowed);
            self.work.findings.push(finding.in_file(path.as_str()));
            return Ok(false);
        }
        self.work.budget.take(bytes, &mut self.work.findings);
        Ok(true)
    }

    /// The tree of a submodule; left out, and said so, where submodules are off.
    fn submodule(&mut self, path: &TreePath) -> Option<ObjectId> {
        let whole = format!("{}{path}", self.work.prefix);
        let tree = self.work.input.submodules.get(&whole).copied();
        if tree.is_none() {
            let finding = Finding::warning("render.submodule", "the submodule is left out")
                .in_file(path.as_str())
                .hint("gitops.submodules: on makes it part of the tree; gitops.exclude ends this warning");
            self.work.findings.push(finding);
        }
        tree
    }

    fn within_limits(&mut self, path: &TreePath, depth: u64) -> bool {
        let limits = self.work.input.limits;
        // Two less than what ends in an error: the file itself, and the root.
        let depth_max = limits.depth_max.min(DEPTH_MAX as u64 - 2);
        let bytes = path.as_str().len() as u64;
        let (limit, what, allowed) = if bytes > limits.path_bytes_max {
            let what = format!("its path has {bytes} bytes");
            ("limits.path_bytes_max", what, limits.path_bytes_max)
        } else if depth > depth_max {
            ("limits.depth_max", format!("it has {depth} folders above it"), depth_max)
        } else {
            return true;
        };
        let cut: String = path.as_str().chars().take(200).collect();
        self.work.findings.push(Finding::over_limit(limit, what, allowed).in_file(cut));
        false
    }
}

const fn is_file(item: &Item) -> bool {
    matches!(item.kind, ItemKind::File(_))
}
