use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::bring::remove_all;
use super::disk::{Disk, Kind};
use super::stage::Spare;
use super::{Look, Manifest, Trees, TreesError};
use crate::model::{DeploymentId, Digest, ObjectId, Timestamp};
use crate::objects::Mirror;

/// Folders that nobody needs any more.
#[must_use = "rubbish is to be removed"]
pub struct Rubbish {
    disk: Arc<dyn Disk>,
    folders: Vec<PathBuf>,
}

impl Rubbish {
    /// Removes them. To be run on a thread of its own, where somebody would wait for it.
    ///
    /// # Errors
    /// What the disk says of the first that cannot be removed.
    pub fn remove(self) -> Result<(), TreesError> {
        let remove = |folder: &PathBuf| match self.disk.stat(folder)? {
            Some(stat) => remove_all(&*self.disk, folder, stat.kind),
            None => Ok(()),
        };
        Ok(self.folders.iter().try_for_each(remove)?)
    }
}

impl Trees {
    /// Finds out what left the history, and removes what is beyond all limits. `history` are the
    /// digests that can be returned to, the live one among them.
    ///
    /// # Errors
    /// What the disk says; nothing that is live or in the history is touched.
    pub fn retire(&mut self, history: &HashSet<Digest>, now: Timestamp) -> Result<(), TreesError> {
        let live = self.live_name()?;
        let known: HashMap<String, Timestamp> =
            self.left.drain(..).map(|(at, name)| (name, at)).collect();
        let mut kept = HashSet::new();
        // Of two trees of one content (a damaged one and the one that took its place), the newest
        // is the one to return to.
        let mut trees: Vec<&Manifest> = self.manifests.values().collect();
        trees.sort_by_key(|m| {
            let is_other = live.as_deref() != Some(&m.name);
            // A repair is no deployment: both have its number, and the sound one is younger.
            (is_other, Reverse(last_deployment(m)), Reverse(m.sealed_at))
        });
        let mut left = Vec::new();
        let mut stays = Vec::new();
        for manifest in trees {
            let is_live = live.as_deref() == Some(&manifest.name);
            if is_live || (history.contains(&manifest.digest) && kept.insert(manifest.digest)) {
                kept.insert(manifest.digest);
                stays.push(manifest.last_use().map_or(now, |used| used.at));
            } else {
                left.push(manifest);
            }
        }
        // A tree leaves when another takes the last place: the one that is now as far behind as
        // the history is long.
        left.sort_by_key(|m| Reverse(last_deployment(m)));
        let uses: Vec<Timestamp> = stays
            .iter()
            .copied()
            .chain(left.iter().map(|m| m.last_use().map_or(now, |u| u.at)))
            .collect();
        let mut left: Vec<(Timestamp, String)> = left
            .iter()
            .enumerate()
            .map(|(place, m)| {
                let at = if kept.contains(&m.digest) {
                    // A repair took its place, at a time that no manifest tells: it is counted
                    // from when that was seen first.
                    known.get(&m.name).copied()
                } else {
                    uses.get(place).copied()
                };
                (at.unwrap_or(now), m.name.clone())
            })
            .rev()
            .collect();
        left.sort_by_key(|(at, _)| *at);
        self.left = left;
        self.remove_excess(now)
    }

    /// The tree that may be taken for the next one to be built in: the one that left first.
    fn reusable(&self, now: Timestamp) -> Result<Option<String>, TreesError> {
        let crowded = self.manifests.len() > self.settings.trees_max;
        // What left may have become live again since.
        let live = self.live_name()?;
        let mut left = self
            .left
            .iter()
            .filter(|(_, name)| self.manifests.contains_key(name) && live.as_deref() != Some(name));
        let found = left.find(|(at, _)| crowded || now.since(*at) >= self.settings.reuse_after);
        Ok(found.map(|(_, name)| name.clone()))
    }

    fn remove_excess(&mut self, now: Timestamp) -> Result<(), TreesError> {
        // One that may be reused is left for the next tree; the others go.
        let spare = usize::from(self.spare.is_none());
        let mut over = self.manifests.len().saturating_sub(self.settings.trees_max + spare);
        let mut rested = 0;
        for (at, name) in self.left.clone() {
            let has_rested = now.since(at) >= self.settings.reuse_after;
            rested += usize::from(has_rested);
            if over > 0 || (has_rested && rested > spare) {
                over = over.saturating_sub(1);
                self.remove_tree(&name)?;
            }
        }
        self.left.retain(|(_, name)| self.manifests.contains_key(name));
        Ok(())
    }

    fn remove_tree(&mut self, name: &str) -> Result<(), TreesError> {
        let folder = self.layout.tree(name);
        self.disk.remove_file(&self.layout.manifest(name))?;
        self.manifests.remove(name);
        let staging = self.set_aside(&folder)?;
        self.throw_away(staging);
        Ok(())
    }

