use std::collections::BTreeMap;

use proptest::prelude::*;

use super::variants::{VARIANTS, Variant};
use crate::config::{Mask, Preset, Secrets, Validation};
use crate::gates::tests::{files_of, mirror, told, tree_of};
use crate::gates::{Rules, check};
use crate::model::{Finding, Limits, ObjectId};
use crate::objects::Mirror;
use crate::secrets::tests::writer;

fn rules() -> Rules {
    let validation = Validation { preset: Preset::Kos, ..Validation::default() };
    Rules::new(&Limits::default()).with(&validation, &Mask::default()).unwrap()
}

fn found(files: &BTreeMap<String, Vec<u8>>) -> Vec<Finding> {
    let (_keep, mirror) = mirror();
    let tree = tree_of(&mirror, files);
    check(&mirror, tree, None, &rules()).unwrap()
}

fn fixture() -> BTreeMap<String, Vec<u8>> {
    let mut files = files_of("fixtures/kos-config");
    files.extend(files_of("fixtures/kos-blocks"));
    files
}

#[test]
fn the_seeds_profiles_and_blocks_pass_as_they_stand() {
    let files = fixture();
    assert!(files.contains_key("profiles/enterprise.yaml") && files.contains_key("gitops.yaml"));
    assert_eq!(told(&found(&files)), "");
}

#[test]
fn the_agent_that_the_seeds_folder_lacks_is_told_by_name() {
    let mut files = fixture();
    files.remove("agents/synthesizerAgent.yaml");
    insta::assert_snapshot!(told(&found(&files)), @"
    profiles/federation_node.yaml:21:5: error: `services[1]` names the agent `synthesizerAgent`, and agents/synthesizerAgent.yaml is not in the tree [references.missing]
        add agents/synthesizerAgent.yaml, or take the name out
    ");
}

impl Variant {
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let Self { name, path, from, to } = *self;
        let mut files = fixture();
        if to == "(gone)" {
            assert!(files.remove(path).is_some(), "{name}: {path} is not there");
            return files;
        }
        let text = files.get(path).cloned().unwrap_or_default();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains(from), "{name}: {path} has no {from:?}");
        let text = if from.is_empty() { to.to_owned() } else { text.replacen(from, to, 1) };
        files.insert(path.to_owned(), text.into_bytes());
        files
    }
}

#[test]
fn broken_configurations_are_refused_with_file_line_and_a_hint() {
    assert!(VARIANTS.len() >= 60, "{}", VARIANTS.len());
    let mut page = String::new();
    let mut poor = Vec::new();
    for variant in VARIANTS {
        let found = found(&variant.files());
        page.push_str(&format!("## {}\n{}\n", variant.name, told(&found)));
        let is_good =
            |f: &Finding| f.is_error() && f.file.is_some() && f.line.is_some() && f.hint.is_some();
        if !found.first().is_some_and(is_good) {
            poor.push(variant.name);
        }
    }
    insta::assert_snapshot!(page);
    assert_eq!(poor, [""; 0]);
}

#[test]
fn no_value_of_a_secret_is_in_a_message() {
    let mut files = fixture();
    let canary = "c4n4ry-9f2e";
    let edits = [
        ("secrets.env", format!("A_TOKEN='{canary}\nB {canary}\nC= {canary}\nA_TOKEN={canary}\n")),
        ("agents/tokenAgent.yaml", format!("name: tokenAgent\nqueue:\n  secret: {canary}\n")),
        ("plugins/p.yaml", format!("name: p\npassword:\n  interval: {canary}\ninterval: 1s\n")),
    ];
    for (path, text) in edits {
        files.insert(path.to_owned(), text.into_bytes());
    }
    let page = told(&found(&files));
    assert!(page.contains("secrets.env:1:1"), "{page}");
    assert!(!page.contains(canary), "{page}");
}

#[test]
fn variables_that_are_not_utf_8_are_told_where_and_not_shown() {
    let mut files = fixture();
    files.insert("secrets.env".to_owned(), b"A_TOKEN=one\nB_TOKEN=\xc3\n".to_vec());
    let page = told(&found(&files));
    assert!(page.contains("secrets.env:2:9: error: the file is not UTF-8 [kos.env]"), "{page}");
    assert!(!page.to_lowercase().contains("c3"), "{page}");
}

