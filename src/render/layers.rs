use std::collections::BTreeMap;
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

use super::{Input, RenderError, folder_at};
use crate::document::{self, Document, Format, Value};
use crate::model::{FileMode, Finding, ObjectId};
use crate::objects::{Item, ItemKind, Mirror};

/// Merges the layers of a tree, in order, into one.
///
/// YAML files that are one mapping in both are merged deep; of everything else the later layer has
/// the last word, whole.
pub(super) fn merge(
    mirror: &Mirror,
    base: ObjectId,
    input: &Input<'_>,
    findings: &mut Vec<Finding>,
) -> Result<Option<ObjectId>, RenderError> {
    let mut trees = Vec::new();
    for layer in &input.settings.layers {
        match folder_at(mirror, base, layer, findings)? {
            Some(tree) => trees.push((layer.trim_matches('/').to_owned(), tree)),
            None => return Ok(None),
        }
    }
    let mut merging = Merging { mirror, input, findings };
    merging.folders(&trees, "", 0).map(Some)
}

struct Merging<'a> {
    mirror: &'a Mirror,
    input: &'a Input<'a>,
    findings: &'a mut Vec<Finding>,
}

/// An entry with the layer that it comes from.
type Layered = (String, Item);

impl Merging<'_> {
    fn folders(
        &mut self,
        trees: &[(String, ObjectId)],
        at: &str,
        depth: u64,
    ) -> Result<ObjectId, RenderError> {
        if let [(_, only)] = trees {
            return Ok(*only);
        }
        if depth > self.input.limits.depth_max {
            // Rendering tells of it: the first layer's depth is enough for that.
            return Ok(trees.first().map_or(crate::objects::EMPTY_TREE, |(_, tree)| *tree));
        }
        let mut names: BTreeMap<Vec<u8>, Vec<Layered>> = BTreeMap::new();
        for (layer, tree) in trees {
            for item in self.mirror.items(*tree)? {
                names.entry(item.name.clone()).or_default().push((layer.clone(), item));
            }
        }
        let mut merged = Vec::with_capacity(names.len());
        for (name, entries) in names {
            let shown = String::from_utf8_lossy(&name);
            let path = if at.is_empty() { shown.into_owned() } else { format!("{at}/{shown}") };
            merged.extend(self.entries(&entries, &path, depth)?);
        }
        Ok(self.mirror.write_tree(&merged)?)
    }

    /// What the layers make of one name.
    fn entries(
        &mut self,
        entries: &[Layered],
        path: &str,
        depth: u64,
    ) -> Result<Option<Item>, RenderError> {
        let Some((_, last)) = entries.last() else { return Ok(None) };
        // What an earlier layer has of another kind is replaced by the later one.
        let same_kind = entries
            .iter()
            .rev()
            .take_while(|(_, item)| {
                (item.kind == ItemKind::Folder) == (last.kind == ItemKind::Folder)
            })
            .count();
        let entries = &entries[entries.len() - same_kind..];
        if last.kind == ItemKind::Folder {
            let trees: Vec<_> =
                entries.iter().map(|(layer, item)| (layer.clone(), item.id)).collect();
            let id = self.folders(&trees, path, depth + 1)?;
            return Ok(Some(Item { id, ..last.clone() }));
        }
        let mergeable = Format::of_path(path) == Some(Format::Yaml)
            && entries.len() > 1
            && entries.iter().all(|(_, item)| is_regular(item));
        if !mergeable {
            return Ok(Some(last.clone()));
        }
        let id = self.files(entries, path)?;
        Ok(Some(Item { id, ..last.clone() }))
    }

    /// Merges the YAML files of one path; remembered by the blobs that it was made of.
    fn files(&mut self, entries: &[Layered], path: &str) -> Result<ObjectId, RenderError> {
        let memory = self.memory(entries);
        if let Some(known) = recall(&memory).filter(|id| self.mirror.has(*id)) {
            return Ok(known);
        }
        let before = self.findings.len();
        let mut merged: Option<(String, ObjectId, Option<Document>)> = None;
        for (layer, item) in entries {
            let document = self.one_mapping(item)?;
            merged = Some(match (merged, document) {
                (Some((under, _, Some(base))), Some(over)) => {
                    let document = self.two(&under, &base, layer, &over, path);
                    (layer.clone(), item.id, Some(document))
                }
                (_, document) => (layer.clone(), item.id, document),
            });
        }
        let last = entries.last().map(|(_, item)| item.id);
        let id = match merged {
            Some((_, _, Some(document))) => {
                self.mirror.write_blob(document::emit(&document).as_bytes())?
            }
            Some((_, id, None)) => id,
            None => last.unwrap_or(crate::objects::EMPTY_TREE),
        };
        if self.findings.len() == before {
            remember(&memory, id);
        }
        Ok(id)
    }

    fn two(
        &mut self,
        under: &str,
        base: &Document,
        layer: &str,
        over: &Document,
        path: &str,
    ) -> Document {
        match document::merge(base, over) {
            Ok(document) => document,
            Err(c) => {
                let text = format!(
                    "`{}` is {} in {under}/{path}:{}:{} and {} in {layer}/{path}:{}:{}",
                    c.key,
                    c.base_kind,
                    c.base_line,
                    c.base_column,
                    c.over_kind,
                    c.over_line,
                    c.over_column
                );
                let finding = Finding::error("render.layers", text)
                    .in_file(format!("{layer}/{path}"))
                    .at(c.over_line, c.over_column)
                    .hint("give both layers the same kind, or remove the key with null in a layer between");
                self.findings.push(finding);
                over.clone()
            }
        }
    }

    /// A file's document, when it is one mapping. What does not parse is left whole to the gates,
    /// which say where and why.
    fn one_mapping(&self, item: &Item) -> Result<Option<Document>, RenderError> {
        if self.mirror.blob_size(item.id)? > self.input.limits.file_bytes_max {
            return Ok(None);
        }
        let bytes = self.mirror.blob(item.id)?;
        let parsed = document::parse(&bytes, Format::Yaml, self.input.limits);
        let Ok(mut documents) = parsed else { return Ok(None) };
        let document = if documents.len() == 1 { documents.pop() } else { None };
        Ok(document.filter(|d| matches!(d.root.value, Value::Mapping(_))))
    }

    fn memory(&self, entries: &[Layered]) -> PathBuf {
        let mut hash = Sha256::new_with_prefix(b"kconfigd merge 1\0");
        entries.iter().for_each(|(_, item)| hash.update(item.id.0));
        let name: String = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
        self.mirror.path().join("kconfigd").join("merged").join(name)
    }
}

fn is_regular(item: &Item) -> bool {
    matches!(item.kind, ItemKind::File(FileMode::Regular | FileMode::Executable))
}

fn recall(memory: &PathBuf) -> Option<ObjectId> {
    ObjectId::parse(&std::fs::read_to_string(memory).ok()?).ok()
}

/// Best effort: what is not remembered is merged again.
fn remember(memory: &PathBuf, id: ObjectId) {
    let written = memory
        .parent()
        .map_or(Ok(()), std::fs::create_dir_all)
        .and_then(|()| std::fs::write(memory, id.to_string()));
    if let Err(error) = written {
        tracing::debug!(error = %error, "a merge is not remembered");
    }
}
