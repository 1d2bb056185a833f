use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::disk::{Kind, Stat};
use super::layout::{is_staging_name, is_tree_name};
use super::{Live, Manifest, Seals, Trees, TreesError};
use crate::config::LiveMode;
use crate::model::{Digest, EntryDigest, FileMode, blob_digest, tree_digest};

/// What the live path shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing is there.
    Nothing,
    /// A tree of ours.
    Tree(Live),
    /// A link of ours to a tree that we know nothing of: its manifest is gone.
    Unrecorded(String),
    /// Something that is not ours.
    Foreign,
}

impl Trees {
    /// What the live path shows now.
    ///
    /// # Errors
    /// What the disk says.
    pub fn found(&self) -> Result<Found, TreesError> {
        let Some(stat) = self.disk.stat(self.layout.live())? else { return Ok(Found::Nothing) };
        let name = match stat.kind {
            Kind::Link => {
                let target = self.disk.read_link(self.layout.live())?;
                let name = self.layout.tree_of_target(&target);
                let Some(name) = name else { return Ok(Found::Foreign) };
                if !self.manifests.contains_key(&name) {
                    return Ok(Found::Unrecorded(name));
                }
                Some(name)
            }
            Kind::Folder => self.name_of_folder(&stat),
            _ => None,
        };
        Ok(match name.and_then(|name| self.manifests.get(&name)) {
            Some(manifest) => Found::Tree(Live {
                name: manifest.name.clone(),
                digest: manifest.digest,
                durable: true,
            }),
            None => Found::Foreign,
        })
    }

    /// Whether the live path shows its tree in the way of the settings: by a link or as a folder.
    #[must_use]
    pub fn fits_mode(&self) -> bool {
        let wanted = match self.layout.mode() {
            LiveMode::Symlink => Kind::Link,
            LiveMode::Exchange => Kind::Folder,
        };
        self.disk.stat(self.layout.live()).is_ok_and(|s| s.is_some_and(|s| s.kind == wanted))
    }

    /// The name of the tree that the live path shows, when it is one of ours.
    pub(super) fn live_name(&self) -> Result<Option<String>, TreesError> {
        Ok(match self.found()? {
            Found::Tree(live) => Some(live.name),
            Found::Unrecorded(name) => Some(name),
            Found::Nothing | Found::Foreign => None,
        })
    }

    /// The tree that a folder is, by its inode. The volume's number is that of now: it is another
    /// one when disks are found in another order.
    pub(super) fn name_of_folder(&self, stat: &Stat) -> Option<String> {
        let here = self.disk.stat(&self.layout.trees()).ok()??;
        let is_it = |m: &&Manifest| stat.device == here.device && m.folder.1 == stat.inode;
        self.manifests.values().find(is_it).map(|m| m.name.clone())
    }

    /// A live folder whose inode no manifest names, as after a restore from a backup, is known
    /// again by its content.
    fn know_live_folder(&mut self) -> Result<(), TreesError> {
        let live = self.layout.live().to_owned();
        let Some(stat) = self.disk.stat(&live)?.filter(|s| s.kind == Kind::Folder) else {
            return Ok(());
        };
        if self.manifests.is_empty() || self.name_of_folder(&stat).is_some() {
            return Ok(());
        }
        let digest = self.digest_on_disk(&live, &Seals::default())?;
        let mut known = self.manifests.values().find(|m| m.digest == digest).cloned();
        for manifest in self.manifests.values().filter(|m| !m.seals.is_empty()) {
            let is_it = self.digest_on_disk(&live, &manifest.seals)? == manifest.digest;
            known = known.or_else(|| is_it.then(|| manifest.clone()));
        }
        match known {
            Some(manifest) => self.note_folder(&manifest.name, &stat),
            None => Ok(()),
        }
    }

