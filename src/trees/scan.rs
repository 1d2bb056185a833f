use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::compare::{Comparison, Drift};
use super::disk::Disk;
use super::watch::Watching;
use super::{Found, Live, Manifest, Materialisation, Staged, Trees, TreesError};
use crate::model::DriftKind;
use crate::objects::Mirror;

/// How closely a tree is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// At what was told to have changed, where every change is told; at all of it else.
    Told,
    /// At all of it: what the kernel does not tell is found too.
    Whole,
}

/// A look at the whole live tree, made beside the passes: it reads, and nothing waits for it.
pub struct Scan {
    disk: Arc<dyn Disk>,
    mirror: PathBuf,
    material: Materialisation,
    manifest: Manifest,
    folder: PathBuf,
    published: u64,
}

/// What such a look saw.
#[derive(Debug)]
pub struct Scanned {
    started: i128,
    published: u64,
    drift: Result<Drift, TreesError>,
}

impl Scan {
    /// Looks. To be run on a thread of its own.
    #[must_use]
    pub fn run(self) -> Scanned {
        let started = self.disk.now();
        Scanned { started, published: self.published, drift: self.look() }
    }

    fn look(&self) -> Result<Drift, TreesError> {
        let mirror = Mirror::open_or_create(&self.mirror)?;
        let comparison = Comparison {
            disk: &*self.disk,
            mirror: &mirror,
            material: &self.material,
            seals: &self.manifest.seals,
            stamps: self.manifest.stamps,
            sealed_at: self.manifest.sealed_at,
            watching: None,
        };
        comparison.run(&self.folder, self.manifest.tree)
    }
}

impl Trees {
    /// A look at the live tree, to be made beside the passes. `None` where nothing of ours is live.
    ///
    /// # Errors
    /// What the disk says.
    pub fn scan(&self, mirror: &Path) -> Result<Option<Scan>, TreesError> {
        let Found::Tree(live) = self.found()? else { return Ok(None) };
        let Some(manifest) = self.manifests.get(&live.name).cloned() else { return Ok(None) };
        Ok(Some(Scan {
            disk: self.disk.clone(),
            mirror: mirror.to_owned(),
            material: self.material.clone(),
            folder: self.folder_of(&live.name)?,
            manifest,
            published: self.published,
        }))
    }

    /// Holds the live tree against what it should be, after a look that was made beside the
    /// passes: what that saw is looked at once more. `None`: the look was of another tree, or
    /// could not be made, and says nothing.
    ///
    /// # Errors
    /// What the disk or the mirror says.
    pub fn drift_seen(
        &mut self,
        mirror: &Mirror,
        scanned: Scanned,
    ) -> Result<Option<Drift>, TreesError> {
        let Found::Tree(live) = self.found()? else { return Ok(None) };
        let Scanned { started, published, drift: Ok(seen) } = scanned else { return Ok(None) };
        if published != self.published {
            return Ok(None);
        }
        if seen.is_none() {
            if let Some(manifest) = self.manifests.get_mut(&live.name) {
                manifest.sealed_at = manifest.sealed_at.max(started);
            }
            if !self.is_known(&live.name)? {
                return Ok(Some(seen));
            }
        } else if seen.total > seen.paths.len() as u64 {
            self.forget(&self.folder_of(&live.name)?);
        }
        // Another tree may share what is wrong with this one.
        for drifted in &seen.paths {
            self.watches.borrow_mut().doubt_everywhere(&drifted.path);
        }
        self.drift(mirror, Look::Told).map(Some)
    }

    /// Holds the live tree against what it should be.
    ///
    /// # Errors
    /// What the disk or the mirror says.
    pub fn drift(&mut self, mirror: &Mirror, look: Look) -> Result<Drift, TreesError> {
        let Found::Tree(live) = self.found()? else { return Ok(Drift::default()) };
        let started = self.disk.now();
        let manifest = self.manifests[&live.name].clone();
        let drift = self.compare_tree(mirror, &manifest, look)?;
        if drift.is_none()
            && look == Look::Whole
            && let Some(manifest) = self.manifests.get_mut(&live.name)
        {
            // All of it was just seen to be right, so what changed before is no doubt any more.
            manifest.sealed_at = manifest.sealed_at.max(started);
        }
        Ok(drift)
    }

