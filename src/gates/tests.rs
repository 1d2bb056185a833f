use super::*;
use crate::objects::{Item, ItemKind};

fn mirror() -> (tempfile::TempDir, Mirror) {
    let folder = tempfile::tempdir().unwrap();
    let mirror = Mirror::open_or_create(&folder.path().join("repo.git")).unwrap();
    (folder, mirror)
}

fn item(mirror: &Mirror, name: &str, mode: FileMode, bytes: &[u8]) -> Item {
    let id = mirror.write_blob(bytes).unwrap();
    Item { name: name.into(), id, kind: ItemKind::File(mode) }
}

fn link(mirror: &Mirror, name: &str, target: &str) -> Item {
    item(mirror, name, FileMode::Link, target.as_bytes())
}

fn rules_of(mirror: &Mirror, tree: ObjectId, rules: &Rules) -> Vec<String> {
    check(mirror, tree, None, rules).unwrap().into_iter().map(|f| f.rule).collect()
}

#[test]
fn links_that_leave_the_tree_or_loop_are_refused() {
    let (_keep, mirror) = mirror();
    let rules = Rules::new(&Limits::default());
    let file = item(&mirror, "file", FileMode::Regular, b"x");
    for (target, expected) in [
        ("file", None),
        ("./file", None),
        ("missing", Some("links.dangling")),
        ("missing/../../x", Some("links.escape")),
        ("/etc/passwd", Some("links.absolute")),
        ("../x", Some("links.escape")),
        ("self", Some("links.loop")),
        ("up", Some("links.escape")),
    ] {
        let entries = [file.clone(), link(&mirror, "self", target), link(&mirror, "up", "../out")];
        let entries = if expected == Some("links.escape") || target == "up" {
            entries.to_vec()
        } else {
            entries[..2].to_vec()
        };
        let tree = mirror.write_tree(&entries).unwrap();
        let found = check(&mirror, tree, None, &rules).unwrap();
        let of_self = found.iter().find(|f| f.file.as_deref() == Some("self"));
        assert_eq!(of_self.map(|f| f.rule.as_str()), expected, "{target}: {found:?}");
    }
}

#[test]
fn two_links_that_lead_to_each_other_are_refused() {
    let (_keep, mirror) = mirror();
    let entries = [link(&mirror, "a", "b"), link(&mirror, "b", "a")];
    let tree = mirror.write_tree(&entries).unwrap();
    let rules = Rules::new(&Limits::default());
    assert_eq!(rules_of(&mirror, tree, &rules), ["links.loop", "links.loop"]);
}

#[test]
fn limits_name_their_setting_and_what_was_found() {
    let (_keep, mirror) = mirror();
    let entries = [
        item(&mirror, "a", FileMode::Regular, b"12345"),
        item(&mirror, "b", FileMode::Regular, b"1"),
    ];
    let tree = mirror.write_tree(&entries).unwrap();
    let limits = Limits { files_max: 1, file_bytes_max: 4, tree_bytes_max: 5, ..Limits::default() };
    let found = check(&mirror, tree, None, &Rules::new(&limits)).unwrap();
    let texts: Vec<_> = found.iter().map(ToString::to_string).collect();
    insta::assert_debug_snapshot!(texts);
}

#[test]
fn a_pointer_of_git_lfs_is_a_finding() {
    let (_keep, mirror) = mirror();
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    let tree = mirror.write_tree(&[item(&mirror, "a.bin", FileMode::Regular, pointer)]).unwrap();
    assert_eq!(rules_of(&mirror, tree, &Rules::new(&Limits::default())), ["lfs.pointer"]);
}

#[test]
fn one_bad_file_does_not_hide_another_and_what_is_live_is_not_read_again() {
    let (_keep, mirror) = mirror();
    let bad = |name: &str| item(&mirror, name, FileMode::Regular, b"a: [1\n");
    let tree = mirror.write_tree(&[bad("a.yaml"), bad("b.yaml")]).unwrap();
    let rules = Rules::new(&Limits::default());
    let found = check(&mirror, tree, None, &rules).unwrap();
    let files: Vec<_> = found.iter().filter_map(|f| f.file.as_deref()).collect();
    assert_eq!(files, ["a.yaml", "b.yaml"]);
    assert!(check(&mirror, tree, Some(tree), &rules).unwrap().is_empty());
}

#[test]
fn other_limits_are_other_rules() {
    let rules = Rules::new(&Limits::default());
    let other = Rules::new(&Limits { files_max: 1, ..Limits::default() });
    assert_eq!(rules.key(), Rules::new(&Limits::default()).key());
    assert_ne!(rules.key(), other.key());
}