    /// Tidies up what a crash left: half-made trees, a link that was not renamed, folders that
    /// changed places. Cases and reasons are in `docs/recovery.md`.
    pub(super) fn tidy(&mut self) -> Result<(), TreesError> {
        let entries = self.disk.list(&self.layout.trees())?;
        self.load_manifests(&entries)?;
        self.know_live_folder()?;
        self.put_away_previous()?;
        let live = self.live_name()?;
        let mut staging = Vec::new();
        for (name, stat) in self.disk.list(&self.layout.trees())? {
            let Some(name) = name.to_str() else { continue };
            let place = self.layout.trees().join(name);
            if is_staging_name(name) {
                staging.push(place);
            } else if name == "probe" || name.ends_with(".next.json") {
                self.disk.remove_file(&place)?;
            } else if is_tree_name(name)
                && stat.kind == Kind::Folder
                && !self.manifests.contains_key(name)
                && live.as_deref() != Some(name)
            {
                staging.push(self.set_aside(&place)?);
            }
        }
        let mut staging = staging.into_iter();
        self.spare = staging.next().map(super::stage::Spare::unknown);
        self.rubbish.extend(staging);
        self.forget_manifests_without_tree(live.as_deref())
    }

    fn load_manifests(&mut self, entries: &[(std::ffi::OsString, Stat)]) -> Result<(), TreesError> {
        let mut manifests = BTreeMap::new();
        for (name, _) in entries {
            let Some(name) = name.to_str() else { continue };
            if let Some(number) = name.strip_prefix("staging-").and_then(|n| n.parse::<u64>().ok())
            {
                self.next_staging = self.next_staging.max(number.saturating_add(1));
            }
            let Some(name) = name.strip_suffix(".json").filter(|n| is_tree_name(n)) else {
                continue;
            };
            if let Some(manifest) = Manifest::read(&*self.disk, &self.layout, name)? {
                manifests.insert(name.to_owned(), manifest);
            }
        }
        self.manifests = manifests;
        Ok(())
    }

    /// Puts what publishing exchanged out of the live path where it belongs: a tree under its own
    /// name, a link of ours away, anything else aside.
    pub(super) fn put_away_previous(&mut self) -> Result<(), TreesError> {
        let next = self.layout.next_link();
        if let Some(stat) = self.disk.stat(&next)? {
            self.put_away(&next, &stat)?;
        }
        // The folder that the live link names is never moved, whatever its inode says.
        let shown = match self.disk.stat(self.layout.live())? {
            Some(stat) if stat.kind == Kind::Link => self.live_name()?,
            _ => None,
        };
        let is_shown = |name: &String| shown.as_ref() == Some(name);
        let mut names: Vec<String> = self.manifests.keys().cloned().collect();
        // It comes first, so that no other is taken for it.
        names.sort_by_key(|name| !is_shown(name));
        for name in names {
            let place = self.layout.tree(&name);
            let Some(stat) = self.disk.stat(&place)? else { continue };
            let is_folder = stat.kind == Kind::Folder;
            if is_folder && stat.inode == self.manifests[&name].folder.1 {
                continue;
            }
            let is_nobodys = is_folder && self.name_of_folder(&stat).is_none();
            if !is_shown(&name) && (!is_nobodys || self.shows_elsewhere(&name)?) {
                self.put_away(&place, &stat)?;
            } else if is_folder {
                // Restored from a backup: the same tree in a new inode.
                self.note_folder(&name, &stat)?;
            }
        }
        Ok(())
    }

    /// Writes down which folder a tree is. The inode of one that is gone may become another tree's,
    /// which would be taken for this.
    fn note_folder(&mut self, name: &str, stat: &Stat) -> Result<(), TreesError> {
        let Some(manifest) = self.manifests.get_mut(name) else { return Ok(()) };
        manifest.folder = (stat.device, stat.inode);
        Ok(manifest.write(&*self.disk, &self.layout)?)
    }

    /// Whether the live path itself is the folder of this tree, so that what has its name is not.
    fn shows_elsewhere(&self, name: &str) -> Result<bool, TreesError> {
        let folder = self.manifests[name].folder;
        let live = self.disk.stat(self.layout.live())?;
        Ok(live.is_some_and(|s| s.kind == Kind::Folder && s.inode == folder.1))
    }