#[test]
fn variables_that_have_a_default_or_are_escaped_need_no_definition() {
    for (text, names) in [
        ("${A}", vec!["A"]),
        ("x${A}y${_B2}", vec!["A", "_B2"]),
        ("${A:?must be set} ${B?}", vec!["A", "B"]),
        ("${A:-1} ${B-} ${C:+x} ${D:=1} $${E} $F ${1} ${} ${G H} ${I", vec![]),
    ] {
        assert_eq!(super::needs::variables_in(text), names, "{text}");
    }
}

/// A file of the configuration with a few places of it written over.
fn damaged() -> impl Strategy<Value = BTreeMap<String, Vec<u8>>> {
    const PIECES: [&str; 14] =
        ["", ": ", "\n", "- ", "\"", "[", "{", "&a ", "*a", "0", "~", "${X}", "=", "ü"];
    let edit = (any::<usize>(), 0..PIECES.len(), 0..4_usize);
    (any::<usize>(), proptest::collection::vec(edit, 1..4)).prop_map(|(file, edits)| {
        let mut files = fixture();
        let at = file % files.len();
        if let Some(bytes) = files.values_mut().nth(at) {
            for (place, piece, gone) in edits {
                let start = place % (bytes.len() + 1);
                let end = (start + gone).min(bytes.len());
                bytes.splice(start..end, PIECES[piece].bytes());
            }
        }
        files
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    /// Whatever is in a file: what is said of it is bounded, and stands in a line that it has.
    #[test]
    fn every_finding_stands_in_a_line_of_its_file(files in damaged()) {
        let found = found(&files);
        prop_assert!(found.len() <= 401);
        for finding in &found {
            let bytes = finding.file.as_ref().and_then(|file| files.get(file));
            prop_assert!(bytes.is_some(), "{}", finding);
            let lines = bytes.map_or(0, |bytes| bytes.split(|b| *b == b'\n').count());
            prop_assert!(finding.line.is_some_and(|line| (1..=lines as u32).contains(&line)), "{}", finding);
        }
    }
}

/// Profiles beside those of the fixture.
fn with_profiles(profiles: &[(&str, &str)]) -> String {
    let mut files = fixture();
    for (name, text) in profiles {
        files.insert(format!("profiles/{name}.yaml"), text.as_bytes().to_vec());
    }
    told(&found(&files))
}

#[test]
fn a_profile_passes_with_what_it_extends_or_is_told_what_both_lack() {
    let good = [("camera", "profile: camera\nextends: standalone\nservices: [schedulerAgent]\n")];
    assert_eq!(with_profiles(&good), "");
    // What each may say alone, both together may not.
    insta::assert_snapshot!(with_profiles(&[
        ("base", "profile: base\ndeployment_mode: full_node\n"),
        ("grown", "profile: grown\nextends: base\ndeployment_mode: clustered\n"),
        ("bus", "profile: bus\nextends: base\nmessaging: {bus: redis}\n"),
    ]));
    // What is wrong with one file is said once, there.
    insta::assert_snapshot!(with_profiles(&[
        ("base", "profile: base\ndeployment_mode: fullnode\n"),
        ("top", "profile: top\nextends: base\n"),
    ]));
    insta::assert_snapshot!(with_profiles(&[
        ("one", "profile: one\nextends: two\n"),
        ("two", "profile: two\nextends: one\n"),
    ]));
}

/// Takes a file's blob out of the mirror, so that whoever reads it once more fails.
fn lose(mirror: &Mirror, tree: ObjectId, path: &str) {
    let id = mirror.find(tree, path).unwrap().unwrap().id.to_string();
    std::fs::remove_file(mirror.path().join("objects").join(&id[..2]).join(&id[2..])).unwrap();
}

#[test]
fn what_a_profile_extends_is_read_again_only_where_it_changed() {
    let (_keep, mirror) = mirror();
    let mut files = fixture();
    let mut add = |name: &str, text: &str| {
        files.insert(name.to_owned(), text.as_bytes().to_vec());
        tree_of(&mirror, &files)
    };
    add("profiles/base.yaml", "profile: base\ndeployment_mode: full_node\n");
    let bus = "profile: bus\nextends: base\nmessaging: {bus: redis}\n";
    add("profiles/bus.yaml", bus);
    let tree = add("profiles/grown.yaml", "profile: grown\nextends: base\n");
    let found = |mirror: &Mirror, tree| told(&check(mirror, tree, None, &rules()).unwrap());
    // What it worked out is written down when its handle ends.
    let first = found(&Mirror::open_or_create(mirror.path()).unwrap(), tree);
    assert_eq!(first.matches("with what it extends").count(), 1, "{first}");
    lose(&mirror, tree, "profiles/base.yaml");
    lose(&mirror, tree, "profiles/bus.yaml");
    let again = Mirror::open_or_create(mirror.path()).unwrap();
    let tree = add("notes.txt", "nothing of a profile\n");
    lose(&mirror, tree, "profiles/base.yaml");
    lose(&mirror, tree, "profiles/bus.yaml");
    assert_eq!(found(&again, tree), first);
    // What it needs of others is held against them each time.
    let tree = add("system.env", "REDIS_URL=redis://redis.example.com\n");
    lose(&mirror, tree, "profiles/base.yaml");
    assert!(!found(&again, tree).contains("with what it extends"));
    // A base that is another one is laid below those that extend it again.
    add("profiles/grown.yaml", "profile: grown\nextends: base\ndeployment_mode: clustered\n");
    let tree = add("profiles/base.yaml", "profile: base\ndeployment_mode: full_node\nx: 1\n");
    let fresh = found(&again, tree);
    assert!(fresh.contains("profiles/grown.yaml:2"), "{fresh}");
}

#[test]
fn profiles_that_extend_too_much_are_told_and_not_waited_for() {
    let (_keep, mirror) = mirror();
    let mut files = fixture();
    let base = format!("profile: base\n# {}\n", "x".repeat(4_000_000));
    files.insert("profiles/base.yaml".to_owned(), base.into_bytes());
    for n in 0..40 {
        let text = format!("profile: p{n:02}\nextends: base\n");
        files.insert(format!("profiles/p{n:02}.yaml"), text.into_bytes());
    }
    let tree = tree_of(&mirror, &files);
    let first = told(&check(&mirror, tree, None, &rules()).unwrap());
    assert!(first.contains("profiles/p33.yaml:2") && first.contains("bytes"), "{first}");
    assert_eq!(first.matches("kos.extends").count(), 1, "{first}");
    // What is remembered counts as well.
    assert_eq!(told(&check(&mirror, tree, None, &rules()).unwrap()), first);
}

#[test]
fn a_profile_over_an_encrypted_one_is_judged_by_what_that_becomes_or_not_at_all() {
    let sealed = |mode: &str| {
        let pairs = [("profile", "base"), ("deployment_mode", mode)];
        writer::yaml(&pairs, &[writer::ALICE]).into_bytes()
    };
    let found = |mode: &str, rules: &Rules| {
        let (_keep, mirror) = mirror();
        let mut files = fixture();
        files.insert("profiles/base.yaml".to_owned(), sealed(mode));
        let top = b"profile: top\nextends: base\n".to_vec();
        files.insert("profiles/top.yaml".to_owned(), top);
        let tree = tree_of(&mirror, &files);
        told(&check(&mirror, tree, None, rules).unwrap())
    };
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/secrets/mock.txt");
    let secrets = Secrets { age_identities_file: Some(file), ..Secrets::default() };
    let opening = rules().decrypting(&secrets);
    assert_eq!(found("full_node", &opening), "");
    let refused = found("canary", &opening);
    assert!(refused.contains("profiles/top.yaml:2"), "{refused}");
    assert!(!refused.contains("canary"), "{refused}");
    // Who cannot decrypt it says nothing of it.
    assert_eq!(found("full_node", &rules()), "");
}
