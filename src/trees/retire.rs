use std::collections::HashSet;

use super::bring::remove_all;
use super::disk::Kind;
use super::stage::Spare;
use super::{Trees, TreesError};
use crate::model::{Digest, ObjectId, Timestamp};
use crate::objects::Mirror;

impl Trees {
    /// Marks what left the history, and removes what is beyond all limits. `history` are the
    /// digests that can be returned to, the live one among them.
    ///
    /// # Errors
    /// What the disk says; nothing that is live or in the history is touched.
    pub fn retire(&mut self, history: &HashSet<Digest>, now: Timestamp) -> Result<(), TreesError> {
        let live = self.live_name()?;
        let mut kept = HashSet::new();
        let mut names: Vec<String> = self.manifests.keys().cloned().collect();
        // Of two trees of one content (a damaged one and the one that took its place), the newest
        // is the one to return to.
        names.sort_by_key(|name| {
            let manifest = &self.manifests[name];
            (
                live.as_deref() != Some(name),
                std::cmp::Reverse(manifest.last_use().map(|u| u.deployment)),
            )
        });
        for name in names {
            let manifest = &self.manifests[&name];
            let stays = live.as_deref() == Some(&name)
                || (history.contains(&manifest.digest) && !kept.contains(&manifest.digest));
            if stays {
                kept.insert(manifest.digest);
            }
            if stays == manifest.left_at.is_none() {
                continue;
            }
            let mut manifest = manifest.clone();
            manifest.left_at = (!stays).then_some(now);
            manifest.write(&*self.disk, &self.layout)?;
            self.manifests.insert(name, manifest);
        }
        self.remove_excess(now)
    }

    /// Trees that left the history, the one that left first in front.
    fn left(&self) -> Vec<(Timestamp, String)> {
        let mut left: Vec<_> = self
            .manifests
            .values()
            .filter_map(|m| {
                m.left_at.map(|at| (at, m.last_use().map(|u| u.deployment), m.name.clone()))
            })
            .collect();
        left.sort();
        left.into_iter().map(|(at, _, name)| (at, name)).collect()
    }

    /// The tree that may be taken for the next one to be built in.
    fn reusable(&self, now: Timestamp) -> Option<String> {
        let crowded = self.manifests.len() > self.settings.trees_max;
        self.left()
            .into_iter()
            .find(|(at, _)| crowded || now.since(*at) >= self.settings.reuse_after)
            .map(|(_, name)| name)
    }

    fn remove_excess(&mut self, now: Timestamp) -> Result<(), TreesError> {
        // One that may be reused is left for the next tree; the others go.
        let spare = usize::from(self.spare.is_none());
        let mut over = self.manifests.len().saturating_sub(self.settings.trees_max + spare);
        let mut rested = 0;
        for (at, name) in self.left() {
            let has_rested = now.since(at) >= self.settings.reuse_after;
            rested += usize::from(has_rested);
            if over > 0 || (has_rested && rested > spare) {
                over = over.saturating_sub(1);
                self.remove_tree(&name)?;
            }
        }
        Ok(())
    }

    fn remove_tree(&mut self, name: &str) -> Result<(), TreesError> {
        let folder = self.layout.tree(name);
        self.disk.remove_file(&self.layout.manifest(name))?;
        self.manifests.remove(name);
        let staging = self.set_aside(&folder)?;
        Ok(remove_all(&*self.disk, &staging, Kind::Folder)?)
    }

    /// Turns a tree into the folder that the next one is built in.
    pub(super) fn retire_to_spare(&mut self, name: &str) -> Result<(), TreesError> {
        let folder = self.layout.tree(name);
        self.disk.remove_file(&self.layout.manifest(name))?;
        let sealed_at = self.manifests.remove(name).map_or(i128::MIN, |m| m.sealed_at);
        let spare = Spare { folder: self.set_aside(&folder)?, sealed_at };
        if let Some(before) = self.spare.replace(spare) {
            remove_all(&*self.disk, &before.folder, Kind::Folder)?;
        }
        Ok(())
    }

    /// The folder to build the next tree in: the spare one, a tree that has rested, or a new one.
    pub(super) fn take_folder(&mut self, now: Timestamp) -> Result<Spare, TreesError> {
        if self.spare.is_none()
            && let Some(name) = self.reusable(now)
        {
            self.retire_to_spare(&name)?;
        }
        if let Some(spare) = self.spare.take() {
            return Ok(spare);
        }
        let folder = self.layout.staging(self.next_staging);
        self.next_staging += 1;
        self.disk.make_folder(&folder, &self.material.folder())?;
        Ok(Spare::unknown(folder))
    }

    /// Makes the next tree ready off the way of the next commit: a folder that is what is live now.
    ///
    /// # Errors
    /// What the disk or the mirror says; the live tree is not touched.
    pub fn prepare(
        &mut self,
        mirror: &Mirror,
        live: ObjectId,
        now: Timestamp,
    ) -> Result<(), TreesError> {
        let mut spare = self.take_folder(now)?;
        let result = self.bring(mirror, &spare, live, now);
        if result.is_ok() {
            spare.sealed_at = self.disk.now();
        }
        self.spare = Some(spare);
        result.map(drop)
    }

    /// Lets go of the live path: it becomes a plain folder, and everything else of ours beside it
    /// is removed.
    ///
    /// # Errors
    /// What the disk says; the live path shows the same files at every moment.
    pub fn detach(mut self) -> Result<(), TreesError> {
        let Some(name) = self.live_name()? else {
            return Err(TreesError::Foreign(self.layout.live().to_owned()));
        };
        let live = self.layout.live().to_owned();
        if self.disk.stat(&live)?.is_some_and(|s| s.kind == Kind::Link) {
            let folder = self.layout.tree(&name);
            self.disk.exchange(&folder, &live)?;
            self.disk.sync_folder(self.layout.parent())?;
            self.disk.remove_file(&folder)?;
        }
        self.manifests.clear();
        let trees = self.layout.trees();
        remove_all(&*self.disk, &trees, Kind::Folder)?;
        Ok(self.disk.sync_folder(self.layout.parent())?)
    }
}
