//! The gates: a first run over all documents, and the next one after a change.

use super::repository::{Repository, SIZES};
use divan::Bencher;
use divan::counter::ItemsCount;
use kconfigd::config::{KeyPath, Mask, ReferenceRule, RuleFile, SchemaRule, Validation};
use kconfigd::gates::{Rules, check};
use kconfigd::model::Limits;
use tempfile::TempDir;

const SCHEMA: &str = "
type: object
required: [sequence, name, rules]
additionalProperties: false
properties:
  sequence: {type: integer, minimum: 0}
  name: {type: string, pattern: '^part-[0-9]+$'}
  rules:
    type: object
    propertyNames: {pattern: '^rule-[0-9]$'}
    additionalProperties:
      type: object
      required: [weight, target]
      additionalProperties: false
      properties:
        weight: {type: integer, minimum: 0, maximum: 100}
        target: {type: string, pattern: '^[a-z0-9.-]+$'}
        'on': {type: boolean}
";

/// A schema of the node for every file, and a name in each that has to be there.
fn rules() -> (TempDir, Rules) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let schema = folder.path().join("schema.yaml");
    std::fs::write(&schema, SCHEMA).expect("the schema");
    let every = || vec!["*.yaml".to_owned()];
    let validation = Validation {
        schemas: vec![SchemaRule { files: every(), schema: RuleFile::Node(schema) }],
        references: vec![ReferenceRule {
            files: every(),
            key: KeyPath::parse("sequence").expect("a way to a key"),
            targets: vec!["group-0000/part-0*.yaml".to_owned()],
        }],
        ..Validation::default()
    };
    let rules = Rules::new(&Limits::default()).with(&validation, &Mask::default());
    (folder, rules.expect("rules"))
}

/// All documents are new, and nothing is remembered of these rules.
#[divan::bench(args = SIZES, sample_count = 10)]
fn first_run(bencher: Bencher<'_, '_>, files: u64) {
    let (_folder, rules) = rules();
    run(bencher, files, &rules);
}

/// The same without any rules of the settings: what reading and parsing cost alone.
#[divan::bench(args = SIZES, sample_count = 10)]
fn first_run_of_syntax_alone(bencher: Bencher<'_, '_>, files: u64) {
    run(bencher, files, &Rules::new(&Limits::default()));
}

fn run(bencher: Bencher<'_, '_>, files: u64, rules: &Rules) {
    let repository = Repository::new(files);
    repository.mirror.summary(repository.tree, None).expect("a summary");
    let mut turn = 0;
    bencher
        .counter(ItemsCount::new(files))
        .with_inputs(|| {
            turn += 1;
            rules.clone().made_by(turn.to_string())
        })
        .bench_local_values(|rules| {
            let found = check(&repository.mirror, repository.tree, None, &rules);
            assert_eq!(found.expect("findings"), []);
        });
}

/// One document of them changed; what the others say is remembered.
#[divan::bench(args = SIZES)]
fn one_file_changed(bencher: Bencher<'_, '_>, files: u64) {
    let repository = Repository::new(files);
    let (_folder, rules) = rules();
    let live = Some(repository.tree);
    check(&repository.mirror, repository.tree, None, &rules).expect("findings");
    let trees = [repository.changed(1), repository.changed(2)];
    let mut turn = 0;
    bencher.bench_local(|| {
        turn += 1;
        let found = check(&repository.mirror, trees[turn % 2], live, &rules);
        assert_eq!(found.expect("findings"), []);
    });
}
