use std::convert::Infallible;

use super::{CHAIN_MAX, Profile, ProfileError, is_name, resolve};
use crate::document;
use crate::model::Limits;

fn of(name: &str, files: &[(&str, &str)]) -> Result<Profile, ProfileError> {
    let read = |path: &str| -> Result<_, Infallible> {
        Ok(files.iter().find(|(file, _)| *file == path).map(|(_, text)| text.as_bytes().to_vec()))
    };
    match resolve(name, &Limits::default(), read) {
        Ok(result) => result,
        Err(never) => match never {},
    }
}

const BASE: (&str, &str) = (
    "profiles/base.yaml",
    "mode: full\nstorage:\n  cache: redis\n  vector: qdrant\nservices: [a, b]\n",
);

#[test]
fn a_profile_is_laid_over_the_one_it_extends_and_each_value_tells_where_it_is_from() {
    let mine =
        ("profiles/mine.yaml", "extends: base\nstorage:\n  cache: none\nservices: [c]\nnew: 1\n");
    let profile = of("mine", &[BASE, mine]).unwrap();
    assert_eq!(
        document::emit(&profile.document),
        "mode: full\nstorage:\n  cache: none\n  vector: qdrant\nservices:\n  - c\nnew: 1\n"
    );
    let told: Vec<String> = profile
        .explain()
        .into_iter()
        .map(|e| format!("{} = {} {}:{}", e.key.join("."), e.value, e.file, e.line))
        .collect();
    assert_eq!(
        told,
        [
            "mode = full profiles/base.yaml:1",
            "storage.cache = none profiles/mine.yaml:3",
            "storage.vector = qdrant profiles/base.yaml:4",
            "services = [c] profiles/mine.yaml:4",
            "new = 1 profiles/mine.yaml:5",
        ]
    );
}

#[test]
fn secrets_are_shown_neither_as_a_document_nor_one_by_one() {
    let text = "db:\n  password: hunter2\n  url: postgres://me:hunter2@db/x\nusers:\n- {name: a, token: t0ps3cret}\nnote: t0ps3cret\n";
    let masker = document::Masker::new(&[], &[]).unwrap();
    let profile = of("mine", &[("profiles/mine.yaml", text)]).unwrap().masked(&masker);
    let shown = format!("{}{:?}", document::emit(&profile.document), profile.explain());
    assert!(!shown.contains("hunter2") && !shown.contains("t0ps3cret"), "{shown}");
    assert!(shown.contains("password: (hidden)") && shown.contains("name: a"), "{shown}");
}

#[test]
fn nothing_is_shown_of_what_a_secret_file_says() {
    let secret = ("profiles/base.yaml", "pin: 4711\n1: one\nlist: [4712]\nboth: {a: 4713, b: 1}\n");
    let mine = ("profiles/mine.yaml", "extends: base\nopen: yes\nboth: {b: 2}\n");
    let masker = document::Masker::new(&["profiles/base.yaml".to_owned()], &[]).unwrap();
    let profile = of("mine", &[secret, mine]).unwrap().masked(&masker);
    assert_eq!(
        document::emit(&profile.document),
        "pin: (hidden)\n1: (hidden)\nlist: (hidden)\nboth:\n  a: (hidden)\n  b: 2\nopen: yes\n"
    );
    let told = format!("{:?}", profile.explain());
    assert!(!told.contains("471") && !told.contains("\"one\""), "{told}");
    // A secret file over an open one hides what it says, and no more.
    let masker = document::Masker::new(&["mine.yaml".to_owned()], &[]).unwrap();
    let profile = of("mine", &[secret, mine]).unwrap().masked(&masker);
    let shown = document::emit(&profile.document);
    assert!(shown.contains("pin: 4711") && shown.contains("b: (hidden)"), "{shown}");
    assert!(shown.contains("open: (hidden)"), "{shown}");
}

#[test]
fn null_takes_away_what_is_below() {
    let mine = ("profiles/mine.yaml", "extends: base\nstorage: null\n");
    let profile = of("mine", &[BASE, mine]).unwrap();
    assert_eq!(document::emit(&profile.document), "mode: full\nservices:\n  - a\n  - b\n");
}

#[test]
fn what_cannot_be_made_says_why_and_where() {
    let one = |text| ("profiles/mine.yaml", text);
    let said = |files: &[(&str, &str)]| of("mine", files).unwrap_err().to_string();
    assert_eq!(said(&[]), "there is no profile mine: profiles/mine.yaml is not in the tree");
    assert_eq!(
        said(&[one("a: 1\nextends: other\n")]),
        "profiles/mine.yaml:2:10: there is no profile other: profiles/other.yaml is not in the tree"
    );
    assert_eq!(
        said(&[one("extends: ../../etc/x\n")]),
        "profiles/mine.yaml:1:10: ../../etc/x is not the name of a profile: letters, digits, `_`, `-` and `.`"
    );
    assert_eq!(
        said(&[one("extends: [a]\n")]),
        "profiles/mine.yaml:1:10: a list is not the name of a profile: letters, digits, `_`, `-` and `.`"
    );
    assert_eq!(
        said(&[one("extends: base\n"), ("profiles/base.yaml", "extends: mine\n")]),
        "profiles/base.yaml:1:10: profiles extend each other in a circle: profiles/mine.yaml → profiles/base.yaml → profiles/mine.yaml"
    );
    assert_eq!(
        said(&[one("extends: base\nmode: {a: 1}\n"), BASE]),
        "profiles/mine.yaml cannot be laid over what it extends: `mode` is a mapping (line 2, column 7) over a single value (line 1, column 7)"
    );
    assert!(said(&[one("a: [\n")]).starts_with("profiles/mine.yaml:"));
    assert_eq!(
        said(&[one("- a\n")]),
        "profiles/mine.yaml has to be one document of keys and values"
    );
}

#[test]
fn a_chain_of_profiles_has_an_end() {
    let files: Vec<(String, String)> = (0..=CHAIN_MAX)
        .map(|n| (format!("profiles/p{n}.yaml"), format!("extends: p{}\n", n + 1)))
        .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert!(matches!(of("p0", &files), Err(ProfileError::TooMany { .. })));
}

#[test]
fn a_name_cannot_lead_out_of_the_folder() {
    for name in ["", ".", "..", ".hidden", "a/b", "a\\b", "a\0", "ä", "a b"] {
        assert!(!is_name(name), "{name:?}");
    }
    assert!(is_name("developer_node") && is_name("edge-1.2"));
}
