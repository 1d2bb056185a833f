use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};

use git2::{ObjectType, Oid, Repository, RepositoryInitOptions};

use super::ObjectsError;
use super::ahead::{Expected, Kept};
use super::digests::Recalled;
use super::memory::Notes;
use crate::model::{FileMode, ObjectId, Revision};

/// The bare mirror. Cheap to open; opened for a pass that has work and closed after it.
pub struct Mirror {
    repository: Repository,
    path: PathBuf,
    /// Whether what is written stays in memory, and is gone with this handle.
    is_view: bool,
    /// What is to be remembered beside the objects.
    pub(super) notes: Notes,
    /// Files that were read already.
    pub(super) kept: Arc<Kept>,
    /// Sums that were recalled already.
    pub(super) recalled: Recalled,
    /// Trees that are going to be asked for.
    pub(super) expected: Expected,
}

/// One entry of a folder in the repository, as it stands there: nothing about it is trusted yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Item {
    /// The name's bytes.
    pub name: Vec<u8>,
    /// What is behind it.
    pub id: ObjectId,
    /// Folder, file or submodule.
    pub kind: ItemKind,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ItemKind {
    /// A tree.
    Folder,
    /// A blob.
    File(FileMode),
    /// A commit of another repository.
    Submodule,
}

/// What carries a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedKind {
    /// A commit.
    Commit,
    /// A tag that is an object of its own.
    Tag,
}

impl ItemKind {
    /// From git's mode. Group-writable files of old repositories count as regular.
    fn from_git(mode: i32) -> Self {
        match mode & 0o170_000 {
            0o040_000 => Self::Folder,
            0o120_000 => Self::File(FileMode::Link),
            0o160_000 => Self::Submodule,
            _ if mode & 0o111 != 0 => Self::File(FileMode::Executable),
            _ => Self::File(FileMode::Regular),
        }
    }

    const fn to_git(self) -> i32 {
        match self {
            Self::Folder => 0o040_000,
            Self::File(FileMode::Regular) => 0o100_644,
            Self::File(FileMode::Executable) => 0o100_755,
            Self::File(FileMode::Link) => 0o120_000,
            Self::Submodule => 0o160_000,
        }
    }
}

/// How much of a pack is mapped at a time, and of all packs together: what is mapped counts as memory
/// of ours. In bytes; libgit2 would map packs as a whole.
const PACK_WINDOW_BYTES: usize = 1 << 20;
pub(super) const PACK_WINDOWS_BYTES_MAX: usize = 3 << 20;
/// The largest list of entries that an open mirror remembers, in bytes: a root with thousands of entries
/// is asked for several times in a pass, and checked against its id each time that it is read.
pub(super) const TREE_KEPT_BYTES_MAX: usize = 256 << 10;
/// What open mirrors remember of such objects, all together, in bytes. It takes twice as much, since
/// libgit2 keeps the list of entries beside the bytes that it is made from.
const TREES_KEPT_BYTES_MAX: isize = 2 << 20;

/// Says how libgit2 is to work, once. It does not read the settings of git on this machine and of
/// whoever runs us: what is done with a repository depends on our own settings alone, and no file is
/// read for nothing. And it has bounds for what it takes of memory.
pub(crate) fn prepare_libgit2() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        #[expect(unsafe_code, reason = "libgit2 has no other way to be told")]
        // SAFETY: it sets global numbers, which are only read when a pack is. All that read packs
        // come through here first, and `Once` makes them wait for each other.
        let set = unsafe { set_bounds() };
        if let Err(error) = set {
            tracing::warn!(%error, "libgit2 goes by bounds of its own");
        }
        use git2::ConfigLevel::{Global, ProgramData, System, XDG};
        for level in [ProgramData, System, XDG, Global] {
            #[expect(unsafe_code, reason = "libgit2 has no other way to be told")]
            // SAFETY: it sets global paths, which are only read when a repository is opened. All
            // that open one come through here first, and `Once` makes them wait for each other.
            let set = unsafe { git2::opts::set_search_path(level, "") };
            if let Err(error) = set {
                tracing::warn!(%error, "libgit2 goes on reading the machine's git settings");
            }
        }
    });
}

