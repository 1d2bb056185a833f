use std::collections::{BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use zeroize::Zeroizing;

use super::disk::{Disk, Kind, Stat};
use super::place::{kind_of, stamp};
use super::seals::{Seal, Seals};
use super::watch::{Doubts, Watching};
use super::{Materialisation, TreesError};
use crate::model::{DriftKind, DriftedPath, Entry, FileMode, ObjectId, TreePath};
use crate::objects::{Item, ItemKind, Mirror};

/// How many paths a comparison lists; more are counted.
pub const DRIFT_PATHS_MAX: usize = 200;

/// What a comparison of a folder with a tree found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drift {
    /// The first [`DRIFT_PATHS_MAX`] paths that differ.
    pub paths: Vec<DriftedPath>,
    /// How many differ in all.
    pub total: u64,
}

impl Drift {
    /// Whether the folder is what it should be.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.total == 0
    }

    pub(super) fn add(&mut self, path: &str, kind: DriftKind) {
        self.total += 1;
        if self.paths.len() < DRIFT_PATHS_MAX {
            self.paths.push(DriftedPath { path: path.to_owned(), kind });
        }
    }
}

/// How a folder on disk is held against a git tree.
pub(super) struct Comparison<'a> {
    pub(super) disk: &'a dyn Disk,
    pub(super) mirror: &'a Mirror,
    pub(super) material: &'a Materialisation,
    /// What of the tree is encrypted.
    pub(super) seals: &'a Seals,
    /// Whether the volume keeps the stamps.
    pub(super) stamps: bool,
    /// Changes of inodes up to this moment were our own.
    pub(super) sealed_at: i128,
    /// Whether, and as what, what is looked at is watched from then on.
    pub(super) watching: Option<Watching<'a>>,
}

/// Largest file whose content is compared; what is larger than any limit differs anyway.
const CONTENT_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;

impl<'a> Comparison<'a> {
    /// Everything below `folder` that is not as `tree` says.
    pub(super) fn run(&self, folder: &Path, tree: ObjectId) -> Result<Drift, TreesError> {
        let mut drift = Drift::default();
        self.folder(folder, tree, None, &mut drift)?;
        Ok(drift)
    }

    fn folder(
        &self,
        folder: &Path,
        tree: ObjectId,
        at: Option<&TreePath>,
        drift: &mut Drift,
    ) -> Result<(), TreesError> {
        let mut found = self.listing(folder, at)?;
        for item in self.mirror.items(tree)? {
            let stat = found.remove(self.name_of(at, &item));
            self.item(folder, &item, at, stat, drift)?;
        }
        let mut added: Vec<_> = found.into_keys().collect();
        added.sort_unstable();
        for name in added {
            let name = name.to_string_lossy();
            let path = at.map_or_else(|| name.to_string(), |at| format!("{at}/{name}"));
            drift.add(&path, DriftKind::Added);
        }
        Ok(())
    }

    fn item(
        &self,
        folder: &Path,
        item: &Item,
        at: Option<&TreePath>,
        found: Option<Stat>,
        drift: &mut Drift,
    ) -> Result<(), TreesError> {
        let (path, seal) = self.placed(at, item)?;
        let place = folder.join(self.name_of(at, item));
        match (item.kind, found) {
            (_, None) => drift.add(path.as_str(), DriftKind::Removed),
            (ItemKind::Folder, Some(stat)) if stat.kind == Kind::Folder => {
                if !self.material.folder_fits(&stat) {
                    drift.add(path.as_str(), DriftKind::Remoded);
                }
                self.folder(&place, item.id, Some(&path), drift)?;
            }
            (ItemKind::File(mode), Some(stat)) => {
                let entry = Entry { mode, id: item.id };
                if let Some(kind) = self.file(&place, &path, (entry, seal), &stat)? {
                    drift.add(path.as_str(), kind);
                }
            }
            (_, Some(_)) => drift.add(path.as_str(), DriftKind::Replaced),
        }
        Ok(())
    }

    /// What of the paths in doubt is not as `tree` says.
    pub(super) fn doubted(
        &self,
        folder: &Path,
        tree: ObjectId,
        doubts: &Doubts,
    ) -> Result<Drift, TreesError> {
        if doubts.holds(None) {
            return self.run(folder, tree);
        }
        let mut drift = Drift::default();
        self.doubted_in(folder, tree, None, doubts, &mut drift)?;
        Ok(drift)
    }

