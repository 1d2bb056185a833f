use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::path::Path;

use super::compare::Drift;
use super::disk::{Disk, Tell, WatchId};
use crate::model::{ObjectId, TreePath};

/// What is known of whole trees from having been told of every change since they were looked at:
/// why a tree of any size is held against its recorded state at the cost of what changed in it.
///
/// A tree is known by the inode of its folder, whatever its name is. Nothing here is needed:
/// what is not known is compared.
#[derive(Debug, Default)]
pub(super) struct Watches {
    /// Folders that may be watched at once; 0: nobody stays to be told.
    folders_max: usize,
    roots: BTreeMap<u64, Root>,
    places: HashMap<WatchId, Place>,
    /// The tree that we change ourselves now, and are told of too.
    working_on: Option<u64>,
    /// Counts what was learnt, so that what was learnt first is let go of first.
    lessons: u64,
    said_full: bool,
}

/// The right to watch the folders of a tree that is being looked at.
#[derive(Clone, Copy)]
pub(super) struct Watching<'a> {
    pub(super) watches: &'a RefCell<Watches>,
    pub(super) root: u64,
}

impl Watching<'_> {
    /// Watches a folder; to be called before somebody looks into it.
    pub(super) fn folder(&self, disk: &dyn Disk, path: Option<&TreePath>, place: &Path) {
        self.watches.borrow_mut().folder(disk, self.root, path, place);
    }
}

/// A tree.
#[derive(Debug, Default)]
struct Root {
    /// What it was when it was looked at; `None` while somebody works on it.
    tree: Option<ObjectId>,
    /// Where something may have changed since.
    doubts: Doubts,
    watches: HashSet<WatchId>,
    /// The paths of its folders, one behind the other: in pieces of their own they would lie between
    /// what is needed for a moment only, and keep its memory.
    paths: String,
    /// Bytes of it that are paths of folders which are watched still.
    used: usize,
    learnt: u64,
    /// Whether a folder of it could not be watched.
    has_gap: bool,
}

/// A folder of a tree.
#[derive(Debug)]
struct Place {
    root: u64,
    /// Where its path is in those of the root; empty: the root itself.
    path: Range<usize>,
}

/// Paths of a tree where something may have changed; a folder stands for all that is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Doubts {
    paths: BTreeSet<String>,
    too_many: bool,
}

/// Doubts that are remembered of one tree; with more it is compared whole.
const DOUBTS_MAX: usize = 10_000;
/// Folders that are watched at most: the kernel keeps about a kilobyte of memory for each.
const FOLDERS_MAX: usize = 65_536;
/// Bytes of all paths of the folders of one tree, at most: with more it is compared.
const PATHS_BYTES_MAX: usize = 16 << 20;
/// Bytes of paths that are watched no more, before what is left is moved together.
const PATHS_SLACK: usize = 4096;
/// Of what the machine lets one user watch, the part that we take (as one in so many).
const SHARE_OF_LIMIT: usize = 2;
/// Where the machine says how many that are.
const LIMIT_FILE: &str = "/proc/sys/fs/inotify/max_user_watches";

impl Watches {
    /// Watches from now on.
    pub(super) fn begin(&mut self, limit: Option<usize>) {
        let limit = limit.or_else(machine_limit).unwrap_or(FOLDERS_MAX);
        self.folders_max = (limit / SHARE_OF_LIMIT).min(FOLDERS_MAX);
    }

    /// Takes note of what was told since the last time.
    pub(super) fn listen(&mut self, disk: &dyn Disk) {
        if self.roots.is_empty() {
            return;
        }
        for tell in disk.told() {
            match tell {
                Tell::Changed(watch, name) => self.doubt_place(watch, name.as_deref()),
                Tell::Gone(watch) => self.lose(watch),
                Tell::Lost => {
                    tracing::info!(
                        "more changed than the kernel could tell of; trees are compared instead"
                    );
                    return self.forget_all(disk);
                }
            }
        }
    }