/// # Safety
/// No pack may be read meanwhile, and no object be remembered.
#[expect(unsafe_code, reason = "they are global numbers of libgit2")]
unsafe fn set_bounds() -> Result<(), git2::Error> {
    // SAFETY: the caller's.
    unsafe {
        git2::opts::set_mwindow_size(PACK_WINDOW_BYTES)?;
        git2::opts::set_mwindow_mapped_limit(PACK_WINDOWS_BYTES_MAX)?;
        git2::opts::set_cache_object_limit(ObjectType::Tree, TREE_KEPT_BYTES_MAX)?;
        git2::opts::set_cache_max_size(TREES_KEPT_BYTES_MAX)
    }
}

impl Mirror {
    /// Opens the mirror at `path`, making an empty one where there is none.
    ///
    /// # Errors
    /// [`ObjectsError::Open`] when what is there is not a usable bare repository.
    pub fn open_or_create(path: &Path) -> Result<Self, ObjectsError> {
        prepare_libgit2();
        let open = |source| ObjectsError::Open { path: path.to_owned(), source };
        let repository = if path.join("HEAD").exists() {
            Repository::open_bare(path).map_err(open)?
        } else {
            let mut options = RepositoryInitOptions::new();
            options.bare(true).external_template(false).mkpath(true);
            Repository::init_opts(path, &options).map_err(open)?
        };
        Ok(Self {
            repository,
            path: path.to_owned(),
            is_view: false,
            notes: Notes::default(),
            kept: Arc::default(),
            recalled: Recalled::default(),
            expected: Expected::default(),
        })
    }

    /// Another handle on the mirror of this one, for another thread.
    ///
    /// # Errors
    /// [`ObjectsError::Open`].
    pub(super) fn beside(path: &Path, kept: &Arc<Kept>) -> Result<Self, ObjectsError> {
        Ok(Self { kept: Arc::clone(kept), ..Self::open_or_create(path)? })
    }

    /// Opens the mirror to look at it: what is written through this handle stays in memory, nothing
    /// is remembered beside, and the folder is as it was. `None` where there is no mirror yet.
    ///
    /// # Errors
    /// [`ObjectsError::Open`].
    pub fn open_view(path: &Path) -> Result<Option<Self>, ObjectsError> {
        /// In front of the store on disk, so that it is what is written to.
        const PRIORITY: std::ffi::c_int = 999;
        if !path.join("HEAD").exists() {
            return Ok(None);
        }
        let mirror = Self::open_or_create(path)?;
        let in_memory =
            mirror.repository.odb().and_then(|odb| odb.add_new_mempack_backend(PRIORITY).map(drop));
        in_memory.map_err(|source| ObjectsError::Open { path: path.to_owned(), source })?;
        Ok(Some(Self { is_view: true, ..mirror }))
    }

    /// Whether what is written stays in memory.
    pub(super) const fn is_view(&self) -> bool {
        self.is_view
    }

    /// libgit2's own handle, for the source room, which fills the store.
    #[must_use]
    pub const fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The mirror's folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The root tree of a commit.
    ///
    /// # Errors
    /// [`ObjectsError::Damaged`] when the commit is not there or not readable.
    pub fn commit_tree(&self, revision: &Revision) -> Result<ObjectId, ObjectsError> {
        let id = revision.id();
        let commit = self.repository.find_commit(oid(id)).map_err(damaged("commit", id))?;
        Ok(object_id(commit.tree_id()))
    }

