//! Policies as people have them, in the way of conftest: they run as they are (`fixtures/conftest`).

use std::path::Path;

use serde_json::Value;

use crate::support::Agent;

fn fixture() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/conftest")
}

#[test]
fn policies_in_the_way_of_conftest_run_as_they_are() {
    let agent = Agent::new();
    agent.settings("validation: {policies: [\"policy/**\"], policy_data: [\"data/**\"]}\n");
    let settings = agent.settings_file().display().to_string();
    let mut command = agent.command(&["validate", ".", "--config", &settings]);
    let output = command.current_dir(fixture()).output().expect("kconfigd starts");
    assert_eq!(output.status.code(), Some(13), "{output:?}");
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(!said.contains("policy.failed") && !said.contains("policy.broken"), "{said}");
    insta::assert_snapshot!(said);
}

#[test]
fn their_own_tests_run_too() {
    let agent = Agent::new();
    let folder = fixture();
    let at = |name: &str| folder.join(name).display().to_string();
    let ran = agent.run(&["policy", "test", &at("policy"), &at("data"), "-o", "json"]);
    assert_eq!(ran.code, 0, "{ran:#?}");
    let said: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!((&said["passed"], &said["failed"]), (&5.into(), &0.into()), "{said:#}");
}

#[test]
fn a_function_that_is_older_than_the_language_is_called_by_its_rules_alone() {
    let agent = Agent::new();
    let folder = agent.folder().join("config");
    std::fs::create_dir_all(&folder).expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("a file");
    write("a.yaml", "list: [true, false]\nnone: []\ntext: abc\nnumber: 7\n");
    write(
        "a.rego",
        r#"package main
deny["any of nothing"] { any(input.none) }
deny["all of some"] { all(input.list) }
deny["a number matches"] { re_match("7", input.number) }
deny["a text is a list"] { cast_array(input.text) }
deny["a text is a set"] { cast_set(input.text) }
warn["any"] { any(input.list) }
warn["all of nothing"] { all(input.none) }
warn["not a set"] { not set_diff({1}, input.text) }
warn["matches"] { re_match("^a.c$", input.text) }
warn["lists"] { cast_array({2, 1}) == [1, 2]; cast_string("x") == "x"; cast_boolean(true) }
warn["own"] { cast_object("mine") == "mine" }
cast_object(x) = x { is_string(x) }
"#,
    );
    agent.settings("validation: {policies: [\"*.rego\"]}\n");
    let settings = agent.settings_file().display().to_string();
    let path = folder.display().to_string();
    let ran = agent.run(&["validate", &path, "--config", &settings, "-o", "json"]);
    let said: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let told: Vec<&str> =
        said["findings"].as_array().unwrap().iter().filter_map(|f| f["message"].as_str()).collect();
    assert_eq!(told, ["all of nothing", "any", "lists", "matches", "not a set", "own"], "{said:#}");
    assert_eq!(ran.code, 0);
}
