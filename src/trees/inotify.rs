use std::ffi::OsString;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;
use std::sync::Mutex;

use rustix::fs::inotify::{
    CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init, remove_watch,
};
use rustix::io::Errno;

use super::disk::{Tell, WatchId};

/// What the kernel tells of folders (inotify(7)).
///
/// It tells of names that come, go and change, and of files that are written through these names.
/// It is silent about writes through a memory map as long as that is open, through a hard link
/// made elsewhere, and by other machines: those are found by comparing.
#[derive(Debug)]
pub(super) struct Inotify {
    fd: OwnedFd,
    /// The kernel never tells the same twice: who reads takes it.
    reading: Mutex<()>,
}

/// Everything that could make a file or a name another one. Reads are not told.
const CHANGES: WatchFlags = WatchFlags::MODIFY
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::ONLYDIR)
    .union(WatchFlags::DONT_FOLLOW);

/// One read takes this much: some 200 events.
const BUFFER_BYTES: usize = 8 * 1024;

/// File systems whose changes are all made by this kernel, so that it can tell of them: ext4, xfs,
/// btrfs, tmpfs, f2fs, overlayfs, zfs, bcachefs (numbers from linux/magic.h and their own headers).
const LOCAL: [i128; 8] = [
    0xef53,
    0x5846_5342,
    0x9123_683e,
    0x0102_1994,
    0xf2f5_2010,
    0x794c_7630,
    0x2fc1_2fc1,
    0xca45_1a4e,
];

impl Inotify {
    /// `None` where the machine has none left (`fs.inotify.max_user_instances`).
    pub(super) fn new() -> Option<Self> {
        match init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK) {
            Ok(fd) => Some(Self { fd, reading: Mutex::new(()) }),
            Err(errno) => {
                tracing::info!(error = %errno, "the kernel will not tell of changes (fs.inotify.max_user_instances); trees are compared instead");
                None
            }
        }
    }

    /// Begins to tell of what changes in a folder; not below it.
    pub(super) fn watch(&self, folder: &Path) -> Option<WatchId> {
        if !is_local(folder) {
            return None;
        }
        add_watch(&self.fd, folder, CHANGES).ok().map(WatchId)
    }

    /// Stops.
    pub(super) fn unwatch(&self, watch: WatchId) {
        // That it went with its folder is what was wanted.
        let _gone = remove_watch(&self.fd, watch.0);
    }

    /// What was told since the last call.
    pub(super) fn told(&self) -> Vec<Tell> {
        let Ok(_reading) = self.reading.lock() else { return vec![Tell::Lost] };
        let mut buffer = [MaybeUninit::uninit(); BUFFER_BYTES];
        let mut reader = Reader::new(&self.fd, &mut buffer);
        let mut told = Vec::new();
        loop {
            match reader.next() {
                Ok(event) => told.push(tell(&event)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return told,
                Err(_) => {
                    told.push(Tell::Lost);
                    return told;
                }
            }
        }
    }
}

fn tell(event: &rustix::fs::inotify::Event<'_>) -> Tell {
    let flags = event.events();
    let watch = WatchId(event.wd());
    if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
        Tell::Lost
    } else if flags.intersects(ReadFlags::IGNORED | ReadFlags::UNMOUNT) {
        Tell::Gone(watch)
    } else {
        let name = event.file_name().map(|name| OsString::from_vec(name.to_bytes().to_vec()));
        Tell::Changed(watch, name)
    }
}

fn is_local(folder: &Path) -> bool {
    // The number's type, and whether it has a sign, differ between architectures.
    const NUMBER: i128 = 0xffff_ffff;
    rustix::fs::statfs(folder).is_ok_and(|stat| LOCAL.contains(&(i128::from(stat.f_type) & NUMBER)))
}
