use std::ffi::{OsStr, OsString};
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, RenameFlags, Timespec, Timestamps, Uid, fchmod,
    fchown, fsync, futimens, linkat, mkdirat, open, readlinkat, renameat, renameat_with, statat,
    symlinkat, syncfs, unlinkat,
};
use rustix::time::{ClockId, clock_gettime};

use super::disk::{Attributes, Disk, DiskError, Kind, Stat, Tell, WatchId};
use super::inotify::Inotify;
use crate::parts;

/// Files that are made durable at once, at most.
const SYNCS_MAX: usize = 8;
/// Files that one thread makes durable, at least: starting it takes some time too.
const SYNCS_EACH_MIN: usize = 4;

/// The machine's own file systems.
#[derive(Debug, Default)]
pub struct RealDisk {
    /// Made when the first folder is watched.
    inotify: OnceLock<Option<Inotify>>,
}

fn failed(verb: &'static str, path: &Path) -> impl Fn(rustix::io::Errno) -> DiskError {
    let path = path.to_owned();
    move |errno| DiskError { verb, path: path.clone(), source: errno.into() }
}

fn failed_io(verb: &'static str, path: &Path) -> impl Fn(io::Error) -> DiskError {
    let path = path.to_owned();
    move |source| DiskError { verb, path: path.clone(), source }
}

fn mode_of(bits: u32) -> Mode {
    Mode::from_bits_truncate(bits)
}

fn give(fd: &OwnedFd, attributes: &Attributes) -> Result<(), rustix::io::Errno> {
    if attributes.uid.is_some() || attributes.gid.is_some() {
        fchown(fd, attributes.uid.map(Uid::from_raw), attributes.gid.map(Gid::from_raw))?;
    }
    // After fchown, which clears bits; and not left to the umask.
    fchmod(fd, mode_of(attributes.mode))
}

fn read_only(path: &Path, verb: &'static str, flags: OFlags) -> Result<OwnedFd, DiskError> {
    let flags = flags | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    open(path, flags, Mode::empty()).map_err(failed(verb, path))
}

fn stat_of(stat: &rustix::fs::Stat) -> Stat {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Folder,
        FileType::Symlink => Kind::Link,
        _ => Kind::Other,
    };
    Stat {
        kind,
        device: stat.st_dev,
        inode: stat.st_ino,
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        size: u64::try_from(stat.st_size).unwrap_or(0),
        mtime_nanos: u32::try_from(stat.st_mtime_nsec).unwrap_or(0),
        ctime: i128::from(stat.st_ctime) * 1_000_000_000 + i128::from(stat.st_ctime_nsec),
    }
}

impl Disk for RealDisk {
    fn make_folder(&self, path: &Path, attributes: &Attributes) -> Result<(), DiskError> {
        let error = failed("make the folder", path);
        mkdirat(CWD, path, Mode::RWXU).map_err(&error)?;
        self.set_attributes(path, attributes)
    }

    fn write_file(
        &self,
        path: &Path,
        bytes: &[u8],
        attributes: &Attributes,
    ) -> Result<(), DiskError> {
        let error = failed("write", path);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let fd = open(path, flags | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR).map_err(&error)?;
        let mut file = std::fs::File::from(fd);
        file.write_all(bytes).map_err(failed_io("write", path))?;
        let fd = OwnedFd::from(file);
        give(&fd, attributes).map_err(&error)?;
        let Some((tv_sec, nanos)) = attributes.mtime else { return Ok(()) };
        let moment = Timespec { tv_sec, tv_nsec: i64::from(nanos) };
        futimens(&fd, &Timestamps { last_access: moment, last_modification: moment })
            .map_err(&error)
    }

    fn make_link(&self, path: &Path, target: &[u8]) -> Result<(), DiskError> {
        symlinkat(OsStr::from_bytes(target), CWD, path).map_err(failed("make the link", path))
    }

    fn share(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        linkat(CWD, from, CWD, to, AtFlags::empty()).map_err(failed("share a file with", to))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        renameat(CWD, from, CWD, to).map_err(failed("rename to", to))
    }

