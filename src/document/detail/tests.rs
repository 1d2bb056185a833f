use proptest::prelude::*;

use super::*;

fn masker() -> Masker {
    Masker::new(&[], &[]).unwrap()
}

fn compared(path: &str, old: Option<&str>, new: Option<&str>) -> Detail {
    detail(
        &TreePath::parse(path).unwrap(),
        old.map(|t| (FileMode::Regular, t.as_bytes())),
        new.map(|t| (FileMode::Regular, t.as_bytes())),
        &masker(),
        &Limits::default(),
    )
}

fn text_of(detail: Detail) -> String {
    match detail {
        Detail::Text(text) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn documents_are_told_by_key() {
    let Detail::Keys(changes) = compared("a.yaml", Some("a: 1\nb: 2\n"), Some("a: 1\nb: 3\n"))
    else {
        panic!()
    };
    assert_eq!(changes[0].key, "b");
    assert!(
        matches!(compared("a.json", None, Some("{\"a\": 1}")), Detail::Keys(c) if c.len() == 1)
    );
}

#[test]
fn texts_are_told_by_line() {
    let old = "one\ntwo\nthree\nfour\nfive\nsix\nPASSWORD=old\nend\n";
    let new = "one\ntwo\nthree\nfour\nfive\nsix!\nPASSWORD=new\nend";
    insta::assert_snapshot!(text_of(compared("system.env", Some(old), Some(new))));
}

#[test]
fn comments_and_formatting_are_told_as_text() {
    let text = text_of(compared("a.yaml", Some("a: 1 # x\n"), Some("a:   1 # y\n")));
    insta::assert_snapshot!(text, @r"
    @@ -1 +1 @@
    -a: 1 # x
    +a:   1 # y
    ");
    let hidden = compared("a.yaml", Some("password: x\n"), Some("password:   'x'\n"));
    assert_eq!(hidden, Detail::Keys(Vec::new()));
}

#[test]
fn a_broken_document_is_told_as_text_without_the_secrets_of_the_good_one() {
    let old = "db: {password:\n    hunter2222}\n";
    let text = text_of(compared("a.yaml", Some(old), Some("db: {password:\nhunter2222\n")));
    assert!(!text.contains("hunter"), "{text}");
}

#[test]
fn binary_files_are_told_by_size_and_digest() {
    let path = TreePath::parse("a.bin").unwrap();
    let old = (FileMode::Regular, &b"a\0b"[..]);
    let new = (FileMode::Regular, &b"\xff\xfe"[..]);
    let told = detail(&path, Some(old), Some(new), &masker(), &Limits::default());
    let facts = |b: &[u8]| Some((b.len() as u64, blob_digest(b)));
    assert_eq!(told, Detail::Binary { old: facts(b"a\0b"), new: facts(b"\xff\xfe") });
}

#[test]
fn modes_and_links_are_told() {
    let path = TreePath::parse("a").unwrap();
    let told = |old, new| detail(&path, Some(old), Some(new), &masker(), &Limits::default());
    let file = (FileMode::Regular, &b"x"[..]);
    assert_eq!(told(file, (FileMode::Executable, b"x")), Detail::Mode);
    assert_eq!(
        told(file, (FileMode::Link, b"x")),
        Detail::Link { old: Some("(a file of 1 bytes)".to_owned()), new: Some("x".to_owned()) }
    );
}

#[test]
fn secret_files_show_nothing() {
    for (path, old, new) in [
        ("a/secrets.env", "A=1", "A=2"),
        ("k.age", "x", "y"),
        ("a.yaml", "a: plain\n", "a: ENC[AES256_GCM,data:x]\nsops: {mac: y}\n"),
        ("a.json", "{\"a\": \"x\"}", "{\"a\": \"y\", \"sops\": {\"mac\": \"z\"}}"),
    ] {
        assert_eq!(compared(path, Some(old), Some(new)), Detail::Secret, "{path}");
    }
}

#[test]
fn large_differences_are_cut() {
    let many: String = (0..2000).map(|n| format!("line {n}\n")).collect();
    let text = text_of(compared("a.txt", None, Some(&many)));
    assert_eq!(text.lines().count(), DIFF_LINES_MAX + 1);
    assert!(text.ends_with("… and 1601 more lines\n"), "{}", &text[text.len() - 40..]);
    let wide = "x".repeat(900).repeat(1000);
    assert!(text_of(compared("a.txt", None, Some(&wide))).len() < 2000);
    let huge = "x\n".repeat(TEXT_BYTES_MAX);
    assert!(text_of(compared("a.txt", Some("x"), Some(&huge))).starts_with("… too large"));
}

/// A secret that is in no other part of a document.
fn secret() -> impl Strategy<Value = String> {
    "Zq[a-z0-9]{6,12}( Zq[a-z0-9]{6})?"
}

fn key() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "password",
        "db-passwd",
        "clientSecret",
        "api_key",
        "apikey",
        "API_TOKEN",
        "privateKey",
        "credentials",
    ])
}

/// A piece of YAML, two columns deep, with a secret under a secret key, in some style.
fn hiding(key: &'static str, secret: &str, style: usize) -> String {
    let two = secret.replace(' ', "\n        ");
    match style {
        0 => format!("  {key}: {secret}\n"),
        1 => format!("  {key}: \"{secret}\"\n"),
        2 => format!("  '{key}': '{two}'\n"),
        3 => format!("  {key}: |\n      {secret}\n      {secret}\n"),
        4 => format!("  {key}: {{a: {{b: [1, {secret}]}}, {secret}: x}}\n"),
        5 => format!("  {key}:\n  - {secret}\n  - {secret}\n"),
        6 => format!("  {key}: &anchor {secret}\n  copy: *anchor\n  m: {{*anchor : 1}}\n"),
        7 => format!("  env:\n    - name: MY_{key}\n      value: {secret}\n"),
        8 => format!("  list: [[{{{key}: {secret}}}]]\n"),
        9 => format!("  script: |\n    export {key}={secret}\n"),
        10 => format!("  {key}:\n    {two}\n"),
        11 => format!("  # {key}: {secret}\n  args: ['--{key}', {key}={secret}]\n"),
        _ => format!("  ? {key}\n  : {secret}\n"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_value_under_a_secret_key_is_shown(
        (key, n) in (key(), 0..13_usize),
        (old_secret, new_secret) in (secret(), secret()),
        (old_shape, new_shape) in (0..6_usize, 0..6_usize),
        name in prop::sample::select(vec!["a.yaml", "a.env"]),
    ) {
        // Without a tree, aliases and what spans several nodes cannot be followed.
        let tree = name == "a.yaml" && old_shape != 3 && new_shape != 3;
        let style = |n: usize| if tree { n % 13 } else { [0, 1, 2, 3, 5, 9, 10][n % 7] };
        let shape = |shape: usize, secret: &str| match shape {
            0 => None,
            1 => Some(format!("top:\n{}", hiding(key, secret, style(n)))),
            2 => Some(format!("top:\n  x: 1\n{}other: 2\n", hiding(key, secret, style(n)))),
            3 => Some(format!("top:\n{}broken: [\n", hiding(key, secret, style(n)))),
            4 => Some("top: 1\n".to_owned()),
            _ => Some(format!("top:\n{}\n\nend: y\n", hiding(key, secret, style(n + 1)))),
        };
        let (old, new) = (shape(old_shape, &old_secret), shape(new_shape, &new_secret));
        let told = format!("{:?}", compared(name, old.as_deref(), new.as_deref()));
        prop_assert!(!told.contains("Zq"), "{told}\n{old:?}\n{new:?}");
    }
}
