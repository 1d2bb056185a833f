use super::super::{Format, parse};
use super::*;
use crate::model::Limits;

fn documents(text: &str) -> Vec<Document> {
    parse(text.as_bytes(), Format::Yaml, &Limits::default()).unwrap()
}

fn page(changes: &[KeyChange]) -> String {
    let side = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    changes.iter().map(|c| format!("{}: {} → {}\n", c.key, side(&c.old), side(&c.new))).collect()
}

fn compared(old: &str, new: &str) -> String {
    page(&key_changes(&documents(old), &documents(new)))
}

#[test]
fn keys_are_told_by_their_path() {
    let old = "agents:\n  scheduler: {interval: 30s, a.b: 1}\nlist: [a, b]\ngone: {x: 1, y: [1]}\nkind: 1\n";
    let new = "agents:\n  scheduler: {interval: 10s, a.b: 2}\nlist: [a, c, d]\nkind: '1'\nnew: {deep: {er: |\n  two\n  lines\n}}\n";
    let new = new.replace(
        "{deep: {er: |\n  two\n  lines\n}}",
        "\n  deep:\n    er: |\n      two\n      lines",
    );
    insta::assert_snapshot!(compared(old, &new));
}

#[test]
fn items_of_a_list_are_told_by_their_name() {
    let old = "nodes:\n  - {name: a, url: x}\n  - {name: b, url: y}\n";
    let new = "nodes:\n  - {name: b, url: z}\n  - {name: c c, url: x}\n";
    insta::assert_snapshot!(compared(old, new));
}

#[test]
fn what_means_the_same_is_no_change() {
    assert_eq!(compared("a: 'x'\nb: [1,2]\n", "# note\nb: [1, 2]\n\na: \"x\"\n"), "");
}

#[test]
fn documents_are_told_apart_and_kinds_may_change() {
    insta::assert_snapshot!(compared("a: 1\n---\nb: 1\n", "a: 1\n---\nb: {c: 1}\n---\n[x]\n"));
    insta::assert_snapshot!(compared("", "a: {}\nb: ''\nc:\n"));
}

#[test]
fn there_is_an_end_to_values_and_to_changes() {
    let long = compared("a: 1\n", &format!("a: {}\n", "x".repeat(5000)));
    assert!(long.chars().count() < 140, "{long}");
    let many: String = (0..1500).map(|n| format!("k{n}: 1\n")).collect();
    let changes = key_changes(&[], &documents(&many));
    assert_eq!(changes.len(), 1001);
    assert_eq!(changes[1000].key, "… and 500 more");
}

#[test]
fn secrets_are_told_to_have_changed_and_no_more() {
    let masker = Masker::new(&[], &[]).unwrap();
    let old = "db: {password: &p old-secret, url: 'postgres://u:pw1@h/x', copy: *p}\n\
               env: [{name: API_TOKEN, value: t-one}, {name: A, value: 1}]\nkeys: [[{secret: s1}]]\n";
    let new = "db: {password: &p new-secret, url: 'postgres://u:pw2@h/x', copy: *p}\n\
               env: [{name: API_TOKEN, value: t-two}, {name: A, value: 2}]\nkeys: 1\ntokens: {a: b}\n";
    let changes = masked_key_changes(&documents(old), &documents(new), &masker);
    insta::assert_snapshot!(page(&changes));
}

proptest::proptest! {
    #[test]
    fn a_document_does_not_differ_from_itself(text in super::super::emit::arbitrary::yaml()) {
        let one = documents(&text);
        proptest::prop_assert_eq!(key_changes(&one, &one), []);
    }

    #[test]
    fn what_differs_is_told(
        a in super::super::emit::arbitrary::yaml(),
        b in super::super::emit::arbitrary::yaml(),
    ) {
        let (a, b) = (documents(&a), documents(&b));
        let same = a.iter().zip(&b).all(|(a, b)| a.root.means_the_same(&b.root));
        if same {
            proptest::prop_assert_eq!(key_changes(&a, &b), []);
        }
    }
}
