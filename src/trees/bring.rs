use std::collections::{BTreeSet, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::compare::Comparison;
use super::disk::{Disk, DiskError, Kind, Stat};
use super::pending::Pending;
use super::place::kind_of;
use super::seals::{Seal, unsealed_name};
use super::watch::{Doubts, Watching};
use super::{Materialisation, TreesError};
use crate::decide::cost::SYNC_EACH_MAX;
use crate::model::{Entry, FileMode, ObjectId, Timestamp, TreePath};
use crate::objects::{Item, ItemKind, Mirror};
use crate::progress::Progress;

/// Brings a folder of ours, whatever is in it, to be a tree: what fits is kept, the rest is
/// replaced by shared files of the donor where those are whole, and by the mirror's bytes else.
///
/// The same way builds a tree from nothing (an empty folder), brings an old tree up to date, and
/// ends what a crash interrupted.
pub(super) struct Bringing<'a> {
    pub(super) comparison: Comparison<'a>,
    /// A whole tree whose equal files may be shared.
    pub(super) donor: Option<Donor>,
    /// What files are stamped with.
    pub(super) now: Timestamp,
    /// Whoever watches is told here.
    pub(super) progress: &'a Progress,
    /// Files and folders to be made durable.
    pub(super) touched: Touched,
    /// Names that were made or removed.
    pub(super) steps: u64,
    /// Steps since what was told of them was taken.
    pub(super) unheard: u64,
    /// Files that are put in their places soon.
    pub(super) pending: Vec<Pending>,
}

/// Largest decrypted file that is taken from another tree.
const PLAIN_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// A tree to share files with.
#[derive(Clone)]
pub(super) struct Donor {
    /// Its folder.
    pub(super) folder: PathBuf,
    /// Up to when changes of its inodes were our own.
    pub(super) sealed_at: i128,
}

/// What was written and is not durable yet.
#[derive(Default)]
pub(super) struct Touched {
    files: Vec<PathBuf>,
    folders: BTreeSet<PathBuf>,
    /// Whether more may have been touched than is listed.
    everything: bool,
    /// Whether anything was touched at all.
    pub(super) any: bool,
}

impl Touched {
    fn file(&mut self, path: PathBuf) {
        self.any = true;
        if !self.is_full() {
            self.files.push(path);
        }
    }

    pub(super) fn folder(&mut self, path: &Path) {
        self.any = true;
        if !self.is_full() {
            self.folders.insert(path.to_owned());
        }
    }

    pub(super) fn append(&mut self, others: Self) {
        self.any |= others.any;
        self.everything |= others.everything;
        if !self.is_full() {
            self.files.extend(others.files);
            self.folders.extend(others.folders);
        }
    }

    /// Anything may have been touched.
    pub(super) fn everything(&mut self) {
        (self.any, self.everything) = (true, true);
    }

    /// Whether so much was touched that no more is listed.
    pub(super) fn is_full(&self) -> bool {
        self.everything || self.files.len() + self.folders.len() >= SYNC_EACH_MAX
    }

    /// Makes all of it durable: each file and folder, or the whole volume where that is cheaper.
    pub(super) fn sync(self, disk: &dyn Disk, root: &Path) -> Result<(), DiskError> {
        if self.is_full() {
            return disk.sync_volume(root);
        }
        disk.sync_files(&self.files)?;
        self.folders.iter().try_for_each(|path| disk.sync_folder(path))
    }
}

impl<'a> Bringing<'a> {
    pub(super) fn new(
        comparison: Comparison<'a>,
        donor: Option<Donor>,
        now: Timestamp,
        progress: &'a Progress,
    ) -> Self {
        let (touched, pending) = (Touched::default(), Vec::new());
        Self { comparison, donor, now, progress, touched, steps: 0, unheard: 0, pending }
    }

    fn disk(&self) -> &dyn Disk {
        self.comparison.disk
    }

    fn mirror(&self) -> &Mirror {
        self.comparison.mirror
    }

    fn material(&self) -> &Materialisation {
        self.comparison.material
    }

