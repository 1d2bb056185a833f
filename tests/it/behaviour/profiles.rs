//! Profiles that extend each other, as a person asks for them.

use super::{done, machine, order, pass, revision};
use crate::support::Repo;

const BASE: &str =
    "mode: full\nstorage:\n  cache: redis\n  vector: qdrant\ndb:\n  password: hunter2\n";
const EDGE: &str = "extends: base\nstorage:\n  cache: none\n";

#[test]
fn a_profile_is_told_with_all_it_extends_and_the_place_of_each_value() {
    let repo = Repo::new();
    repo.commit(&[("profiles/base.yaml", BASE), ("profiles/edge.yaml", EDGE)]);
    let agent = machine(&repo, "", "");
    assert_eq!(pass(&agent), done());
    let ran = agent.run(&["profile", "edge"]);
    assert_eq!(ran.code, 0, "{ran:#?}");
    assert_eq!(
        ran.stdout,
        "mode: full\nstorage:\n  cache: none\n  vector: qdrant\ndb:\n  password: (hidden)\n"
    );
    let ran = agent.run(&["profile", "edge", "--explain"]);
    assert_eq!(
        ran.stdout,
        "mode: full              # profiles/base.yaml:1\n\
         storage.cache: none     # profiles/edge.yaml:3\n\
         storage.vector: qdrant  # profiles/base.yaml:4\n\
         db.password: (hidden)   # profiles/base.yaml:6\n"
    );
    let told = agent.json(&["profile", "edge"]);
    assert_eq!(told["files"], serde_json::json!(["profiles/edge.yaml", "profiles/base.yaml"]));
    assert_eq!(told["values"][1]["key"], serde_json::json!(["storage", "cache"]), "{told:#}");
    assert_eq!(told["values"][1]["line"], 3, "{told:#}");
}

#[test]
fn who_asks_for_a_profile_that_is_not_there_is_told_which_are() {
    let repo = Repo::new();
    repo.commit(&[("profiles/base.yaml", BASE), ("profiles/edge.yaml", EDGE)]);
    let agent = machine(&repo, "", "");
    let ran = agent.run(&["profile", "edge"]);
    assert_eq!(ran.code, 1, "{ran:#?}");
    assert!(ran.stderr.contains("nothing is live here"), "{ran:#?}");
    assert_eq!(pass(&agent), done());
    let ran = agent.run(&["profile", "other"]);
    assert_eq!(ran.code, 1, "{ran:#?}");
    assert!(ran.stderr.contains("profiles/other.yaml is not in the tree"), "{ran:#?}");
    assert!(ran.stderr.contains("the live tree has: base, edge"), "{ran:#?}");
    let ran = agent.run(&["profile"]);
    assert_eq!(ran.code, 64, "{ran:#?}");
    assert!(ran.stderr.contains("base, edge"), "{ran:#?}");
}

const FEDERATED: &str =
    "extends: base\nservices: [bus]\nplugins: [audit]\nfederation: {klp: {enabled: true}}\n";

#[test]
fn with_needs_the_live_tree_has_only_what_the_active_profile_uses() {
    let repo = Repo::new();
    repo.commit(&[
        ("profiles/base.yaml", BASE),
        ("profiles/edge.yaml", EDGE),
        ("profiles/hub.yaml", FEDERATED),
        ("agents/bus.yaml", "name: bus\n"),
        ("agents/spare.yaml", "name: spare\n"),
        ("plugins/audit.yaml", "name: audit\n"),
        ("plugins/spare.yaml", "name: spare\n"),
        ("klp/peers.list", "one klp://one.example:7443\n"),
        ("system.env", "A=1\n"),
        ("notes/x.txt", "x\n"),
    ]);
    let agent = machine(&repo, "", "");
    let plain = std::fs::read_to_string(agent.settings_file()).expect("settings");
    assert_eq!(pass(&agent), done());
    assert_eq!(agent.live_files().len(), 10);
    agent.settings(&format!("{plain}profile: hub\nneeds: profile\n"));
    repo.commit(&[("system.env", "A=2\n")]);
    assert_eq!(order(&agent, &["apply"]), done());
    let files: Vec<String> = agent.live_files().into_keys().collect();
    assert_eq!(
        files,
        [
            "agents/bus.yaml",
            "klp/peers.list",
            "notes/x.txt",
            "plugins/audit.yaml",
            "profiles/base.yaml",
            "profiles/hub.yaml",
            "system.env"
        ]
    );
    // What the profile takes in comes, also where nothing else changed.
    repo.commit(&[("profiles/hub.yaml", "extends: base\nservices: [bus, spare]\nplugins: []\n")]);
    assert_eq!(pass(&agent), done());
    assert!(agent.live("agents/spare.yaml").is_some());
    assert!(agent.live("plugins/audit.yaml").is_none());
    assert!(agent.live("klp/peers.list").is_none());
    // What it does not say it may use.
    agent.settings(&format!("{plain}profile: edge\nneeds: profile\n"));
    repo.commit(&[("system.env", "A=3\n")]);
    assert_eq!(pass(&agent), done());
    assert!(agent.live("plugins/spare.yaml").is_some());
    assert!(agent.live("profiles/hub.yaml").is_none());
}

#[test]
fn a_profile_that_is_gone_refuses_the_revision_when_its_needs_are_asked_for() {
    let repo = Repo::new();
    let first = repo.commit(&[("profiles/edge.yaml", "mode: full\n"), ("agents/a.yaml", "a: 1\n")]);
    let agent = machine(&repo, "", "");
    let plain = std::fs::read_to_string(agent.settings_file()).expect("settings");
    agent.settings(&format!("{plain}needs: profile\n"));
    let ran = agent.run(&["sync", "--once"]);
    assert_eq!(ran.code, 10, "{ran:#?}");
    assert!(ran.stderr.contains("name the profile that this node runs"), "{ran:#?}");
    agent.settings(&format!("{plain}profile: edge\nneeds: profile\n"));
    assert_eq!(pass(&agent), done());
    repo.change().remove("profiles/edge.yaml").commit("gone");
    assert_eq!(pass(&agent), (13, "validation_refused".to_owned()));
    assert_eq!(revision(&agent), first);
    let said = agent.run(&["plan"]).stdout;
    assert!(said.contains("profiles/edge.yaml is not in the tree"), "{said}");
    assert!(said.contains("render.needs"), "{said}");
}
