use std::collections::BTreeMap;

use super::{Kind, PRESET, source};
use crate::config::{Mask, Preset, RulePattern, Validation};
use crate::gates::tests::{files_of, mirror, told, tree_of};
use crate::gates::{GateError, Rules, check};
use crate::model::{Finding, Limits};
use crate::rego::{Bounds, Evaluator, SetText};

fn files(all: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
    all.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
}

fn rules(validation: Validation) -> Rules {
    Rules::new(&Limits::default()).with(&validation, &Mask::default()).unwrap()
}

fn of_tree() -> Validation {
    let tree = |text: &str| vec![RulePattern::Tree(text.to_owned())];
    Validation { policies: tree("policy/**"), ..Validation::default() }
}

fn found(all: &[(&str, &str)], validation: Validation) -> Result<Vec<Finding>, GateError> {
    let (_keep, mirror) = mirror();
    check(&mirror, tree_of(&mirror, &files(all)), None, &rules(validation))
}

fn page(all: &[(&str, &str)]) -> String {
    told(&found(all, of_tree()).unwrap())
}

const ROOT: &str = r#"package main

deny[msg] {
  input.kind == "Deployment"
  not input.spec.runAsNonRoot
  msg := sprintf("%v must not run as root", [input.metadata.name])
}

violation[{"msg": msg, "details": {"path": ["spec", "ports", i]}}] {
  port := input.spec.ports[i]
  port < 1024
  msg := sprintf("port %d is below 1024.", [port])
}

warn_team[msg] {
  not input.metadata.team
  msg := "no team"
}
"#;

#[test]
fn rules_of_others_say_what_is_wrong_and_where() {
    let web = "kind: Deployment\nmetadata: {name: web}\nspec:\n  ports:\n    - 8080\n    - 80\n";
    insta::assert_snapshot!(page(&[("policy/root.rego", ROOT), ("k8s/web.yaml", web)]));
}

#[test]
fn documents_of_a_file_and_items_of_a_list_are_asked_about_one_by_one() {
    let two = "metadata: {team: a}\n---\nmetadata: {}\n";
    let list = "[{\"metadata\": {\"team\": 1}}, {\"metadata\": {}}]";
    let all = [("policy/root.rego", ROOT), ("two.yaml", two), ("list.json", list)];
    insta::assert_snapshot!(page(&all));
}

#[test]
fn rules_see_data_and_the_name_of_the_file() {
    let rule = "package main\nimport rego.v1\ndeny contains msg if {\n  not input.team in data.teams\n  msg := sprintf(\"%v in %v: no team of ours\", [data.conftest.file.name, data.conftest.file.dir])\n}\n";
    let all = [
        ("policy/team.rego", rule),
        ("policy/data/teams.yaml", "teams: [red, blue]\n"),
        ("a/one.yaml", "team: red\n"),
        ("a/two.yaml", "team: green\n"),
        ("three.yaml", "team: black\n"),
    ];
    let policy_data = vec![RulePattern::Tree("policy/data/**".to_owned())];
    let validation = Validation { policy_data, ..of_tree() };
    insta::assert_snapshot!(told(&found(&all, validation).unwrap()));
}

#[test]
fn rules_about_the_whole_set_compare_files() {
    let rule = "package combined\nimport rego.v1\ndeny contains {\"msg\": msg, \"file\": two.path, \"path\": [\"port\"]} if {\n  some one in input\n  some two in input\n  one.path < two.path\n  one.contents.port == two.contents.port\n  msg := sprintf(\"the port %d is %v's\", [two.contents.port, one.path])\n}\ndeny contains \"no file has port 1\" if {\n  count([1 | input[_].contents.port == 1]) == 0\n}\n";
    let all = [
        ("policy/ports.rego", rule),
        ("a.yaml", "port: 80\n"),
        ("b.yaml", "x: 1\nport: 80\n"),
        ("c.yaml", "port: 81\n"),
    ];
    insta::assert_snapshot!(page(&all));
}

