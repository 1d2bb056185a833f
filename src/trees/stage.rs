use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::bring::{Bringing, Donor, remove_all};
use super::compare::Comparison;
use super::disk::{Attributes, Disk};
use super::layout::{Layout, tree_name};
use super::lock::Lock;
use super::manifest::{Manifest, Use};
use super::watch::{Watches, Watching};
use super::{Look, Materialisation, Seals, TreesError};
use crate::config::{LiveSettings, Secrets};
use crate::model::{Digest, Limits, ObjectId, Timestamp};
use crate::objects::Mirror;
use crate::progress::{Progress, Stage};
use crate::secrets;

/// The trees beside the live path, and the right (a lock) to change them.
pub struct Trees {
    pub(super) layout: Layout,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) material: Materialisation,
    /// Who we decrypt as, as it was seen last.
    pub(super) identities: RefCell<secrets::Watch>,
    pub(super) settings: Retention,
    /// Whoever watches is told here.
    pub(super) progress: Progress,
    /// Every tree that can be understood, by its folder's name.
    pub(super) manifests: BTreeMap<String, Manifest>,
    /// Trees that left the history, the one that left first in front, with when that was.
    pub(super) left: Vec<(Timestamp, String)>,
    /// A folder of a staging name that the next tree is built in.
    pub(super) spare: Option<Spare>,
    pub(super) next_staging: u64,
    /// What is known of trees from having been told of every change.
    pub(super) watches: RefCell<Watches>,
    /// Folders of a staging name that nobody needs.
    pub(super) rubbish: Vec<PathBuf>,
    /// How often something was published.
    pub(super) published: u64,
    /// Who we are to another agent; `None` where nothing is locked.
    pub(super) holder: Option<String>,
    pub(super) lock: Option<Lock>,
}

/// How long and how many trees are kept beyond the history.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retention {
    pub(super) reuse_after: std::time::Duration,
    pub(super) trees_max: usize,
    pub(super) adopt: bool,
}

impl Retention {
    fn of(settings: &LiveSettings, rollback_limit: u32) -> Self {
        let history = usize::try_from(rollback_limit).unwrap_or(usize::MAX / 2);
        Self {
            reuse_after: settings.reuse_after,
            trees_max: history.saturating_add(TREES_BEYOND_HISTORY),
            adopt: settings.adopt,
        }
    }
}

/// A folder of a staging name, whatever is in it.
#[derive(Clone, Debug)]
pub(super) struct Spare {
    pub(super) folder: PathBuf,
    /// Up to when changes of its inodes were our own; what changed later is compared by content.
    pub(super) sealed_at: i128,
    /// Whether what is in it was made durable.
    pub(super) durable: bool,
    /// Whether it is worth being told of what happens in it: filling an empty folder only makes
    /// noise.
    pub(super) is_watched: bool,
}

impl Spare {
    /// A folder that nobody vouches for: all of it is compared by content.
    pub(super) const fn unknown(folder: PathBuf) -> Self {
        Self { folder, sealed_at: i128::MIN, durable: false, is_watched: true }
    }

    /// A folder that was just made.
    pub(super) const fn empty(folder: PathBuf) -> Self {
        Self { folder, sealed_at: i128::MIN, durable: true, is_watched: false }
    }
}

/// What is to be staged.
#[derive(Clone, Debug)]
pub struct Target {
    /// The tree in the mirror.
    pub tree: ObjectId,
    /// Its digest.
    pub digest: Digest,
    /// How many files it has.
    pub files: u64,
    /// The files of it that are encrypted: see [`Trees::unseal`].
    pub seals: Arc<Seals>,
    /// The deployment that is to make it live.
    pub used: Use,
}

