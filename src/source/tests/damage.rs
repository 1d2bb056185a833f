//! The mirror is a cache: damaged in any way, it is noticed, and the fetch after it is replaced
//! brings everything.

use std::fs;

use super::*;
use crate::source::Descent;

fn packs(mirror: &Path) -> Vec<PathBuf> {
    let folder = fs::read_dir(mirror.join("objects/pack")).unwrap();
    let paths = folder.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|it| it == "pack")).collect()
}

fn make_writable(path: &Path) {
    let mut mode = fs::metadata(path).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o600);
    fs::set_permissions(path, mode).unwrap();
}

fn recovers(harm: impl Fn(&Path)) {
    let place = Place::new();
    let backend = super::backend::Backend::start(&place.folder.path().join("served"));
    let url = Location::Http(format!("{}/config.git", backend.url));
    place.commit("b/c", &"text\n".repeat(500));
    let first = place.commit("a", "1");
    place.push();
    let mut remote = place.remote(url, Reference::Head);
    let path = place.folder.path().join("state/repo.git");
    let head = ask(&mut remote);
    remote.fetch(&head, None, &place.mirror(), &|| {}).unwrap();
    harm(&path);
    place.commit("b/d", &"more\n".repeat(500));
    let third = place.commit("b/c", &"text\n".repeat(501));
    place.push();
    let head = ask(&mut remote);
    let fetched = Mirror::open_or_create(&path)
        .map_err(crate::source::SourceError::from)
        .and_then(|mirror| remote.fetch(&head, Some(&first), &mirror, &|| {}));
    let fetched = match fetched {
        Ok(fetched) => fetched,
        Err(error) => {
            assert!(error.mirror_damaged(), "{error:?}");
            Mirror::rebuild_beside(&path).unwrap();
            remote.fetch(&head, Some(&first), &place.mirror(), &|| {}).unwrap()
        }
    };
    assert_eq!(fetched.descent, Descent::Descends);
    let mirror = place.mirror();
    let whole = crate::source::descent::missing(
        mirror.repository(),
        crate::source::descent::oid(mirror.commit_tree(&third).unwrap()),
        None,
    );
    // an object that is there and damaged shows itself when it is read
    let read = whole.is_ok_and(|missing| missing.is_none());
    assert!(read, "the files are all here");
}

#[test]
fn garbage_in_head_is_recovered_from() {
    recovers(|mirror| fs::write(mirror.join("HEAD"), [0xfe; 40]).unwrap());
}

#[test]
fn packs_that_are_gone_are_recovered_from() {
    recovers(|mirror| packs(mirror).iter().for_each(|path| fs::remove_file(path).unwrap()));
}

#[test]
fn packs_that_are_cut_off_are_recovered_from() {
    recovers(|mirror| {
        for path in packs(mirror) {
            make_writable(&path);
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        }
    });
}

#[test]
fn locks_and_unfinished_packs_are_in_nobodys_way() {
    recovers(|mirror| {
        for name in ["HEAD.lock", "shallow.lock", "config.lock", "objects/pack/pack_x1"] {
            fs::write(mirror.join(name), "left").unwrap();
        }
    });
}

#[test]
fn an_empty_object_folder_is_recovered_from() {
    recovers(|mirror| fs::remove_dir_all(mirror.join("objects")).unwrap());
}
