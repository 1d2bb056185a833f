//! Profiles that extend each other, as a person asks for them.

use super::{done, machine, pass};
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
