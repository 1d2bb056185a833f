//! What was decrypted is in no answer of the API, on no page, in no event and in no metric.

use std::io::Read as _;
use std::time::Duration;

use serde_json::json;

use super::canary::{CANARIES, silent};
use super::keys;
use super::writer::{ALICE, age, armored, dotenv, yaml};
use crate::dashboard::Visitor;
use crate::support::api::Api;
use crate::support::{Agent, Key, Receiver, Repo, wait_until};

/// Prints all that is secret, as programs do that were started with too many `-v`.
const LOUD: &str = "cat db.yaml prod.env notes.txt profiles/dev.yaml; grep -q good state.yaml";

fn settings(agent: &Agent, repo: &Repo, node: &Receiver) {
    agent.settings(&format!(
        "profile: dev\nstate_dir: {}\napi: {{listen: \"127.0.0.1:0\"}}\nlive: {{path: {}}}\n\
         gitops: {{repository: \"{}\", sync_interval: 50ms}}\n\
         secrets: {{age_identities_file: age.key}}\n\
         validation: {{policies: [\"policy/**\"]}}\n\
         checks: [{{name: loud, run: [sh, -c, \"{LOUD}; grep -q passes state.yaml\"]}}]\n\
         reload: [{{name: loud, run: [sh, -c, \"{LOUD}\"]}}]\n\
         health: {{probes: [{{name: loud, run: [sh, -c, \"{LOUD}\"]}}], bake_time: 20ms, interval: 10ms}}\n\
         nodes: [{{name: edge, url: \"{}\", secret_file: {}}}]\n",
        agent.state_dir().display(),
        agent.live_path().display(),
        repo.path().display(),
        node.url(),
        node.secret_file(agent.folder()).display(),
    ));
}

/// Every way to read there is, with what its places can hold.
fn paths(description: &serde_json::Value, revision: &str) -> Vec<String> {
    let mut paths: Vec<String> = [
        "/history",
        "/diff?from=1&to=2",
        "/diff?from=2&to=live",
        "/profiles",
        "/profiles/dev",
        "/nodes",
        "/audit",
        "/metrics",
        "/api/config/diff?from=1&to=2",
        "/api/config/diff?from=1&to=3",
        "/api/config/profile?explain=true",
        "/api/config/search?q=name",
        "/api/config/search?q=note&at=1",
        "/search?q=note",
        "/api/audit?limit=200",
    ]
    .map(str::to_owned)
    .into();
    paths.push(format!("/api/config/diff?from=1&to={revision}"));
    let stands_for = |path: &str, id: &str| path.replace("{id}", id).replace("{name}", id);
    for (path, methods) in description["paths"].as_object().expect("paths") {
        // What is streamed is listened to from the beginning.
        if methods.get("get").is_some() && path != "/api/events" {
            paths.extend(["1", "2", "3", "4", "dev", "edge"].map(|id| stands_for(path, id)));
        }
    }
    paths.extend((1..=5).map(|n| format!("/deployments/{n}")));
    paths.sort();
    paths.dedup();
    paths
}

