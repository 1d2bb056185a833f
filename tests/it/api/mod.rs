//! The HTTP API of `serve`, from outside: what each route answers, who may do what, and what is
//! written down of it.

mod audit;
mod encrypted;
mod events;
mod repeats;
mod rights;
mod search;
mod seen;
mod tokens;
mod writes;

pub(crate) use rights::{actions_of, token, with_tokens};

use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::{Agent, Repo, Running, wait_until};

const YAML: (&str, &str) = ("content-type", "application/yaml");

/// A machine with a profile, and what follows it.
pub(crate) fn served(repo: &Repo, more: &str) -> (Agent, Running, Api) {
    let (agent, state, live) = {
        let agent = Agent::new();
        let (state, live) = (agent.state_dir(), agent.live_path());
        (agent, state, live)
    };
    let gitops = format!("repository: \"{}\", sync_interval: 50ms", repo.path().display());
    agent.settings(&format!(
        "profile: dev\nstate_dir: {}\nlive: {{path: {}}}\ngitops: {{{gitops}}}\n{}",
        state.display(),
        live.display(),
        if more.contains("api:") {
            more.to_owned()
        } else {
            format!("{more}api: {{listen: \"127.0.0.1:0\"}}\n")
        },
    ));
    let (serve, api) = Api::serve(&agent);
    wait_until("something is live", || api.get("/readyz").status == 200);
    (agent, serve, api)
}

fn profiles(repo: &Repo) -> String {
    repo.commit(&[
        ("profiles/base.yaml", "bus: redis\nworkers: 2\npassword: hunter22\n"),
        ("profiles/dev.yaml", "extends: base\nbus: nats\n"),
        ("agents/scheduler.yaml", "name: scheduler\n"),
    ])
}

#[test]
fn what_is_live_can_be_read_compared_and_explained() {
    let repo = Repo::new();
    let first = profiles(&repo);
    let (agent, _serve, api) = served(&repo, "");
    let status = api.get("/api/config/status").json();
    assert_eq!(status["live"]["revision"], first.as_str(), "{status:#}");
    let second = repo.commit(&[("profiles/dev.yaml", "extends: base\nbus: nats\nworkers: 4\n")]);
    agent.wait_until_live(&second);
    let diff = api.get("/api/config/diff?from=1&to=live").json();
    assert_eq!(diff["to"]["revision"], second.as_str(), "{diff:#}");
    assert_eq!(diff["plan"]["files"][0]["path"], "profiles/dev.yaml", "{diff:#}");
    let keys = &diff["plan"]["files"][0]["detail"]["keys"];
    assert_eq!(keys[0], json!({"key": "workers", "old": null, "new": "4"}), "{diff:#}");
    let profile = api.get("/api/config/profile?explain=true").json();
    assert_eq!(profile["yaml"], "bus: nats\nworkers: 4\npassword: (hidden)\n", "{profile:#}");
    let bus = &profile["values"][0];
    assert_eq!((&bus["file"], &bus["line"]), (&json!("profiles/dev.yaml"), &json!(2)));
    let list = api.get("/api/profiles").json();
    let ids: Vec<&Value> = list["items"].as_array().unwrap().iter().map(|i| &i["id"]).collect();
    assert_eq!(ids, ["base", "dev"]);
    let history = api.get("/api/config/history?limit=1").json();
    assert_eq!((&history["items"][0]["deployment"], &history["next"]), (&json!(2), &json!(2)));
    let older = api.get("/api/config/history?limit=1&before=2").json();
    assert_eq!(older["items"][0]["deployment"], 1, "{older:#}");
}

#[test]
fn a_branch_is_compared_though_nobody_fetched_it_and_nothing_follows_from_that() {
    let repo = Repo::new();
    let first = profiles(&repo);
    let (agent, _serve, api) = served(&repo, "");
    let before = agent.json(&["status"]);
    repo.branch("review", &first);
    let text = "extends: base\nbus: nats\nworkers: 9\n";
    let there = repo.change().on("review").write("profiles/dev.yaml", text).commit("more");
    let diff = api.get("/api/config/diff?from=live&to=origin%2Freview").json();
    assert_eq!(diff["to"]["revision"], there.as_str(), "{diff:#}");
    let keys = &diff["plan"]["files"][0]["detail"]["keys"];
    assert_eq!(keys[0], json!({"key": "workers", "old": null, "new": "9"}), "{diff:#}");
    // The verb asks the agent; a revision that only its id is known of is brought too.
    let unseen = repo.change().on("review").write("x.txt", "x\n").commit("a file");
    let told = agent.json(&["diff", "1", &unseen]);
    assert_eq!(told["files"].as_array().map(Vec::len), Some(2), "{told:#}");
    let nowhere = api.get("/api/config/diff?to=nowhere");
    assert_eq!(nowhere.status, 409, "{nowhere:#?}");
    assert_eq!(nowhere.json()["code"], "revision_not_fetched");
    assert!(nowhere.text.contains("branch or tag `nowhere`"), "{nowhere:#?}");
    let after = agent.json(&["status"]);
    for kept in ["state", "live", "desired", "attempted", "quarantine"] {
        assert_eq!(after[kept], before[kept], "{kept}");
    }
    assert_eq!(after["source"]["error"], Value::Null);
}

