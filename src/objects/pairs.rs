use std::cmp::Ordering;
use std::collections::BTreeSet;

use git2::{Tree, TreeEntry};

use super::mirror::{damaged, item, kind_of, oid};
use super::{Item, ItemKind, Mirror, ObjectsError};
use crate::model::ObjectId;

/// Where two folders differ: what each has under a name. Never neither.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What the first has.
    pub old: Option<Item>,
    /// What the second has.
    pub new: Option<Item>,
}

/// What is told of a folder's list of entries by going through it once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// How many entries it has.
    pub entries: usize,
    /// How many of them are files or links.
    pub files: usize,
    /// Whether they are in git's order, each once: what finding an entry by its name relies on.
    pub is_in_order: bool,
    /// Whether all names are ASCII without capitals, so that no two differ in case alone.
    pub is_lower_case: bool,
    /// Names that are there twice: one behind the other; or, which git's order allows, one that both
    /// a folder and something else have, looked for in lists in order of names that file systems take.
    pub twice: BTreeSet<Vec<u8>>,
}

/// Longest name that file systems take, in bytes (Linux, `NAME_MAX`).
pub(crate) const NAME_BYTES_MAX: usize = 255;

/// The entries of two folders in git's order, those together that have a name in common and are both
/// folders, or both none. Lists are taken as they stand: of one that is not in order, entries may come
/// alone that belong together.
pub(crate) fn pairs<'t>(
    old: Option<&'t Tree<'t>>,
    new: Option<&'t Tree<'t>>,
) -> impl Iterator<Item = (Option<TreeEntry<'t>>, Option<TreeEntry<'t>>)> {
    let (old, new) = (old.into_iter().flatten(), new.into_iter().flatten());
    side_by_side(old, new, |a, b| git_order(key(a), key(b)))
}

/// What two lists in one order have, the same places of both together.
fn side_by_side<T>(
    old: impl Iterator<Item = T>,
    new: impl Iterator<Item = T>,
    order: impl Fn(&T, &T) -> Ordering,
) -> impl Iterator<Item = (Option<T>, Option<T>)> {
    let (mut old, mut new) = (old.peekable(), new.peekable());
    std::iter::from_fn(move || {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => order(a, b),
        };
        let before = if order == Ordering::Greater { None } else { old.next() };
        let after = if order == Ordering::Less { None } else { new.next() };
        Some((before, after))
    })
}

/// Whether a pair is the same twice.
pub(crate) fn is_same(old: Option<&TreeEntry<'_>>, new: Option<&TreeEntry<'_>>) -> bool {
    match (old, new) {
        (Some(old), Some(new)) => old.id() == new.id() && kind_of(old) == kind_of(new),
        _ => false,
    }
}

impl Mirror {
    /// The list of a folder's entries, as libgit2 has it.
    pub(super) fn list(&self, tree: ObjectId) -> Result<Tree<'_>, ObjectsError> {
        self.repository().find_tree(oid(tree)).map_err(damaged("tree", tree))
    }

    /// Where the lists of two folders differ, sorted by name: folders below them are not looked
    /// into. Costs what differs, beyond reading the lists.
    ///
    /// # Errors
    /// [`ObjectsError::Damaged`].
    pub fn differing(
        &self,
        old: Option<ObjectId>,
        new: Option<ObjectId>,
    ) -> Result<Vec<Difference>, ObjectsError> {
        if old == new {
            return Ok(Vec::new());
        }
        let list = |id: Option<ObjectId>| id.map(|id| self.list(id)).transpose();
        let (old, new) = (list(old)?, list(new)?);
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for (old, new) in pairs(old.as_ref(), new.as_ref()) {
            if !is_same(old.as_ref(), new.as_ref()) {
                before.extend(old.as_ref().map(item));
                after.extend(new.as_ref().map(item));
            }
        }
        Ok(by_name(before, after))
    }

    /// What is told of a folder's list by going through it once.
    ///
    /// # Errors
    /// [`ObjectsError::Damaged`].
    pub fn shape(&self, tree: ObjectId) -> Result<Shape, ObjectsError> {
        let tree = self.list(tree)?;
        let mut shape = Shape {
            entries: tree.len(),
            files: 0,
            is_in_order: true,
            is_lower_case: true,
            twice: BTreeSet::new(),
        };
        let (mut folders, mut is_long) = (0, false);
        let mut last: Option<TreeEntry<'_>> = None;
        for entry in &tree {
            let (name, is_folder) = key(&entry);
            shape.files += usize::from(matches!(kind_of(&entry), ItemKind::File(_)));
            folders += usize::from(is_folder);
            shape.is_lower_case &=
                name.iter().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
            is_long |= name.len() > NAME_BYTES_MAX;
            let order = last.as_ref().map(|last| git_order(key(last), (name, is_folder)));
            shape.is_in_order &= order.is_none_or(|order| order == Ordering::Less);
            if order == Some(Ordering::Equal) {
                shape.twice.insert(name.to_vec());
            }
            last = Some(entry);
        }
        // Each question goes through some names to their ends.
        if shape.is_in_order && !is_long {
            let rarer = folders * 2 <= shape.entries;
            shape.twice = twice(&tree, rarer);
        }
        Ok(shape)
    }
}

