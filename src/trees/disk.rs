use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// What a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A socket, a device, a pipe.
    Other,
}

/// What the file system says of a path itself (links are not followed).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// What it is.
    pub kind: Kind,
    /// The volume.
    pub device: u64,
    /// The inode on it.
    pub inode: u64,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes.
    pub size: u64,
    /// Nanoseconds of the second in which the content changed last.
    pub mtime_nanos: u32,
    /// When the inode changed last, in nanoseconds since the epoch.
    pub ctime: i128,
}

/// What a new file or folder is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// Permission bits.
    pub mode: u32,
    /// Owner; `None`: ours.
    pub uid: Option<u32>,
    /// Group; `None`: ours.
    pub gid: Option<u32>,
    /// Modification time, seconds and nanoseconds since the epoch; `None`: when it is written.
    pub mtime: Option<(i64, u32)>,
}

/// A watched folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WatchId(pub i32);

/// What is told of watched folders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tell {
    /// Something about a name in the folder changed, or about the folder itself (`None`).
    Changed(WatchId, Option<OsString>),
    /// The folder is gone, and will not be told of any more.
    Gone(WatchId),
    /// Some of what changed was not told: nothing is known any more.
    Lost,
}

/// A disk verb that failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {verb} {}{}", path.display(), advice(source))]
pub struct DiskError {
    /// What was tried: `write`, `rename` …
    pub verb: &'static str,
    /// On which path.
    pub path: PathBuf,
    /// What the system says.
    #[source]
    pub source: io::Error,
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull => " (the volume is full: free some space there)",
        io::ErrorKind::QuotaExceeded => " (the quota is used up: free some space there)",
        io::ErrorKind::ReadOnlyFilesystem => " (the volume is read-only: mount it writable)",
        io::ErrorKind::PermissionDenied => " (no right to: run as the owner of that folder)",
        _ => "",
    }
}

/// Everything that is done to the live volume, in verbs small enough that power can be cut between
/// any two of them. One of the three traits whose implementation a test replaces.
///
/// Nothing is durable before the matching `sync_…`; no verb follows a link in its last name.
pub trait Disk: Send + Sync {
    /// Makes a folder; it must not be there.
    ///
    /// # Errors
    /// What the system says, as for every verb here.
    fn make_folder(&self, path: &Path, attributes: &Attributes) -> Result<(), DiskError>;
    /// Makes a file with these bytes; it must not be there.
    ///
    /// # Errors
    /// What the system says.
    fn write_file(
        &self,
        path: &Path,
        bytes: &[u8],
        attributes: &Attributes,
    ) -> Result<(), DiskError>;
    /// Makes a symbolic link; it must not be there.
    ///
    /// # Errors
    /// What the system says.
    fn make_link(&self, path: &Path, target: &[u8]) -> Result<(), DiskError>;
    /// Gives a file a second name (a hard link); the name must not be there.
    ///
    /// # Errors
    /// What the system says.
    fn share(&self, from: &Path, to: &Path) -> Result<(), DiskError>;
    /// Renames, replacing what has the new name.
    ///
    /// # Errors
    /// What the system says.
    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError>;
    /// Lets two paths change places in one step (`RENAME_EXCHANGE`).
    ///
    /// # Errors
    /// What the system says.
    fn exchange(&self, a: &Path, b: &Path) -> Result<(), DiskError>;
    /// Removes a file or a link.
    ///
    /// # Errors
    /// What the system says.
    fn remove_file(&self, path: &Path) -> Result<(), DiskError>;
    /// Removes an empty folder.
    ///
    /// # Errors
    /// What the system says.
    fn remove_folder(&self, path: &Path) -> Result<(), DiskError>;
    /// Sets a folder's permission bits and owner.
    ///
    /// # Errors
    /// What the system says.
    fn set_attributes(&self, path: &Path, attributes: &Attributes) -> Result<(), DiskError>;
    /// Makes a file's bytes durable.
    ///
    /// # Errors
    /// What the system says; never to be tried again blindly, since the bytes may be gone.
    fn sync_file(&self, path: &Path) -> Result<(), DiskError>;
    /// Makes many files' bytes durable.
    ///
    /// # Errors
    /// As for one; then it is not known of any whether it is durable.
    fn sync_files(&self, paths: &[PathBuf]) -> Result<(), DiskError> {
        paths.iter().try_for_each(|path| self.sync_file(path))
    }
    /// Makes a folder's names durable.
    ///
    /// # Errors
    /// What the system says.
    fn sync_folder(&self, path: &Path) -> Result<(), DiskError>;
    /// Makes everything on the volume that holds `path` durable.
    ///
    /// # Errors
    /// What the system says.
    fn sync_volume(&self, path: &Path) -> Result<(), DiskError>;

    /// What is at a path; `None` when nothing is.
    ///
    /// # Errors
    /// What the system says.
    fn stat(&self, path: &Path) -> Result<Option<Stat>, DiskError>;
    /// The names in a folder, each with what it is, in no order.
    ///
    /// # Errors
    /// What the system says.
    fn list(&self, path: &Path) -> Result<Vec<(OsString, Stat)>, DiskError>;
    /// A regular file's bytes, at most `max` of them.
    ///
    /// # Errors
    /// What the system says; also when it is larger, or no regular file.
    fn read(&self, path: &Path, max: u64) -> Result<Vec<u8>, DiskError>;
    /// A link's target.
    ///
    /// # Errors
    /// What the system says.
    fn read_link(&self, path: &Path) -> Result<Vec<u8>, DiskError>;
    /// The time that the volume would give a change made now, in nanoseconds since the epoch.
    fn now(&self) -> i128;

    /// Begins to tell of what changes in a folder (not below it), by whomever. `None` where that
    /// cannot be had: then who wants to know compares.
    fn watch(&self, folder: &Path) -> Option<WatchId>;
    /// Stops telling of a folder.
    fn unwatch(&self, watch: WatchId);
    /// What was told since the last call, in order.
    fn told(&self) -> Vec<Tell>;
}