#[test]
fn documents_are_tried_and_nothing_is_kept_of_them() {
    let repo = Repo::new();
    profiles(&repo);
    let (agent, _serve, api) = served(
        &repo,
        "validation: {references: [{from: {files: [profiles/*.yaml], key: agent}, to: {files: [agents/*.yaml]}}]}\n",
    );
    let objects = || std::fs::read_dir(agent.state_dir().join("repo.git/objects")).unwrap().count();
    let before = objects();
    let good = api.send(
        "PUT",
        "/api/config/validate?path=profiles/x.yaml",
        &[YAML],
        b"agent: scheduler\n",
    );
    assert_eq!(good.json()["valid"], true, "{good:#?}");
    let bad = api.send(
        "PUT",
        "/api/config/validate?path=profiles/x.yaml",
        &[YAML],
        b"a: 1\nagent: schedular\n",
    );
    let finding = bad.json()["findings"][0].clone();
    assert_eq!((&finding["rule"], &finding["line"]), (&json!("references.missing"), &json!(2)));
    // Two that refer to each other are tried together.
    let files =
        json!({"files": {"profiles/y.yaml": "agent: new\n", "agents/new.yaml": "name: new\n"}});
    let json = [("content-type", "application/json")];
    let both = api.send("PUT", "/api/config/validate", &json, files.to_string().as_bytes());
    assert_eq!(both.json()["valid"], true, "{both:#?}");
    let revision = json!({"revision": "1"}).to_string();
    let live = api.send("PUT", "/api/config/validate", &json, revision.as_bytes());
    assert_eq!(live.json()["valid"], true, "{live:#?}");
    assert_eq!(objects(), before);
    assert!(agent.live("profiles/x.yaml").is_none());
}

#[test]
fn an_order_is_followed_or_waited_for() {
    let repo = Repo::new();
    let first = profiles(&repo);
    let (agent, _serve, api) = served(&repo, "");
    let second = repo.commit(&[("a.yaml", "a: 1\n")]);
    agent.wait_until_live(&second);
    let back = api.post("/api/config/rollback", &json!({"reason": "too early"}));
    assert_eq!((back.status, &back.json()["deployment"]), (202, &json!(3)), "{back:#?}");
    let followed = back.header("location").expect("where it is followed").to_owned();
    wait_until("it is recorded", || api.get(&followed).status == 200);
    let row = api.get(&followed).json();
    assert_eq!((&row["revision"], &row["reason"]), (&json!(first), &json!("too early")));
    let waited = api.post("/api/config/apply?wait=30s", &json!({"revision": second}));
    assert_eq!(waited.json()["outcome"], "applied", "{waited:#?}");
    let nothing = api.post("/api/config/apply?wait=30", &json!({"dry_run": true}));
    assert_eq!(nothing.json()["outcome"], "in_sync", "{nothing:#?}");
    assert_eq!(api.post("/api/config/suspend", &json!({"reason": "lunch"})).status, 204);
    wait_until("it is suspended", || {
        api.get("/api/config/status").json()["suspended"]["actor"] == "admin"
    });
    assert_eq!(api.send("POST", "/api/config/resume", &[], b"").status, 204);
}