/// Names that both a folder and something else have, in a list in order: those that are folders, or those
/// that are not, are looked for among the others.
fn twice(tree: &Tree<'_>, folders: bool) -> BTreeSet<Vec<u8>> {
    tree.iter()
        .filter(|entry| key(entry).1 == folders && holds(tree, (entry.name_bytes(), !folders)))
        .map(|entry| entry.name_bytes().to_vec())
        .collect()
}

/// Whether a list in order has an entry of this name that is a folder, or is none.
fn holds(tree: &Tree<'_>, wanted: (&[u8], bool)) -> bool {
    let (mut from, mut to) = (0, tree.len());
    while from < to {
        let middle = from + (to - from) / 2;
        let Some(entry) = tree.get(middle) else { return false };
        match git_order(key(&entry), wanted) {
            Ordering::Equal => return true,
            Ordering::Less => from = middle + 1,
            Ordering::Greater => to = middle,
        }
    }
    false
}

/// Puts together what has the same name, and leaves out what is the same.
fn by_name(mut before: Vec<Item>, mut after: Vec<Item>) -> Vec<Difference> {
    before.sort_by(|a, b| a.name.cmp(&b.name));
    after.sort_by(|a, b| a.name.cmp(&b.name));
    side_by_side(before.into_iter(), after.into_iter(), |a, b| a.name.cmp(&b.name))
        .filter(|(old, new)| old != new)
        .map(|(old, new)| Difference { old, new })
        .collect()
}

/// What git sorts an entry by: its name, and whether it is a folder.
fn key<'e>(entry: &'e TreeEntry<'_>) -> (&'e [u8], bool) {
    (entry.name_bytes(), kind_of(entry) == ItemKind::Folder)
}

