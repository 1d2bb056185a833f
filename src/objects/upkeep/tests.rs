use git2::{Signature, Time};
use tempfile::TempDir;

use super::*;
use crate::model::FileMode;
use crate::objects::{Item, ItemKind};

struct Place {
    folder: TempDir,
    mirror: Mirror,
}

impl Place {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let mirror = Mirror::open_or_create(&folder.path().join("repo.git")).unwrap();
        Self { folder, mirror }
    }

    /// A commit of these files, as a pack of its own.
    fn commit(&self, files: &[(&str, String)]) -> (Revision, ObjectId) {
        self.commit_with(files, true)
    }

    /// The pack has all of them, or what is not in another one, as a fetch leaves it.
    fn commit_with(&self, files: &[(&str, String)], whole: bool) -> (Revision, ObjectId) {
        let items: Vec<Item> = files
            .iter()
            .map(|(name, text)| Item {
                name: name.as_bytes().to_vec(),
                id: self.mirror.write_blob(text.as_bytes()).unwrap(),
                kind: ItemKind::File(FileMode::Regular),
            })
            .collect();
        let tree = self.mirror.write_tree(&items).unwrap();
        let repository = self.mirror.repository();
        let who = Signature::new("Ada", "ada@example.com", &Time::new(0, 0)).unwrap();
        let root = repository.find_tree(oid(tree)).unwrap();
        let id = repository.commit(None, &who, &who, "x", &root, &[]).unwrap();
        let revision = Revision::parse(&id.to_string()).unwrap();
        let mut builder = repository.packbuilder().unwrap();
        if whole {
            builder.insert_commit(id).unwrap();
        }
        for file in self.mirror.loose().unwrap() {
            let text = file.to_str().unwrap().replace('/', "");
            let id = &text[text.len() - 40..];
            builder.insert_object(Oid::from_str(id).unwrap(), None).unwrap();
        }
        builder.write(&self.mirror.pack_folder(), 0).unwrap();
        for file in self.mirror.loose().unwrap() {
            fs::remove_file(file).unwrap();
        }
        (revision, tree)
    }

    fn reopened(&self) -> Mirror {
        Mirror::open_or_create(&self.folder.path().join("repo.git")).unwrap()
    }
}