    /// A commit's or a tag's bytes, as its id stands for them; `None`: they are more than `max`.
    ///
    /// # Errors
    /// [`ObjectsError::Damaged`].
    pub fn signed_object(
        &self,
        kind: SignedKind,
        id: ObjectId,
        max: u64,
    ) -> Result<Option<Vec<u8>>, ObjectsError> {
        let (what, kind) = match kind {
            SignedKind::Commit => ("commit", ObjectType::Commit),
            SignedKind::Tag => ("tag", ObjectType::Tag),
        };
        if self.size(what, kind, id)? > max {
            return Ok(None);
        }
        let odb = self.repository.odb().map_err(damaged(what, id))?;
        let object = odb.read(oid(id)).map_err(damaged(what, id))?;
        Ok(Some(object.data().to_vec()))
    }

    /// Whether the store has the whole of this object's own bytes (not what it points at).
    #[must_use]
    pub fn has(&self, id: ObjectId) -> bool {
        self.repository.odb().is_ok_and(|odb| odb.exists(oid(id)))
    }

    /// Whether an object is here and is something else than a commit.
    #[must_use]
    pub fn is_no_commit(&self, id: ObjectId) -> bool {
        let found = self.repository.find_object(oid(id), None);
        found.is_ok_and(|object| object.kind() != Some(git2::ObjectType::Commit))
    }

    /// The entries of a tree, in git's order.
    ///
    /// # Errors
    /// [`ObjectsError::Damaged`].
    pub fn items(&self, tree: ObjectId) -> Result<Vec<Item>, ObjectsError> {
        Ok(self.list(tree)?.iter().map(|entry| item(&entry)).collect())
    }

    /// The entry of a tree by its name. Trees whose entries are not in git's order may hide it.
    ///
    /// # Errors
    /// [`ObjectsError::Damaged`].
    pub fn item(&self, tree: ObjectId, name: &[u8]) -> Result<Option<Item>, ObjectsError> {
        Ok(item_named(&self.list(tree)?, name))
    }

    /// The entries of a tree that have one of these names. Trees whose entries are not in git's order
    /// may hide some.
    ///
    /// # Errors
    /// [`ObjectsError::Damaged`].
    pub fn items_named(
        &self,
        tree: ObjectId,
        names: &BTreeSet<&[u8]>,
    ) -> Result<Vec<Item>, ObjectsError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let list = self.list(tree)?;
        Ok(names.iter().filter_map(|name| item_named(&list, name)).collect())
    }

    /// A blob's bytes.
    ///
    /// # Errors
    /// [`ObjectsError::Damaged`].
    pub fn blob(&self, id: ObjectId) -> Result<Vec<u8>, ObjectsError> {
        self.with_blob(id, <[u8]>::to_vec)
    }

    /// What `read` makes of a blob's bytes, without a copy of them. Who goes through many files in a
    /// pass lets others have the processor before each that is read, so that answers do not wait for a
    /// sync; of those that are at hand there are not so many.
    ///
    /// # Errors
    /// [`ObjectsError::Damaged`].
    pub fn with_blob<T>(
        &self,
        id: ObjectId,
        read: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, ObjectsError> {
        if let Some(bytes) = self.kept.get(id) {
            return Ok(read(&bytes));
        }
        if !self.is_view() {
            std::thread::yield_now();
        }
        let blob = self.repository.find_blob(oid(id)).map_err(damaged("blob", id))?;
        Ok(read(blob.content()))
    }

    /// A blob's size in bytes, without reading it whole.
    ///
    /// # Errors
    /// [`ObjectsError::Damaged`].
    pub fn blob_size(&self, id: ObjectId) -> Result<u64, ObjectsError> {
        if let Some(bytes) = self.kept.get(id) {
            return Ok(bytes.len() as u64);
        }
        self.size("blob", ObjectType::Blob, id)
    }

    /// The size of a tree's list of entries in bytes, without reading it.
    ///
    /// # Errors
    /// [`ObjectsError::Damaged`].
    pub fn tree_size(&self, id: ObjectId) -> Result<u64, ObjectsError> {
        self.size("tree", ObjectType::Tree, id)
    }

    fn size(
        &self,
        what: &'static str,
        kind: ObjectType,
        id: ObjectId,
    ) -> Result<u64, ObjectsError> {
        let odb = self.repository.odb().map_err(damaged(what, id))?;
        let (size, found) = odb.read_header(oid(id)).map_err(damaged(what, id))?;
        if found != kind {
            return Err(damaged(what, id)(git2::Error::from_str("it is of another kind")));
        }
        Ok(size as u64)
    }

    /// Writes a blob.
    ///
    /// # Errors
    /// [`ObjectsError::Write`].
    pub fn write_blob(&self, bytes: &[u8]) -> Result<ObjectId, ObjectsError> {
        self.repository.blob(bytes).map(object_id).map_err(self.unwritten("blob"))
    }

    /// Writes a tree of entries in any order. An empty folder among them is left out.
    ///
    /// # Errors
    /// [`ObjectsError::Write`], also for a name that git refuses.
    pub fn write_tree(&self, items: &[Item]) -> Result<ObjectId, ObjectsError> {
        let write = self.unwritten("tree");
        let mut builder = self.repository.treebuilder(None).map_err(&write)?;
        for item in items {
            if item.kind == ItemKind::Folder && item.id == EMPTY_TREE {
                continue;
            }
            builder.insert(&item.name[..], oid(item.id), item.kind.to_git()).map_err(&write)?;
        }
        builder.write().map(object_id).map_err(&write)
    }

    pub(super) fn unwritten(
        &self,
        what: &'static str,
    ) -> impl Fn(git2::Error) -> ObjectsError + use<> {
        let path = self.path.clone();
        move |source| ObjectsError::Write { what, path: path.clone(), source }
    }
}