    fn doubt_place(&mut self, watch: WatchId, name: Option<&std::ffi::OsStr>) {
        let Some(place) = self.places.get(&watch) else { return };
        let Some(root) = self.roots.get_mut(&place.root) else { return };
        let folder = root.paths.get(place.path.clone()).unwrap_or_default();
        let path = match name.map(|name| name.to_str()) {
            Some(Some(name)) if folder.is_empty() => name.to_owned(),
            Some(Some(name)) => format!("{folder}/{name}"),
            // The folder itself, or what is no name of ours: the folder is looked at whole.
            Some(None) | None => folder.to_owned(),
        };
        if self.working_on == Some(place.root) {
            root.doubts.add(path);
        } else {
            // Somebody else: what was written to may be shared with every other tree.
            self.doubt_everywhere(&path);
        }
    }

    fn lose(&mut self, watch: WatchId) {
        let Some(place) = self.places.remove(&watch) else { return };
        let Some(root) = self.roots.get_mut(&place.root) else { return };
        root.watches.remove(&watch);
        root.used = root.used.saturating_sub(place.path.len());
        // That it went is told of the folder that held it. Nothing holds the root.
        root.has_gap |= place.path.is_empty();
    }

    /// What a tree is but for its doubts; `None`: nobody knows.
    pub(super) fn known(&self, root: u64) -> Option<(ObjectId, &Doubts)> {
        let root = self.roots.get(&root)?;
        Some((root.tree.filter(|_| !root.has_gap && !root.doubts.too_many)?, &root.doubts))
    }

    /// Whether looking at all of a tree is worth it, since it would be known from then on.
    pub(super) fn is_stranger(&self, root: u64) -> bool {
        self.folders_max > 0 && !self.roots.contains_key(&root)
    }

    /// From now on a tree is worked on or looked at: nothing is known of it until it is learnt.
    pub(super) fn open(&mut self, disk: &dyn Disk, root: u64) {
        self.listen(disk);
        if self.folders_max > 0 {
            let root = self.roots.entry(root).or_default();
            root.tree = None;
            root.doubts = Doubts::default();
            root.has_gap = false;
        }
    }

    /// From now on what is told of a tree is our own work; `None`: of no tree.
    pub(super) fn work_on(&mut self, disk: &dyn Disk, root: Option<u64>) {
        match root {
            Some(root) => self.open(disk, root),
            None => self.listen(disk),
        }
        self.working_on = root;
    }

    /// Watches a folder of a tree that was opened, before somebody looks into it.
    pub(super) fn folder(
        &mut self,
        disk: &dyn Disk,
        root: u64,
        path: Option<&TreePath>,
        place: &Path,
    ) {
        if self.roots.get(&root).is_none_or(|root| root.has_gap) {
            return;
        }
        let watch = if self.makes_room(disk, root) { disk.watch(place) } else { None };
        let Some(watch) = watch else {
            self.say_full(place);
            self.let_go(disk, root);
            return;
        };
        let path = path.map_or("", TreePath::as_str);
        let known = self.places.get(&watch).map(|place| (place.root, place.path.clone()));
        // A folder that was watched already may have moved here from elsewhere.
        if let Some((before, at)) = known
            && let Some(tree) = self.roots.get_mut(&before)
        {
            if before == root && tree.paths.get(at.clone()) == Some(path) {
                return;
            }
            tree.watches.remove(&watch);
            tree.used = tree.used.saturating_sub(at.len());
        }
        let Some(tree) = self.roots.get_mut(&root) else { return };
        tree.watches.insert(watch);
        let begin = tree.paths.len();
        tree.paths.push_str(path);
        tree.used += path.len();
        self.places.insert(watch, Place { root, path: begin..tree.paths.len() });
        if tree.used > PATHS_BYTES_MAX {
            self.say_full(place);
            self.let_go(disk, root);
        } else if tree.paths.len() > 2 * tree.used + PATHS_SLACK {
            self.close_up(root);
        }
    }