    fn exchange(&self, a: &Path, b: &Path) -> Result<(), DiskError> {
        renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE).map_err(failed("exchange", b))
    }

    fn remove_file(&self, path: &Path) -> Result<(), DiskError> {
        unlinkat(CWD, path, AtFlags::empty()).map_err(failed("remove", path))
    }

    fn remove_folder(&self, path: &Path) -> Result<(), DiskError> {
        unlinkat(CWD, path, AtFlags::REMOVEDIR).map_err(failed("remove the folder", path))
    }

    fn set_attributes(&self, path: &Path, attributes: &Attributes) -> Result<(), DiskError> {
        let fd = read_only(path, "set the mode of", OFlags::empty())?;
        give(&fd, attributes).map_err(failed("set the mode of", path))
    }

    fn sync_file(&self, path: &Path) -> Result<(), DiskError> {
        let fd = read_only(path, "make durable", OFlags::empty())?;
        fsync(&fd).map_err(failed("make durable", path))
    }

    /// At once: a disk does several in the time of one, and a file system writes its journal once for
    /// all that wait for it.
    fn sync_files(&self, paths: &[PathBuf]) -> Result<(), DiskError> {
        let threads = (paths.len() / SYNCS_EACH_MIN).clamp(1, SYNCS_MAX);
        let sync = |paths: &[PathBuf]| paths.iter().try_for_each(|path| self.sync_file(path));
        parts::share_out(paths, threads, sync, sync).into_iter().collect()
    }

    fn sync_folder(&self, path: &Path) -> Result<(), DiskError> {
        let fd = read_only(path, "make durable", OFlags::DIRECTORY)?;
        fsync(&fd).map_err(failed("make durable", path))
    }

    fn sync_volume(&self, path: &Path) -> Result<(), DiskError> {
        let fd = read_only(path, "make durable the volume of", OFlags::DIRECTORY)?;
        syncfs(&fd).map_err(failed("make durable the volume of", path))
    }

    fn stat(&self, path: &Path) -> Result<Option<Stat>, DiskError> {
        match statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat_of(&stat))),
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => Ok(None),
            Err(errno) => Err(failed("look at", path)(errno)),
        }
    }

    fn list(&self, path: &Path) -> Result<Vec<(OsString, Stat)>, DiskError> {
        let error = failed("list", path);
        let fd = read_only(path, "list", OFlags::DIRECTORY)?;
        let mut entries = Vec::new();
        for entry in Dir::read_from(&fd).map_err(&error)? {
            let entry = entry.map_err(&error)?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            match statat(&fd, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => {
                    entries.push((OsString::from_vec(name.to_bytes().to_vec()), stat_of(&stat)));
                }
                // It went away while we looked.
                Err(rustix::io::Errno::NOENT) => {}
                Err(errno) => return Err(error(errno)),
            }
        }
        Ok(entries)
    }

    fn read(&self, path: &Path, max: u64) -> Result<Vec<u8>, DiskError> {
        let error = failed_io("read", path);
        let file = std::fs::File::from(read_only(path, "read", OFlags::empty())?);
        let metadata = file.metadata().map_err(&error)?;
        if !metadata.is_file() {
            return Err(error(io::Error::new(io::ErrorKind::InvalidInput, "no regular file")));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(metadata.len().min(max)).unwrap_or(0));
        file.take(max.saturating_add(1)).read_to_end(&mut bytes).map_err(&error)?;
        if bytes.len() as u64 > max {
            return Err(error(io::Error::new(io::ErrorKind::FileTooLarge, "it is too large")));
        }
        Ok(bytes)
    }

    fn read_link(&self, path: &Path) -> Result<Vec<u8>, DiskError> {
        readlinkat(CWD, path, Vec::new())
            .map(std::ffi::CString::into_bytes)
            .map_err(failed("read the link", path))
    }

    fn now(&self) -> i128 {
        let time = clock_gettime(ClockId::RealtimeCoarse);
        i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
    }

    fn watch(&self, folder: &Path) -> Option<WatchId> {
        self.inotify.get_or_init(Inotify::new).as_ref()?.watch(folder)
    }

    fn unwatch(&self, watch: WatchId) {
        if let Some(Some(inotify)) = self.inotify.get() {
            inotify.unwatch(watch);
        }
    }

    fn told(&self) -> Vec<Tell> {
        self.inotify.get().and_then(Option::as_ref).map_or_else(Vec::new, Inotify::told)
    }
}
