use serde_json::{Value, json};

use super::{profiles, served};
use crate::support::{Agent, Repo};

fn verify(agent: &Agent, more: &[&str]) -> (i32, String) {
    let ran = agent.run(&[&["audit", "verify"], more].concat());
    (ran.code, format!("{}{}", ran.stdout, ran.stderr))
}

#[test]
fn who_did_what_is_told_and_can_be_verified_without_an_agent() {
    let repo = Repo::new();
    profiles(&repo);
    let (agent, serve, api) = served(&repo, "");
    let second = repo.commit(&[("a.yaml", "a: 1\n")]);
    agent.wait_until_live(&second);
    api.post("/api/config/rollback?wait=30s", &json!({"reason": "too early", "hold": true}));
    let ran = agent.run(&["resume", "--reason", "fine again"]);
    assert_eq!(ran.code, 0, "{ran:#?}");
    let items = api.get("/api/audit").json()["items"].clone();
    let told: Vec<String> = items
        .as_array()
        .expect("items")
        .iter()
        .map(|i| {
            let text = |key: &str| i[key].as_str().unwrap_or("-").to_owned();
            format!("{} {} {} {}", text("name"), text("known"), text("action"), text("outcome"))
        })
        .collect();
    assert_eq!(
        told,
        [
            "somebody socket agent.resume done",
            "kconfigd agent deployment.rollback done",
            "admin token order.rollback ordered",
            "kconfigd agent deployment.sync done",
            "kconfigd agent deployment.sync done",
        ]
    );
    assert_eq!(items[1]["detail"], "order 1 of admin", "{items:#}");
    assert_eq!(items[2]["from"], "127.0.0.1", "{items:#}");
    assert_eq!(items[1]["after"], items[4]["after"], "back to the first: {items:#}");
    assert_eq!(serve.stop().code, 0);
    let (code, said) = verify(&agent, &[]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("5 records"), "{said}");
    // A checkpoint kept elsewhere finds what was cut off, and anybody can see it without the key.
    let checkpoint = agent.run(&["audit", "checkpoint"]).stdout;
    let kept = agent.folder().join("checkpoint.txt");
    std::fs::write(&kept, checkpoint).expect("a checkpoint");
    let kept = kept.display().to_string();
    assert_eq!(verify(&agent, &["--checkpoint", &kept]).0, 0);
    let exported = agent.run(&["audit", "export"]).stdout;
    let lines: Vec<Value> =
        exported.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 5);
    assert_eq!((&lines[0]["id"], &lines[4]["id"]), (&json!(1), &json!(5)));
    let database = agent.state_dir().join("kconfigd.db");
    let text = std::fs::read(&database).expect("the database");
    let sought = b"\"reason\":\"too early";
    let mut edited = text.clone();
    // SQLite may have left an older copy of it somewhere.
    for at in (0..text.len() - sought.len()).filter(|at| text[*at..].starts_with(sought)) {
        edited[at + sought.len() - 1] = b'Y';
    }
    assert_ne!(edited, text);
    std::fs::write(&database, edited).expect("the database");
    let (code, said) = verify(&agent, &[]);
    assert_eq!(code, 1, "{said}");
}