    /// A folder of a staging name that nobody needs is removed off everybody's way.
    fn throw_away(&mut self, staging: PathBuf) {
        self.forget(&staging);
        self.rubbish.push(staging);
    }

    /// What is to be removed, to be done beside the passes; what is not done by the end is found
    /// by the next start.
    #[must_use]
    pub fn take_rubbish(&mut self) -> Option<Rubbish> {
        let folders = std::mem::take(&mut self.rubbish);
        (!folders.is_empty()).then(|| Rubbish { disk: self.disk.clone(), folders })
    }

    /// Turns a tree into the folder that the next one is built in.
    pub(super) fn retire_to_spare(&mut self, name: &str) -> Result<(), TreesError> {
        let folder = self.layout.tree(name);
        self.disk.remove_file(&self.layout.manifest(name))?;
        let sealed_at = self.manifests.remove(name).map_or(i128::MIN, |m| m.sealed_at);
        let folder = self.set_aside(&folder)?;
        let spare = Spare { folder, sealed_at, durable: true, is_watched: true };
        if let Some(before) = self.spare.replace(spare) {
            self.throw_away(before.folder);
        }
        Ok(())
    }

    /// The folder to build the next tree in: the spare one, a tree that has rested, or a new one.
    pub(super) fn take_folder(&mut self, now: Timestamp) -> Result<Spare, TreesError> {
        if self.spare.is_none()
            && let Some(name) = self.reusable(now)?
        {
            self.retire_to_spare(&name)?;
        }
        if let Some(spare) = self.spare.take() {
            return Ok(spare);
        }
        let folder = self.layout.staging(self.next_staging);
        self.next_staging += 1;
        self.disk.make_folder(&folder, &self.material.folder())?;
        Ok(Spare::empty(folder))
    }

    /// Makes the next tree ready off the way of the next commit: a folder that is what is live now,
    /// and, where changes are told, both of them known.
    ///
    /// # Errors
    /// What the disk or the mirror says; the live tree is not touched.
    pub fn prepare(
        &mut self,
        mirror: &Mirror,
        live: ObjectId,
        now: Timestamp,
    ) -> Result<(), TreesError> {
        if self.is_stranger(self.layout.live())? {
            self.drift(mirror, Look::Told)?;
        }
        let seals = self.live_name()?.and_then(|name| self.manifests.get(&name));
        let seals = seals.filter(|it| it.tree == live).map(|it| Arc::clone(&it.seals));
        let seals = seals.unwrap_or_default();
        let mut spare = self.take_folder(now)?;
        let mut result = self.bring(mirror, &spare, (live, &seals), now);
        if result.is_ok() {
            spare.sealed_at = self.disk.now();
            spare.durable = true;
            spare.is_watched = true;
            if self.is_stranger(&spare.folder).unwrap_or(false) {
                result = self.bring(mirror, &spare, (live, &seals), now);
            }
        }
        // What was made until an error came may be right to the eye, and gone with the power.
        spare.durable = result.is_ok();
        self.spare = Some(spare);
        result.map(drop)
    }

    fn is_stranger(&self, folder: &Path) -> Result<bool, TreesError> {
        let folder = match self.live_name()? {
            Some(name) if folder == self.layout.live() => self.folder_of(&name)?,
            _ => folder.to_owned(),
        };
        let stat = self.disk.stat(&folder)?;
        Ok(stat.is_some_and(|stat| self.watches.borrow().is_stranger(stat.inode)))
    }

    /// Lets go of the live path: it becomes a plain folder, and everything else of ours beside it
    /// is removed.
    ///
    /// # Errors
    /// What the disk says; the live path shows the same files at every moment.
    pub fn detach(self) -> Result<(), TreesError> {
        let live = self.layout.live().to_owned();
        let Some(name) = self.live_name()? else {
            if self.disk.stat(&live)?.is_some_and(|s| s.kind == Kind::Folder) {
                // Cut off behind the exchange, or done twice: what is left of ours goes.
                return self.remove_trees();
            }
            return Err(TreesError::Foreign(live));
        };
        if self.disk.stat(&live)?.is_some_and(|s| s.kind == Kind::Link) {
            let folder = self.layout.tree(&name);
            self.disk.exchange(&folder, &live)?;
            self.disk.sync_folder(self.layout.parent())?;
            self.disk.remove_file(&folder)?;
        }
        self.remove_trees()
    }

    fn remove_trees(mut self) -> Result<(), TreesError> {
        self.manifests.clear();
        let trees = self.layout.trees();
        remove_all(&*self.disk, &trees, Kind::Folder)?;
        Ok(self.disk.sync_folder(self.layout.parent())?)
    }
}

fn last_deployment(manifest: &Manifest) -> Option<DeploymentId> {
    manifest.last_use().map(|used| used.deployment)
}
