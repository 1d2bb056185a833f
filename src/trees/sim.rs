//! A disk that forgets: what was not made durable is gone, kept or torn when its power is cut.
//!
//! The assumptions are those of `docs/recovery.md`: a rename or an exchange is one step, also over
//! two folders; a name is durable once a folder that the step touched is synced; a file's bytes are
//! durable once the file or the volume is.

mod bugs;
mod verbs;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

pub(crate) use bugs::Bug;
use bugs::{PutOff, Wrong};

use super::disk::{Attributes, Disk, DiskError, Kind, Stat, Tell, WatchId};

/// What a power cut does to what was not durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsynced {
    /// It is gone.
    Dropped,
    /// It is there all the same.
    Kept,
    /// Of every two steps one is there, and of every file the first half.
    Torn,
}

/// What happens at a verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The process ends in front of it.
    PowerCut,
    /// It fails with this error of the system, and those behind it do not.
    Error(Errno),
}

/// What a process that lost its power panics with.
pub(crate) struct PowerIsOut;

#[derive(Clone, Debug)]
enum Content {
    File { bytes: Vec<u8>, durable: Option<Vec<u8>> },
    Folder { names: BTreeMap<OsString, u64>, durable: BTreeMap<OsString, u64> },
    Link(Vec<u8>),
}

#[derive(Clone, Debug)]
struct Inode {
    content: Content,
    mode: u32,
    mtime_nanos: u32,
    ctime: i128,
}

/// One atomic step on names: which folder, which name, which inode from then on.
type Step = Vec<(u64, OsString, Option<u64>)>;

#[derive(Debug)]
struct State {
    inodes: BTreeMap<u64, Inode>,
    next_inode: u64,
    pending: Vec<Step>,
    clock: i128,
    verbs: Vec<&'static str>,
    fault: Option<(usize, Fault)>,
    watched: BTreeSet<u64>,
    told: Vec<Tell>,
    wrong: Wrong,
}

/// The disk. Its root is `/`.
#[derive(Debug)]
pub(crate) struct SimDisk(Mutex<State>);

const ROOT: u64 = 1;

impl SimDisk {
    /// A disk with these folders on it.
    pub(crate) fn with_folders(folders: &[&str]) -> Self {
        let names = BTreeMap::new();
        let root = Inode {
            content: Content::Folder { names: names.clone(), durable: names },
            mode: 0o755,
            mtime_nanos: 0,
            ctime: 0,
        };
        let disk = Self(Mutex::new(State {
            inodes: BTreeMap::from([(ROOT, root)]),
            next_inode: ROOT + 1,
            pending: Vec::new(),
            clock: 1,
            verbs: Vec::new(),
            fault: None,
            watched: BTreeSet::new(),
            told: Vec::new(),
            wrong: Wrong::default(),
        }));
        let attributes = Attributes { mode: 0o755, uid: None, gid: None, mtime: None };
        for folder in folders {
            disk.make_folder(Path::new(folder), &attributes).unwrap();
        }
        disk.sync_volume(Path::new("/")).unwrap();
        disk.plan(None);
        disk
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts verbs from now on, and lets a fault happen at the one with this number (from 0).
    pub(crate) fn plan(&self, fault: Option<(usize, Fault)>) {
        let mut state = self.state();
        state.verbs.clear();
        state.fault = fault;
    }

    /// The changing verbs since [`SimDisk::plan`].
    pub(crate) fn verbs(&self) -> Vec<&'static str> {
        self.state().verbs.clone()
    }

    /// Cuts the power and brings it back.
    pub(crate) fn cut(&self, unsynced: Unsynced) {
        let mut state = self.state();
        let pending = std::mem::take(&mut state.pending);
        for (number, step) in pending.into_iter().enumerate() {
            let kept = match unsynced {
                Unsynced::Dropped => false,
                Unsynced::Kept => true,
                Unsynced::Torn => number % 2 == 0,
            };
            if kept {
                state.make_durable(&step);
            }
        }
        for inode in state.inodes.values_mut() {
            match &mut inode.content {
                Content::Folder { names, durable } => *names = durable.clone(),
                Content::File { bytes, durable } => {
                    *bytes = match (durable.clone(), unsynced) {
                        (Some(durable), _) => durable,
                        (None, Unsynced::Kept) => bytes.clone(),
                        (None, Unsynced::Dropped) => Vec::new(),
                        (None, Unsynced::Torn) => bytes[..bytes.len() / 2].to_vec(),
                    };
                    *durable = Some(bytes.clone());
                }
                Content::Link(_) => {}
            }
        }
        state.fault = None;
        state.watched.clear();
        state.told.clear();
    }

    /// Every file and link below a folder, with its bytes: what a reader sees.
    pub(crate) fn files(&self, folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        self.collect(folder, Path::new(""), &mut files);
        files
    }

    fn collect(&self, folder: &Path, at: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
        let Ok(entries) = self.list(folder) else { return };
        for (name, stat) in entries {
            let (place, path) = (folder.join(&name), at.join(&name));
            match stat.kind {
                Kind::Folder => self.collect(&place, &path, files),
                Kind::Link => drop(files.insert(path, self.read_link(&place).unwrap())),
                _ => drop(files.insert(path, self.read(&place, u64::MAX).unwrap())),
            }
        }
    }

    /// Writes into a file in place, as somebody who does not know better would.
    pub(crate) fn scribble(&self, path: &Path, text: &[u8]) {
        self.scribble_untold(path, text);
        let mut state = self.state();
        let (folder, name) = state.place(path).unwrap();
        state.tell(folder, name);
    }

