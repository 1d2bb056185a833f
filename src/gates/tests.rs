use std::collections::BTreeMap;

use super::*;
use crate::model::{FileMode, Limits};
use crate::objects::{Item, ItemKind};

pub(super) fn mirror() -> (tempfile::TempDir, Mirror) {
    let folder = tempfile::tempdir().unwrap();
    let mirror = Mirror::open_or_create(&folder.path().join("repo.git")).unwrap();
    (folder, mirror)
}

/// A tree of these files, by their paths.
pub(super) fn tree_of(mirror: &Mirror, files: &BTreeMap<String, Vec<u8>>) -> ObjectId {
    let mut items = Vec::new();
    let mut folders: BTreeMap<&str, BTreeMap<String, Vec<u8>>> = BTreeMap::new();
    for (path, bytes) in files {
        match path.split_once('/') {
            None => items.push(item(mirror, path, FileMode::Regular, bytes)),
            Some((folder, rest)) => {
                folders.entry(folder).or_default().insert(rest.to_owned(), bytes.clone());
            }
        }
    }
    for (name, files) in folders {
        let id = tree_of(mirror, &files);
        items.push(Item { name: name.into(), id, kind: ItemKind::Folder });
    }
    mirror.write_tree(&items).unwrap()
}

/// The files below a folder of the project, by their paths in it.
pub(super) fn files_of(folder: &str) -> BTreeMap<String, Vec<u8>> {
    fn add(at: &std::path::Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) {
        for entry in std::fs::read_dir(at).unwrap().map(Result::unwrap) {
            let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
            match entry.file_type().unwrap().is_dir() {
                true => add(&entry.path(), &format!("{name}/"), files),
                false => drop(files.insert(name, std::fs::read(entry.path()).unwrap())),
            }
        }
    }
    let mut files = BTreeMap::new();
    add(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), "", &mut files);
    files
}

/// Findings as people see them, one after the other.
pub(super) fn told(findings: &[Finding]) -> String {
    let mut page = String::new();
    for finding in findings {
        page.push_str(&format!("{finding}\n"));
        page.push_str(&format!("    {}\n", finding.hint.as_deref().unwrap_or("no hint")));
    }
    page
}

pub(super) fn item(mirror: &Mirror, name: &str, mode: FileMode, bytes: &[u8]) -> Item {
    let id = mirror.write_blob(bytes).unwrap();
    Item { name: name.into(), id, kind: ItemKind::File(mode) }
}

fn link(mirror: &Mirror, name: &str, target: &str) -> Item {
    item(mirror, name, FileMode::Link, target.as_bytes())
}

fn rules_of(mirror: &Mirror, tree: ObjectId, rules: &Rules) -> Vec<String> {
    check(mirror, tree, None, rules).unwrap().into_iter().map(|f| f.rule).collect()
}

/// What is said of the link `d/self` with this target, beside files and folders.
fn said_of(target: &str) -> Option<String> {
    let (_keep, mirror) = mirror();
    let folder = |name: &str, items: &[Item]| {
        let id = mirror.write_tree(items).unwrap();
        Item { name: name.into(), id, kind: ItemKind::Folder }
    };
    let file = item(&mirror, "file", FileMode::Regular, b"x");
    let deep = folder("deep", std::slice::from_ref(&file));
    let inside = [
        link(&mirror, "self", target),
        link(&mirror, "twin", "self"),
        link(&mirror, "to_deep", "deep"),
        link(&mirror, "to_top", ".."),
        deep,
    ];
    let tree = mirror.write_tree(&[file, folder("d", &inside)]).unwrap();
    let found = check(&mirror, tree, None, &Rules::new(&Limits::default())).unwrap();
    found.into_iter().find(|f| f.file.as_deref() == Some("d/self")).map(|f| f.rule)
}

#[test]
fn links_that_stay_in_the_tree_are_kept() {
    for target in [
        "../file",
        "deep",
        "deep/",
        "./deep/file",
        "to_deep/file",
        "../d/to_deep/../../file",
        ".",
        "..",
        "to_top/file",
    ] {
        assert_eq!(said_of(target), None, "{target}");
    }
}

