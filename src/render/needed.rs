use std::collections::{BTreeMap, BTreeSet};

use super::{RenderError, Work};
use crate::model::{Finding, Needs, ObjectId, TreePath};
use crate::objects::ItemKind;
use crate::profiles::{self, FEDERATION, FOLDERS, Usage};

/// Names that are left out, by the folders that they are in.
pub(super) type Unused = BTreeMap<String, BTreeSet<String>>;

const HINT: &str = "`needs: profile` takes only what the active profile uses, so that has to be there: mend it, or set `needs: everything`";
const SEALED_HINT: &str = "let SOPS leave `services`, `plugins`, `federation` and `message_bus` as they are (`encrypted_regex`), or set `needs: everything`";

impl Work<'_> {
    /// What of a tree its profile does not use; `None`, and a finding, where there is no such
    /// profile, or what it uses is encrypted. What nobody knows the use of is used.
    pub(super) fn unused(
        &mut self,
        tree: ObjectId,
        profile: &str,
    ) -> Result<Option<Unused>, RenderError> {
        let (mirror, limits) = (self.mirror, self.input.limits);
        if !self.may_read(tree)? {
            return Ok(None);
        }
        let mut folders = Vec::new();
        for folder in FOLDERS {
            let found = mirror.item(tree, folder.as_bytes())?;
            let below = match found.map(|item| (item.kind, item.id)) {
                Some((ItemKind::Folder, id)) => Some(id),
                Some((ItemKind::Submodule, _)) => {
                    self.input.submodules.get(&format!("{}{folder}", self.prefix)).copied()
                }
                Some((ItemKind::File(_), _)) | None => None,
            };
            let Some(below) = below else { continue };
            if !self.may_read(below)? {
                return Ok(None);
            }
            folders.push((folder, below));
        }
        let read = |path: &str| mirror.read_file(tree, path, limits.file_bytes_max);
        let usage = match profiles::resolve(profile, limits, read)? {
            Ok(profile) => Usage::of(&profile.name, &profile.files, &profile.document.root),
            Err(error) => {
                self.refuse_needs(error.to_string(), HINT);
                return Ok(None);
            }
        };
        if usage.is_sealed() {
            let text = format!(
                "what the profile {profile} uses is encrypted, so it cannot be told what else to leave out"
            );
            self.refuse_needs(text, SEALED_HINT);
            return Ok(None);
        }
        let is_idle = |path: &str| {
            let needs = TreePath::parse(path).ok().and_then(|path| usage.needs(&path, None));
            needs.is_some_and(|(needs, _)| needs == Needs::Nothing)
        };
        let mut unused = Unused::new();
        for (folder, id) in folders {
            if folder == FEDERATION {
                // All of it, whatever is in it.
                if is_idle(&format!("{folder}/peers.list")) {
                    unused.entry(String::new()).or_default().insert(folder.to_owned());
                }
                continue;
            }
            if self.look_through(id)?.is_none() {
                return Ok(None);
            }
            for item in mirror.items(id)? {
                let Ok(name) = std::str::from_utf8(&item.name) else { continue };
                if matches!(item.kind, ItemKind::File(_)) && is_idle(&format!("{folder}/{name}")) {
                    unused.entry(folder.to_owned()).or_default().insert(name.to_owned());
                }
            }
        }
        Ok(Some(unused))
    }

    fn refuse_needs(&mut self, text: String, hint: &str) {
        self.findings.push(Finding::error("render.needs", text).hint(hint));
    }

    fn may_read(&mut self, tree: ObjectId) -> Result<bool, RenderError> {
        Ok(self.budget.may_read(self.mirror.tree_size(tree)?, &mut self.findings))
    }
}
