use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use super::*;
use crate::config::{Location, Reference};

fn settings_of(made: &Made) -> config::Settings {
    let sources = Sources {
        file: Some(made.settings.clone()),
        environment: Vec::new(),
        flags: Flags::default(),
    };
    let loaded = config::load(&sources).unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    loaded.settings
}

fn write(path: &Path, text: &str, mode: u32) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn the_settings_are_valid_and_point_at_the_repository_that_was_made() {
    let dir = tempfile::tempdir().unwrap();
    let made = make(dir.path(), None).unwrap();
    let settings = settings_of(&made);
    assert_eq!(settings.source.location, Location::Path(made.repository.clone()));
    assert_eq!(settings.source.reference, Reference::Branch("main".to_owned()));
    let repository = git2::Repository::open(&made.repository).unwrap();
    assert_eq!(repository.head().unwrap().name().unwrap(), "refs/heads/main");
    assert!(repository.statuses(None).unwrap().is_empty());
    for (path, text) in template::FILES {
        assert_eq!(&std::fs::read_to_string(made.repository.join(path)).unwrap(), text);
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "nothing else is left");
}

#[test]
fn the_example_has_every_file_of_the_fixtures() {
    fn count(folder: &Path) -> usize {
        let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
        entries.map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/kos-config");
    assert_eq!(count(&folder), template::FILES.len());
}

#[test]
fn nothing_that_is_there_is_overwritten() {
    for there in [SETTINGS, REPOSITORY] {
        let dir = tempfile::tempdir().unwrap();
        write(&dir.path().join(there), "mine", 0o644);
        let failure = make(dir.path(), None).unwrap_err();
        assert_eq!(failure.exit, Exit::Error);
        assert!(failure.message.contains(there) && failure.hint.is_some(), "{failure:?}");
        assert_eq!(std::fs::read_to_string(dir.path().join(there)).unwrap(), "mine");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}

#[test]
fn a_folder_is_adopted_with_its_bytes_bits_links_and_what_is_not_for_everybody() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("etc");
    write(&folder.join("a/plain.conf"), "a\r\n", 0o644);
    write(&folder.join("hook.sh"), "#!/bin/sh\n", 0o755);
    write(&folder.join("key #1*.pem"), "-", 0o600);
    write(&folder.join(".git/config"), "[core]", 0o644);
    write(&folder.join(".gitattributes"), "* text eol=lf\n", 0o644);
    symlink("a/plain.conf", folder.join("link")).unwrap();
    std::fs::create_dir(folder.join("empty")).unwrap();
    let made = make(&dir.path().join("new/place"), Some(&folder)).unwrap();
    let settings = settings_of(&made);
    assert_eq!((settings.live.path, settings.live.adopt), (folder.clone(), true));
    assert!(settings.live.file_modes.iter().any(|r| r.pattern == "/key\\ \\#1\\*.pem"));
    let file = |name: &str| made.repository.join(name);
    assert_eq!(std::fs::read(file("a/plain.conf")).unwrap(), b"a\r\n");
    assert_eq!(std::fs::metadata(file("hook.sh")).unwrap().permissions().mode() & 0o111, 0o111);
    assert_eq!(std::fs::read_link(file("link")).unwrap(), Path::new("a/plain.conf"));
    assert!(!file("empty").exists());
    assert_eq!(made.notes.len(), 4, "{:?}", made.notes);
    assert!(folder.join(".git/config").exists(), "the folder is as it was");
}

#[test]
fn what_the_gates_would_refuse_is_refused_by_name_and_nothing_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("etc");
    write(&folder.join("bad.yaml"), "a: [1\n", 0o644);
    symlink("/etc/passwd", folder.join("out")).unwrap();
    let failure = make(&dir.path().join("new"), Some(&folder)).unwrap_err();
    assert!(failure.message.contains("bad.yaml:"), "{}", failure.message);
    assert!(failure.message.contains("[links.absolute]"), "{}", failure.message);
    std::fs::write(folder.join("new\nline"), "").unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(folder.join("socket")).unwrap();
    let failure = make(&dir.path().join("new"), Some(&folder)).unwrap_err();
    assert!(failure.message.contains("control character"), "{}", failure.message);
    assert!(failure.message.contains("socket: error"), "{}", failure.message);
    assert_eq!(std::fs::read_dir(dir.path().join("new")).unwrap().count(), 0);
}

#[test]
fn the_repository_is_not_made_inside_what_it_adopts() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("a.conf"), "a", 0o644);
    let failure = make(dir.path(), Some(dir.path())).unwrap_err();
    assert!(failure.message.contains("live path"), "{}", failure.message);
}
