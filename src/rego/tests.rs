use std::time::Duration;

use serde_json::json;

use super::*;

fn set(files: &[(&str, &str)]) -> SetText {
    let files = files
        .iter()
        .map(|(name, text)| SourceText { name: (*name).to_owned(), text: (*text).to_owned() })
        .collect();
    SetText { files, data: "{}".to_owned() }
}

fn start(sets: &[SetText]) -> Evaluator {
    let bounds = Bounds { time_max: Duration::from_mins(1), memory_bytes_max: 1 << 30 };
    Evaluator::start(sets, bounds).unwrap()
}

/// What is said of one document, a line each.
fn said(files: &[(&str, &str)], document: serde_json::Value) -> String {
    let mut evaluator = start(&[set(files)]);
    assert_eq!(evaluator.broken(), []);
    let held = Held { path: "k8s/web.yaml".to_owned(), content: document, not_for: Vec::new() };
    let told = evaluator.documents(&[held]).unwrap();
    let line = |told: &Told| {
        let unit = &evaluator.units()[told.unit];
        format!("{}.{}: {:?}\n", unit.package, unit.rule, told.verdict)
    };
    told.iter().map(line).collect()
}

fn broken(text: &str) -> String {
    let evaluator = start(&[set(&[("policy/a.rego", text)])]);
    let line = |b: &Broken| {
        format!("{}:{}:{}: {}\n", b.place.file, b.place.line, b.place.column, b.message)
    };
    evaluator.broken().iter().map(line).collect()
}

const DEPLOYMENT: &str = r#"
package main

deny[msg] {
  input.kind == "Deployment"
  not input.spec.template.spec.securityContext.runAsNonRoot
  msg := sprintf("Containers must not run as root in %v", [input.metadata.name])
}

warn[msg] {
  input.kind == "Deployment"
  not input.metadata.labels.team
  msg = "no team label"
}
"#;

#[test]
fn both_versions_of_the_language_are_read() {
    let web = json!({"kind": "Deployment", "metadata": {"name": "web"}});
    insta::assert_snapshot!(said(&[("k8s.rego", DEPLOYMENT)], web));
    let second = "package a.b\nimport rego.v1\nviolation_image contains {\"msg\": msg, \"details\": {\"path\": [\"image\"]}} if {\n  endswith(input.image, \":latest\")\n  msg := \"moves\"\n}\n";
    insta::assert_snapshot!(said(&[("v1.rego", second)], json!({"image": "x:latest"})));
    let without = "package main\n\ndeny contains msg if {\n  some port in input.ports\n  port < 1024\n  msg := sprintf(\"port %d\", [port])\n}\n";
    insta::assert_snapshot!(said(&[("v1.rego", without)], json!({"ports": [80, 8080, 22]})));
}

#[test]
fn what_is_broken_is_told_with_its_place() {
    let mut page = String::new();
    for text in [
        "package main\n\ndeny[msg] {\n  input.a == \n}\n",
        "deny[msg] { msg := \"x\" }\n",
        "package main\nimport rego.v1\ndeny contains msg if {\n  msg := nosuch(input.a)\n}\n",
        "package main\nimport rego.v1\ndeny contains msg if {\n  http.send({\"url\": \"http://x\"})\n  msg := \"x\"\n}\n",
        "package main\nimport rego.v1\ndeny contains msg if { msg := \"a\"; x == 1 }\n",
        "package main\nimport rego.v1\ndeny contains \"x\" if a\na if b\nb if a\n",
        "package main\nimport rego.v1\ndeny contains \"x\" if f(1)\nf(x) := 1 if true\nf(x) := 2 if true\n",
        "",
    ] {
        page.push_str(&format!("## {}\n{}", text.replace('\n', " ¶ "), broken(text)));
    }
    insta::assert_snapshot!(page);
}