    /// Brings `folder` to be `tree`, all of it below one call for each folder.
    fn folder(
        &mut self,
        folder: &Path,
        tree: ObjectId,
        at: Option<&TreePath>,
    ) -> Result<(), TreesError> {
        let mut found = self.comparison.listing(folder, at)?;
        let mut items = self.mirror().items(tree)?;
        if at.is_none() && found.is_empty() && self.comparison.watching.is_none() {
            let folders: Vec<Item> =
                items.extract_if(.., |item| item.kind == ItemKind::Folder).collect();
            self.new_folders(folder, &folders)?;
        }
        for item in &items {
            let stat = found.remove(self.comparison.name_of(at, item));
            self.item(folder, item, at, stat)?;
        }
        found
            .into_iter()
            .try_for_each(|(name, stat)| self.clear(folder, &folder.join(name), stat.kind))
    }

    /// Brings a folder that is known to be `from`, but where `doubts` are, to be `tree`: only what
    /// differs and what is in doubt is looked at.
    fn differences(
        &mut self,
        folder: &Path,
        (from, tree): (ObjectId, ObjectId),
        at: Option<&TreePath>,
        doubts: &Doubts,
    ) -> Result<(), TreesError> {
        let doubted = doubts.names_in(at);
        if from == tree && doubted.is_empty() {
            return Ok(());
        }
        let differing = self.mirror().differing(Some(from), Some(tree))?;
        let mut known: HashSet<&[u8]> = HashSet::new();
        let mut asked: BTreeSet<&[u8]> = doubted.iter().map(|name| name.as_bytes()).collect();
        for difference in &differing {
            if let Some(new) = &difference.new {
                known.insert(&new.name);
                self.changed(folder, (difference.old.as_ref(), new), at, doubts)?;
            } else if let Some(old) = &difference.old {
                // What was encrypted may have stood under another name, which may be taken by now.
                asked.extend([&*old.name, unsealed_name(&old.name)]);
            }
        }
        for item in &self.comparison.named(tree, at, &asked)? {
            let name = self.comparison.name_of(at, item);
            asked.remove(name.as_bytes());
            let in_doubt = name.to_str().is_some_and(|name| doubted.contains(name));
            if in_doubt && !known.contains(&*item.name) {
                self.changed(folder, (Some(item), item), at, doubts)?;
            }
        }
        for name in asked {
            let place = folder.join(OsStr::from_bytes(name));
            if let Some(stat) = self.disk().stat(&place)? {
                self.clear(folder, &place, stat.kind)?;
            }
        }
        Ok(())
    }

    /// Brings what differs or is in doubt under a name to be what it should be: of folders what
    /// differs in them; files later, many at once.
    fn changed(
        &mut self,
        folder: &Path,
        (old, item): (Option<&Item>, &Item),
        at: Option<&TreePath>,
        doubts: &Doubts,
    ) -> Result<(), TreesError> {
        if item.kind != ItemKind::Folder {
            return self.later(folder, item, at);
        }
        let (path, _) = self.comparison.placed(at, item)?;
        let place = folder.join(self.comparison.name_of(at, item));
        let found = self.disk().stat(&place)?;
        match (old, found) {
            (Some(Item { id, kind: ItemKind::Folder, .. }), Some(stat))
                if stat.kind == Kind::Folder && !doubts.holds(Some(&path)) =>
            {
                self.differences(&place, (*id, item.id), Some(&path), doubts)
            }
            (_, found) => self.item(folder, item, at, found),
        }
    }

    pub(super) fn item(
        &mut self,
        folder: &Path,
        item: &Item,
        at: Option<&TreePath>,
        found: Option<Stat>,
    ) -> Result<(), TreesError> {
        let (path, seal) = self.comparison.placed(at, item)?;
        let place = folder.join(self.comparison.name_of(at, item));
        match item.kind {
            ItemKind::Folder => {
                self.make_folder(folder, &place, found)?;
                self.folder(&place, item.id, Some(&path))
            }
            ItemKind::File(mode) => {
                self.progress.step();
                let entry = Entry { mode, id: item.id };
                if let Some(stat) = found {
                    let fits = self.comparison.file(&place, &path, (entry, seal), &stat)?;
                    if fits.is_none() {
                        return Ok(());
                    }
                    self.clear(folder, &place, stat.kind)?;
                }
                self.put(folder, &place, &path, (entry, seal))
            }
            // Rendering replaces or leaves out submodules.
            ItemKind::Submodule => Ok(()),
        }
    }