    /// The same in a way that the kernel tells nobody of.
    pub(crate) fn scribble_untold(&self, path: &Path, text: &[u8]) {
        let mut state = self.state();
        let id = state.find(path).unwrap();
        let now = state.tick();
        let inode = state.inodes.get_mut(&id).unwrap();
        inode.ctime = now;
        inode.mtime_nanos = 42;
        inode.content = Content::File { bytes: text.to_vec(), durable: Some(text.to_vec()) };
    }

    /// A verb that changes something: counted, and the place where faults happen.
    fn change(&self, verb: &'static str, path: &Path) -> Result<MutexGuard<'_, State>, DiskError> {
        let mut state = self.state();
        let number = state.verbs.len();
        state.verbs.push(verb);
        match state.fault {
            Some((at, Fault::PowerCut)) if number >= at => {
                drop(state);
                std::panic::resume_unwind(Box::new(PowerIsOut));
            }
            Some((at, Fault::Error(error))) if number == at => {
                Err(DiskError { verb, path: path.to_owned(), source: error.into() })
            }
            _ => {
                state.catch_up();
                Ok(state)
            }
        }
    }
}

fn failed(verb: &'static str, path: &Path, kind: io::ErrorKind) -> DiskError {
    DiskError { verb, path: path.to_owned(), source: kind.into() }
}

impl State {
    fn tick(&mut self) -> i128 {
        self.clock += 1;
        self.clock
    }

    fn find(&self, path: &Path) -> Option<u64> {
        let mut at = ROOT;
        for name in path.components().skip(1) {
            let Content::Folder { names, .. } = &self.inodes.get(&at)?.content else { return None };
            at = *names.get(name.as_os_str())?;
        }
        Some(at)
    }

    fn place(&self, path: &Path) -> Option<(u64, OsString)> {
        Some((self.find(path.parent()?)?, path.file_name()?.to_owned()))
    }

    fn make_durable(&mut self, step: &Step) {
        for (folder, name, id) in step {
            let Some(inode) = self.inodes.get_mut(folder) else { continue };
            let Content::Folder { durable, .. } = &mut inode.content else { continue };
            match id {
                Some(id) => drop(durable.insert(name.clone(), *id)),
                None => drop(durable.remove(name)),
            }
        }
    }

    /// Does a step now, and remembers that it is not durable.
    fn step(&mut self, step: Step) {
        let now = self.tick();
        for (folder, name, id) in &step {
            let Some(inode) = self.inodes.get_mut(folder) else { continue };
            let Content::Folder { names, .. } = &mut inode.content else { continue };
            let before = match id {
                Some(id) => names.insert(name.clone(), *id),
                None => names.remove(name),
            };
            for id in before.into_iter().chain(*id) {
                if let Some(inode) = self.inodes.get_mut(&id) {
                    inode.ctime = now;
                }
            }
            self.tell(*folder, name.clone());
        }
        self.pending.push(step);
    }

    fn tell(&mut self, folder: u64, name: OsString) {
        if self.watched.contains(&folder) {
            let watch = WatchId(i32::try_from(folder).unwrap());
            self.told.push(Tell::Changed(watch, Some(name)));
        }
    }

    fn add(
        &mut self,
        verb: &'static str,
        path: &Path,
        content: Content,
        attributes: &Attributes,
    ) -> Result<(), DiskError> {
        let missing = || failed(verb, path, io::ErrorKind::NotFound);
        let (folder, name) = self.place(path).ok_or_else(missing)?;
        if self.find(path).is_some() {
            return Err(failed(verb, path, io::ErrorKind::AlreadyExists));
        }
        let id = self.next_inode;
        self.next_inode += 1;
        let mtime_nanos = attributes.mtime.map_or(7, |(_, nanos)| nanos);
        let inode = Inode { content, mode: attributes.mode, mtime_nanos, ctime: self.clock };
        self.inodes.insert(id, inode);
        self.step(vec![(folder, name, Some(id))]);
        Ok(())
    }

    fn remove(&mut self, verb: &'static str, path: &Path) -> Result<(), DiskError> {
        let missing = || failed(verb, path, io::ErrorKind::NotFound);
        let (folder, name) = self.place(path).ok_or_else(missing)?;
        let id = self.find(path).ok_or_else(missing)?;
        if let Content::Folder { names, .. } = &self.inodes[&id].content
            && !names.is_empty()
        {
            return Err(failed(verb, path, io::ErrorKind::DirectoryNotEmpty));
        }
        self.step(vec![(folder, name, None)]);
        Ok(())
    }

    fn sync(&mut self, folder: u64) {
        let (now, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition(|step| step.iter().any(|(f, _, _)| *f == folder));
        self.pending = later;
        now.iter().for_each(|step| self.make_durable(step));
    }

    fn sync_all(&mut self) {
        for step in std::mem::take(&mut self.pending) {
            self.make_durable(&step);
        }
        let ids: Vec<u64> = self.inodes.keys().copied().collect();
        ids.into_iter().for_each(|id| self.sync_bytes(id));
    }

    fn sync_bytes(&mut self, id: u64) {
        if let Some(Inode { content: Content::File { bytes, durable }, .. }) =
            self.inodes.get_mut(&id)
        {
            *durable = Some(bytes.clone());
        }
    }
}

fn stat_of(id: u64, inode: &Inode) -> Stat {
    let (kind, size) = match &inode.content {
        Content::File { bytes, .. } => (Kind::File, bytes.len()),
        Content::Folder { .. } => (Kind::Folder, 0),
        Content::Link(target) => (Kind::Link, target.len()),
    };
    Stat {
        kind,
        device: 1,
        inode: id,
        mode: inode.mode,
        uid: 0,
        gid: 0,
        size: size as u64,
        mtime_nanos: inode.mtime_nanos,
        ctime: inode.ctime,
    }
}