    /// Lets go of the bytes of paths that are watched no more.
    fn close_up(&mut self, root: u64) {
        let Some(tree) = self.roots.get_mut(&root) else { return };
        let mut paths = String::with_capacity(tree.used);
        for watch in &tree.watches {
            if let Some(place) = self.places.get_mut(watch) {
                let begin = paths.len();
                paths.push_str(tree.paths.get(place.path.clone()).unwrap_or_default());
                place.path = begin..paths.len();
            }
        }
        tree.paths = paths;
    }

    /// Lets go of the tree that was learnt first, as long as there are too many folders.
    fn makes_room(&mut self, disk: &dyn Disk, for_root: u64) -> bool {
        while self.places.len() >= self.folders_max {
            let others =
                self.roots.iter().filter(|(id, root)| **id != for_root && !root.watches.is_empty());
            let Some((first, _)) = others.min_by_key(|(_, root)| root.learnt) else { return false };
            let first = *first;
            self.forget(disk, first);
        }
        true
    }

    fn say_full(&mut self, place: &Path) {
        if !std::mem::replace(&mut self.said_full, true) {
            tracing::info!(folder = %place.display(), folders = self.places.len(), "the kernel cannot tell of changes here, or not of so many folders (fs.inotify.max_user_watches); what is not told is compared");
        }
    }

    /// A tree that was opened is known to be this one, but for what is told from now on.
    pub(super) fn learn(&mut self, root: u64, tree: ObjectId) {
        self.lessons += 1;
        if let Some(root) = self.roots.get_mut(&root) {
            root.learnt = self.lessons;
            root.tree = Some(tree);
        }
    }

    /// Takes the doubts of a tree that is worked on.
    pub(super) fn take_doubts(&mut self, root: u64) -> Option<Doubts> {
        let root = self.roots.get_mut(&root).filter(|root| !root.has_gap)?;
        (!root.doubts.too_many).then(|| std::mem::take(&mut root.doubts))
    }

    /// All that was in doubt was looked at: what was found wrong stays in doubt.
    pub(super) fn settle(&mut self, root: u64, found: &Drift) {
        if let Some(root) = self.roots.get_mut(&root) {
            root.doubts = Doubts::default();
            root.doubts.too_many = found.total > found.paths.len() as u64;
            found.paths.iter().for_each(|drifted| root.doubts.add(drifted.path.clone()));
        }
    }

    /// A path may be wrong in every tree: the file that has it is shared.
    pub(super) fn doubt_everywhere(&mut self, path: &str) {
        self.roots.values_mut().for_each(|root| root.doubts.add(path.to_owned()));
    }

    /// Nothing is known of any tree any more.
    pub(super) fn forget_all(&mut self, disk: &dyn Disk) {
        let roots: Vec<u64> = self.roots.keys().copied().collect();
        roots.into_iter().for_each(|root| self.forget(disk, root));
    }

    /// Nothing is known of a tree any more, and it is not watched.
    pub(super) fn forget(&mut self, disk: &dyn Disk, root: u64) {
        self.let_go(disk, root);
        self.roots.remove(&root);
    }

    fn let_go(&mut self, disk: &dyn Disk, root: u64) {
        let Some(root) = self.roots.get_mut(&root) else { return };
        root.has_gap = true;
        root.paths = String::new();
        root.used = 0;
        for watch in std::mem::take(&mut root.watches) {
            self.places.remove(&watch);
            disk.unwatch(watch);
        }
    }
}

fn machine_limit() -> Option<usize> {
    std::fs::read_to_string(LIMIT_FILE).ok()?.trim().parse().ok()
}