#[test]
fn what_was_found_is_remembered_until_the_rules_are_others() {
    let (_keep, mirror) = mirror();
    let rules = rules(of_tree());
    let check = |all: &[(&str, &str)], live| {
        let tree = tree_of(&mirror, &files(all));
        (tree, told(&check(&mirror, tree, live, &rules).unwrap()))
    };
    let bad = ("bad.yaml", "kind: Deployment\nmetadata: {name: bad, team: a}\n");
    let (_, first) = check(&[("policy/root.rego", ROOT), bad], None);
    assert!(first.contains("bad must not run as root"), "{first}");
    // Another file: the bad one is known, and still told.
    let (_, again) = check(&[("policy/root.rego", ROOT), bad, ("x.txt", "x")], None);
    assert_eq!(again, first);
    let gentle = "package main\nwarn[msg] { input.kind == \"Deployment\"; msg := \"gentle\" }\n";
    let (live, other) = check(&[("policy/root.rego", gentle), bad], None);
    assert!(other.contains("gentle") && !other.contains("root.rego:3"), "{other}");
    // What is live passed the gentle rules, and has to pass the strict ones.
    let (_, strict) = check(&[("policy/root.rego", ROOT), bad], Some(live));
    assert_eq!(strict, first);
}

#[test]
fn rules_that_are_broken_refuse_the_revision_with_their_place() {
    let all = [
        ("policy/a.rego", "package main\n\ndeny[msg] {\n  input.a == \n}\n"),
        ("policy/b.rego", "package b\n\ndeny[msg] { nosuch(input); msg := \"x\" }\n"),
        ("a.yaml", "a: 1\n"),
    ];
    insta::assert_snapshot!(page(&all));
    insta::assert_snapshot!(page(&[("a.yaml", "a: 1\n")]));
}

#[test]
fn rules_of_the_node_that_are_broken_refuse_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.rego");
    let pattern = RulePattern::Node(path.display().to_string());
    let validation = Validation { policies: vec![pattern], ..Validation::default() };
    let missing = found(&[("a.yaml", "a: 1\n")], validation.clone()).unwrap_err();
    assert!(missing.is_of_this_node(), "{missing}");
    std::fs::write(&path, "package main\ndeny[").unwrap();
    let broken = found(&[("a.yaml", "a: 1\n")], validation).unwrap_err();
    assert!(broken.is_of_this_node(), "{broken}");
    assert!(broken.to_string().contains("a.rego:2:"), "{broken}");
}

#[test]
fn messages_of_rules_hold_no_secrets() {
    let rule =
        "package main\ndeny[msg] { msg := sprintf(\"%v and %v\", [input.password, input.name]) }\n";
    let canary = "c4n4ry-5e7a";
    let text = format!("name: web\npassword: {canary}\n");
    let page = page(&[("policy/a.rego", rule), ("a.yaml", &text)]);
    assert!(page.contains("(hidden) and web"), "{page}");
    assert!(!page.contains(canary), "{page}");
    let longer =
        "package main\ndeny[msg] { msg := sprintf(\"it is %v\", [input.list[0].token]) }\n";
    let text = format!("password: {canary}\nlist: [{{token: {canary}-and-more}}]\n");
    let page = self::page(&[("policy/a.rego", longer), ("a.yaml", &text)]);
    assert!(page.contains("it is (hidden)") && !page.contains("more"), "{page}");
    let text = format!("name: web\npassword: {canary}\n");
    let combined =
        "package combined\ndeny[msg] { msg := sprintf(\"%v\", [input[_].contents.password]) }\n";
    let page = self::page(&[("policy/a.rego", combined), ("a.yaml", &text)]);
    assert!(page.contains("(hidden)") && !page.contains(canary), "{page}");
}

#[test]
fn patterns_of_the_node_mean_files_folders_and_globs() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::create_dir_all(at.join("p/deep")).unwrap();
    for name in ["p/a.rego", "p/a_test.rego", "p/deep/b.rego", "p/data.yaml", "c.rego"] {
        std::fs::write(at.join(name), "package main\n").unwrap();
    }
    let names = |pattern: &str, kind| {
        let files = super::of_node::files_of(&at.join(pattern).to_string_lossy(), kind).unwrap();
        let mut names: Vec<_> = files
            .iter()
            .map(|file| file.strip_prefix(at).unwrap().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names.join(" ")
    };
    assert_eq!(names("p", Kind::Rules), "p/a.rego p/deep/b.rego");
    assert_eq!(names("p/*.rego", Kind::Rules), "p/a.rego");
    assert_eq!(names("**/b.rego", Kind::Rules), "p/deep/b.rego");
    assert_eq!(names("c.rego", Kind::Rules), "c.rego");
    assert_eq!(names("p", Kind::Data), "p/data.yaml");
}