/// Git's order: by bytes, a folder as if its name ended in a slash.
fn git_order((a, a_is_folder): (&[u8], bool), (b, b_is_folder): (&[u8], bool)) -> Ordering {
    let common = a.len().min(b.len());
    let end = |name: &[u8], is_folder: bool| {
        name.get(common).copied().or_else(|| is_folder.then_some(b'/'))
    };
    a.get(..common)
        .cmp(&b.get(..common))
        .then_with(|| end(a, a_is_folder).cmp(&end(b, b_is_folder)))
        .then_with(|| a.len().cmp(&b.len()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::model::FileMode;
    use crate::objects::mirror::tests::mirror;

    /// A list as it is written, whatever is in it.
    fn raw(mirror: &Mirror, entries: &[(&str, &[u8], ObjectId)]) -> ObjectId {
        let mut bytes = Vec::new();
        for (mode, name, id) in entries {
            bytes.extend([mode.as_bytes(), b" ", name, b"\0", &id.0].concat());
        }
        let odb = mirror.repository().odb().unwrap();
        let id = odb.write(git2::ObjectType::Tree, &bytes).unwrap();
        ObjectId(id.as_bytes().try_into().unwrap())
    }

    /// Names of which git sorts folders otherwise than files.
    fn lists() -> impl Strategy<Value = BTreeMap<&'static str, (bool, u8)>> {
        let names =
            prop_oneof![Just("a"), Just("a-"), Just("a.b"), Just("a0"), Just("b"), Just("ü")];
        proptest::collection::btree_map(names, (any::<bool>(), 0..2_u8), 0..6)
    }

    fn write(mirror: &Mirror, list: &BTreeMap<&'static str, (bool, u8)>) -> (ObjectId, Vec<Item>) {
        let items: Vec<Item> = list
            .iter()
            .map(|(name, (is_folder, content))| {
                let blob = mirror.write_blob(&[*content]).unwrap();
                let kind = ItemKind::File(FileMode::Regular);
                let file = Item { name: b"f".to_vec(), id: blob, kind };
                let (id, kind) = match is_folder {
                    true => (mirror.write_tree(&[file]).unwrap(), ItemKind::Folder),
                    false => (blob, kind),
                };
                Item { name: name.as_bytes().to_vec(), id, kind }
            })
            .collect();
        (mirror.write_tree(&items).unwrap(), items)
    }

    #[test]
    fn what_differs_is_what_is_not_in_both() {
        let (_keep, mirror) = mirror();
        let mut runner = proptest::test_runner::TestRunner::default();
        let property = |(old, new): (BTreeMap<&'static str, _>, BTreeMap<&'static str, _>)| {
            let ((old_id, old), (new_id, new)) = (write(&mirror, &old), write(&mirror, &new));
            let of = |items: &[Item], name: &[u8]| items.iter().find(|i| i.name == name).cloned();
            let names: BTreeSet<&Vec<u8>> = old.iter().chain(&new).map(|item| &item.name).collect();
            let pairs = names.into_iter().map(|name| (of(&old, name), of(&new, name)));
            let expected: Vec<Difference> = pairs
                .filter(|(old, new)| old != new)
                .map(|(old, new)| Difference { old, new })
                .collect();
            prop_assert_eq!(mirror.differing(Some(old_id), Some(new_id)).unwrap(), expected);
            let all: Vec<Item> = mirror
                .differing(None, Some(new_id))
                .unwrap()
                .into_iter()
                .filter_map(|d| d.new)
                .collect();
            prop_assert_eq!(all, new.clone());
            let shape = mirror.shape(new_id).unwrap();
            let files = new.iter().filter(|item| item.kind != ItemKind::Folder).count();
            prop_assert_eq!((shape.entries, shape.files), (new.len(), files));
            prop_assert!(shape.is_in_order && shape.twice.is_empty());
            prop_assert_eq!(
                shape.is_lower_case,
                !new.iter().any(|item| item.name == "ü".as_bytes())
            );
            Ok(())
        };
        runner.run(&(lists(), lists()), property).unwrap();
    }

    #[test]
    fn lists_that_no_git_writes_are_told() {
        let (_keep, mirror) = mirror();
        let file = mirror.write_blob(b"1").unwrap();
        let folder = raw(&mirror, &[("100644", b"f", file)]);
        let plain = |name: &'static str| ("100644", name.as_bytes(), file);
        let below = |name: &'static str| ("40000", name.as_bytes(), folder);
        let shape = |entries: &[(&str, &[u8], ObjectId)]| {
            let shape = mirror.shape(raw(&mirror, entries)).unwrap();
            let twice: Vec<String> =
                shape.twice.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
            (shape.is_in_order, twice.join(" "))
        };
        let found = |in_order: bool, twice: &str| (in_order, twice.to_owned());
        assert_eq!(shape(&[plain("a"), plain("a-b"), below("a"), below("b")]), found(true, "a"));
        let files = [plain("a"), plain("b"), plain("c"), below("c"), plain("d")];
        assert_eq!(shape(&files), found(true, "c"));
        assert_eq!(shape(&[plain("a"), plain("a")]), found(false, "a"));
        assert_eq!(shape(&[below("a"), below("a")]), found(false, "a"));
        assert_eq!(shape(&[below("a"), plain("a.b")]), found(false, ""));
        assert_eq!(shape(&[plain("a.b"), below("a")]), found(true, ""));
    }

    #[test]
    fn lists_that_are_not_in_order_are_compared_to_the_letter() {
        let (_keep, mirror) = mirror();
        let [one, two] = [b"1", b"2"].map(|bytes| mirror.write_blob(bytes).unwrap());
        let old =
            raw(&mirror, &[("100644", b"a", one), ("100644", b"b", one), ("100644", b"c", one)]);
        let new =
            raw(&mirror, &[("100644", b"c", one), ("100644", b"b", two), ("100644", b"a", one)]);
        let differing = mirror.differing(Some(old), Some(new)).unwrap();
        let item =
            |id| Some(Item { name: b"b".to_vec(), id, kind: ItemKind::File(FileMode::Regular) });
        assert_eq!(differing, [Difference { old: item(one), new: item(two) }]);
    }

    #[test]
    fn a_name_that_no_entry_can_have_is_not_found() {
        let (_keep, mirror) = mirror();
        let file = mirror.write_blob(b"1").unwrap();
        let tree = raw(&mirror, &[("100644", b"a", file)]);
        assert_eq!(mirror.item(tree, b"a").unwrap().unwrap().id, file);
        assert_eq!(mirror.item(tree, b"a\0b").unwrap(), None);
        assert_eq!(mirror.find(tree, "a\0").unwrap(), None);
    }
}
