use std::collections::BTreeMap;

use crate::config::{KeyPath, Mask, ReferenceRule, Validation};
use crate::gates::tests::{mirror, told, tree_of};
use crate::gates::{Rules, check};
use crate::model::Limits;

fn rules(rules: &[(&str, &str, &[&str])]) -> Rules {
    let references = rules.iter().map(|(files, key, targets)| ReferenceRule {
        files: vec![(*files).to_owned()],
        key: KeyPath::parse(key).unwrap(),
        targets: targets.iter().map(|target| (*target).to_owned()).collect(),
    });
    let validation = Validation { references: references.collect(), ..Validation::default() };
    Rules::new(&Limits::default()).with(&validation, &Mask::default()).unwrap()
}

fn files(files: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
    files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
}

#[test]
fn a_name_without_its_file_is_told_where_it_stands() {
    let rules = rules(&[
        ("sites/*.yaml", "services[]", &["services/*.yaml"]),
        ("sites/*.yaml", "routes.*.to", &["hosts/*/host.yaml", "hosts/*.json"]),
    ]);
    let files = files(&[
        (
            "sites/berlin.yaml",
            "services:\n  - web\n  - databse\nroutes:\n  a: {to: one}\n  b: {to: two}\n  c: {to: three}\n",
        ),
        ("sites/deep/none.yaml", "services: [nothing]\n"),
        ("services/web.yaml", "a: 1\n"),
        ("services/database.yaml", "a: 1\n"),
        ("hosts/one/host.yaml", "a: 1\n"),
        ("hosts/two.json", "{}\n"),
    ]);
    let (_keep, mirror) = mirror();
    let tree = tree_of(&mirror, &files);
    let found = check(&mirror, tree, None, &rules).unwrap();
    insta::assert_snapshot!(told(&found), @"");
}

#[test]
fn what_one_change_breaks_in_another_file_is_told_without_reading_that() {
    let rules = rules(&[("sites/*.yaml", "services[]", &["services/*.yaml"])]);
    let mut files = files(&[
        ("sites/berlin.yaml", "services: [web]\n"),
        ("services/web.yaml", "a: 1\n"),
        ("services/other.yaml", "a: 1\n"),
    ]);
    let (_keep, mirror) = mirror();
    let good = tree_of(&mirror, &files);
    assert_eq!(check(&mirror, good, None, &rules).unwrap(), []);
    files.remove("services/web.yaml");
    let bad = tree_of(&mirror, &files);
    let found = check(&mirror, bad, Some(good), &rules).unwrap();
    assert_eq!(found.len(), 1, "{}", told(&found));
    // The same again, by what is remembered of the tree that was refused, and by what is not.
    assert_eq!(check(&mirror, bad, Some(good), &rules).unwrap(), found);
    mirror.drop_digests().unwrap();
    assert_eq!(check(&mirror, bad, Some(good), &rules).unwrap(), found);
    assert_eq!(check(&mirror, good, Some(good), &rules).unwrap(), []);
}