impl Doubts {
    fn add(&mut self, path: String) {
        self.too_many |= self.paths.len() >= DOUBTS_MAX;
        if self.too_many {
            self.paths.clear();
        } else {
            self.paths.insert(path);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().map(String::as_str)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// Whether all of a path is in doubt; `None`: of the tree's own folder.
    pub(super) fn holds(&self, path: Option<&TreePath>) -> bool {
        self.paths.contains(path.map_or("", TreePath::as_str))
    }

    /// The names in a folder at which, or below which, something is in doubt.
    pub(super) fn names_in(&self, folder: Option<&TreePath>) -> BTreeSet<&str> {
        let below = folder.map_or_else(String::new, |folder| format!("{folder}/"));
        let inside = self.paths.range(below.clone()..).take_while(|path| path.starts_with(&below));
        let names = inside.filter_map(|path| path[below.len()..].split('/').next());
        names.filter(|name| !name.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubts(paths: &[&str]) -> Doubts {
        let mut doubts = Doubts::default();
        paths.iter().for_each(|path| doubts.add((*path).to_owned()));
        doubts
    }

    #[test]
    fn a_doubt_is_found_from_each_folder_above_it() {
        let doubts = doubts(&["", "a", "a-b/c", "a/b/c", "a/b/d", "z"]);
        let names = |folder: Option<&str>| -> Vec<String> {
            let folder = folder.map(|folder| TreePath::parse(folder).unwrap());
            doubts.names_in(folder.as_ref()).into_iter().map(str::to_owned).collect()
        };
        assert_eq!(names(None), ["a", "a-b", "z"]);
        assert_eq!(names(Some("a")), ["b"]);
        assert_eq!(names(Some("a/b")), ["c", "d"]);
        assert_eq!(names(Some("z")), Vec::<String>::new());
        assert!(doubts.holds(None));
    }

    #[test]
    fn too_many_doubts_are_remembered_as_not_knowing() {
        let mut watches = Watches { folders_max: 1, ..Watches::default() };
        let disk = super::super::sim::SimDisk::with_folders(&["/a"]);
        watches.open(&disk, 7);
        watches.learn(7, ObjectId([1; 20]));
        assert!(watches.known(7).is_some());
        (0..=DOUBTS_MAX).for_each(|n| watches.doubt_everywhere(&n.to_string()));
        assert!(watches.known(7).is_none());
    }

    #[test]
    fn paths_that_are_watched_no_more_are_let_go_of() {
        let disk = super::super::sim::SimDisk::with_folders(&["/a", "/b"]);
        let mut watches = Watches { folders_max: 9, ..Watches::default() };
        watches.open(&disk, 7);
        watches.folder(&disk, 7, None, Path::new("/b"));
        let path = |n: usize| TreePath::parse(&format!("releases/{n}")).unwrap();
        for n in 0..10_000 {
            watches.folder(&disk, 7, Some(&path(n)), Path::new("/a"));
        }
        let root = &watches.roots[&7];
        assert_eq!((root.watches.len(), root.used), (2, "releases/9999".len()));
        assert!(root.paths.len() <= 2 * root.used + PATHS_SLACK, "{}", root.paths.len());
        let at = watches.places.values().find(|place| !place.path.is_empty()).unwrap();
        assert_eq!(root.paths[at.path.clone()], *"releases/9999");
    }

    #[test]
    fn a_folder_that_moved_to_another_tree_is_watched_there_alone() {
        let disk = super::super::sim::SimDisk::with_folders(&["/a"]);
        let mut watches = Watches { folders_max: 9, ..Watches::default() };
        for root in [7, 8] {
            watches.open(&disk, root);
            watches.folder(&disk, root, Some(&TreePath::parse("x").unwrap()), Path::new("/a"));
        }
        watches.forget(&disk, 7);
        assert_eq!(watches.places.len(), 1);
        assert_eq!((watches.roots[&8].watches.len(), watches.roots[&8].has_gap), (1, false));
    }
}