#[test]
fn no_answer_page_event_or_metric_has_what_was_decrypted() {
    let [one, two, three, four, five, six] = CANARIES;
    let repo = Repo::new();
    let rule =
        "package main\ndeny[msg] { input.note == \"denied\"; msg := sprintf(\"%v\", [input]) }\n";
    repo.change()
        .write("state.yaml", "a: good passes\n")
        .write("policy/a.rego", rule)
        .write("db.yaml", yaml(&[("note", one), ("password", two)], &[ALICE]))
        .write("prod.env", dotenv(&[("NOTE", three)], &[ALICE]))
        .write("notes.txt.age", armored(&age(four.as_bytes(), &[ALICE])))
        .write("profiles/dev.yaml", yaml(&[("bus", five), ("token", two)], &[ALICE]))
        .commit("secrets");
    let node = Receiver::start(Key::hmac());
    let agent = Agent::new();
    settings(&agent, &repo, &node);
    keys(&agent, &[ALICE]);
    let (serve, api) = Api::serve(&agent);
    wait_until("the first is live and well", || agent.json(&["status"])["state"] == "in_sync");
    let mut heard = api.begin("GET", "/api/events", &[], b"");
    let visitor = Visitor::sign_in(&api);
    let mut watched = visitor.begin("/live");

    let second = repo.commit(&[
        ("state.yaml", "a: good passes too\n"),
        ("db.yaml", &yaml(&[("note", six), ("password", two)], &[ALICE])),
    ]);
    agent.wait_until_live(&second);
    wait_until("it is well", || agent.json(&["status"])["state"] == "in_sync");
    for (state, outcome, sealed) in [
        ("a: bad passes\n", "rolled_back", yaml(&[("note", one), ("password", two)], &[ALICE])),
        ("a: vetoed\n", "refused", yaml(&[("note", two), ("password", one)], &[ALICE])),
        ("a: good passes 2\n", "refused", yaml(&[("note", "denied"), ("p", six)], &[ALICE])),
        (
            "a: good passes 3\n",
            "refused",
            yaml(&[("note", one), ("p", six)], &[ALICE]).replacen("note:", "nota:", 1),
        ),
    ] {
        let head = repo.commit(&[("state.yaml", state), ("db.yaml", &sealed)]);
        wait_until(&format!("{state} is {outcome}"), || {
            let items = agent.json(&["history"])["items"].clone();
            items.as_array().is_some_and(|all| {
                all.iter().any(|d| d["revision"] == head.as_str() && d["outcome"] == outcome)
            })
        });
    }

    // Nobody finds out what it is by searching for it.
    for canary in CANARIES {
        let found = api.get(&format!("/api/config/search?q={canary}")).json();
        assert_eq!(found["items"], json!([]), "{found:#}");
    }
    let description = api.get("/openapi.json").json();
    let mut seen = 0;
    for path in paths(&description, &second) {
        for answer in [api.get(&path), visitor.get(&path)] {
            assert!(answer.status < 500, "{path}: {answer:#?}");
            seen += usize::from(answer.status == 200);
            silent(&path, format!("{answer:?}").as_bytes());
        }
    }
    assert!(seen > 30, "only {seen} answers had something to say");
    let told = api.get("/api/config/diff?from=1&to=2").text;
    assert!(told.contains("db.yaml"), "{told}");
    for (method, path, body) in [
        ("PUT", "/api/config/validate", json!({"revision": second})),
        ("PUT", "/api/config/validate", json!({"files": {"a.yaml": "a: [1\n"}})),
        ("POST", "/api/config/apply?wait=10s", json!({"dry_run": true})),
        ("POST", "/api/config/rollback?wait=10s", json!({"reason": "to see"})),
    ] {
        let body = body.to_string();
        let answer =
            api.send(method, path, &[("content-type", "application/json")], body.as_bytes());
        assert!(answer.status < 500, "{path}: {answer:#?}");
        silent(path, format!("{answer:?}").as_bytes());
    }
    let ran = serve.stop();
    silent("what serve said", format!("{}{}", ran.stdout, ran.stderr).as_bytes());
    for (name, stream) in [("the events", &mut heard), ("the live page", &mut watched)] {
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a time limit");
        let mut bytes = Vec::new();
        drop(stream.read_to_end(&mut bytes));
        assert!(String::from_utf8_lossy(&bytes).contains("event:"), "{name}");
        silent(name, &bytes);
    }
    for attempt in node.attempts() {
        silent("an event", format!("{} {:?}", attempt.event, attempt.headers).as_bytes());
    }
    for name in ["kconfigd.db", "kconfigd.db-wal"] {
        let bytes = std::fs::read(agent.state_dir().join(name)).unwrap_or_default();
        silent(name, &bytes);
    }
}
