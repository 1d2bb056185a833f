use super::{RenderError, Work};
use crate::model::{Finding, ObjectId};
use crate::objects::ItemKind;

/// A setting that names a folder.
pub(super) struct Setting {
    rule: &'static str,
    key: &'static str,
}

/// `gitops.path`.
pub(super) const PATH: Setting = Setting { rule: "render.path", key: "gitops.path" };
/// One of `gitops.layers`.
pub(super) const LAYER: Setting = Setting { rule: "render.layers", key: "gitops.layers" };

/// How alike two names are, at least, for one to be a likely slip for the other.
const LIKENESS_MIN: f64 = 0.7;
/// Folders that a hint lists.
const LISTED_MAX: usize = 8;

/// A folder's path as it stands before another: without needless parts, ending in a slash; empty
/// for the root.
pub(super) fn prefix(path: &str) -> String {
    parts(path).map(|part| format!("{part}/")).collect()
}

fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty() && *part != ".")
}

impl Work<'_> {
    /// The tree of the folder that a setting names below `root`, which is at `above` in the
    /// repository; a finding where there is none.
    pub(super) fn folder_at(
        &mut self,
        root: ObjectId,
        above: &str,
        path: &str,
        setting: &Setting,
    ) -> Result<Option<ObjectId>, RenderError> {
        let mut tree = root;
        let mut so_far = String::new();
        for part in parts(path) {
            if !self.budget.may_read(self.mirror.tree_size(tree)?, &mut self.findings) {
                return Ok(None);
            }
            let here = format!("{so_far}{part}");
            let problem = match self.mirror.item(tree, part.as_bytes())?.map(|i| (i.kind, i.id)) {
                Some((ItemKind::Folder, id)) => Ok(id),
                Some((ItemKind::Submodule, _)) => {
                    let found = self.input.submodules.get(&format!("{above}{here}"));
                    found.copied().ok_or("is a submodule, and these are off (gitops.submodules)")
                }
                Some((ItemKind::File(_), _)) => Err("is no folder"),
                None => Err("is not in the repository"),
            };
            match problem {
                Ok(id) => tree = id,
                Err(problem) => {
                    let text = format!("`{above}{here}` {problem}");
                    let hint = self.folders_like(tree, &so_far, part, setting)?;
                    self.findings.push(Finding::error(setting.rule, text).hint(hint));
                    return Ok(None);
                }
            }
            so_far = format!("{here}/");
        }
        Ok(Some(tree))
    }

    /// Which folder may have been meant.
    fn folders_like(
        &self,
        tree: ObjectId,
        so_far: &str,
        part: &str,
        setting: &Setting,
    ) -> Result<String, RenderError> {
        let items = self.mirror.items(tree)?;
        let folders = items.iter().filter(|item| item.kind == ItemKind::Folder);
        let mut names: Vec<(f64, String)> = folders
            .map(|folder| String::from_utf8_lossy(&folder.name).escape_debug().to_string())
            .map(|name| (strsim::jaro(&name, part), name))
            .collect();
        names.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        let near = names.iter().take_while(|(like, _)| *like >= LIKENESS_MIN).count();
        let listed = if near > 0 { 1 } else { LISTED_MAX };
        let listed: Vec<_> =
            names.iter().take(listed).map(|(_, name)| format!("`{so_far}{name}`")).collect();
        let key = setting.key;
        Ok(match &*listed {
            [] => format!("{key} names a folder; there is none here"),
            [one] => format!("{key} names a folder; there is {one}"),
            several => format!("{key} names a folder; there are {}", several.join(", ")),
        })
    }
}
