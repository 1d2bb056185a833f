//! Writes that come again with their key, limits of what may be asked, answers that are known already,
//! and pages of lists.

use std::sync::mpsc;

use serde_json::{Value, json};

use super::{profiles, served, token, with_tokens};
use crate::support::api::{Answer, Api};
use crate::support::{Agent, Repo, wait_until};

const JSON: (&str, &str) = ("content-type", "application/json");

fn keyed(api: &Api, path: &str, key: &str, body: &Value) -> Answer {
    api.send("POST", path, &[JSON, ("idempotency-key", key)], body.to_string().as_bytes())
}

fn orders(api: &Api) -> usize {
    api.get("/api/audit?action=order.").json()["items"].as_array().map_or(0, Vec::len)
}

#[test]
fn a_write_that_comes_again_is_answered_as_before_and_done_once() {
    let repo = Repo::new();
    profiles(&repo);
    let (agent, serve, api) = served(&repo, "");
    let second = repo.commit(&[("a.yaml", "a: 1\n")]);
    agent.wait_until_live(&second);
    let back = json!({"reason": "too early", "hold": true});
    let first = keyed(&api, "/api/config/rollback", "\"one\"", &back);
    assert_eq!((first.status, &first.json()["deployment"]), (202, &json!(3)), "{first:#?}");
    assert_eq!(first.header("idempotency-replayed"), None);
    let again = keyed(&api, "/api/config/rollback", "one", &back);
    assert_eq!((again.status, &again.text), (202, &first.text), "{again:#?}");
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(again.header("content-type"), first.header("content-type"));
    // How long to wait is no part of what is wanted.
    let waiting = keyed(&api, "/api/config/rollback?wait=30s", "one", &back);
    assert_eq!(waiting.text, first.text);
    assert_eq!(orders(&api), 1);
    let other = keyed(&api, "/api/config/rollback", "one", &json!({"reason": "too late"}));
    assert_eq!((other.status, other.json()["code"].clone()), (422, json!("idempotency_mismatch")));
    let elsewhere = keyed(&api, "/api/config/apply", "one", &back);
    assert_eq!(elsewhere.status, 422, "{elsewhere:#?}");
    for bad in ["", "a b", "\"\""] {
        let answer = keyed(&api, "/api/config/resume", bad, &json!({}));
        assert_eq!(answer.json()["code"], "bad_idempotency_key", "{answer:#?}");
    }
    // What was refused before anything was done may come again, put right.
    let wrong = keyed(&api, "/api/config/suspend", "two", &json!({"until": "soon"}));
    assert_eq!(wrong.status, 400, "{wrong:#?}");
    for _ in 0..3 {
        let stopped = keyed(&api, "/api/config/suspend", "two", &json!({"reason": "tea"}));
        assert_eq!(stopped.status, 204, "{stopped:#?}");
    }
    let stops = api.get("/api/audit?action=agent.suspend").json()["items"].clone();
    assert_eq!(stops.as_array().map(Vec::len), Some(1), "{stops:#}");

    // All of it is known after a restart, in the middle of which nothing is asked.
    serve.kill();
    let (_serve, api) = Api::serve(&agent);
    let again = keyed(&api, "/api/config/rollback", "one", &back);
    assert_eq!((again.status, &again.text), (202, &first.text), "{again:#?}");
    assert_eq!(keyed(&api, "/api/config/suspend", "two", &json!({"reason": "tea"})).status, 204);
    assert_eq!(orders(&api), 1);
}

#[test]
fn an_order_whose_answer_was_lost_in_a_crash_is_not_given_again() {
    let repo = Repo::new();
    profiles(&repo);
    let folder = tempfile::tempdir().expect("a folder");
    let gate = folder.path().join("gate");
    std::fs::write(&gate, "").expect("the gate is open");
    let (agent, serve, api) = served(
        &repo,
        &format!(
            "checks: [{{name: gate, run: [sh, -c, 'until [ -e {} ]; do sleep 0.02; done']}}]\n",
            gate.display()
        ),
    );
    assert_eq!(api.post("/api/config/suspend", &json!({})).status, 204);
    let second = repo.commit(&[("a.yaml", "a: 1\n")]);
    std::fs::remove_file(&gate).expect("the gate is shut");
    let order = json!({"revision": second, "reason": "now"});
    let headers = [JSON, ("idempotency-key", "one")];
    let body = order.to_string();
    let waiting = api.begin("POST", "/api/config/apply?wait=30s", &headers, body.as_bytes());
    wait_until("it is ordered", || orders(&api) == 1);
    let meanwhile = keyed(&api, "/api/config/apply", "one", &order);
    assert_eq!(meanwhile.json()["code"], "idempotency_under_way", "{meanwhile:#?}");
    assert_eq!(meanwhile.header("retry-after"), Some("1"));
    serve.kill();
    drop(waiting);
    let (_serve, api) = Api::serve(&agent);
    let again = keyed(&api, "/api/config/apply", "one", &order);
    assert_eq!((again.status, &again.json()["order"]), (202, &json!(1)), "{again:#?}");
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    std::fs::write(&gate, "").expect("the gate is open");
    agent.wait_until_live(&second);
    assert_eq!(orders(&api), 1);
}

