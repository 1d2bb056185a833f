use std::collections::BTreeMap;

use super::names::{self, Where};
use super::{RenderError, Work, place};
use crate::document::{self, Document, Format, Value};
use crate::model::{FileMode, Finding, ObjectId, TreePath};
use crate::objects::{DEPTH_MAX, EMPTY_TREE, Item, ItemKind};

/// A folder of one layer, and where the layer is in the repository (ending in a slash).
type LayerFolder = (String, ObjectId);
/// An entry with the layer that it comes from.
type Layered = (String, Item);

/// What a YAML file of a layer brings.
enum Content {
    /// One mapping: merged with what is below it.
    Mapping(Document),
    /// Nothing, as where all is commented out: what is below it stays.
    Nothing,
    /// Anything else: replaces what is below it.
    Whole,
}

impl Work<'_> {
    /// Merges the layers of a tree, in order, into one.
    ///
    /// YAML files that are one mapping in both are merged deep; of everything else the later layer
    /// has the last word, whole.
    pub(super) fn merge_layers(&mut self, base: ObjectId) -> Result<Option<ObjectId>, RenderError> {
        let above = self.prefix.clone();
        let mut folders = Vec::new();
        for layer in &self.input.settings.layers {
            if let Some(tree) = self.folder_at(base, &above, layer, &place::LAYER)? {
                folders.push((format!("{above}{}", place::prefix(layer)), tree));
            }
        }
        if self.findings.refuse() {
            return Ok(None);
        }
        self.merge_folders(&folders, None, 0).map(Some)
    }

    /// Merges one folder; remembered by the folders that it was made of.
    fn merge_folders(
        &mut self,
        folders: &[LayerFolder],
        at: Option<&TreePath>,
        depth: usize,
    ) -> Result<ObjectId, RenderError> {
        let first = folders.first().map_or(EMPTY_TREE, |(_, tree)| *tree);
        // Rendering what comes out of this tells of a depth that is not allowed.
        if folders.len() < 2 || depth >= DEPTH_MAX || self.is_over() {
            return Ok(first);
        }
        let shown = at.map_or("", TreePath::as_str);
        let key = self.key(shown, folders.iter().map(|(_, tree)| *tree));
        if let Some(known) = self.mirror.recall_object("merged", &key) {
            return Ok(known);
        }
        let before = self.findings.count();
        let mut entries: BTreeMap<TreePath, Vec<Layered>> = BTreeMap::new();
        for (layer, tree) in folders {
            let Some(shape) = self.look_through(*tree)? else { continue };
            let here = Where { at, place: layer };
            names::check(&shape, here, &mut self.findings);
            // Names that are there any number of times are not to be merged with each other.
            if !shape.is_in_order || self.is_over() {
                continue;
            }
            let items = self.mirror.items(*tree)?;
            for (path, item) in names::usable(items, here, &mut self.findings) {
                let item = self.with_submodule(layer, &path, item);
                entries.entry(path).or_default().push((layer.clone(), item));
            }
        }
        let mut merged = Vec::with_capacity(entries.len());
        for (path, entries) in &entries {
            merged.extend(self.merge_entries(entries, path, depth)?);
        }
        let tree = self.mirror.write_tree(&merged)?;
        if self.findings.count() == before && !self.is_over() {
            self.mirror.remember_object("merged", &key, tree);
        }
        Ok(tree)
    }

    /// A submodule's tree in its place, while it is still known where in the repository that is.
    fn with_submodule(&self, layer: &str, path: &TreePath, item: Item) -> Item {
        let tree = match item.kind {
            ItemKind::Submodule => self.input.submodules.get(&format!("{layer}{path}")),
            ItemKind::Folder | ItemKind::File(_) => None,
        };
        tree.map_or_else(
            || item.clone(),
            |id| Item { name: item.name.clone(), id: *id, kind: ItemKind::Folder },
        )
    }

    /// What the layers make of one name. What an earlier layer has of another kind is replaced.
    fn merge_entries(
        &mut self,
        entries: &[Layered],
        path: &TreePath,
        depth: usize,
    ) -> Result<Option<Item>, RenderError> {
        let Some((_, last)) = entries.last() else { return Ok(None) };
        let from_the_last = |wanted: fn(ItemKind) -> bool| {
            let count = entries.iter().rev().take_while(|(_, item)| wanted(item.kind)).count();
            entries.get(entries.len() - count..).unwrap_or_default()
        };
        let id = match last.kind {
            ItemKind::Folder => {
                let folders: Vec<LayerFolder> = from_the_last(|kind| kind == ItemKind::Folder)
                    .iter()
                    .map(|(layer, item)| (layer.clone(), item.id))
                    .collect();
                self.merge_folders(&folders, Some(path), depth + 1)?
            }
            ItemKind::File(FileMode::Regular | FileMode::Executable)
                if Format::of_path(path.as_str()) == Some(Format::Yaml) =>
            {
                self.merge_files(from_the_last(is_plain_file), path)?
            }
            ItemKind::File(_) | ItemKind::Submodule => last.id,
        };
        Ok(Some(Item { id, ..last.clone() }))
    }

    /// Merges the YAML files of one path; remembered by the blobs that it was made of. What is not
    /// merged with another layer is taken as it is, with its comments.
    fn merge_files(&mut self, files: &[Layered], path: &TreePath) -> Result<ObjectId, RenderError> {
        let last = files.last().map_or(EMPTY_TREE, |(_, item)| item.id);
        if files.len() < 2 {
            return Ok(last);
        }
        let key = self.key(path.as_str(), files.iter().map(|(_, item)| item.id));
        if let Some(known) = self.mirror.recall_object("merged", &key) {
            return Ok(known);
        }
        let before = self.findings.count();
        let mut taken: Option<(&str, ObjectId)> = None;
        let mut below: Option<Document> = None;
        let mut merged = false;
        for (layer, item) in files {
            match (self.content(item, layer, path)?, &below, taken) {
                (Content::Mapping(over), Some(base), Some((under, _))) => {
                    below = self.merge_two((under, base), (layer, &over), path);
                    merged = true;
                }
                (Content::Nothing, _, Some(_)) => continue,
                (content, ..) => {
                    merged = false;
                    below = match content {
                        Content::Mapping(document) => Some(document),
                        Content::Nothing | Content::Whole => None,
                    };
                }
            }
            taken = Some((layer, item.id));
        }
        let id = match (below, taken) {
            (Some(document), _) if merged => {
                self.mirror.write_blob(document::emit(&document).as_bytes())?
            }
            (_, taken) => taken.map_or(last, |(_, id)| id),
        };
        if self.findings.count() == before {
            self.mirror.remember_object("merged", &key, id);
        }
        Ok(id)
    }

    /// `None` where they cannot be merged: that is told, and refuses the commit.
    fn merge_two(
        &mut self,
        (under, base): (&str, &Document),
        (layer, over): (&str, &Document),
        path: &TreePath,
    ) -> Option<Document> {
        let conflict = match document::merge(base, over) {
            Ok(document) => return Some(document),
            Err(conflict) => conflict,
        };
        let text = format!(
            "`{}` is {} in {under}{path}:{}:{} and {} in {layer}{path}:{}:{}",
            conflict.key,
            conflict.base_kind,
            conflict.base_line,
            conflict.base_column,
            conflict.over_kind,
            conflict.over_line,
            conflict.over_column
        );
        let hint = "give it the same kind in both, or remove the key with null in a layer between";
        let finding = Finding::error("render.layers", text)
            .in_file(format!("{layer}{path}"))
            .at(conflict.over_line, conflict.over_column)
            .hint(hint);
        self.findings.push(finding);
        None
    }

    /// What a layer's file brings. One that cannot be read is told of here: it does not come into
    /// the tree, so no gate would see it.
    fn content(
        &mut self,
        item: &Item,
        layer: &str,
        path: &TreePath,
    ) -> Result<Content, RenderError> {
        let limits = self.input.limits;
        let bytes = self.mirror.blob_size(item.id)?;
        if bytes > limits.file_bytes_max {
            let what = format!("it has {bytes} bytes");
            let finding = Finding::over_limit("limits.file_bytes_max", what, limits.file_bytes_max);
            self.findings.push(finding.in_file(format!("{layer}{path}")));
            return Ok(Content::Whole);
        }
        let parsed =
            self.mirror.with_blob(item.id, |b| document::parse(b, Format::Yaml, limits))?;
        Ok(match parsed {
            Ok(mut documents) => match (documents.pop(), documents.is_empty()) {
                (None, _) => Content::Nothing,
                (Some(document), true) if document.root.is_null() => Content::Nothing,
                (Some(document), true) if matches!(document.root.value, Value::Mapping(_)) => {
                    Content::Mapping(document)
                }
                (Some(_), _) => Content::Whole,
            },
            Err(findings) => {
                let file = format!("{layer}{path}");
                self.findings.extend(findings.into_iter().map(|f| f.in_file(file.as_str())));
                Content::Whole
            }
        })
    }
}

const fn is_plain_file(kind: ItemKind) -> bool {
    matches!(kind, ItemKind::File(FileMode::Regular | FileMode::Executable))
}