/// The tree without entries.
pub(crate) const EMPTY_TREE: ObjectId = ObjectId([
    0x4b, 0x82, 0x5d, 0xc6, 0x42, 0xcb, 0x6e, 0xb9, 0xa0, 0x60, 0xe5, 0x4b, 0xf8, 0xd6, 0x92, 0x88,
    0xfb, 0xee, 0x49, 0x04,
]);

pub(super) fn damaged(
    what: &'static str,
    id: ObjectId,
) -> impl FnOnce(git2::Error) -> ObjectsError {
    move |source| ObjectsError::Damaged { what, id, source }
}

/// The entry of a list that has this name.
fn item_named(list: &git2::Tree<'_>, name: &[u8]) -> Option<Item> {
    // git2 takes a NUL for a bug of ours; no entry has one.
    let entry = if name.contains(&0) { None } else { list.get_name_bytes(name) };
    entry.as_ref().map(item)
}

/// An entry of a list, by itself.
pub(super) fn item(entry: &git2::TreeEntry<'_>) -> Item {
    Item { name: entry.name_bytes().to_vec(), id: object_id(entry.id()), kind: kind_of(entry) }
}

/// What an entry of a list is.
pub(super) fn kind_of(entry: &git2::TreeEntry<'_>) -> ItemKind {
    ItemKind::from_git(entry.filemode_raw())
}

/// libgit2's form of an id.
pub(super) fn oid(id: ObjectId) -> Oid {
    // Oid::from_bytes fails only for another length than 20.
    Oid::from_bytes(&id.0).unwrap_or(Oid::ZERO_SHA1)
}

/// Our form of an id.
pub(super) fn object_id(oid: Oid) -> ObjectId {
    let mut id = [0; 20];
    id.copy_from_slice(oid.as_bytes());
    ObjectId(id)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An empty mirror, in a folder that is to be kept for as long.
    pub(in crate::objects) fn mirror() -> (tempfile::TempDir, Mirror) {
        let folder = tempfile::tempdir().unwrap();
        let mirror = Mirror::open_or_create(&folder.path().join("repo.git")).unwrap();
        (folder, mirror)
    }
}
