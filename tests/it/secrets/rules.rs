use super::writer::{ALICE, age, armored, mac, section, value, yaml};
use super::{done, held, keys, machine, no_keys, pass};
use crate::support::{Agent, Repo};

const CANARY: &str = "canary-7d21c05b";

const SCHEMA: &str = r#"{"type": "object", "properties": {"port": {"type": "integer"}, "name": {"maxLength": 20}}, "additionalProperties": false}"#;

fn add(agent: &Agent, more: &str) {
    let text = std::fs::read_to_string(agent.settings_file()).expect("the settings");
    agent.settings(&format!("{text}{more}"));
}

fn db(port: &str, kind: &str, name: &str) -> String {
    let (port_value, name_value) = (value(port, kind, "port:"), value(name, "str", "name:"));
    format!("port: {port_value}\nname: {name_value}\n")
        + &section(&[ALICE], &mac(&[port, name]), "unencrypted_suffix: _unencrypted")
}

#[test]
fn schemas_see_decrypted_values_and_tell_none_of_them() {
    let repo = Repo::new();
    repo.change()
        .write("db.yaml", db("5432", "int", "x"))
        .write("whole.yaml.age", armored(&age(b"port: 1\n", &[ALICE])))
        .write("schema.json", SCHEMA)
        .commit("first");
    let agent = machine(&repo, "");
    add(&agent, "validation: {schemas: [{match: [db.yaml, whole.yaml], schema: schema.json}]}\n");
    // Who cannot decrypt it waits: that no rule about what it holds could be asked refuses nothing.
    assert_eq!(pass(&agent), held());
    keys(&agent, &[ALICE]);
    assert_eq!(pass(&agent), done());
    for (path, text) in [
        ("db.yaml", db(CANARY, "str", "x")),
        ("db.yaml", db("5432", "int", &CANARY.repeat(3))),
        ("whole.yaml.age", armored(&age(format!("port: {CANARY}\n").as_bytes(), &[ALICE]))),
        ("whole.yaml.age", armored(&age(format!("{CANARY}: 1\n").as_bytes(), &[ALICE]))),
        ("whole.yaml.age", armored(&age(format!("a: [{CANARY}\n").as_bytes(), &[ALICE]))),
    ] {
        let before = repo.tip("main");
        repo.commit(&[(path, &text)]);
        let report = agent.json(&["sync", "--once"]);
        let finding = &report["findings"][0];
        assert_eq!(finding["file"], path, "{report:#}");
        assert!(
            finding["line"].is_number() && !report.to_string().contains("canary"),
            "{report:#}"
        );
        let ran = agent.run(&["status", "-vvvv"]);
        assert!(!format!("{ran:?}").contains("canary"), "{ran:#?}");
        repo.branch("main", &before);
    }
    assert_eq!(agent.live("whole.yaml").as_deref(), Some("port: 1\n"));
}

#[test]
fn what_was_refused_undecrypted_is_asked_again_when_the_key_comes() {
    let repo = Repo::new();
    repo.commit(&[("schema.json", SCHEMA), ("db.yaml", &db("no number", "str", "x"))]);
    let agent = machine(&repo, "");
    add(&agent, "validation: {schemas: [{match: [db.yaml], schema: schema.json}]}\n");
    assert_eq!(pass(&agent), held());
    keys(&agent, &[ALICE]);
    assert_eq!(pass(&agent).0, 13);
    no_keys(&agent);
    assert_ne!(pass(&agent).0, 0);
    assert_eq!(agent.live("db.yaml"), None);
}

#[test]
fn what_a_check_says_of_a_decrypted_file_is_hidden() {
    let repo = Repo::new();
    repo.commit(&[
        ("db.yaml", &yaml(&[("note", CANARY)], &[ALICE])),
        ("notes.age", &armored(&age(format!("line {CANARY} of it\n").as_bytes(), &[ALICE]))),
    ]);
    let agent = machine(&repo, "");
    keys(&agent, &[ALICE]);
    add(&agent, "checks: [{name: loud, run: [sh, -c, \"cat db.yaml notes; exit 1\"]}]\n");
    let ran = agent.run(&["sync", "--once", "-vvvv"]);
    assert_eq!(ran.code, 13, "{ran:#?}");
    let report = agent.json(&["history"]);
    let said = format!("{ran:?} {report}");
    assert!(said.contains("(hidden)") && !said.contains("canary"), "{said}");
}

#[test]
fn policies_see_what_is_decrypted_and_tell_nothing_of_it() {
    let canary = "c4n4ry-9b1d";
    let repo = Repo::new();
    let sealed = yaml(&[("password", canary), ("port", "80")], &[ALICE]);
    let rule = "package main\nimport rego.v1\ndeny contains sprintf(\"%v\", [upper(input.password)]) if input.port == \"80\"\n";
    let all = "package combined\nimport rego.v1\ndeny contains sprintf(\"all: %v\", [upper(doc.contents.password)]) if some doc in input\n";
    repo.commit(&[("db.yaml", sealed.as_str()), ("policy/a.rego", rule), ("policy/all.rego", all)]);
    let agent = machine(&repo, "");
    keys(&agent, &[ALICE]);
    let text = std::fs::read_to_string(agent.settings_file()).unwrap();
    agent.settings(&format!("{text}validation: {{policies: [\"policy/**\"]}}\n"));
    let said = agent.run(&["plan", "-o", "json"]).stdout;
    assert!(said.contains("policy.main.deny"), "{said}");
    assert!(said.contains("policy.combined.deny"), "{said}");
    assert!(!said.to_lowercase().contains(canary), "{said}");
    assert_eq!(pass(&agent).0, 13);
}