    fn doubted_in(
        &self,
        folder: &Path,
        tree: ObjectId,
        at: Option<&TreePath>,
        doubts: &Doubts,
        drift: &mut Drift,
    ) -> Result<(), TreesError> {
        let names = doubts.names_in(at);
        if names.is_empty() {
            return Ok(());
        }
        let items = self.named(tree, at, &names.iter().map(|name| name.as_bytes()).collect())?;
        let items: HashMap<&[u8], &Item> =
            items.iter().map(|item| (self.seals.name(at, item), item)).collect();
        for name in names {
            let place = folder.join(name);
            let found = self.disk.stat(&place)?;
            let Some(item) = items.get(name.as_bytes()) else {
                if found.is_some() {
                    let path = at.map_or_else(|| name.to_owned(), |at| format!("{at}/{name}"));
                    drift.add(&path, DriftKind::Added);
                }
                continue;
            };
            let path = path_of(at, item)?;
            let goes_on = item.kind == ItemKind::Folder && !doubts.holds(Some(&path));
            match found {
                Some(stat) if goes_on && stat.kind == Kind::Folder => {
                    self.doubted_in(&place, item.id, Some(&path), doubts, drift)?;
                }
                found => self.item(folder, item, at, found, drift)?,
            }
        }
        Ok(())
    }

    /// The items of a folder whose names on disk are among these.
    pub(super) fn named(
        &self,
        tree: ObjectId,
        at: Option<&TreePath>,
        names: &BTreeSet<&[u8]>,
    ) -> Result<Vec<Item>, TreesError> {
        if self.seals.is_empty() {
            return Ok(self.mirror.items_named(tree, names)?);
        }
        // What is encrypted is there under another name than the list has.
        let mut items = self.mirror.items(tree)?;
        items.retain(|item| names.contains(self.seals.name(at, item)));
        Ok(items)
    }

    /// The name that an item has on disk.
    pub(super) fn name_of<'i>(&self, at: Option<&TreePath>, item: &'i Item) -> &'i OsStr {
        OsStr::from_bytes(self.seals.name(at, item))
    }

    /// The path that an item has on disk, and its seal where it is encrypted.
    pub(super) fn placed(
        &self,
        at: Option<&TreePath>,
        item: &Item,
    ) -> Result<(TreePath, Option<&'a Seal>), TreesError> {
        let Some(seal) = self.seals.of_item(at, item) else {
            return Ok((path_of(at, item)?, None));
        };
        let item = Item { name: self.seals.name(at, item).to_vec(), ..*item };
        Ok((path_of(at, &item)?, Some(seal)))
    }

    /// The names in a folder, by name, told of from now on.
    pub(super) fn listing(
        &self,
        folder: &Path,
        at: Option<&TreePath>,
    ) -> Result<HashMap<OsString, Stat>, TreesError> {
        if let Some(watching) = &self.watching {
            watching.folder(self.disk, at, folder);
        }
        Ok(self.disk.list(folder)?.into_iter().collect())
    }

    /// How a file or link differs from what it should be. By stat first; by content where the stat
    /// leaves a doubt: an inode that changed after we sealed the tree, or no stamps to go by.
    pub(super) fn file(
        &self,
        place: &Path,
        path: &TreePath,
        (entry, seal): (Entry, Option<&Seal>),
        found: &Stat,
    ) -> Result<Option<DriftKind>, TreesError> {
        if found.kind != kind_of(entry.mode) {
            return Ok(Some(DriftKind::Replaced));
        }
        if entry.mode == FileMode::Link {
            let target = self.disk.read_link(place)?;
            return Ok((hash(&target) != Some(entry.id)).then_some(DriftKind::Edited));
        }
        let stamped = self.stamps && found.mtime_nanos == stamp(entry.id, seal.is_some());
        if self.stamps && !stamped {
            // The stamp is gone: somebody wrote to it, or gave it another time with equal bytes;
            // both are put right, so that the next stat is enough again.
            return Ok(Some(DriftKind::Edited));
        }
        if !(stamped && found.ctime <= self.sealed_at) {
            let bytes = Zeroizing::new(self.disk.read(place, CONTENT_BYTES_MAX)?);
            let is_it = match seal {
                Some(seal) => self.seals.fits(seal, &bytes),
                None => hash(&bytes) == Some(entry.id),
            };
            if !is_it {
                return Ok(Some(DriftKind::Edited));
            }
        }
        let fits = self.material.file_fits(path, entry, seal.is_some(), found);
        Ok((!fits).then_some(DriftKind::Remoded))
    }
}

/// An item's path in the tree. Rendering has refused every other name; one that comes up here all
/// the same is damage of the mirror, and is never used as a path.
pub(super) fn path_of(at: Option<&TreePath>, item: &Item) -> Result<TreePath, TreesError> {
    TreePath::join(at, &item.name).map_err(|_| {
        TreesError::Objects(crate::objects::ObjectsError::Damaged {
            what: "tree entry",
            id: item.id,
            source: git2::Error::from_str("its name is not one that rendering lets through"),
        })
    })
}

fn hash(bytes: &[u8]) -> Option<ObjectId> {
    let oid = git2::Oid::hash_object(git2::ObjectType::Blob, bytes).ok()?;
    oid.as_bytes().try_into().ok().map(ObjectId)
}