#[test]
fn what_is_wrong_with_a_request_is_a_problem_with_a_code() {
    let repo = Repo::new();
    profiles(&repo);
    let (_agent, _serve, api) = served(&repo, "");
    let json = ("content-type", "application/json");
    let huge = vec![b' '; 4 << 20];
    type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a [u8], u16, &'a str);
    let cases: [Case<'_>; 16] = [
        ("GET", "/nothing", &[], b"", 404, "not_found"),
        ("DELETE", "/api/config/status", &[], b"", 405, "method_not_allowed"),
        ("GET", "/api/config/history?limit=many", &[], b"", 400, "bad_request"),
        ("GET", "/api/config/history/x", &[], b"", 400, "bad_request"),
        ("GET", "/api/config/history/99", &[], b"", 404, "not_found"),
        ("GET", "/api/config/diff?from=nowhere", &[], b"", 409, "revision_not_fetched"),
        (
            "GET",
            "/api/config/diff?from=0123456789abcdef0123456789abcdef01234567",
            &[],
            b"",
            409,
            "revision_not_fetched",
        ),
        ("GET", "/api/config/profile?name=../../etc/passwd", &[], b"", 400, "bad_request"),
        ("GET", "/api/profiles/nobody", &[], b"", 404, "profile_missing"),
        ("POST", "/api/config/apply", &[json], b"{\"revison\": 1}", 400, "bad_request"),
        ("POST", "/api/config/apply", &[json], b"{", 400, "bad_request"),
        ("POST", "/api/config/apply", &[], b"{}", 415, "not_json"),
        ("POST", "/api/config/apply", &[json], &huge, 413, "body_too_large"),
        ("PUT", "/api/config/validate?path=../x.yaml", &[YAML], b"a: 1\n", 400, "bad_path"),
        ("PUT", "/api/config/validate", &[json], b"{}", 400, "bad_request"),
        ("GET", "/api/events?types=config.aplied", &[], b"", 400, "bad_request"),
    ];
    for (method, path, headers, body, status, code) in cases {
        let answer = api.send(method, path, headers, body);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{answer:#?}");
        let problem = answer.json();
        let told = (answer.status, problem["code"].as_str().unwrap_or_default());
        assert_eq!(told, (status, code), "{method} {path}: {answer:#?}");
        assert_eq!(problem["status"], status);
        assert!(!problem["detail"].as_str().unwrap_or_default().is_empty());
    }
}

#[test]
fn the_description_names_every_route_and_leads_nowhere_else() {
    let repo = Repo::new();
    profiles(&repo);
    let (_agent, _serve, api) = served(&repo, "");
    let document = api.nobody().get("/openapi.json").json();
    assert_eq!(document["openapi"], "3.1.0");
    let text = document.to_string();
    let parts = document["components"].as_object().expect("components");
    for (at, _) in text.match_indices("\"$ref\":\"") {
        let name = text[at + 8..].split('"').next().unwrap_or_default();
        let way = name.strip_prefix("#/components/").and_then(|way| way.split_once('/'));
        let (part, one) = way.expect("a part of the document");
        assert!(parts[part].get(one).is_some(), "{name} is not described");
    }
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            if path == "/api/events" {
                continue;
            }
            let path = path.replace("{id}", "1");
            let answer = api.send(&method.to_uppercase(), &path, &[], b"");
            let described = operation["responses"].as_object().expect("answers");
            let known = described.contains_key(&answer.status.to_string())
                || answer.header("content-type") == Some("application/problem+json");
            assert!(known, "{method} {path} answers what is not described: {answer:#?}");
            assert_ne!(answer.status, 405, "{method} {path}");
        }
    }
}

#[test]
fn what_a_hidden_file_says_is_in_no_profile_and_a_document_keeps_all_its_digits() {
    let repo = Repo::new();
    profiles(&repo);
    let (agent, _serve, api) = served(&repo, "mask: {files: [profiles/base.yaml]}\n");
    let profile = api.get("/api/config/profile?explain=true");
    assert_eq!(profile.json()["yaml"], "bus: nats\nworkers: (hidden)\npassword: (hidden)\n");
    let workers = &profile.json()["values"][1];
    assert_eq!(
        (&workers["value"], &workers["file"]),
        (&json!("(hidden)"), &json!("profiles/base.yaml"))
    );
    let printed = agent.run(&["profile"]);
    assert!(printed.stdout.contains("workers: (hidden)"), "{printed:#?}");

    let body = "{\"id\": \"edge\", \"document\": {\"mode\": \"off\", \"digits\": 12345678901234567890123, \"k\": \"8\"}}";
    let made =
        api.send("POST", "/api/profiles", &[("content-type", "application/json")], body.as_bytes());
    assert_eq!(made.status, 201, "{made:#?}");
    agent.wait_until_live(made.json()["revision"].as_str().unwrap());
    let written = agent.live("profiles/edge.yaml").expect("the profile");
    assert_eq!(written, "mode: \"off\"\ndigits: 12345678901234567890123\nk: \"8\"\n");
}