    /// What somebody changed in a tree since it was staged.
    ///
    /// # Errors
    /// What the disk or the mirror says.
    pub fn changed_since_staged(
        &self,
        mirror: &Mirror,
        staged: &Staged,
    ) -> Result<Drift, TreesError> {
        self.compare_tree(mirror, &staged.manifest, Look::Told)
    }

    /// Holds a tree on disk against what it should be. Where the mirror has lost it, its digest is
    /// worked out from the disk instead.
    pub(super) fn compare_tree(
        &self,
        mirror: &Mirror,
        manifest: &Manifest,
        look: Look,
    ) -> Result<Drift, TreesError> {
        let folder = self.folder_of(&manifest.name)?;
        match self.compare_folder(mirror, manifest, &folder, look) {
            Err(error) if error.mirror_damaged() => {
                let mut drift = Drift::default();
                if self.digest_on_disk(&folder, &manifest.seals)? != manifest.digest {
                    drift.add("", DriftKind::Edited);
                }
                Ok(drift)
            }
            result => result,
        }
    }

    fn compare_folder(
        &self,
        mirror: &Mirror,
        manifest: &Manifest,
        folder: &Path,
        look: Look,
    ) -> Result<Drift, TreesError> {
        let tree = manifest.tree;
        let Some(root) = self.disk.stat(folder)?.map(|stat| stat.inode) else {
            return self.compare_whole(mirror, manifest, folder, None);
        };
        self.watches.borrow_mut().listen(&*self.disk);
        let known = self.watches.borrow().known(root).map(|(id, doubts)| (id, doubts.clone()));
        let watching = Watching { watches: &self.watches, root };
        let drift = match known.filter(|(id, _)| look == Look::Told && *id == tree) {
            Some((_, doubts)) if doubts.is_empty() => return Ok(Drift::default()),
            Some((_, doubts)) => {
                let comparison = self.comparison(mirror, manifest, Some(watching));
                let drift = comparison.doubted(folder, tree, &doubts)?;
                self.watches.borrow_mut().settle(root, &drift);
                return Ok(drift);
            }
            None => {
                self.watches.borrow_mut().open(&*self.disk, root);
                self.compare_whole(mirror, manifest, folder, Some(watching))?
            }
        };
        self.watches.borrow_mut().settle(root, &drift);
        self.watches.borrow_mut().learn(root, tree);
        Ok(drift)
    }

    fn compare_whole(
        &self,
        mirror: &Mirror,
        manifest: &Manifest,
        folder: &Path,
        watching: Option<Watching<'_>>,
    ) -> Result<Drift, TreesError> {
        self.comparison(mirror, manifest, watching).run(folder, manifest.tree)
    }

    fn comparison<'a>(
        &'a self,
        mirror: &'a Mirror,
        manifest: &'a Manifest,
        watching: Option<Watching<'a>>,
    ) -> Comparison<'a> {
        Comparison {
            disk: &*self.disk,
            mirror,
            material: &self.material,
            seals: &manifest.seals,
            stamps: manifest.stamps,
            sealed_at: manifest.sealed_at,
            watching,
        }
    }

    /// Whether nothing was told of a tree since it was known to be right; of one of which nobody
    /// tells, nobody can say so.
    ///
    /// # Errors
    /// What the disk says.
    pub fn is_untouched(&self, live: &Live) -> Result<bool, TreesError> {
        let stat = self.disk.stat(&self.folder_of(&live.name)?)?;
        let mut watches = self.watches.borrow_mut();
        watches.listen(&*self.disk);
        let known = stat.and_then(|stat| watches.known(stat.inode));
        let tree = self.manifests.get(&live.name).map(|manifest| manifest.tree);
        Ok(known.is_some_and(|(id, doubts)| Some(id) == tree && doubts.is_empty()))
    }

    fn is_known(&self, name: &str) -> Result<bool, TreesError> {
        let stat = self.disk.stat(&self.folder_of(name)?)?;
        Ok(stat.is_some_and(|stat| self.watches.borrow().known(stat.inode).is_some()))
    }

    /// Nothing is known of what is in a folder any more.
    pub(super) fn forget(&self, folder: &Path) {
        if let Ok(Some(stat)) = self.disk.stat(folder) {
            self.watches.borrow_mut().forget(&*self.disk, stat.inode);
        }
    }
}
