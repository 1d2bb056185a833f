//! What a revision is held against by the settings: schemas, references, the preset.

use std::path::Path;

use serde_json::Value;

use super::{deployments, done, held, machine, order, pass, reread, revision, status_when};
use crate::support::{Agent, Repo};

const SCHEMA: &str = "type: object\nrequired: [name]\nproperties:\n  name: {type: string}\n  interval: {type: string, pattern: '^[0-9]+s$'}\nadditionalProperties: false\n";

/// The same settings, with a `validation` block.
pub(super) fn validate(agent: &Agent, block: &str) {
    let file = agent.settings_file();
    let text = std::fs::read_to_string(&file).expect("settings");
    let plain = text.split("validation:").next().unwrap_or_default();
    std::fs::write(&file, format!("{plain}validation: {block}\n")).expect("settings are written");
}

pub(super) fn said(agent: &Agent, verb: &[&str]) -> Value {
    let ran = agent.run(&[verb, &["-o", "json"]].concat());
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:#?}"))
}

pub(super) fn first_finding(agent: &Agent, verb: &[&str]) -> String {
    let said = said(agent, verb);
    let finding = &said["findings"][0];
    let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    let number = |key: &str| finding[key].as_u64().unwrap_or_default();
    format!(
        "{}:{}:{} {} ({})",
        text("file"),
        number("line"),
        number("column"),
        text("message"),
        text("hint")
    )
}

const REFUSED: (i32, &str) = (13, "validation_refused");

pub(super) fn refused() -> (i32, String) {
    (REFUSED.0, REFUSED.1.to_owned())
}

#[test]
fn what_a_schema_of_the_repository_refuses_never_goes_live() {
    let repo = Repo::new();
    let first =
        repo.commit(&[("schemas/service.yaml", SCHEMA), ("services/web.yaml", "name: web\n")]);
    let agent = machine(&repo, "", "");
    validate(&agent, "{schemas: [{match: [\"services/*.yaml\"], schema: schemas/service.yaml}]}");
    assert_eq!(pass(&agent), done());
    let live = agent.live_files();

    repo.commit(&[("services/db.yaml", "name: db\nintervall: 5s\n")]);
    let told = first_finding(&agent, &["plan"]);
    assert_eq!(
        told,
        "services/db.yaml:2:1 `intervall` is not a key that is known here (did you mean `interval`?)"
    );
    assert_eq!(pass(&agent), refused());
    assert_eq!((revision(&agent), agent.live_files()), (first, live));
    // Not tried again by itself.
    assert_eq!(pass(&agent).0, 17);

    let fixed = repo.commit(&[("services/db.yaml", "name: db\ninterval: 5s\n")]);
    assert_eq!(pass(&agent), done());
    assert_eq!(revision(&agent), fixed);
}

#[test]
fn another_schema_in_the_repository_holds_files_that_did_not_change() {
    let repo = Repo::new();
    repo.commit(&[("s.yaml", "type: object\n"), ("a/x.yaml", "name: x\n"), ("b.yaml", "c: 1\n")]);
    let agent = machine(&repo, "", "");
    validate(&agent, "{schemas: [{match: [a/], schema: s.yaml}]}");
    assert_eq!(pass(&agent), done());
    repo.commit(&[("s.yaml", "type: object\nproperties: {name: {const: y}}\n")]);
    let told = first_finding(&agent, &["plan"]);
    assert!(told.starts_with("a/x.yaml:1:7 `name`: expected `y`, found `x`"), "{told}");
    assert_eq!(pass(&agent), refused());
    repo.commit(&[("s.yaml", "type: objekt\n")]);
    let told = first_finding(&agent, &["plan"]);
    assert!(told.starts_with("s.yaml:1:7 this is not a JSON Schema"), "{told}");
    assert_eq!(pass(&agent), refused());
    repo.change().remove("s.yaml").commit("it goes");
    let told = first_finding(&agent, &["plan"]);
    assert!(
        told.starts_with("s.yaml:0:0 this schema of the settings is not in the tree"),
        "{told}"
    );
    assert_eq!(pass(&agent), refused());
}

#[test]
fn a_schema_of_the_node_that_is_missing_holds_and_one_that_changed_is_tried_again() {
    let repo = Repo::new();
    let first = repo.commit(&[("web.yaml", "name: 1\n")]);
    let agent = machine(&repo, "", "");
    validate(&agent, "{schemas: [{match: [\"*.yaml\"], schema: ./service.yaml}]}");
    assert_eq!(pass(&agent), held("validation_unavailable"));
    let schema = agent.settings_file().parent().expect("its folder").join("service.yaml");
    let write = |text: &str| std::fs::write(&schema, text).expect("the schema is written");
    write("type: objekt\n");
    assert_eq!(pass(&agent), held("validation_unavailable"));
    write(SCHEMA);
    assert_eq!(pass(&agent), refused());
    assert_eq!(said(&agent, &["status"])["quarantine"].as_array().map(Vec::len), Some(1));
    // Other rules: what was refused is looked at again by itself.
    write("type: object\n");
    assert_eq!(pass(&agent), done());
    assert_eq!(revision(&agent), first);
}

