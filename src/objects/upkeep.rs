//! The mirror stays bounded: libgit2 has no `gc`, and every fetch adds a pack.
//!
//! What is kept is packed anew beside, made durable and looked at, and only then does the rest go.
//! A crash in between leaves too much, never too little. The largest pack is left as it is while
//! the others are small beside it, so that upkeep costs what was added since, not what there is.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use git2::{ErrorCode, ObjectType, Odb, Oid, PackBuilder, Repository};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use tempfile::TempDir;

use super::mirror::oid;
use super::{Mirror, ObjectsError};
use crate::model::{ObjectId, Revision};

/// The largest pack is kept as it is while the others together are smaller by this factor.
const KEPT_FACTOR: u64 = 2;

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

    /// Packs anew what these commits and trees need, and drops the rest, with the locks and
    /// unfinished packs that a crash left. Objects that are not there are not missed here: the
    /// mirror is a cache, and whoever needs one notices.
    ///
    /// # Errors
    /// [`ObjectsError`]; nothing has been dropped then.
    pub fn repack(&self, commits: &[Revision], trees: &[ObjectId]) -> Result<(), ObjectsError> {
        let (mut packs, loose) = (self.packs()?, self.loose()?);
        let base = kept(&mut packs);
        let (name, needed) = self.pack(base.as_ref(), commits, trees)?;
        // first, since a memory of what is dropped would be a tree with holes
        self.forget_except(&|id| needed.contains(&oid(id)))?;
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
            if path.extension() == Some(OsStr::new("pack")) {
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

    /// Writes a pack of what is to be kept and is not in `base`; gives its name, if there is any,
    /// and all that is to be kept.
    fn pack(
        &self,
        base: Option<&Pack>,
        commits: &[Revision],
        trees: &[ObjectId],
    ) -> Result<(Option<String>, HashSet<Oid>), ObjectsError> {
        let failed = |source| self.unpacked(source);
        let repository = self.repository();
        let beside = base.map(|base| Beside::of(self.path(), base)).transpose()?;
        let known = beside.as_ref().map(|it| it.odb().map_err(failed)).transpose()?;
        let builder = repository.packbuilder().map_err(failed)?;
        let mut keep = Keep { repository, known, builder, seen: HashSet::new() };
        for commit in commits {
            keep.commit(oid(commit.id())).map_err(failed)?;
        }
        for tree in trees {
            keep.tree(oid(*tree)).map_err(failed)?;
        }
        let Keep { mut builder, seen, .. } = keep;
        if builder.object_count() == 0 {
            return Ok((None, seen));
        }
        builder.write(&self.pack_folder(), 0).map_err(failed)?;
        let name = builder.name().map_err(failed)?.unwrap_or_default();
        let name = format!("pack-{name}");
        for kind in ["pack", "idx"] {
            let path = self.pack_folder().join(format!("{name}.{kind}"));
            File::open(&path)
                .and_then(|file| file.sync_all())
                .map_err(|source| ObjectsError::File { operation: "sync", path, source })?;
        }
        Ok((Some(name), seen))
    }

    /// Drops what a crash left: locks, and packs that were never finished.
    fn clear(&self) -> Result<(), ObjectsError> {
        for folder in [self.path().to_owned(), self.path().join("objects"), self.pack_folder()] {
            for path in files(&folder)? {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let orphan = name.ends_with(".idx") && !path.with_extension("pack").exists();
                let unfinished = ["pack_", "tmp_", "beside-"].iter().any(|it| name.starts_with(it));
                if orphan || unfinished || name.ends_with(".lock") {
                    discard(&path)?;
                }
            }
        }
        Ok(())
    }
}

/// Takes the pack that stays as it is out of `packs`, if there is one so large.
fn kept(packs: &mut Vec<Pack>) -> Option<Pack> {
    let all: u64 = packs.iter().map(|pack| pack.bytes).sum();
    let (at, largest) = packs.iter().enumerate().max_by_key(|(_, pack)| pack.bytes)?;
    let others = all - largest.bytes;
    (packs.len() > 1 && others.saturating_mul(KEPT_FACTOR) < largest.bytes)
        .then(|| packs.swap_remove(at))
}

/// One pack alone, in an object store of its own, to see what is in it.
struct Beside(TempDir);

impl Beside {
    fn of(mirror: &Path, pack: &Pack) -> Result<Self, ObjectsError> {
        let link = || {
            let folder = tempfile::Builder::new().prefix("beside-").tempdir_in(mirror)?;
            let packs = folder.path().join("pack");
            fs::create_dir(&packs)?;
            for kind in ["pack", "idx"] {
                let file = pack.stem.with_extension(kind);
                let name = file.file_name().unwrap_or_default();
                symlink(std::path::absolute(&file)?, packs.join(name))?;
            }
            Ok(Self(folder))
        };
        link().map_err(|source| ObjectsError::File {
            operation: "link the largest pack of",
            path: mirror.to_owned(),
            source,
        })
    }

    fn odb(&self) -> Result<Odb<'static>, git2::Error> {
        let odb = Odb::new()?;
        odb.add_disk_alternate(&self.0.path().to_string_lossy())?;
        Ok(odb)
    }
}

/// Collects what is to be kept.
struct Keep<'r> {
    repository: &'r Repository,
    known: Option<Odb<'static>>,
    builder: PackBuilder<'r>,
    seen: HashSet<Oid>,
}

impl Keep<'_> {
    fn object(&mut self, id: Oid) -> Result<(), git2::Error> {
        if self.known.as_ref().is_some_and(|known| known.exists(id)) {
            return Ok(());
        }
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
