use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use super::{RenderError, Work};
use crate::model::{Finding, Needs, ObjectId, TreePath};
use crate::objects::ItemKind;
use crate::profiles::{self, FOLDERS, Usage};

impl Work<'_> {
    /// The files of a tree that its profile does not use; `None`, and a finding, where there is no
    /// such profile. What nobody knows the use of is used.
    pub(super) fn unused(
        &mut self,
        tree: ObjectId,
        profile: &str,
    ) -> Result<Option<BTreeSet<String>>, RenderError> {
        let (mirror, limits) = (self.mirror, self.input.limits);
        let read = |path: &str| mirror.read_file(tree, path, limits.file_bytes_max);
        let usage = match profiles::resolve(profile, limits, read)? {
            Ok(profile) => Usage::of(&profile.name, &profile.files, &profile.document.root),
            Err(error) => {
                let hint = "`needs: profile` takes only what the active profile uses, so that has to be there: mend it, or set `needs: everything`";
                let text = error.to_string();
                self.findings.push(Finding::error("render.needs", text).hint(hint));
                return Ok(None);
            }
        };
        let mut unused = BTreeSet::new();
        for folder in FOLDERS {
            let Some(found) = mirror.find(tree, folder)? else { continue };
            if found.kind != ItemKind::Folder {
                continue;
            }
            for item in self.items(found.id)? {
                let Ok(name) = std::str::from_utf8(&item.name) else { continue };
                let Ok(path) = TreePath::parse(&format!("{folder}/{name}")) else { continue };
                let is_idle =
                    usage.needs(&path, None).is_some_and(|(needs, _)| needs == Needs::Nothing);
                if is_idle && matches!(item.kind, ItemKind::File(_)) {
                    unused.insert(path.as_str().to_owned());
                }
            }
        }
        // What another profile made of the same folders is not remembered for this one.
        let mut recipe = Sha256::new_with_prefix(self.recipe);
        for path in &unused {
            recipe.update((path.len() as u64).to_be_bytes());
            recipe.update(path);
        }
        self.recipe = recipe.finalize().into();
        Ok(Some(unused))
    }
}
