use serde_json::{Value, json};

use super::{Operation, document};
use crate::api::served;
use crate::support::api::{Answer, Api};
use crate::support::forge::{Forge, Kind};
use crate::support::{Key, Receiver, Repo, wait_until};

const JSON: (&str, &str) = ("content-type", "application/json");
const YAML: (&str, &str) = ("content-type", "application/yaml");

/// A request that is as the document wants it, and the status that it has to be answered with.
struct Case {
    id: &'static str,
    path: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    status: u16,
}

fn case(id: &'static str, path: &'static str, status: u16) -> Case {
    Case { id, path, headers: Vec::new(), body: Vec::new(), status }
}

impl Case {
    fn json(mut self, body: &Value) -> Self {
        self.headers.push((JSON.0, JSON.1.to_owned()));
        Self { body: body.to_string().into_bytes(), ..self }
    }

    fn yaml(mut self, body: &str) -> Self {
        self.headers.push((YAML.0, YAML.1.to_owned()));
        Self { body: body.as_bytes().to_vec(), ..self }
    }

    fn head(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// In an order in which each is possible. Every operation is here once at least.
fn cases() -> Vec<Case> {
    let push = json!({"ref": "refs/heads/main", "repository": {"default_branch": "main"}});
    let forge = Forge {
        address: ([127, 0, 0, 1], 1).into(),
        kind: Kind::Gitea,
        secret: Some("of the forge".to_owned()),
    };
    let mut hook = case("gitHook", "/hooks/git", 202).json(&push);
    for (name, value) in forge.headers("push", &hook.body) {
        let name = if name == "X-Gitea-Event" { "x-gitea-event" } else { "x-gitea-signature" };
        hook = hook.head(name, value);
    }
    let mut passed = case("gitHook", "/hooks/git", 200)
        .json(&json!({"ref": "refs/heads/other", "repository": {"default_branch": "main"}}));
    for (name, value) in forge.headers("push", &passed.body) {
        let name = if name == "X-Gitea-Event" { "x-gitea-event" } else { "x-gitea-signature" };
        passed = passed.head(name, value);
    }
    let files = json!({"files": {"profiles/y.yaml": "a: 1\n", "z.yaml": "b: ["}});
    vec![
        case("healthz", "/healthz", 200),
        case("readyz", "/readyz", 200),
        case("metrics", "/metrics", 200),
        case("openapi", "/openapi.json", 200),
        case("status", "/api/config/status", 200),
        case("health", "/api/config/health", 200),
        case("history", "/api/config/history?limit=1&before=2", 200),
        case("deployment", "/api/config/history/1", 200),
        case("diff", "/api/config/diff?from=1&to=live", 200),
        case("diff", "/api/config/diff", 200),
        case("search", "/api/config/search?q=na", 200),
        case("search", "/api/config/search?q=na&at=1", 200),
        case("nodes", "/api/nodes", 200),
        case("deliveries", "/api/deliveries?limit=5&failed=false", 200),
        case("profile", "/api/config/profile?explain=true", 200),
        case("profiles", "/api/profiles", 200),
        case("profileById", "/api/profiles/dev?at=live&explain=false", 200),
        case("audit", "/api/audit?limit=5&action=deployment.&since=2026-01-01T00:00:00Z", 200),
        case("validate", "/api/config/validate?path=profiles/x.yaml", 200).yaml("a: 1\n"),
        case("validate", "/api/config/validate", 200).json(&files),
        case("validate", "/api/config/validate", 200).json(&json!({"revision": "1"})),
        case("createProfile", "/api/profiles", 201)
            .json(&json!({"id": "edge", "document": {"a": [1, "é", null]}, "message": "new"})),
        case("replaceProfile", "/api/profiles/edge", 200).head("if-match", "*").yaml("a: 2\n"),
        case("replaceProfile", "/api/profiles/edge", 200)
            .head("if-match", "*")
            .json(&json!({"yaml": "a: 3\n"})),
        case("removeProfile", "/api/profiles/edge", 204).head("if-match", "*"),
        case("sync", "/api/config/sync?wait=30s", 200),
        case("sync", "/api/config/sync", 202),
        case("apply", "/api/config/apply?wait=30", 200).json(&json!({"dry_run": true})),
        case("apply", "/api/config/apply", 202).json(&json!({"revision": null, "reason": "é\n"})),
        case("rollback", "/api/config/rollback?wait=30s", 200)
            .json(&json!({"to": 1, "hold": true})),
        case("drift", "/api/config/drift?wait=30s", 200),
        case("suspend", "/api/config/suspend", 204)
            .json(&json!({"until": "2199-01-31T18:00:00Z", "reason": "night"})),
        case("resume", "/api/config/resume", 204).json(&json!({})),
        case("redeliver", "/api/deliveries/1/redeliver", 202),
        hook,
        passed,
    ]
}

#[test]
fn every_operation_answers_valid_input_as_the_document_says() {
    let repo = Repo::new();
    repo.commit(&[("profiles/base.yaml", "a: 1\n"), ("profiles/dev.yaml", "extends: base\n")]);
    let node = Receiver::start(Key::hmac());
    let folder = tempfile::tempdir().expect("a folder");
    let secret = folder.path().join("webhook.key");
    Forge::write_secrets(&secret, &["of the forge"]);
    let (agent, _serve, api) = served(
        &repo,
        &format!(
            "nodes: [{{name: edge, url: \"{}\", secret_file: \"{}\"}}]\n",
            node.url(),
            node.secret_file(folder.path()).display()
        ),
    );
    // The secret is set while it runs, as an operator would.
    let settings = std::fs::read_to_string(agent.settings_file()).expect("the settings");
    let with_secret = settings.replacen(
        "gitops: {",
        &format!("gitops: {{webhook_secret_file: \"{}\", ", secret.display()),
        1,
    );
    agent.settings(&with_secret);
    _serve.signal(rustix::process::Signal::HUP);
    wait_until("the secret counts", || api.post("/hooks/git", &json!({})).status != 404);
    let second = repo.commit(&[("a.yaml", "a: 1\n")]);
    agent.wait_until_live(&second);
    node.wait_for(1);

    let document = document(&api);
    let operations = Operation::all(&document);
    let cases = cases();
    for operation in &operations {
        if operation.id == "events" {
            streamed(operation, &api);
            continue;
        }
        let known = cases.iter().any(|case| case.id == operation.id);
        if !known {
            // One that this list does not know yet: it may refuse, and has to say so as described.
            let path = operation.path.replace("{id}", "1");
            let answer = api.send(&operation.method, &path, &[], b"");
            assert!(answer.status < 500, "{}: {answer:#?}", operation.id);
            if let Err(wrong) = operation.judge(&document, &answer) {
                panic!("{}: {wrong}\n{answer:#?}", operation.id);
            }
        }
    }
    for case in cases {
        let operation = operations.iter().find(|operation| operation.id == case.id);
        let operation = operation.unwrap_or_else(|| panic!("{} is not described", case.id));
        let answer = sent(&api, operation, &case);
        assert_eq!(answer.status, case.status, "{} {}: {answer:#?}", operation.method, case.path);
        if let Err(wrong) = operation.judge(&document, &answer) {
            panic!("{} {}: {wrong}\n{answer:#?}", operation.method, case.path);
        }
    }
}

fn sent(api: &Api, operation: &Operation, case: &Case) -> Answer {
    let headers: Vec<(&str, &str)> =
        case.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let api = if operation.described["security"] == json!([]) { api.nobody() } else { api.clone() };
    api.send(&operation.method, case.path, &headers, &case.body)
}

/// The stream begins as described; what comes on it is held to its words elsewhere.
fn streamed(operation: &Operation, api: &Api) {
    use std::io::{BufRead as _, BufReader};
    let wire = api.begin("GET", "/api/events?types=config.applied", &[("last-event-id", "x")], b"");
    let mut head = String::new();
    let mut wire = BufReader::new(wire);
    while !head.ends_with("\r\n\r\n") {
        assert!(wire.read_line(&mut head).expect("a head") > 0, "{head}");
    }
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("text/event-stream"), "{head}");
    assert!(operation.described["responses"]["200"]["content"]["text/event-stream"].is_object());
}

#[test]
fn the_document_describes_who_is_let_in_and_how_each_refusal_looks() {
    let repo = Repo::new();
    repo.commit(&[("profiles/dev.yaml", "a: 1\n")]);
    let (_agent, _serve, api) = served(&repo, "");
    let document = document(&api);
    assert_eq!(document["components"]["securitySchemes"]["token"]["scheme"], "bearer");
    for operation in Operation::all(&document) {
        let id = &operation.id;
        let answers = operation.described["responses"].as_object().expect("answers");
        assert!(answers.keys().any(|status| status.starts_with('2')), "{id} never succeeds");
        assert!(answers.contains_key("default"), "{id}");
        for (_, schema) in operation.parameters("path") {
            assert!(schema["type"].is_string(), "{id}");
        }
        let names = operation.path.matches('{').count();
        assert_eq!(operation.parameters("path").len(), names, "{id}");
        if operation.described["security"] == json!([]) {
            continue;
        }
        for status in ["401", "403", "429"] {
            assert!(answers.contains_key(status), "{id} is not said to refuse with {status}");
        }
        // Nobody is let in, and is told so as described.
        let path = operation.path.replace("{id}", "1");
        let answer = api.nobody().send(&operation.method, &path, &[], b"");
        assert_eq!(answer.status, 401, "{id}: {answer:#?}");
        if let Err(wrong) = operation.judge(&document, &answer) {
            panic!("{id}: {wrong}\n{answer:#?}");
        }
    }
}
