//! The mirror stays bounded: libgit2 has no `gc`, and every fetch adds a pack.
//!
//! As long as what was added is small beside the largest pack, small packs become one, whatever is
//! in them: that costs what was added since the last time, not what there is. When it is not, what is
//! needed is packed anew beside, made durable, and only then does the rest go. A crash in between
//! leaves too much, never too little.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use git2::{ErrorCode, ObjectType, Odb, Oid, PackBuilder, Repository};
use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::mirror::oid;
use super::{Indexing, Mirror, ObjectsError};
use crate::model::{ObjectId, Revision};

/// Nothing is dropped while the others together are smaller than the largest pack by this factor.
const LARGEST_FACTOR: u64 = 2;
/// A pack is not joined with smaller ones that together are smaller by this factor.
const JOINED_FACTOR: u64 = 2;

/// A pack by its files' common path, and its size in bytes.
struct Pack {
    stem: PathBuf,
    bytes: u64,
}

impl Mirror {
    /// Packs in the mirror.
    ///
    /// # Errors
    /// [`ObjectsError::File`] when its folder cannot be read.
    pub fn pack_count(&self) -> Result<u64, ObjectsError> {
        self.packs().map(|packs| packs.len() as u64)
    }

    /// Makes few packs of many, so that what these commits and trees need stays, and clears away
    /// the locks and unfinished packs that a crash left. What nobody needs goes when it could be
    /// much. Objects that are not there are not missed here: the mirror is a cache, and whoever needs
    /// one notices.
    ///
    /// # Errors
    /// [`ObjectsError`]; nothing has been dropped then.
    pub fn repack(&self, commits: &[Revision], trees: &[ObjectId]) -> Result<(), ObjectsError> {
        let (mut packs, loose) = (self.packs()?, self.loose()?);
        let name = if is_dominated(&packs) {
            packs = small(packs);
            self.join(&packs, &loose)?
        } else {
            let (name, needed) = self.pack(commits, trees)?;
            // first, since a memory of what is dropped would be a tree with holes
            self.forget_except(&|id| needed.contains(&oid(id)))?;
            name
        };
        let is_new = |pack: &Pack| name.as_deref().is_some_and(|name| pack.stem.ends_with(name));
        for pack in packs.iter().filter(|pack| !is_new(pack)) {
            // the index goes first: without it the pack is not looked at
            for kind in ["idx", "rev", "bitmap", "mtimes", "keep", "pack"] {
                remove(&pack.stem.with_extension(kind))?;
            }
        }
        for file in &loose {
            remove(file)?;
        }
        self.clear()?;
        self.odb()?.refresh().map_err(|source| self.unpacked(source))
    }

