use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::config::{KeyPath, Mask, ReferenceRule, RuleFile, SchemaRule, Validation};
use crate::gates::tests::{mirror, told, tree_of};
use crate::gates::{Rules, check};
use crate::model::{Finding, Limits, TreePath};

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
    insta::assert_snapshot!(told(&found), @"
    sites/berlin.yaml:3:5: error: `services[1]` names `databse`, and services/databse.yaml is not in the tree [references.missing]
        did you mean `database`? Otherwise add services/databse.yaml
    sites/berlin.yaml:7:11: error: `routes.c.to` names `three`, and hosts/three/host.yaml is not in the tree [references.missing]
        add hosts/three/host.yaml, or take the name out
    ");
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

#[test]
fn files_that_name_without_end_are_refused_as_a_whole() {
    let rules = rules(&[("*.yaml", "a[]", &["*.txt"])]);
    let text = format!("a: [{}]\n", "b,".repeat(10_000));
    let mut files = files(&[("b.txt", "")]);
    files.extend((0..60).map(|n| (format!("{n}.yaml"), text.as_bytes().to_vec())));
    let (_keep, mirror) = mirror();
    let found = check(&mirror, tree_of(&mirror, &files), None, &rules).unwrap();
    assert_eq!(found.iter().map(|f| f.rule.as_str()).collect::<Vec<_>>(), ["references.many"]);
}

/// Trees of a few files that name each other, in the order in which they are looked at.
fn trees() -> impl Strategy<Value = Vec<BTreeMap<String, Vec<u8>>>> {
    let path = prop_oneof![
        Just("sites/a.yaml"),
        Just("sites/b.yaml"),
        Just("services/web.yaml"),
        Just("services/db.yaml"),
        Just("schema.yaml"),
    ];
    let text = prop_oneof![
        Just("services: [web]\n"),
        Just("services: [db, web, x]\n"),
        Just("type: object\n"),
        Just("properties: {services: {maxItems: 1}}\n"),
        Just("a: [1\n"),
        Just("n: 99999999999999999999\n"),
    ];
    let files = proptest::collection::btree_map(path, text, 0..5);
    let files = files.prop_map(|files| {
        files.into_iter().map(|(p, t)| (p.to_owned(), t.as_bytes().to_vec())).collect()
    });
    proptest::collection::vec(files, 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever was looked at before, and whatever of it is remembered: the errors are those of a
    /// tree that is looked at for the first time.
    #[test]
    fn what_is_remembered_changes_no_verdict(trees in trees()) {
        let mut validation = rules(&[("sites/", "services[]", &["services/*.yaml"])]).validation;
        let schema = RuleFile::Tree(TreePath::parse("schema.yaml").unwrap());
        validation.schemas.push(SchemaRule { files: vec!["s*/".to_owned()], schema });
        let rules = Rules::new(&Limits::default()).with(&validation, &Mask::default()).unwrap();
        let (_keep, mirror) = mirror();
        let (_aside, fresh) = crate::gates::tests::mirror();
        let mut live = None;
        for files in &trees {
            let tree = tree_of(&mirror, files);
            let found = check(&mirror, tree, live, &rules).unwrap();
            fresh.drop_digests().unwrap();
            let wanted = check(&fresh, tree_of(&fresh, files), None, &rules).unwrap();
            let errors = |found: &[Finding]| {
                found.iter().filter(|f| f.is_error()).cloned().collect::<Vec<_>>()
            };
            prop_assert_eq!(told(&errors(&found)), told(&errors(&wanted)));
            if !rules.refuse(&found) {
                live = Some(tree);
            }
        }
    }
}