#[test]
fn a_running_agent_takes_up_a_schema_that_was_put_right() {
    let repo = Repo::new();
    let first = repo.commit(&[("web.yaml", "name: web\n")]);
    let agent = machine(&repo, "", "");
    validate(&agent, "{schemas: [{match: [\"*.yaml\"], schema: ./service.yaml}]}");
    let mut sync = agent.start_sync();
    let status = status_when(&agent, "it is held", |s| s["reason"] == "validation_unavailable");
    assert_eq!(status["state"], "held", "{status:#}");
    let schema = agent.settings_file().parent().expect("its folder").join("service.yaml");
    std::fs::write(&schema, SCHEMA).expect("the schema is written");
    agent.wait_until_live(&first);

    validate(&agent, "{preset: kos}");
    reread(&mut sync, "the settings were read again");
    repo.commit(&[("system.env", "A: 1\n")]);
    status_when(&agent, "the preset refused it", |s| s["reason"] == "validation_refused");
    assert_eq!(sync.stop().code, 0);
    assert_eq!(deployments(&agent), 2);
}

#[test]
fn references_are_held_against_the_whole_tree_after_each_change() {
    let repo = Repo::new();
    repo.commit(&[("sites/a.yaml", "services: [web]\n"), ("services/web.yaml", "x: 1\n")]);
    let agent = machine(&repo, "", "");
    validate(
        &agent,
        "{references: [{from: {files: [\"sites/*.yaml\"], key: \"services[]\"}, to: {files: [\"services/*.yaml\"]}}]}",
    );
    assert_eq!(pass(&agent), done());
    repo.change().remove("services/web.yaml").write("services/wep.yaml", "x: 1\n").commit("typo");
    let told = first_finding(&agent, &["plan"]);
    assert_eq!(
        told,
        "sites/a.yaml:1:12 `services[0]` names `web`, and services/web.yaml is not in the tree \
         (add services/web.yaml, or take the name out)"
    );
    assert_eq!(pass(&agent), refused());
    repo.commit(&[("services/web.yaml", "x: 2\n")]);
    assert_eq!(pass(&agent), done());
}

#[test]
fn warnings_refuse_where_the_settings_say_so() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "n: 99999999999999999999\n")]);
    let agent = machine(&repo, "", "");
    validate(&agent, "{fail_on: warning}");
    assert_eq!(pass(&agent), refused());
    validate(&agent, "{fail_on: error}");
    assert_eq!(pass(&agent), done());
}

#[test]
fn a_folder_is_validated_without_an_agent() {
    let agent = Agent::new();
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let seed = top.join("fixtures/kos-config").display().to_string();
    let ran = agent.run(&["validate", &seed, "--preset", "kos"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "valid: 19 files, 0 errors, 0 warnings\n"));

    let folder = agent.folder().join("config/profiles");
    std::fs::create_dir_all(&folder).expect("a folder");
    let text = "profile: edge<1>\ndeployment_mode: edge\n";
    std::fs::write(folder.join("edge.yaml"), text).expect("a file");
    std::fs::write(agent.folder().join("config/.gitignore"), "").expect("a file");
    let verb = ["validate", "config", "--preset", "kos"];
    let mut page = String::new();
    for format in ["human", "json", "sarif", "junit", "github"] {
        let ran = agent.run(&[&verb[..], &["-o", format]].concat());
        assert_eq!(ran.code, 13, "{ran:#?}");
        page.push_str(&format!("## {format}\n{}\n", ran.stdout));
    }
    insta::assert_snapshot!(page);
    assert!(!agent.state_dir().exists(), "it leaves nothing");

    let ran = agent.run(&["status", "-o", "sarif"]);
    assert_eq!(ran.code, 64, "{ran:#?}");
    let ran = agent.run(&["validate", "nowhere"]);
    assert_eq!(ran.code, 1, "{ran:#?}");
}

#[test]
fn a_revision_is_validated_by_the_machine_that_follows_it() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let bad = repo.commit(&[("a.yaml", "a: [1\n")]);
    let agent = machine(&repo, "", "");
    assert_eq!(order(&agent, &["validate", "--revision", &first]), done());
    assert_eq!(order(&agent, &["validate", "--revision", &bad]).0, 13);
    assert_eq!(deployments(&agent), 0);
}
