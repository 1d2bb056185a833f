use std::collections::HashMap;

use super::filter::Filter;
use super::{Input, RenderError};
use crate::model::{Finding, Limits, ObjectId, TreePath};
use crate::objects::{EMPTY_TREE, Item, ItemKind, Mirror};

/// Findings after which the walk ends: more help nobody.
const FINDINGS_MAX: usize = 200;

/// Builds a tree out of a repository's: filtered, with submodules in their places, and with names
/// that are safe to be joined to a path.
pub(super) struct Builder<'a> {
    mirror: &'a Mirror,
    input: &'a Input<'a>,
    filter: Filter,
    /// `path`, in front of what findings and submodules name; empty, or ending in a slash.
    prefix: String,
    findings: Vec<Finding>,
}

/// A folder on the way down.
struct Place<'a> {
    path: Option<&'a TreePath>,
    depth: u64,
    hint: Option<ObjectId>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(
        mirror: &'a Mirror,
        input: &'a Input<'a>,
        filter: Filter,
        prefix: &str,
        findings: Vec<Finding>,
    ) -> Self {
        let prefix = prefix.trim_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Self { mirror, input, filter, prefix, findings }
    }

    pub(super) fn build(&mut self, tree: ObjectId) -> Result<ObjectId, RenderError> {
        let hint = self.input.hint.filter(|hint| self.mirror.has(*hint));
        self.folder(tree, &Place { path: None, depth: 0, hint })
    }

    pub(super) fn into_findings(self) -> Vec<Finding> {
        self.findings
    }

    const fn limits(&self) -> &Limits {
        self.input.limits
    }

    /// Builds one folder; its own id when nothing in it has to change.
    fn folder(&mut self, tree: ObjectId, place: &Place<'_>) -> Result<ObjectId, RenderError> {
        if place.hint == Some(tree) || self.findings.len() >= FINDINGS_MAX {
            // The same settings made it of itself before.
            return Ok(tree);
        }
        let items = self.mirror.items(tree)?;
        let hints = self.hints(place.hint)?;
        let mut built = Vec::with_capacity(items.len());
        let mut same = true;
        for item in &items {
            let result = self.item(item, place, hints.get(&item.name).copied())?;
            same &= result.as_ref() == Some(item);
            built.extend(result);
        }
        self.warn_of_case(&built, place);
        if same { Ok(tree) } else { Ok(self.mirror.write_tree(&built)?) }
    }

    /// The folders of the hint, by name.
    fn hints(&self, hint: Option<ObjectId>) -> Result<HashMap<Vec<u8>, ObjectId>, RenderError> {
        let Some(hint) = hint else { return Ok(HashMap::new()) };
        let folders = self.mirror.items(hint)?.into_iter();
        let folders = folders.filter(|item| item.kind == ItemKind::Folder);
        Ok(folders.map(|item| (item.name, item.id)).collect())
    }

    fn item(
        &mut self,
        item: &Item,
        place: &Place<'_>,
        hint: Option<ObjectId>,
    ) -> Result<Option<Item>, RenderError> {
        let path = match TreePath::join(place.path, &item.name) {
            Ok(path) => path,
            Err(error) => {
                self.refuse_name(place, &item.name, &error);
                return Ok(None);
            }
        };
        if !self.within_limits(&path, place.depth) {
            return Ok(None);
        }
        let id = match item.kind {
            ItemKind::File(_) => {
                let taken = self.filter.is_everything() || self.filter.takes_file(path.as_str());
                return Ok(taken.then(|| item.clone()));
            }
            ItemKind::Folder => item.id,
            ItemKind::Submodule => match self.submodule(&path) {
                Some(tree) => tree,
                None => return Ok(None),
            },
        };
        if self.filter.leaves_out_folder(path.as_str()) {
            return Ok(None);
        }
        let below = Place { path: Some(&path), depth: place.depth + 1, hint };
        let id = self.folder(id, &below)?;
        let folder = Item { name: item.name.clone(), id, kind: ItemKind::Folder };
        Ok((id != EMPTY_TREE).then_some(folder))
    }

    /// The tree of a submodule; left out, and said so, where submodules are off.
    fn submodule(&mut self, path: &TreePath) -> Option<ObjectId> {
        let whole = format!("{}{path}", self.prefix);
        let tree = self.input.submodules.get(&whole).copied();
        if tree.is_none() {
            let finding = Finding::warning("render.submodule", "the submodule is left out")
                .in_file(path.as_str())
                .hint("gitops.submodules: on makes it part of the tree");
            self.findings.push(finding);
        }
        tree
    }

    fn refuse_name(&mut self, place: &Place<'_>, name: &[u8], error: &crate::model::InvalidPath) {
        let shown = name.escape_ascii().to_string();
        let file = place.path.map_or_else(|| shown.clone(), |path| format!("{path}/{shown}"));
        let finding = Finding::error("path.name", format!("the name cannot be used: {error}"))
            .in_file(file)
            .hint("rename it in the repository");
        self.findings.push(finding);
    }

    fn within_limits(&mut self, path: &TreePath, depth: u64) -> bool {
        let (bytes, limits) = (path.as_str().len() as u64, self.limits());
        let (rule, value, limit) = if bytes > limits.path_bytes_max {
            ("limits.path_bytes_max", bytes, limits.path_bytes_max)
        } else if depth > limits.depth_max {
            ("limits.depth_max", depth, limits.depth_max)
        } else {
            return true;
        };
        let what =
            if rule == "limits.depth_max" { "folders above it" } else { "bytes in its path" };
        let cut: String = path.as_str().chars().take(200).collect();
        let finding = Finding::error(rule, format!("{value} {what}, and {limit} are allowed"))
            .in_file(cut)
            .hint(format!("shorten it, or raise {rule} in the settings"));
        self.findings.push(finding);
        false
    }

    /// Names that are one on file systems that do not tell cases apart.
    fn warn_of_case(&mut self, items: &[Item], place: &Place<'_>) {
        let mut seen: HashMap<String, &Item> = HashMap::new();
        for item in items {
            let Ok(name) = std::str::from_utf8(&item.name) else { continue };
            if let Some(other) = seen.insert(name.to_lowercase(), item) {
                let other = String::from_utf8_lossy(&other.name).into_owned();
                let file = place.path.map_or_else(|| name.to_owned(), |p| format!("{p}/{name}"));
                let text = format!("its name differs from `{other}` only in case");
                let finding = Finding::warning("path.case", text).in_file(file);
                self.findings.push(finding.hint("some file systems take them for one file"));
            }
        }
    }
}