/// A whole, durable tree beside the live one. Publish it or discard it: dropped, it stays on disk
/// for the next start to tidy up.
#[must_use = "a staged tree is to be published or discarded"]
#[derive(Debug)]
pub struct Staged {
    pub(super) name: String,
    pub(super) manifest: Manifest,
    /// Whether it was on disk before, so that discarding it leaves it there.
    pub(super) existed: bool,
    /// Whether it may take the place of something that is not ours: where the journal knows that
    /// the live path is ours and somebody else put that there.
    pub(super) over_anything: bool,
}

impl Staged {
    /// The same, also over something that is not ours, which is moved aside.
    pub fn over_anything(mut self) -> Self {
        self.over_anything = true;
        self
    }

    /// The tree's folder name, once it is published.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Trees beyond `rollback_limit` that are kept for their readers before the oldest goes earlier.
const TREES_BEYOND_HISTORY: usize = 8;

impl Trees {
    /// Opens the trees around a live path: makes their folder, takes the lock beside them, and
    /// tidies up what a crash left. `lock_holder` describes us to another agent.
    ///
    /// # Errors
    /// [`TreesError::Lock`] when another agent works here, or what the disk says.
    pub fn open(
        settings: &LiveSettings,
        rollback_limit: u32,
        disk: Arc<dyn Disk>,
        lock_holder: Option<&str>,
    ) -> Result<Self, TreesError> {
        let layout = Layout::new(&settings.path, settings.mode)?;
        if disk.stat(&layout.trees())?.is_none() {
            make_trees_folder(&*disk, &layout)?;
        }
        let lock = lock_holder.map(|holder| Lock::take(&layout.lock(), holder)).transpose()?;
        let mut trees = Self {
            layout,
            disk,
            material: Materialisation::new(settings),
            identities: RefCell::default(),
            progress: Progress::default(),
            settings: Retention::of(settings, rollback_limit),
            manifests: BTreeMap::new(),
            left: Vec::new(),
            spare: None,
            next_staging: 1,
            watches: RefCell::default(),
            rubbish: Vec::new(),
            published: 0,
            holder: lock_holder.map(str::to_owned),
            lock,
        };
        trees.tidy()?;
        // A rename that a crash followed at once is made durable before anybody is told of it.
        trees.disk.sync_folder(trees.layout.parent())?;
        Ok(trees)
    }

    /// Makes the trees folder again where somebody removed it, with all that was in it. Gives
    /// whether that was so.
    ///
    /// # Errors
    /// What the disk says; [`TreesError::Lock`] when another agent was faster.
    pub fn ensure_folder(&mut self) -> Result<bool, TreesError> {
        if self.disk.stat(&self.layout.trees())?.is_some() {
            return Ok(false);
        }
        tracing::error!(folder = %self.layout.trees().display(), "the trees were removed by somebody else; the next pass makes the live one again");
        self.manifests.clear();
        self.left.clear();
        self.spare = None;
        self.rubbish.clear();
        self.watches.borrow_mut().forget_all(&*self.disk);
        make_trees_folder(&*self.disk, &self.layout)?;
        // Ours went with the folder: another agent could take one of this name.
        self.lock = match &self.holder {
            Some(holder) => Some(Lock::take(&self.layout.lock(), holder)?),
            None => None,
        };
        Ok(true)
    }

    /// From now on the kernel is asked to tell of changes, so that looking at a tree costs what
    /// changed: for an agent that stays. `folders_max`: folders that this machine lets us watch;
    /// `None`: as many as it says.
    pub fn watch(&mut self, folders_max: Option<usize>) {
        self.watches.borrow_mut().begin(folders_max);
    }

    /// From now on tells `progress` how far staging is.
    pub fn report_to(&mut self, progress: Progress) {
        self.progress = progress;
    }

    /// Goes on with other settings; the live path and its mode need a restart.
    pub fn reconfigure(&mut self, settings: &LiveSettings, rollback_limit: u32) {
        let before = &self.material;
        let material =
            Materialisation::new(settings).with_secrets(before.secrets(), before.limits());
        self.become_of(material);
        self.settings = Retention::of(settings, rollback_limit);
    }

