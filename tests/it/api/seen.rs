//! What somebody sees whose role has paths: on every route, those files and nothing of others.

use serde_json::{Value, json};

use super::{profiles, served, token, with_tokens};
use crate::support::api::Api;
use crate::support::{Agent, Repo, Running, wait_until};

/// A word that is in the name or the text of everything that is not to be seen.
const HIDDEN: &str = "hidden";

/// A machine on which all has happened that could tell of a file.
fn eventful() -> (Repo, [Agent; 2], Running, Api) {
    let repo = Repo::new();
    profiles(&repo);
    let machine = Agent::new();
    let secret = machine.folder().join("node.key");
    std::fs::write(&secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").expect("a node's secret");
    let nodes = format!(
        "nodes: [{{name: edge-1, url: \"http://127.0.0.1:1/\", secret_file: {}, paths: [agents/hidden.yaml]}}]\n",
        secret.display()
    );
    let (agent, serve, admin) = served(&repo, &format!("{nodes}{}", with_tokens(&machine)));
    // One file that is seen, and others that are not, in all the ways of changing.
    let second = repo.commit(&[
        ("agents/scheduler.yaml", "name: scheduler\nslots: 2\n"),
        ("agents/hidden.yaml", "name: hidden\n"),
        ("profiles/hidden.yaml", "extends: base\n"),
    ]);
    agent.wait_until_live(&second);
    let third = repo.commit(&[("agents/hidden.yaml", "name: hidden\nslots: 3\n")]);
    agent.wait_until_live(&third);
    // Something is refused, drifts, is stopped and goes back, each with words of its own.
    repo.commit(&[("agents/hidden.yaml", "a: [\n")]);
    wait_until("it is refused", || {
        admin.get("/api/config/status").json()["attempted"]["outcome"] == "refused"
    });
    let written = json!({"id": "hidden-too", "document": {"extends": "base"}});
    assert_eq!(admin.post("/api/profiles", &written).status, 422, "the head is refused");
    let reason = json!({"reason": "hidden.yaml is wrong"});
    assert_eq!(admin.post("/api/config/rollback?wait=30s", &reason).status, 200);
    assert_eq!(admin.post("/api/config/suspend", &reason).status, 204);
    let live = agent.live_path().join("agents/hidden.yaml");
    std::fs::write(live, "changed: by hand\n").expect("the live tree");
    assert_eq!(admin.post("/api/config/drift?wait=30s", &json!({})).status, 200);
    wait_until("the drift is seen", || {
        !admin.get("/api/config/status").json()["drift"]["paths"]
            .as_array()
            .is_none_or(Vec::is_empty)
    });
    (repo, [agent, machine], serve, admin)
}

#[test]
fn nothing_of_another_file_is_seen_on_any_route() {
    let (_repo, _machines, _serve, admin) = eventful();
    let watcher = admin.with(&token("watcher"));
    let document = admin.get("/openapi.json").json();
    let mut paths: Vec<String> = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        let is_open = methods["get"]["x-kconfigd-action"].is_null();
        if methods.get("get").is_none() || is_open || path == "/api/events" {
            continue;
        }
        match path.as_str() {
            "/api/profiles/{id}" => {
                paths.extend(["dev", HIDDEN].map(|id| path.replace("{id}", id)));
            }
            "/api/config/diff" => paths.extend(
                ["from=1&to=2", "from=2&to=3", "from=3&to=live", "from=live&to=desired"]
                    .map(|query| format!("{path}?{query}")),
            ),
            "/api/config/search" => {
                paths.extend(["hidden", "name"].map(|text| format!("{path}?q={text}")));
            }
            path if path.contains("{id}") => {
                paths.extend((1..=6).map(|id| path.replace("{id}", &id.to_string())));
            }
            path => paths.push(path.to_owned()),
        }
    }
    paths.push("/api/config/profile?name=hidden&explain=true".to_owned());
    let mut told = 0;
    for path in &paths {
        let seen = watcher.get(path);
        assert!([200, 403, 404, 409].contains(&seen.status), "{path}: {seen:#?}");
        // What was asked for may be said back.
        let text = seen.text.replace("the profile hidden is", "");
        assert!(!text.contains(HIDDEN), "{path}: {seen:#?}");
        told += usize::from(admin.get(path).text.contains(HIDDEN));
    }
    assert!(paths.len() > 15 && told >= 8, "{told} of {} told the admin", paths.len());

    let events = |api: &Api| {
        let wire = api.begin("GET", "/api/events?last_event_id=evt_unknown", &[], b"");
        super::events::heard(wire, "config.drift.detected")
    };
    let heard = events(&watcher);
    assert!(heard.contains("agents/scheduler.yaml") && !heard.contains(HIDDEN), "{heard}");
    assert!(events(&admin).contains(HIDDEN));
}

#[test]
fn the_one_file_is_seen_whole_and_counts_are_of_it_alone() {
    let (_repo, _machines, _serve, admin) = eventful();
    let narrow = admin.with(&token("narrow"));
    let plan = narrow.get("/api/config/diff?from=1&to=2").json()["plan"].clone();
    assert_eq!(plan["files"][0]["path"], "agents/scheduler.yaml", "{plan:#}");
    assert_eq!(plan["files"][0]["detail"]["keys"][0]["new"], "2", "{plan:#}");
    assert_eq!(plan["changes"], json!({"added": 0, "modified": 1, "removed": 0}));
    assert_eq!((&plan["files_before"], &plan["files_after"]), (&json!(0), &json!(0)));
    let plan = narrow.get("/api/config/diff?from=2&to=3").json()["plan"].clone();
    assert_eq!(plan["files"], json!([]), "{plan:#}");
    assert_eq!((&plan["touches"], &plan["cost"]["files"]), (&json!([]), &json!(0)), "{plan:#}");
    let rows = narrow.get("/api/config/history").json()["items"].clone();
    for row in rows.as_array().expect("items") {
        assert_eq!(row["changes"], json!({"added": 0, "modified": 0, "removed": 0}), "{row:#}");
        assert_eq!(row["reason"], Value::Null, "{row:#}");
    }
    let status = narrow.get("/api/config/status").json();
    assert_eq!(status["drift"]["paths"], json!([]), "{status:#}");
    assert_eq!(status["suspended"]["reason"], Value::Null, "{status:#}");
    let yaml = [("content-type", "application/yaml")];
    for (path, status) in [("agents/scheduler.yaml", 200), ("agents/hidden.yaml", 403)] {
        let path = format!("/api/config/validate?path={path}");
        assert_eq!(narrow.send("PUT", &path, &yaml, b"a: 1\n").status, status, "{path}");
    }
    // A trial of a revision tells of no file that is not seen.
    let head = narrow.get("/api/config/status").json()["desired"]["revision"].clone();
    let trial = narrow.send(
        "PUT",
        "/api/config/validate",
        &[("content-type", "application/json")],
        json!({ "revision": head }).to_string().as_bytes(),
    );
    assert_eq!(trial.json()["valid"], false, "{trial:#?}");
    assert!(!trial.text.contains(HIDDEN), "{trial:#?}");
}