    /// Puts an empty mirror in the place of the damaged one at `path`, in one step, and then drops
    /// the damaged one.
    ///
    /// # Errors
    /// [`ObjectsError`]; what is at `path` is then as it was.
    pub fn rebuild_beside(path: &Path) -> Result<(), ObjectsError> {
        let (new, old) = (path.with_extension("git.new"), path.with_extension("git.damaged"));
        for left in [&new, &old] {
            discard(left)?;
        }
        drop(Self::open_or_create(&new)?);
        let file = |operation, path: &Path| {
            let path = path.to_owned();
            move |source: io::Error| ObjectsError::File { operation, path, source }
        };
        let moved = match renameat_with(CWD, &new, CWD, path, RenameFlags::EXCHANGE) {
            Ok(()) => fs::rename(&new, &old),
            // there was none
            Err(rustix::io::Errno::NOENT) => fs::rename(&new, path),
            // a file system that cannot exchange; a mirror that is not there is made anew
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
                fs::rename(path, &old).and_then(|()| fs::rename(&new, path))
            }
            Err(error) => Err(error.into()),
        };
        moved.map_err(file("replace", path))?;
        discard(&old)
    }

    fn odb(&self) -> Result<Odb<'_>, ObjectsError> {
        self.repository().odb().map_err(|source| self.unpacked(source))
    }

    fn unpacked(&self, source: git2::Error) -> ObjectsError {
        ObjectsError::Write { what: "pack", path: self.path().to_owned(), source }
    }

    fn pack_folder(&self) -> PathBuf {
        self.path().join("objects/pack")
    }

    fn packs(&self) -> Result<Vec<Pack>, ObjectsError> {
        let mut packs = Vec::new();
        for path in files(&self.pack_folder())? {
            // Without an index it is what a crash left of one that was removed.
            let is_pack = path.extension() == Some(OsStr::new("pack"));
            if is_pack && path.with_extension("idx").exists() {
                let bytes = fs::metadata(&path).map_or(0, |it| it.len());
                packs.push(Pack { stem: path.with_extension(""), bytes });
            }
        }
        Ok(packs)
    }

    /// The files of the objects that are in no pack.
    fn loose(&self) -> Result<Vec<PathBuf>, ObjectsError> {
        let mut loose = Vec::new();
        for folder in files(&self.path().join("objects"))? {
            let name = folder.file_name().and_then(OsStr::to_str).unwrap_or_default();
            if name.len() == 2 && name.bytes().all(|b| b.is_ascii_hexdigit()) {
                loose.extend(files(&folder)?);
            }
        }
        Ok(loose)
    }

    /// Writes a pack of all that these packs and loose files have; gives its name, if there is any.
    fn join(&self, packs: &[Pack], loose: &[PathBuf]) -> Result<Option<String>, ObjectsError> {
        let failed = |source| self.unpacked(source);
        let mut ids: Vec<Oid> = loose.iter().filter_map(|file| loose_id(file)).collect();
        for pack in packs {
            let path = pack.stem.with_extension("idx");
            let read = fs::read(&path);
            let index =
                read.map_err(|source| ObjectsError::File { operation: "read", path, source })?;
            let here = packed_ids(&index)
                .ok_or_else(|| failed(git2::Error::from_str("a pack's index is damaged")))?;
            ids.extend(here);
        }
        let mut builder = self.repository().packbuilder().map_err(failed)?;
        for id in ids {
            builder.insert_object(id, None).map_err(failed)?;
        }
        self.write(builder)
    }

    /// Writes a pack of what is to be kept; gives its name, if there is any, and all that is to be
    /// kept.
    fn pack(
        &self,
        commits: &[Revision],
        trees: &[ObjectId],
    ) -> Result<(Option<String>, HashSet<Oid>), ObjectsError> {
        let failed = |source| self.unpacked(source);
        let repository = self.repository();
        let builder = repository.packbuilder().map_err(failed)?;
        let mut keep = Keep { repository, builder, seen: HashSet::new() };
        for commit in commits {
            keep.commit(oid(commit.id())).map_err(failed)?;
        }
        for tree in trees {
            keep.tree(oid(*tree)).map_err(failed)?;
        }
        let Keep { builder, seen, .. } = keep;
        Ok((self.write(builder)?, seen))
    }

    /// Writes a pack, durably; gives its name, if anything is in it.
    fn write(&self, mut builder: PackBuilder<'_>) -> Result<Option<String>, ObjectsError> {
        let failed = |source| self.unpacked(source);
        if builder.object_count() == 0 {
            return Ok(None);
        }
        let alone = Indexing::begin();
        builder.write(&self.pack_folder(), 0).map_err(failed)?;
        drop(alone);
        let name = builder.name().map_err(failed)?.unwrap_or_default();
        let name = format!("pack-{name}");
        for kind in ["pack", "idx"] {
            let path = self.pack_folder().join(format!("{name}.{kind}"));
            File::open(&path)
                .and_then(|file| file.sync_all())
                .map_err(|source| ObjectsError::File { operation: "sync", path, source })?;
        }
        Ok(Some(name))
    }

    /// Drops what a crash left: locks, and packs that were never finished, or not removed to the end.
    fn clear(&self) -> Result<(), ObjectsError> {
        for folder in [self.path().to_owned(), self.path().join("objects"), self.pack_folder()] {
            for path in files(&folder)? {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let lacks = |other: &str| !path.with_extension(other).exists();
                let orphan = (name.ends_with(".idx") && lacks("pack"))
                    || (name.ends_with(".pack") && lacks("idx"));
                let unfinished = ["pack_", "tmp_", "beside-"].iter().any(|it| name.starts_with(it));
                if orphan || unfinished || name.ends_with(".lock") {
                    discard(&path)?;
                }
            }
        }
        Ok(())
    }
}