    /// From now on decrypts encrypted files with these.
    pub fn decrypt_with(&mut self, settings: &LiveSettings, secrets: &Secrets, limits: &Limits) {
        self.become_of(Materialisation::new(settings).with_secrets(secrets, limits));
    }

    fn become_of(&mut self, material: Materialisation) {
        if material.key() != self.material.key() {
            // What was known to be right was so by the old modes and owner.
            self.watches.borrow_mut().forget_all(&*self.disk);
        }
        self.material = material;
    }

    /// Where everything is.
    #[must_use]
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Every tree that is known, by name.
    #[must_use]
    pub const fn manifests(&self) -> &BTreeMap<String, Manifest> {
        &self.manifests
    }

    /// Whether a tree of this content is on disk as it would be made now.
    #[must_use]
    pub fn has(&self, digest: &Digest) -> bool {
        self.manifests.values().any(|m| m.digest == *digest)
    }

    /// Stages a tree: whole and durable beside the live one when this returns.
    ///
    /// # Errors
    /// What the disk or the mirror says; then nothing half-made is left, as far as the disk lets us.
    pub fn stage(
        &mut self,
        mirror: &Mirror,
        target: &Target,
        now: Timestamp,
    ) -> Result<Staged, TreesError> {
        if let Some(name) = self.whole_tree(mirror, target)? {
            return self.stage_existing(name, target);
        }
        let base = self.take_folder(now)?;
        let staged = self.build(mirror, &base, target, now);
        if staged.is_err() {
            self.forget(&base.folder);
            // The error is told; what cannot be removed now is tidied up at the next start.
            drop(remove_all(&*self.disk, &base.folder, super::Kind::Folder));
        }
        staged
    }

    /// A tree of this content that is on disk, whole, and not the live one.
    fn whole_tree(&self, mirror: &Mirror, target: &Target) -> Result<Option<String>, TreesError> {
        let live = self.live_name()?;
        for manifest in self.manifests.values() {
            if manifest.digest == target.digest
                && self.fits_but_identities(manifest)
                && live.as_deref() != Some(&manifest.name)
                && self.compare_tree(mirror, manifest, Look::Told)?.is_none()
            {
                return Ok(Some(manifest.name.clone()));
            }
        }
        Ok(None)
    }

    fn stage_existing(&mut self, name: String, target: &Target) -> Result<Staged, TreesError> {
        let mut manifest = self.manifests[&name].clone();
        manifest.used(target.used.clone());
        manifest.write(&*self.disk, &self.layout)?;
        self.disk.sync_folder(&self.layout.trees())?;
        Ok(Staged { name, manifest, existed: true, over_anything: false })
    }

    fn build(
        &mut self,
        mirror: &Mirror,
        base: &Spare,
        target: &Target,
        now: Timestamp,
    ) -> Result<Staged, TreesError> {
        self.progress.begin(Stage::Staging, target.files);
        let stamps = self.bring(mirror, base, (target.tree, &target.seals), now);
        self.progress.begin(Stage::Idle, 0);
        let stamps = stamps?;
        let folder = &base.folder;
        let name = self.free_name(target)?;
        let place = self.layout.tree(&name);
        let stat = self.disk.stat(folder)?;
        let mut manifest = Manifest {
            name: name.clone(),
            digest: target.digest,
            tree: target.tree,
            files: target.files,
            materialisation: self.material.key_for(&target.seals, target.seals.identities()),
            seals: Arc::clone(&target.seals),
            folder: stat.map_or((0, 0), |s| (s.device, s.inode)),
            stamps,
            sealed_at: self.disk.now(),
            uses: Vec::new(),
        };
        manifest.used(target.used.clone());
        manifest.write(&*self.disk, &self.layout)?;
        self.disk.rename(folder, &place)?;
        self.disk.sync_folder(&self.layout.trees())?;
        self.manifests.insert(name.clone(), manifest.clone());
        Ok(Staged { name, manifest, existed: false, over_anything: false })
    }

