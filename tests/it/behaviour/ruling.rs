//! Policies: rules in Rego that a revision is held against.

use serde_json::Value;

use super::validating::{first_finding, refused, said, validate};
use super::{done, held, machine, pass, revision};
use crate::support::{Agent, Repo};

const PORTS: &str = "package main\nimport rego.v1\ndeny contains {\"msg\": msg, \"path\": [\"port\"]} if {\n  input.port < data.lowest\n  msg := sprintf(\"port %d is below %d\", [input.port, data.lowest])\n}\n";

#[test]
fn what_a_policy_refuses_never_goes_live() {
    let repo = Repo::new();
    let first = repo.commit(&[
        ("policy/ports.rego", PORTS),
        ("policy/data.yaml", "lowest: 1024\n"),
        ("web.yaml", "name: web\nport: 8080\n"),
    ]);
    let agent = machine(&repo, "", "");
    validate(&agent, "{policies: [\"policy/**\"], policy_data: [\"policy/*.yaml\"]}");
    assert_eq!(pass(&agent), done());
    repo.commit(&[("web.yaml", "name: web\nport: 80\n")]);
    let told = first_finding(&agent, &["plan"]);
    assert_eq!(told, "web.yaml:2:1 port 80 is below 1024 (asked by policy/ports.rego:3)");
    assert_eq!(pass(&agent), refused());
    assert_eq!(revision(&agent), first);
    // Other rules in the repository are other content: it is tried.
    let gentle = repo.commit(&[("policy/data.yaml", "lowest: 80\n")]);
    assert_eq!(pass(&agent), done());
    assert_eq!(revision(&agent), gentle);
    // Stricter ones hold what did not change.
    repo.commit(&[("policy/data.yaml", "lowest: 81\n")]);
    assert_eq!(pass(&agent), refused());
}

#[test]
fn a_policy_of_the_node_that_is_missing_holds_and_one_that_changed_is_tried_again() {
    let repo = Repo::new();
    let head = repo.commit(&[("web.yaml", "port: 80\n")]);
    let agent = machine(&repo, "", "");
    validate(&agent, "{policies: [./policies]}");
    assert_eq!(pass(&agent), held("validation_unavailable"));
    let folder = agent.settings_file().parent().expect("its folder").join("policies");
    std::fs::create_dir(&folder).expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("a policy");
    write("ports.rego", "package main\ndeny[\n");
    assert_eq!(pass(&agent), held("validation_unavailable"));
    write("ports.rego", "package main\ndeny[msg] { input.port < 1024; msg := \"low\" }\n");
    assert_eq!(pass(&agent), refused());
    assert_eq!(pass(&agent).0, 17);
    write("ports.rego", "package main\ndeny[msg] { input.port < 80; msg := \"low\" }\n");
    assert_eq!(pass(&agent), done());
    assert_eq!(revision(&agent), head);
    // One more file in the folder is another set of rules.
    write("more.rego", "package more\ndeny[msg] { input.port == 80; msg := \"not 80\" }\n");
    repo.commit(&[("web.yaml", "port: 80\nname: web\n")]);
    assert_eq!(pass(&agent), refused());
}

#[test]
fn a_policy_that_would_never_end_is_ended_and_named() {
    let endless = "package endless\nimport rego.v1\ndeny contains \"x\" if {\n  some i in numbers.range(1, 1000000)\n  some j in numbers.range(1, 1000000)\n  i * j == -1\n}\n";
    let hungry = "package hungry\nimport rego.v1\ndeny contains \"x\" if {\n  count([s | some i in numbers.range(1, 100000); s := sprintf(\"%0100000d\", [i])]) == -1\n}\n";
    let deep =
        "package deep\nimport rego.v1\nf(n) := f(n + 1) + 1\ndeny contains \"x\" if f(0) == -1\n";
    for (name, text, rule) in [
        ("endless", endless, "policy.limits"),
        ("hungry", hungry, "policy.limits"),
        ("deep", deep, "policy."),
    ] {
        let repo = Repo::new();
        repo.commit(&[
            ("policy/a.rego", text),
            ("policy/ports.rego", PORTS),
            ("a.yaml", "port: 1\n"),
        ]);
        let agent = machine(&repo, "", "");
        validate(
            &agent,
            "{policies: [\"policy/*.rego\"]}\nlimits: {policy_time_max: 100ms, policy_memory_bytes_max: 64 MiB}",
        );
        let said = said(&agent, &["plan"]);
        let finding = &said["findings"][0];
        let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
        assert!(text("rule").starts_with(rule), "{name}: {said:#}");
        assert!(text("message").contains(&format!("`{name}.deny`")), "{name}: {said:#}");
        assert_eq!(pass(&agent), refused(), "{name}");
    }
}

#[test]
fn tests_of_policies_are_run_and_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("a file is written");
    };
    let agent = Agent::new();
    let path = folder.path().display().to_string();
    let ran = agent.run(&["policy", "test", &path]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:#?}");
    write("ports.rego", PORTS);
    write("data.yaml", "lowest: 1024\n");
    write(
        "ports_test.rego",
        "package main\nimport rego.v1\ntest_low if count(deny) == 1 with input as {\"port\": 80}\ntest_high if {\n  print(\"seen\", count(deny))\n  count(deny) == 1 with input as {\"port\": 8080}\n}\n",
    );
    let ran = agent.run(&["policy", "test", &path, "-o", "json"]);
    let said: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!((ran.code, &said["passed"], &said["failed"]), (1, &1.into(), &1.into()), "{ran:#?}");
    let ran = agent.run(&["policy", "test", &path, "--run", "test_low"]);
    assert_eq!(ran.code, 0, "{ran:#?}");
    write("ports.rego", "package main\n\ndeny[");
    let ran = agent.run(&["policy", "test", &path]);
    assert_eq!(ran.code, 13, "{ran:#?}");
    assert!(ran.stdout.contains("ports.rego:3:"), "{ran:#?}");
}