#[test]
fn keys_are_each_callers_own_and_profiles_are_committed_once() {
    let repo = Repo::new();
    profiles(&repo);
    let machine = Agent::new();
    let (_agent, _serve, admin) = served(&repo, &with_tokens(&machine));
    let body = json!({"id": "edge", "document": {"extends": "base"}});
    let made = keyed(&admin, "/api/profiles", "k", &body);
    assert_eq!(made.status, 201, "{made:#?}");
    let again = keyed(&admin, "/api/profiles", "k", &body);
    assert_eq!((again.status, &again.text), (201, &made.text), "{again:#?}");
    assert_eq!(again.header("etag"), made.header("etag"));
    let publisher = admin.with(&token("publisher"));
    assert_eq!(keyed(&publisher, "/api/profiles", "k", &body).status, 409, "it is there by now");
    assert_eq!(orders(&admin), 2);
    // A precondition belongs to what is wanted.
    let tag = made.header("etag").expect("a tag").to_owned();
    let put = |tag: &str, yaml: &str| {
        let headers =
            [("content-type", "application/yaml"), ("if-match", tag), ("idempotency-key", "p")];
        admin.send("PUT", "/api/profiles/edge", &headers, yaml.as_bytes())
    };
    let changed = put(&tag, "extends: base\nworkers: 3\n");
    assert_eq!(changed.status, 200, "{changed:#?}");
    let again = put(&tag, "extends: base\nworkers: 3\n");
    assert_eq!((again.status, &again.text), (200, &changed.text), "not 412, as without a key");
    assert_eq!(put("*", "extends: base\nworkers: 3\n").status, 422);
    // A wrong one is refused by the gates, and stays so.
    let broken = keyed(&admin, "/api/profiles", "b", &json!({"id": "x", "yaml": "a: ["}));
    assert_eq!(broken.status, 422, "{broken:#?}");
    let again = keyed(&admin, "/api/profiles", "b", &json!({"id": "x", "yaml": "a: ["}));
    assert_eq!((again.status, &again.text), (422, &broken.text));
    assert_eq!(orders(&admin), 4);
}

#[test]
fn of_two_at_the_same_time_one_is_told_to_wait() {
    let repo = Repo::new();
    profiles(&repo);
    let (_agent, _serve, api) = served(&repo, "");
    let (sender, answers) = mpsc::channel();
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (api, sender) = (api.clone(), sender.clone());
            std::thread::spawn(move || {
                let answer =
                    keyed(&api, "/api/config/drift?wait=30s", "k", &json!({"repair": true}));
                sender.send(answer).expect("the test listens");
            })
        })
        .collect();
    drop(sender);
    let answers: Vec<Answer> = answers.iter().collect();
    for thread in threads {
        thread.join().expect("it asked");
    }
    for answer in &answers {
        let under_way = answer.status == 409 && answer.json()["code"] == "idempotency_under_way";
        assert!(under_way || answer.status == 200, "{answer:#?}");
    }
    assert!(answers.iter().any(|answer| answer.status == 200), "{answers:#?}");
    assert_eq!(orders(&api), 1);
}

#[test]
fn who_asks_for_more_than_its_share_is_told_when_to_come_again() {
    let repo = Repo::new();
    profiles(&repo);
    let machine = Agent::new();
    let settings = with_tokens(&machine);
    let settings =
        format!("{settings}  rate_limit: {{reads: 30/h, looks: 2/h, writes: 3/h, hooks: 2/h}}\n");
    let (agent, _serve, api) = served(&repo, &settings);
    let operator = api.with(&token("operator"));
    let statuses: Vec<u16> =
        (0..4).map(|_| operator.post("/api/config/resume", &json!({})).status).collect();
    assert_eq!(statuses, [204, 204, 204, 429]);
    let told = operator.post("/api/config/resume", &json!({}));
    assert_eq!(told.json()["code"], "rate_limited", "{told:#?}");
    assert!(told.json()["detail"].to_string().contains("api.rate_limit.writes"), "{told:#?}");
    let wait: u64 = told.header("retry-after").and_then(|text| text.parse().ok()).expect("seconds");
    assert!((1..=1200).contains(&wait), "{wait}");
    // Others, and other things, have shares of their own.
    assert_eq!(api.post("/api/config/resume", &json!({})).status, 204);
    let profile = "/api/config/profile";
    let looks: Vec<u16> = (0..3).map(|_| operator.get(profile).status).collect();
    assert_eq!(looks, [200, 200, 429]);
    assert_eq!(operator.get("/api/config/status").status, 200);
    let hooks: Vec<u16> =
        (0..3).map(|_| api.nobody().send("POST", "/hooks/git", &[], b"").status).collect();
    assert_eq!(hooks, [404, 404, 429]);
    // The control socket has no limits.
    for _ in 0..5 {
        assert_eq!(agent.run(&["resume"]).code, 0);
    }
    let metrics = api.get("/metrics").text;
    assert!(metrics.contains("kconfigd_http_rate_limited_total{limit=\"writes\"} 2"), "{metrics}");
}