    fn put_away(&mut self, place: &Path, stat: &Stat) -> Result<(), TreesError> {
        if stat.kind == Kind::Link {
            let target = self.disk.read_link(place)?;
            if self.layout.tree_of_target(&target).is_some() {
                return Ok(self.disk.remove_file(place)?);
            }
        }
        let to = match self.name_of_folder(stat).filter(|_| stat.kind == Kind::Folder) {
            Some(name) => self.layout.tree(&name),
            None => self.free_aside()?,
        };
        if let Some(other) = self.disk.stat(&to)? {
            // What stands there changed places too: it finds its own name in turn.
            let taken = self.set_aside(&to)?;
            self.disk.rename(place, &to)?;
            return match self.name_of_folder(&other) {
                Some(_) => self.put_away(&taken, &other),
                None => Ok(()),
            };
        }
        self.disk.rename(place, &to)?;
        self.disk.sync_folder(&self.layout.trees())?;
        Ok(self.disk.sync_folder(self.layout.parent())?)
    }

    fn forget_manifests_without_tree(&mut self, live: Option<&str>) -> Result<(), TreesError> {
        let names: Vec<String> = self.manifests.keys().cloned().collect();
        for name in names {
            if live != Some(&name) && self.disk.stat(&self.layout.tree(&name))?.is_none() {
                self.disk.remove_file(&self.layout.manifest(&name))?;
                self.manifests.remove(&name);
            }
        }
        Ok(())
    }

    /// Gives a folder a staging name, durably, before anything in it is changed.
    pub(super) fn set_aside(&mut self, folder: &Path) -> Result<PathBuf, TreesError> {
        let staging = self.layout.staging(self.next_staging);
        self.next_staging += 1;
        self.disk.rename(folder, &staging)?;
        self.disk.sync_folder(&self.layout.trees())?;
        Ok(staging)
    }

    /// The digest of what is in a folder, read whole. A decrypted file counts as the encrypted one
    /// that `seals` says it is.
    ///
    /// # Errors
    /// What the disk says.
    pub fn digest_on_disk(&self, folder: &Path, seals: &Seals) -> Result<Digest, TreesError> {
        self.digest_below(folder, seals, "")
    }

    fn digest_below(&self, folder: &Path, seals: &Seals, at: &str) -> Result<Digest, TreesError> {
        const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;
        let mut entries = Vec::new();
        for (name, stat) in self.disk.list(folder)? {
            let place = folder.join(&name);
            let mut name = name.as_bytes().to_vec();
            let path = format!("{at}{}", String::from_utf8_lossy(&name));
            let (mode, digest) = match stat.kind {
                Kind::Folder => (None, self.digest_below(&place, seals, &format!("{path}/"))?),
                Kind::Link => (Some(FileMode::Link), blob_digest(&self.disk.read_link(&place)?)),
                Kind::File | Kind::Other => {
                    let bytes = Zeroizing::new(self.disk.read(&place, FILE_BYTES_MAX)?);
                    let seal = seals.at(&path).filter(|seal| seals.fits(seal, &bytes));
                    if seal.is_some_and(|seal| seal.shown() != seal.path.as_str()) {
                        name.extend_from_slice(b".age");
                    }
                    let is_executable = stat.kind == Kind::File && stat.mode & 0o100 != 0;
                    let mode = if is_executable { FileMode::Executable } else { FileMode::Regular };
                    (Some(mode), seal.map_or_else(|| blob_digest(&bytes), |seal| seal.digest))
                }
            };
            entries.push((name, mode, digest));
        }
        let mut entries: Vec<_> = entries
            .iter()
            .map(|(name, mode, digest)| EntryDigest { name, mode: *mode, digest: *digest })
            .collect();
        Ok(tree_digest(&mut entries))
    }
}
