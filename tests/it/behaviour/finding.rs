//! Findings: all of them, in order, whatever else is wrong.

use std::path::Path;

use serde_json::Value;

use super::validating::{refused, said, validate};
use super::{done, machine, pass, revision};
use crate::support::{Agent, Repo};

/// Each finding as `file rule`.
fn told(said: &Value) -> Vec<String> {
    let findings = said["findings"].as_array().cloned().unwrap_or_default();
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    findings.iter().map(|f| format!("{} {}", text(f, "file"), text(f, "rule"))).collect()
}

const MANY: usize = 300;

#[test]
fn people_are_shown_two_hundred_and_programs_are_told_all_of_them_in_order() {
    let repo = Repo::new();
    let mut change = repo.change();
    for n in (0..MANY).rev() {
        change = change.write(&format!("{n:03}.yaml"), "a: 1\na: 2\n");
    }
    change.commit("many mistakes");
    let agent = machine(&repo, "", "");
    let expected: Vec<String> =
        (0..MANY).map(|n| format!("{n:03}.yaml yaml.duplicate_key")).collect();
    assert_eq!(told(&said(&agent, &["plan"])), expected);
    let shown = agent.run(&["plan"]).stdout;
    let lines =
        shown.lines().filter(|line| line.starts_with("  ") && line.contains("[yaml.")).count();
    assert_eq!(lines, 200, "{shown}");
    assert!(shown.contains("and 100 more: `-o json` tells all of them"), "{shown}");
    assert_eq!(told(&said(&agent, &["sync", "--once"])), expected);
    // What is recorded has an end.
    let recorded = told(&said(&agent, &["show", "1"]));
    assert_eq!(recorded[..200], expected[..200]);
    assert_eq!(recorded[200..], [" findings.more"]);
    let of_status = &agent.json(&["status"])["attempted"]["findings"];
    assert_eq!(of_status.as_array().map(Vec::len), Some(201));
}

/// One file for each kind of mistake, each in its own file.
const BAD: &[(&str, &str)] = &[
    ("agents/bus.yaml", "name: bus\ninterval: 5 minutes\n"),
    ("large.txt", "0123456789012345678901234567890123456789\n"),
    ("na\u{7}me.yaml", "a: 1\n"),
    ("profiles/edge.yaml", "profile: edge\ndeployment_mode: edge\nservices: [buss]\n"),
    ("syntax.yaml", "a: [1\n"),
    ("system.env", "A B\n"),
];

#[test]
fn no_file_hides_what_is_wrong_with_another() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let agent = machine(&repo, "", "");
    validate(&agent, "{preset: kos}\nlimits: {file_bytes_max: 80 B}");
    assert_eq!(pass(&agent), done());
    let all = BAD.iter().fold(repo.change(), |change, (path, text)| match *path {
        "large.txt" => change.write(path, text.repeat(3)),
        _ => change.write(path, text),
    });
    all.commit("all kinds of mistakes");
    let expected = [
        "agents/bus.yaml schema.format",
        "large.txt limits.file_bytes_max",
        "na\\x07me.yaml path.name",
        "profiles/edge.yaml references.missing",
        "syntax.yaml yaml.syntax",
        "system.env kos.env",
    ];
    assert_eq!(told(&said(&agent, &["plan"])), expected);
    assert_eq!(pass(&agent), refused());
    assert_eq!(revision(&agent), first);

    let folder = agent.folder().join("config");
    for (path, text) in BAD {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).expect("a folder");
        let times = if path.ends_with("large.txt") { 3 } else { 1 };
        std::fs::write(path, text.repeat(times)).expect("a file");
    }
    let tested = Agent::new();
    tested.settings("validation: {preset: kos}\nlimits: {file_bytes_max: 80 B}\n");
    let settings = tested.settings_file().display().to_string();
    let verb = ["validate", &folder.display().to_string(), "--config", &settings];
    assert_eq!(told(&said(&tested, &verb)), expected);
    assert_eq!(tested.run(&verb).code, 13);
}