#[test]
fn who_has_an_answer_is_told_that_it_is_still_right() {
    let repo = Repo::new();
    profiles(&repo);
    let machine = Agent::new();
    let (agent, _serve, api) = served(&repo, &with_tokens(&machine));
    let second = repo.commit(&[("a.yaml", "a: 1\n")]);
    agent.wait_until_live(&second);
    for path in [
        "/api/config/history",
        "/api/config/history/2",
        "/api/config/diff?from=1&to=2",
        "/api/profiles",
        "/api/nodes",
        "/api/deliveries",
        "/openapi.json",
    ] {
        let first = api.get(path);
        let tag = first.header("etag").unwrap_or_else(|| panic!("{path}: {first:#?}")).to_owned();
        let again = api.send("GET", path, &[("if-none-match", &tag)], b"");
        assert_eq!((again.status, again.text.as_str()), (304, ""), "{path}: {again:#?}");
        assert_eq!(again.header("etag"), Some(tag.as_str()), "{path}");
        let other = api.send("GET", path, &[("if-none-match", "\"x\"")], b"");
        assert_eq!((other.status, &other.text), (200, &first.text), "{path}");
    }
    let tag = api.get("/api/config/history").header("etag").expect("a tag").to_owned();
    let third = repo.commit(&[("a.yaml", "a: 2\n")]);
    agent.wait_until_live(&third);
    wait_until("the history is another", || {
        api.send("GET", "/api/config/history", &[("if-none-match", &tag)], b"").status == 200
    });
    // What another may see has another tag, and nothing is told without a right.
    let narrow = api.with(&token("narrow")).get("/api/profiles");
    assert_ne!(narrow.header("etag"), api.get("/api/profiles").header("etag"));
    let nobody = api.nobody().send("GET", "/api/profiles", &[("if-none-match", "*")], b"");
    assert_eq!(nobody.status, 401);
}

#[test]
fn every_list_is_read_page_by_page_while_rows_are_added() {
    let repo = Repo::new();
    profiles(&repo);
    let (agent, _serve, api) = served(&repo, "");
    for n in 1..=4 {
        let next = repo.commit(&[("a.yaml", &format!("a: {n}\n"))]);
        agent.wait_until_live(&next);
    }
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = api.get(&format!("/api/config/history?limit=2{cursor}")).json();
        let items = page["items"].as_array().expect("items").clone();
        seen.extend(items.iter().map(|row| row["deployment"].as_u64().unwrap_or_default()));
        // Rows that come meanwhile are on no later page.
        let next = repo.commit(&[("b.yaml", &format!("b: {}\n", seen.len()))]);
        agent.wait_until_live(&next);
        match page["cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
        assert!(page["next"].is_u64(), "as before: {page:#}");
    }
    assert_eq!(seen, [5, 4, 3, 2, 1]);
    let first = api.get("/api/profiles?limit=1").json();
    let cursor = first["cursor"].as_str().expect("a cursor");
    let rest = api.get(&format!("/api/profiles?cursor={cursor}")).json();
    assert_eq!(
        (&first["items"][0]["id"], &rest["items"][0]["id"]),
        (&json!("base"), &json!("dev"))
    );
    assert_eq!(rest["cursor"], Value::Null);
    let audit = api.get("/api/audit?limit=2").json();
    let cursor = audit["cursor"].as_str().expect("a cursor");
    let older = api.get(&format!("/api/audit?limit=2&cursor={cursor}")).json();
    assert!(older["items"][0]["id"].as_u64() < audit["items"][1]["id"].as_u64(), "{older:#}");
    for path in
        ["/api/config/history", "/api/profiles", "/api/nodes", "/api/audit", "/api/deliveries"]
    {
        let wrong = api.get(&format!("{path}?cursor=x"));
        assert_eq!(
            (wrong.status, wrong.json()["code"].clone()),
            (400, json!("bad_request")),
            "{path}"
        );
    }
}