/// Whether all others together are small beside the largest pack.
fn is_dominated(packs: &[Pack]) -> bool {
    let all: u64 = packs.iter().map(|pack| pack.bytes).sum();
    let largest = packs.iter().map(|pack| pack.bytes).max().unwrap_or_default();
    packs.len() > 1 && (all - largest).saturating_mul(LARGEST_FACTOR) < largest
}

/// The packs that are to become one: the smallest, up to one that all before it are small beside.
fn small(mut packs: Vec<Pack>) -> Vec<Pack> {
    packs.sort_by_key(|pack| pack.bytes);
    let mut before: u64 = 0;
    let joined = packs.iter().enumerate().take_while(|(at, pack)| {
        let is_small = *at == 0 || pack.bytes < before.saturating_mul(JOINED_FACTOR);
        before += pack.bytes;
        is_small
    });
    let joined = joined.count();
    packs.truncate(joined);
    packs
}

/// The id of an object that is in no pack: its folder's name and its own.
fn loose_id(file: &Path) -> Option<Oid> {
    let folder = file.parent()?.file_name()?.to_str()?;
    Oid::from_str(&format!("{folder}{}", file.file_name()?.to_str()?)).ok()
}

/// The ids in the index of a pack, version 2: after 8 bytes of head and 256 growing counts of four
/// bytes (gitformat-pack(5)).
fn packed_ids(index: &[u8]) -> Option<impl Iterator<Item = Oid>> {
    const HEAD: &[u8] = b"\xfftOc\0\0\0\x02";
    const COUNTS_BYTES: usize = 256 * 4;
    let (counts, ids) = index.strip_prefix(HEAD)?.split_at_checked(COUNTS_BYTES)?;
    let count = u32::from_be_bytes(*counts.last_chunk()?) as usize;
    let ids = ids.get(..count.checked_mul(20)?)?;
    Some(ids.as_chunks::<20>().0.iter().filter_map(|id| Oid::from_bytes(id).ok()))
}

/// Collects what is to be kept.
struct Keep<'r> {
    repository: &'r Repository,
    builder: PackBuilder<'r>,
    seen: HashSet<Oid>,
}

impl Keep<'_> {
    fn object(&mut self, id: Oid) -> Result<(), git2::Error> {
        match self.builder.insert_object(id, None) {
            Err(error) if error.code() == ErrorCode::NotFound => Ok(()),
            result => result,
        }
    }

    fn commit(&mut self, id: Oid) -> Result<(), git2::Error> {
        let Ok(commit) = self.repository.find_commit(id) else { return Ok(()) };
        self.object(id)?;
        self.tree(commit.tree_id())
    }

    fn tree(&mut self, root: Oid) -> Result<(), git2::Error> {
        let mut next = vec![root];
        while let Some(id) = next.pop() {
            if !self.seen.insert(id) {
                continue;
            }
            let Ok(tree) = self.repository.find_tree(id) else { continue };
            self.object(id)?;
            for entry in &tree {
                match entry.kind() {
                    Some(ObjectType::Tree) => next.push(entry.id()),
                    Some(ObjectType::Commit) => {}
                    _ if self.seen.insert(entry.id()) => self.object(entry.id())?,
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, ObjectsError> {
    let read = || fs::read_dir(folder)?.map(|entry| entry.map(|it| it.path())).collect();
    let read: io::Result<Vec<PathBuf>> = read();
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read.map_err(|source| ObjectsError::File {
            operation: "read",
            path: folder.to_owned(),
            source,
        }),
    }
}

fn remove(path: &Path) -> Result<(), ObjectsError> {
    gone(fs::remove_file(path), path)
}

/// Removes a file, or a folder and all in it.
fn discard(path: &Path) -> Result<(), ObjectsError> {
    let is_folder = fs::symlink_metadata(path).is_ok_and(|it| it.is_dir());
    gone(if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) }, path)
}

fn gone(removed: io::Result<()>, path: &Path) -> Result<(), ObjectsError> {
    match removed {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(ObjectsError::File { operation: "remove", path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