    fn make_folder(
        &mut self,
        parent: &Path,
        place: &Path,
        found: Option<Stat>,
    ) -> Result<(), TreesError> {
        let attributes = self.material().folder();
        match found {
            Some(stat) if stat.kind == Kind::Folder => {
                if !self.material().folder_fits(&stat) {
                    self.disk().set_attributes(place, &attributes)?;
                    self.touched.folder(place);
                }
                return Ok(());
            }
            Some(stat) => self.clear(parent, place, stat.kind)?,
            None => {}
        }
        self.disk().make_folder(place, &attributes)?;
        self.touched.folder(place);
        self.touched.folder(parent);
        Ok(())
    }

    /// Puts a file where nothing is: shared with the donor, or written.
    fn put(
        &mut self,
        folder: &Path,
        place: &Path,
        path: &TreePath,
        (entry, seal): (Entry, Option<&Seal>),
    ) -> Result<(), TreesError> {
        if let Some(seal) = seal {
            let bytes = self.plain(path, seal)?;
            let attributes = self.material().file(path, entry, true, self.now);
            self.disk().write_file(place, &bytes, &attributes)?;
            self.touched.file(place.to_owned());
        } else if !self.share(place, path, entry)? {
            let bytes = self.mirror().blob(entry.id)?;
            if entry.mode == FileMode::Link {
                self.disk().make_link(place, &bytes)?;
            } else {
                let attributes = self.material().file(path, entry, false, self.now);
                self.disk().write_file(place, &bytes, &attributes)?;
                self.touched.file(place.to_owned());
            }
        }
        self.touched.folder(folder);
        self.listen(1);
        Ok(())
    }

    /// What we do ourselves is told too: it is taken before the kernel runs out of room for it.
    pub(super) fn listen(&mut self, steps: u64) {
        const STEPS: u64 = 1_000;
        self.steps += steps;
        self.unheard += steps;
        if let Some(watching) = &self.comparison.watching
            && self.unheard >= STEPS
        {
            self.unheard = 0;
            watching.watches.borrow_mut().listen(self.disk());
        }
    }

    /// The plain bytes of an encrypted file: the donor's, where they are what it gives, so that it
    /// takes no identity to put a tree right or to build on it; decrypted else. Never shared.
    fn plain(&self, path: &TreePath, seal: &Seal) -> Result<Zeroizing<Vec<u8>>, TreesError> {
        let seals = self.comparison.seals;
        if let Some(donor) = &self.donor {
            let bytes = self.disk().read(&donor.folder.join(path.as_str()), PLAIN_BYTES_MAX);
            let bytes = bytes.map(Zeroizing::new).ok().filter(|bytes| seals.fits(seal, bytes));
            if let Some(bytes) = bytes {
                return Ok(bytes);
            }
        }
        self.material().decrypt(seals, seal, &self.mirror().blob(seal.id)?)
    }

