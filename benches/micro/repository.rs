//! A repository of so many files in a temporary folder, for the benchmarks beside this folder.

use git2::{Oid, Signature};
use kconfigd::model::{FileMode, ObjectId, Revision};
use kconfigd::objects::{Item, ItemKind, Mirror};
use tempfile::TempDir;

/// Files in the trees that are measured.
pub(crate) const SIZES: [u64; 3] = [100, 1_000, 10_000];

const FILES_A_FOLDER: u64 = 100;

/// A mirror, and the tree that the next ones differ from.
pub(crate) struct Repository {
    /// Removed with it.
    pub(crate) folder: TempDir,
    /// The object store.
    pub(crate) mirror: Mirror,
    folders: Vec<Item>,
    /// The tree before any change.
    pub(crate) tree: ObjectId,
}

impl Repository {
    /// One of `files` files, 100 to a folder.
    pub(crate) fn new(files: u64) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mirror = Mirror::open_or_create(&folder.path().join("mirror")).expect("a mirror");
        let folders: Vec<Item> = (0..files.div_ceil(FILES_A_FOLDER))
            .map(|number| group(&mirror, number, FILES_A_FOLDER.min(files), 0))
            .collect();
        let tree = mirror.write_tree(&folders).expect("a tree");
        Self { folder, mirror, folders, tree }
    }

    /// The tree with one file changed; another for each `version`.
    pub(crate) fn changed(&self, version: u64) -> ObjectId {
        let mut folders = self.folders.clone();
        let number = folders.len() / 2;
        let entries = self.mirror.items(folders[number].id).expect("a folder");
        folders[number] = rewritten(&self.mirror, &folders[number], entries, version);
        self.mirror.write_tree(&folders).expect("a tree")
    }
}

/// A commit of a tree, with nothing before it.
pub(crate) fn commit(mirror: &Mirror, tree: ObjectId) -> Revision {
    let repository = mirror.repository();
    let oid = Oid::from_str(&tree.to_string()).expect("an id");
    let tree = repository.find_tree(oid).expect("the tree");
    let author = Signature::now("Bench", "bench@example.com").expect("a signature");
    let made = repository.commit(None, &author, &author, "change", &tree, &[]).expect("a commit");
    Revision::parse(&made.to_string()).expect("an id")
}

/// A folder of files.
fn group(mirror: &Mirror, number: u64, files: u64, version: u64) -> Item {
    let entries: Vec<Item> =
        (0..files).map(|file| part(mirror, number * FILES_A_FOLDER + file, version)).collect();
    let id = mirror.write_tree(&entries).expect("a tree");
    Item { name: format!("group-{number:04}").into_bytes(), id, kind: ItemKind::Folder }
}

/// The same folder with its first file written anew.
fn rewritten(mirror: &Mirror, folder: &Item, mut entries: Vec<Item>, version: u64) -> Item {
    entries[0].id = mirror.write_blob(&text(0, version)).expect("a blob");
    let id = mirror.write_tree(&entries).expect("a tree");
    Item { id, ..folder.clone() }
}

fn part(mirror: &Mirror, number: u64, version: u64) -> Item {
    let id = mirror.write_blob(&text(number, version)).expect("a blob");
    let name = format!("part-{:02}.yaml", number % FILES_A_FOLDER).into_bytes();
    Item { name, id, kind: ItemKind::File(FileMode::Regular) }
}

/// A YAML file of about 600 bytes, unlike any other.
fn text(number: u64, version: u64) -> Vec<u8> {
    let mut text = format!("sequence: {version}\nname: part-{number}\nrules:\n");
    for rule in 0..8 {
        text.push_str(&format!(
            "  rule-{rule}: {{weight: {}, target: node-{number}.example.com, on: true}}\n",
            number % (rule + 7)
        ));
    }
    text.into_bytes()
}