/// What the preset's rules say of the seed's configuration with one file changed.
fn preset(path: &str, edit: impl Fn(&str) -> String) -> String {
    let mut files = files_of("fixtures/kos-config");
    let text = String::from_utf8(files.get(path).cloned().unwrap_or_default()).unwrap();
    let edited = edit(&text);
    assert_ne!(edited, text, "{path}");
    files.insert(path.to_owned(), edited.into_bytes());
    let (_keep, mirror) = mirror();
    let validation = Validation { preset: Preset::Kos, ..Validation::default() };
    let all = check(&mirror, tree_of(&mirror, &files), None, &rules(validation)).unwrap();
    let of_policies: Vec<_> = all.into_iter().filter(|f| f.rule.starts_with("policy.")).collect();
    told(&of_policies)
}

#[test]
fn the_presets_rules_refuse_what_weakens_a_configuration() {
    let mut page = String::new();
    for (path, from, to) in [
        ("profiles/standalone.yaml", "encryption: local_only", "encryption: none"),
        ("profiles/enterprise.yaml", "audit_logging: comprehensive", "audit_logging: none"),
        ("profiles/enterprise.yaml", "  audit_logging: comprehensive\n", ""),
        ("profiles/enterprise.yaml", "rbac: enabled", "rbac: optional"),
        ("profiles/enterprise.yaml", "  rbac: enabled\n", ""),
        ("profiles/enterprise.yaml", "retention: 7_years", "retention: 2_weeks"),
        ("profiles/enterprise.yaml", "retention: 7_years", "retention: 29d"),
        ("profiles/federation_node.yaml", "session_timeout: 24h", "session_timeout: 25h"),
        ("profiles/federation_node.yaml", "session_timeout: 24h", "session_timeout: 0s"),
        (
            "agents/synthesizerAgent.yaml",
            "model: ollama",
            "image: registry.example.com:5000/ollama",
        ),
        ("agents/synthesizerAgent.yaml", "model: ollama", "image: ollama:latest"),
        ("agents/synthesizerAgent.yaml", "model: ollama", "tool: {version: latest}"),
        (
            "agents/synthesizerAgent.yaml",
            "model: ollama",
            "endpoints: [\"https://a.example.com\", \"http://a.example.com/v1\"]",
        ),
        ("agents/synthesizerAgent.yaml", "model: ollama", "endpoint: redis://u@8.8.8.8:6379"),
        ("agents/synthesizerAgent.yaml", "model: ollama", "tls: {insecure_skip_verify: true}"),
        ("plugins/logger.yaml", "level: info", "tls: off"),
    ] {
        let said = preset(path, |text| text.replace(from, to));
        page.push_str(&format!("## {path}: {from} -> {to}\n{said}\n"));
    }
    insta::assert_snapshot!(page);
}

#[test]
fn the_presets_rules_pass_over_what_is_fine() {
    for (path, from, to) in [
        ("profiles/federation_node.yaml", "session_timeout: 24h", "session_timeout: 1d"),
        ("profiles/federation_node.yaml", "session_timeout: 24h", "session_timeout: 900s"),
        ("profiles/enterprise.yaml", "retention: 7_years", "retention: 30d"),
        ("profiles/enterprise.yaml", "audit_logging: comprehensive", "audit_logging: standard"),
        ("agents/synthesizerAgent.yaml", "model: ollama", "image: ollama:0.5.1"),
        ("agents/synthesizerAgent.yaml", "model: ollama", "image: a:5000/ollama@sha256:00"),
        ("agents/synthesizerAgent.yaml", "model: ollama", "endpoint: http://ollama:11434"),
        ("agents/synthesizerAgent.yaml", "model: ollama", "endpoint: http://127.0.0.1:11434"),
        ("agents/synthesizerAgent.yaml", "model: ollama", "endpoint: http://10.1.2.3/"),
        ("agents/synthesizerAgent.yaml", "model: ollama", "endpoint: https://a.example.com"),
        ("agents/synthesizerAgent.yaml", "model: ollama", "version: 1.2.3"),
        ("k8s/other.yaml", "", "image: x:latest\nencryption: none\n"),
    ] {
        let said =
            preset(
                path,
                |text| if from.is_empty() { to.to_owned() } else { text.replace(from, to) },
            );
        assert_eq!(said, "", "{path}: {to}");
    }
}

#[test]
fn the_presets_rules_are_well_formed() {
    let files = PRESET.iter().map(|(name, text)| source(name, text)).collect();
    let set = SetText { files, data: "{}".to_owned() };
    let time_max = std::time::Duration::from_mins(1);
    let evaluator =
        Evaluator::start(&[set], Bounds { time_max, memory_bytes_max: 1 << 30 }).unwrap();
    assert_eq!(evaluator.broken(), []);
    assert_eq!(evaluator.units().len(), 9);
}