    /// Shares the donor's file when it is what is wanted, to the letter. A file system that has no
    /// hard links, or no more of them for this file, is no error.
    fn share(&self, place: &Path, path: &TreePath, entry: Entry) -> Result<bool, TreesError> {
        let Some(donor) = self.donor.as_ref() else { return Ok(false) };
        if entry.mode == FileMode::Link || !self.material().may_share() {
            return Ok(false);
        }
        let from = donor.folder.join(path.as_str());
        let Some(stat) = self.disk().stat(&from)? else { return Ok(false) };
        if stat.kind != kind_of(entry.mode) {
            return Ok(false);
        }
        let comparison = Comparison { sealed_at: donor.sealed_at, ..self.comparison };
        if comparison.file(&from, path, (entry, None), &stat)?.is_some() {
            return Ok(false);
        }
        match self.disk().share(&from, place) {
            Ok(()) => Ok(true),
            Err(error) if is_no_sharing(&error) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn clear(&mut self, folder: &Path, place: &Path, kind: Kind) -> Result<(), TreesError> {
        remove_all(self.disk(), place, kind)?;
        self.touched.folder(folder);
        self.listen(1);
        Ok(())
    }

    /// Brings a folder to be `tree` by the cheapest way that is sound: from what is known of it,
    /// or by looking at all of it. Then what was told of meanwhile is looked at again, our own
    /// work with it, and the tree is known from then on.
    pub(super) fn bring(&mut self, folder: &Path, tree: ObjectId) -> Result<(), TreesError> {
        let Some(watching) = self.comparison.watching else {
            return self.folder(folder, tree, None);
        };
        let root = watching.root;
        watching.watches.borrow_mut().listen(self.disk());
        let known = watching.watches.borrow().known(root).map(|(id, d)| (id, d.clone()));
        let known = known.filter(|(_, doubts)| !doubts.holds(None));
        watching.watches.borrow_mut().work_on(self.disk(), Some(root));
        let brought = self.bring_watched(folder, tree, known, watching);
        watching.watches.borrow_mut().work_on(self.disk(), None);
        brought
    }

    /// The differences of a whole tree.
    fn by_differences(
        &mut self,
        folder: &Path,
        ids: (ObjectId, ObjectId),
        doubts: &Doubts,
    ) -> Result<(), TreesError> {
        let brought = self.differences(folder, ids, None, doubts).and_then(|()| self.put_pending());
        // After an error, whoever goes on looks at all of it.
        self.pending.clear();
        brought
    }

    fn bring_watched(
        &mut self,
        folder: &Path,
        tree: ObjectId,
        known: Option<(ObjectId, Doubts)>,
        watching: Watching<'_>,
    ) -> Result<(), TreesError> {
        let by_differences =
            known.map(|(from, doubts)| self.by_differences(folder, (from, tree), &doubts));
        match by_differences {
            Some(Ok(())) => {}
            // What it was, or will be, is not in the mirror any more.
            Some(Err(error)) if !error.mirror_damaged() => return Err(error),
            Some(Err(_)) | None => self.folder(folder, tree, None)?,
        }
        self.comparison.sealed_at = self.disk().now();
        for _ in 0..SETTLE_ROUNDS_MAX {
            watching.watches.borrow_mut().listen(self.disk());
            let doubts = watching.watches.borrow_mut().take_doubts(watching.root);
            let Some(doubts) = doubts.filter(|d| !d.holds(None)) else { break };
            if doubts.is_empty() {
                watching.watches.borrow_mut().learn(watching.root, tree);
                return Ok(());
            }
            let steps = self.steps;
            self.by_differences(folder, (tree, tree), &doubts)?;
            if self.steps != steps {
                // Not our own work: somebody wrote there meanwhile, maybe to files that are shared.
                doubts.iter().for_each(|p| watching.watches.borrow_mut().doubt_everywhere(p));
            }
        }
        // Too much was told, or somebody does not stop: the next time all of it is looked at.
        watching.watches.borrow_mut().forget(self.disk(), watching.root);
        Ok(())
    }
}

/// Rounds in which what was told while we worked is looked at again.
const SETTLE_ROUNDS_MAX: usize = 4;

/// EPERM (no hard links here, or protected), EMLINK, EXDEV, ENOTSUP: write a copy instead.
fn is_no_sharing(error: &DiskError) -> bool {
    use std::io::ErrorKind;
    matches!(
        error.source.kind(),
        ErrorKind::PermissionDenied
            | ErrorKind::TooManyLinks
            | ErrorKind::CrossesDevices
            | ErrorKind::Unsupported
            | ErrorKind::NotFound
    )
}

/// Removes a path and all below it, never following a link.
pub(super) fn remove_all(disk: &dyn Disk, place: &Path, kind: Kind) -> Result<(), DiskError> {
    if kind != Kind::Folder {
        return disk.remove_file(place);
    }
    for (name, stat) in disk.list(place)? {
        remove_all(disk, &place.join(name), stat.kind)?;
    }
    disk.remove_folder(place)
}