    /// Brings a staging folder to be a tree, durably. Returns whether the volume keeps stamps.
    pub(super) fn bring(
        &mut self,
        mirror: &Mirror,
        base: &Spare,
        (tree, seals): (ObjectId, &Seals),
        now: Timestamp,
    ) -> Result<bool, TreesError> {
        let folder = &base.folder;
        let stamps = self.keeps_stamps()?;
        let donor = match self.live_name()? {
            Some(name) if self.manifests.contains_key(&name) => Some(Donor {
                folder: self.folder_of(&name)?,
                sealed_at: self.manifests[&name].sealed_at,
            }),
            _ => None,
        };
        let root = self.disk.stat(folder)?.map(|stat| stat.inode).filter(|_| base.is_watched);
        let comparison = Comparison {
            disk: &*self.disk,
            mirror,
            material: &self.material,
            seals,
            stamps,
            sealed_at: base.sealed_at,
            watching: root.map(|root| Watching { watches: &self.watches, root }),
        };
        let mut bringing = Bringing::new(comparison, donor, now, &self.progress);
        bringing.bring(folder, tree)?;
        if base.durable {
            bringing.touched.sync(&*self.disk, folder)?;
        } else {
            // What a crash left may be right and yet not be durable.
            self.disk.sync_volume(folder)?;
        }
        Ok(stamps)
    }

    /// A free folder name for a target.
    fn free_name(&self, target: &Target) -> Result<String, TreesError> {
        let mut copy = 0;
        loop {
            let name = tree_name(&target.used.revision, &target.digest, copy);
            let taken = self.manifests.contains_key(&name)
                || self.disk.stat(&self.layout.tree(&name))?.is_some();
            if !taken {
                return Ok(name);
            }
            copy += 1;
        }
    }

    /// Takes back what [`Trees::stage`] made: the folder becomes the place where the next is built.
    ///
    /// # Errors
    /// What the disk says.
    pub fn discard(&mut self, staged: Staged) -> Result<(), TreesError> {
        if staged.existed {
            return Ok(());
        }
        self.retire_to_spare(&staged.name)
    }

    /// Whether the volume keeps nanoseconds; found out once and remembered by the manifests.
    pub(super) fn keeps_stamps(&self) -> Result<bool, TreesError> {
        if let Some(manifest) = self.manifests.values().next() {
            return Ok(manifest.stamps);
        }
        const PROBE_NANOS: u32 = 123_456_789;
        let probe = self.layout.trees().join("probe");
        if self.disk.stat(&probe)?.is_some() {
            self.disk.remove_file(&probe)?;
        }
        let mtime = Some((1, PROBE_NANOS));
        let attributes = Attributes { mode: 0o600, uid: None, gid: None, mtime };
        self.disk.write_file(&probe, b"", &attributes)?;
        let kept = self.disk.stat(&probe)?.is_some_and(|s| s.mtime_nanos == PROBE_NANOS);
        self.disk.remove_file(&probe)?;
        Ok(kept)
    }

    /// Where a tree's folder is now: at the live path itself when it is live in exchange mode.
    ///
    /// # Errors
    /// What the disk says.
    pub fn folder_of(&self, name: &str) -> Result<PathBuf, TreesError> {
        let live = self.disk.stat(self.layout.live())?;
        let is_live = live.is_some_and(|stat| {
            stat.kind == super::Kind::Folder && self.name_of_folder(&stat).as_deref() == Some(name)
        });
        Ok(if is_live { self.layout.live().to_owned() } else { self.layout.tree(name) })
    }
}

fn make_trees_folder(disk: &dyn Disk, layout: &Layout) -> Result<(), TreesError> {
    let attributes = Attributes { mode: 0o755, uid: None, gid: None, mtime: None };
    disk.make_folder(&layout.trees(), &attributes)?;
    Ok(disk.sync_folder(layout.parent())?)
}
