use super::{View, ViewError};
use crate::config::Preset;
use crate::decide::impact::{Listeners, TOUCHES_MAX, weigh};
use crate::decide::patterns::Patterns;
use crate::decide::subscribe::Filter;
use crate::document::{Format, parse};
use crate::model::{Impact, Needs, ObjectId, Plan, TreePath};
use crate::profiles::{self, Usage};

impl View {
    /// What a plan touches, and whether that needs a reload, a restart or nothing.
    ///
    /// # Errors
    /// When the mirror is damaged.
    pub fn impact(&self, plan: &Plan) -> Result<Impact, ViewError> {
        let settings = &self.settings;
        // Patterns that cannot be read were found when the settings were.
        let reloads: Vec<(String, Patterns)> = settings
            .reload
            .iter()
            .filter_map(|reload| {
                let patterns = Patterns::new(reload.paths.iter().map(String::as_str)).ok()?;
                Some((reload.name.clone(), patterns))
            })
            .collect();
        let nodes: Vec<(String, Filter)> = settings
            .nodes
            .iter()
            .filter_map(|node| {
                Some((node.name.clone(), Filter::new(&node.events, &node.paths).ok()?))
            })
            .collect();
        let mut usages = Vec::new();
        for tree in [plan.from_tree, Some(plan.to_tree)].into_iter().flatten() {
            usages.extend(self.usage(tree)?);
        }
        let paths: Vec<&str> = plan.changes.iter().map(|change| change.path.as_str()).collect();
        let mut reads_left = TOUCHES_MAX;
        let known = |path: &str| self.known(plan.to_tree, &usages, path, &mut reads_left);
        weigh(&paths, &Listeners { reloads: &reloads, nodes: &nodes }, known)
    }

    /// What the active profile of a tree uses; `None` where the preset says nothing of it, and where
    /// it cannot be read: the gates say why.
    fn usage(&self, tree: ObjectId) -> Result<Option<Usage>, ViewError> {
        let Some(name) = &self.settings.profile else { return Ok(None) };
        if self.settings.validation.preset != Preset::Kos {
            return Ok(None);
        }
        let resolved =
            profiles::resolve(name, &self.settings.limits, |path| self.file(tree, path))?;
        Ok(resolved.ok().map(|profile| Usage::of(name, &profile.files, &profile.document.root)))
    }

    /// What a change of a file needs, by what was used before and what is used then.
    fn known(
        &self,
        tree: ObjectId,
        usages: &[Usage],
        path: &str,
        reads_left: &mut usize,
    ) -> Result<Option<(Needs, String)>, ViewError> {
        let Ok(path) = TreePath::parse(path) else { return Ok(None) };
        let mut own = None;
        if !usages.is_empty() && Usage::may_say(&path) && *reads_left > 0 {
            *reads_left -= 1;
            let bytes = self.file(tree, path.as_str())?.unwrap_or_default();
            let format = Format::of_path(path.as_str()).unwrap_or(Format::Yaml);
            let documents = parse(&bytes, format, &self.settings.limits).unwrap_or_default();
            own = documents.first().and_then(|document| Usage::said(&document.root));
        }
        let needs = usages.iter().filter_map(|usage| usage.needs(&path, own));
        // Of two that need the same, what is said of the tree after.
        Ok(needs.max_by_key(|(needs, _)| *needs))
    }
}