/// Bytes that do not compress.
fn noise(seed: u64, length: usize) -> String {
    let mut state = seed.wrapping_mul(2) + 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(33 + u8::try_from(state >> 58).unwrap())
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn what_is_kept_is_whole_and_the_rest_is_gone() {
    let place = Place::new();
    let (old, _) = place.commit(&[("a", noise(1, 900))]);
    let (kept, _) = place.commit(&[("a", noise(2, 900)), ("b", noise(3, 900))]);
    let (_, tree) = place.commit(&[("c", noise(4, 900))]);
    let rendered = place.mirror.write_blob(b"rendered, loose").unwrap();
    let dropped = place.mirror.write_blob(b"loose, and not needed").unwrap();
    let kind = ItemKind::File(FileMode::Executable);
    let items = [Item { name: b"x".to_vec(), id: rendered, kind }];
    let loose = place.mirror.write_tree(&items).unwrap();
    let gone = ObjectId([9; 20]);
    place.mirror.repack(std::slice::from_ref(&kept), &[tree, loose, gone]).unwrap();
    for mirror in [&place.mirror, &place.reopened()] {
        assert_eq!(mirror.pack_count().unwrap(), 1);
        let items = mirror.items(mirror.commit_tree(&kept).unwrap()).unwrap();
        assert!(items.iter().all(|item| mirror.blob(item.id).is_ok()));
        assert!(mirror.items(tree).unwrap().iter().all(|item| mirror.has(item.id)));
        assert_eq!(mirror.blob(rendered).unwrap(), b"rendered, loose");
        assert!(mirror.items(loose).is_ok());
    }
    assert!(!place.reopened().has(dropped));
    assert!(place.reopened().commit_tree(&old).is_err());
    assert_eq!(place.mirror.loose().unwrap().len(), 0);
    // again, with nothing to do: the pack that is there is the pack that is made
    place.mirror.repack(std::slice::from_ref(&kept), &[tree, loose]).unwrap();
    assert!(place.reopened().commit_tree(&kept).is_ok());
}

#[test]
fn a_large_pack_stays_as_it_is_and_small_ones_become_one() {
    let place = Place::new();
    let big: Vec<(String, String)> = (0..40).map(|n| (format!("f{n}"), noise(n, 2000))).collect();
    let mut files: Vec<(&str, String)> =
        big.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
    let (mut last, _) = place.commit(&files);
    let large = place.mirror.packs().unwrap().remove(0).stem;
    for number in 0..10 {
        files[3].1 = noise(1000 + number, 50);
        last = place.commit_with(&files, false).0;
    }
    assert_eq!(place.mirror.pack_count().unwrap(), 11);
    place.mirror.repack(std::slice::from_ref(&last), &[]).unwrap();
    let mirror = place.reopened();
    let packs = mirror.packs().unwrap();
    assert_eq!(packs.len(), 2);
    assert!(packs.iter().any(|pack| pack.stem == large));
    let items = mirror.items(mirror.commit_tree(&last).unwrap()).unwrap();
    assert_eq!(items.len(), 40);
    assert!(items.iter().all(|item| mirror.blob(item.id).is_ok()));
}

#[test]
fn what_a_crash_left_is_cleared() {
    let place = Place::new();
    let (kept, _) = place.commit(&[("a", "1".to_owned())]);
    let left = [
        "HEAD.lock",
        "shallow.lock",
        "objects/pack/pack_8f2c1x",
        "objects/pack/tmp_pack_x",
        "objects/pack/pack-00.idx",
        "objects/pack/pack-01.pack",
        "beside-abc/pack/x",
    ];
    for name in left {
        let path = place.mirror.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }
    place.mirror.repack(std::slice::from_ref(&kept), &[]).unwrap();
    for name in left {
        assert!(!place.mirror.path().join(name).exists(), "{name}");
    }
    assert!(place.reopened().commit_tree(&kept).is_ok());
}

#[test]
fn a_damaged_mirror_is_replaced_by_an_empty_one() {
    let place = Place::new();
    let (old, _) = place.commit(&[("a", "1".to_owned())]);
    let path = place.folder.path().join("repo.git");
    fs::write(path.join("HEAD"), [0xff; 20]).unwrap();
    fs::create_dir(place.folder.path().join("repo.git.new")).unwrap();
    Mirror::rebuild_beside(&path).unwrap();
    let mirror = place.reopened();
    assert!(mirror.commit_tree(&old).is_err());
    mirror.write_blob(b"usable").unwrap();
    let names: Vec<_> = fs::read_dir(place.folder.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "nothing is left beside: {names:?}");
    fs::remove_dir_all(&path).unwrap();
    Mirror::rebuild_beside(&path).unwrap();
    assert!(path.join("HEAD").exists());
}

#[test]
fn packs_that_were_joined_are_not_written_again_for_each_few_that_come() {
    let sizes = |sizes: &[u64]| -> Vec<u64> {
        let pack = |(n, bytes): (usize, &u64)| Pack { stem: format!("p{n}").into(), bytes: *bytes };
        let joined = small(sizes.iter().enumerate().map(pack).collect());
        joined.iter().map(|pack| pack.bytes).collect()
    };
    assert_eq!(sizes(&[5, 900, 5, 5, 5]), [5, 5, 5, 5]);
    assert_eq!(sizes(&[5, 900, 30, 5, 5, 5]), [5, 5, 5, 5, 30]);
    assert_eq!(sizes(&[5, 900, 50, 5, 5, 5]), [5, 5, 5, 5]);
}

#[test]
fn what_is_in_no_pack_is_joined_too_and_a_damaged_index_drops_nothing() {
    let place = Place::new();
    let (first, _) = place.commit(&[("big", noise(7, 100_000))]);
    let (second, _) = place.commit(&[("small", noise(8, 50))]);
    let rendered = place.mirror.write_blob(b"rendered, loose").unwrap();
    let stem =
        place.mirror.packs().unwrap().into_iter().min_by_key(|pack| pack.bytes).unwrap().stem;
    let index = stem.with_extension("idx");
    let bytes = fs::read(&index).unwrap();
    fs::remove_file(&index).unwrap();
    fs::write(&index, &bytes[..bytes.len() / 2]).unwrap();
    assert!(place.mirror.repack(&[], &[]).is_err());
    assert_eq!(place.mirror.loose().unwrap().len(), 1);
    fs::write(&index, &bytes).unwrap();
    let mirror = place.reopened();
    mirror.repack(std::slice::from_ref(&first), &[]).unwrap();
    assert_eq!((mirror.pack_count().unwrap(), mirror.loose().unwrap().len()), (2, 0));
    let mirror = place.reopened();
    assert_eq!(mirror.blob(rendered).unwrap(), b"rendered, loose");
    assert!(mirror.commit_tree(&first).is_ok() && mirror.commit_tree(&second).is_ok());
}