#[test]
fn links_that_leave_the_tree_or_loop_are_refused() {
    for (target, rule) in [
        ("missing", "links.dangling"),
        ("missing/../deep", "links.dangling"),
        ("missing/../../../x", "links.escape"),
        ("../missing/../../x", "links.escape"),
        ("/etc/passwd", "links.absolute"),
        ("../../x", "links.escape"),
        ("../..", "links.escape"),
        ("to_top/../x", "links.escape"),
        ("deep/../../../x", "links.escape"),
        ("self", "links.loop"),
        ("twin", "links.loop"),
        ("twin/../x", "links.loop"),
        ("../file/x", "links.file"),
        ("../file/..", "links.file"),
        ("../file/", "links.file"),
        ("", "links.target"),
        ("a\0b", "links.target"),
    ] {
        assert_eq!(said_of(target).as_deref(), Some(rule), "{target}");
    }
}

#[test]
fn a_link_is_followed_again_when_what_it_goes_through_changed() {
    let (_keep, mirror) = mirror();
    let rules = Rules::new(&Limits::default());
    let file = |bytes| item(&mirror, "file", FileMode::Regular, bytes);
    let way = link(&mirror, "link", "file");
    let good = mirror.write_tree(&[file(b"1"), way.clone()]).unwrap();
    assert_eq!(rules_of(&mirror, good, &rules), [""; 0]);
    let edited = mirror.write_tree(&[file(b"2"), way.clone()]).unwrap();
    assert_eq!(check(&mirror, edited, Some(good), &rules).unwrap(), []);
    let gone = mirror.write_tree(&[way]).unwrap();
    let found = check(&mirror, gone, Some(good), &rules).unwrap();
    assert_eq!(found.iter().map(|f| f.rule.as_str()).collect::<Vec<_>>(), ["links.dangling"]);
}

#[test]
fn links_without_end_are_refused_soon() {
    let (_keep, mirror) = mirror();
    let long = "./".repeat(2000) + "b";
    let links: Vec<Item> = (0..1000).map(|n| link(&mirror, &format!("l{n:04}"), &long)).collect();
    let tree = mirror.write_tree(&links).unwrap();
    let found = check(&mirror, tree, None, &Rules::new(&Limits::default())).unwrap();
    assert_eq!(found[0].rule, "links.many");
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
    let elsewhere = Rules::new(&Limits { http_body_bytes_max: 1, ..Limits::default() });
    assert_eq!(rules.key(), elsewhere.key());
    assert_ne!(rules.key(), rules.clone().made_by("path=a".to_owned()).key());
}

#[test]
fn no_number_of_findings_hides_an_error() {
    let (_keep, mirror) = mirror();
    // A warning a line: integers beyond 64 bits.
    let warned: String = (0..900).map(|n| format!("k{n}: 99999999999999999999\n")).collect();
    let mut items: Vec<Item> = (0..6)
        .map(|n| item(&mirror, &format!("l{n}.yaml"), FileMode::Regular, warned.as_bytes()))
        .collect();
    items.push(item(&mirror, "z.yaml", FileMode::Regular, b"a: [1\n"));
    let tree = mirror.write_tree(&items).unwrap();
    let found = check(&mirror, tree, None, &Rules::new(&Limits::default())).unwrap();
    assert_eq!((found.len(), found[0].rule.as_str()), (5_002, "yaml.syntax"));
    assert!(found.last().unwrap().message.starts_with("400 more"));
}

#[test]
fn rules_that_are_files_of_the_node_are_part_of_the_key() {
    use crate::config::{Mask, RuleFile, SchemaRule, Validation};
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("s.yaml");
    let rule = SchemaRule { files: vec!["a".to_owned()], schema: RuleFile::Node(file.clone()) };
    let validation = Validation { schemas: vec![rule], ..Validation::default() };
    let mut rules = Rules::new(&Limits::default()).with(&validation, &Mask::default()).unwrap();
    let mut keys = vec![Rules::new(&Limits::default()).key(), rules.key()];
    assert!(!rules.refresh(), "it is still not there");
    for text in ["type: object\n", "type: string\n"] {
        std::fs::write(&file, text).unwrap();
        assert!(rules.refresh());
        keys.push(rules.key());
        assert!(!rules.refresh(), "nothing changed");
    }
    std::fs::remove_file(&file).unwrap();
    assert!(rules.refresh());
    assert_eq!(rules.key(), keys[1]);
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 4);
    let (_keep, mirror) = mirror();
    let tree = mirror.write_tree(&[item(&mirror, "b", FileMode::Regular, b"")]).unwrap();
    let error = check(&mirror, tree, None, &rules).unwrap_err();
    assert!(error.is_of_this_node() && !error.mirror_damaged(), "{error}");
}
