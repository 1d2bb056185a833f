use serde_json::{Value, json};

use super::{profiles, served};
use crate::support::api::Api;
use crate::support::issuer::{Issuer, SigningKey, now};
use crate::support::{Agent, Repo, wait_until};

const ACTIONS: [&str; 9] = [
    "read",
    "validate",
    "apply",
    "rollback",
    "suspend",
    "repair",
    "profiles:write",
    "nodes:write",
    "audit:read",
];

pub(crate) fn token(name: &str) -> String {
    format!("token-of-{}-0123456789", name.replace(':', "-"))
}

/// A token for each built-in role, for each action alone, and for none of the files but one.
pub(crate) fn with_tokens(agent: &Agent) -> String {
    let mut tokens = Vec::new();
    let mut roles = vec![
        "narrow: {actions: [read, validate], paths: [agents/scheduler.yaml]}".to_owned(),
        "watcher: {actions: [read, validate, \"audit:read\"], paths: [agents/scheduler.yaml]}"
            .to_owned(),
    ];
    let mut add = |name: &str, role: &str| {
        let file = agent.folder().join(format!("{}.token", name.replace(':', "-")));
        std::fs::write(&file, token(name)).expect("a token's file");
        tokens.push(format!(
            "{{name: \"{name}\", token_file: {}, role: \"{role}\"}}",
            file.display()
        ));
    };
    for role in ["viewer", "operator", "publisher", "narrow", "watcher"] {
        add(role, role);
    }
    for action in ACTIONS {
        add(action, &format!("only-{action}"));
        roles.push(format!("\"only-{action}\": {{actions: [\"{action}\"]}}"));
    }
    format!(
        "api:\n  listen: \"127.0.0.1:0\"\n  tokens: [{}]\n  roles: {{{}}}\n",
        tokens.join(", "),
        roles.join(", ")
    )
}

/// The actions of each built-in role, by the documentation.
pub(crate) fn actions_of(role: &str) -> Vec<&'static str> {
    match role {
        "viewer" => vec!["read", "validate"],
        "operator" => vec![
            "read",
            "validate",
            "apply",
            "rollback",
            "suspend",
            "repair",
            "nodes:write",
            "audit:read",
        ],
        "publisher" => vec!["read", "validate", "profiles:write"],
        "narrow" => vec!["read", "validate"],
        "watcher" => vec!["read", "validate", "audit:read"],
        "admin" => ACTIONS.to_vec(),
        _ => ACTIONS.iter().copied().filter(|action| *action == role).collect(),
    }
}

#[test]
fn every_route_is_for_those_who_have_its_right_and_for_nobody_else() {
    let repo = Repo::new();
    profiles(&repo);
    let machine = Agent::new();
    let issuer = Issuer::start();
    let key = SigningKey::new("ES256");
    issuer.gives(&[key.jwk("one")]);
    // Nobody is to be refused here because others were.
    let settings = format!(
        "{}  jwt: {{issuer: \"{}\", audience: kconfigd, role_claim: roles}}\n  \
         rate_limit: {{writes: off, looks: off}}\n",
        with_tokens(&machine),
        issuer.name()
    );
    let (_agent, _serve, admin) = served(&repo, &settings);
    let document = admin.get("/openapi.json").json();
    let mut asked = 0;
    let own = ["viewer", "operator", "publisher", "narrow", "watcher"];
    // Each role by a token of its own, and by a claim of a JSON Web Token.
    let of_tokens = own.into_iter().chain(ACTIONS).map(|name| (name, admin.with(&token(name))));
    let of_claims = own.into_iter().chain(["admin", "nobody"]).map(|role| {
        let claims = json!({"iss": issuer.name(), "aud": "kconfigd", "sub": role,
            "exp": now() + 600, "roles": ["unknown here", role]});
        (role, admin.with(&key.token("ES256", "one", &claims)))
    });
    let callers: Vec<(&str, Api)> =
        of_tokens.chain(of_claims).chain([("admin", admin.clone())]).collect();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let path = path.replace("{id}", "999999");
            let method = method.to_uppercase();
            let Some(action) = operation["x-kconfigd-action"].as_str() else {
                assert_eq!(
                    operation["security"],
                    json!([]),
                    "{method} {path} is open, and says so"
                );
                continue;
            };
            let stranger = admin.with("0123456789abcdef0123456789abcdef");
            let guess = stranger.send(&method, &path, &[], b"");
            assert_eq!(guess.status, 401, "{method} {path} with a wrong token");
            let nobody = admin.nobody().send(&method, &path, &[], b"");
            assert_eq!(nobody.status, 401, "{method} {path} without a token");
            assert!(nobody.header("www-authenticate").is_some());
            for (name, caller) in &callers {
                if path == "/api/events" && actions_of(name).contains(&action) {
                    continue;
                }
                let answer = caller.send(&method, &path, &[], b"{");
                let may = actions_of(name).contains(&action);
                // A role with paths has the right, and may see none of the files that it is about.
                let is_refused = answer.status == 403 && answer.text.contains("has no right to");
                assert_eq!(is_refused, !may, "{name}: {method} {path}: {answer:#?}");
                assert_ne!(answer.status, 401, "{name}: {method} {path}");
                asked += 1;
            }
        }
    }
    assert!(asked > 400, "{asked} requests are too few to be all");
}

#[test]
fn who_may_see_one_file_sees_no_other() {
    let repo = Repo::new();
    profiles(&repo);
    let machine = Agent::new();
    let (agent, _serve, admin) = served(&repo, &with_tokens(&machine));
    let second = repo.commit(&[
        ("agents/scheduler.yaml", "name: scheduler\nslots: 2\n"),
        ("agents/hidden.yaml", "name: hidden\n"),
    ]);
    agent.wait_until_live(&second);
    let narrow = admin.with(&token("narrow"));
    let diff = narrow.get("/api/config/diff?from=1&to=live");
    let files = diff.json()["plan"]["files"].clone();
    assert_eq!(files.as_array().map(Vec::len), Some(1), "{diff:#?}");
    assert_eq!(diff.json()["plan"]["changes"], json!({"added": 0, "modified": 1, "removed": 0}));
    assert!(!diff.text.contains("hidden"), "{diff:#?}");
    assert_eq!(narrow.get("/api/config/profile").status, 403);
    assert_eq!(narrow.get("/api/profiles").json()["items"], json!([]));
    let yaml = [("content-type", "application/yaml")];
    let other = narrow.send("PUT", "/api/config/validate?path=agents/x.yaml", &yaml, b"a: 1\n");
    assert_eq!(other.status, 403, "{other:#?}");
    let own =
        narrow.send("PUT", "/api/config/validate?path=agents/scheduler.yaml", &yaml, b"a: 1\n");
    assert_eq!(own.json()["valid"], true, "{own:#?}");
    // A commit whose other files are refused tells nothing of them either.
    repo.commit(&[("agents/hidden.yaml", "a: [\n")]);
    wait_until("it is refused", || {
        admin.get("/api/config/status").json()["attempted"]["outcome"] == "refused"
    });
    let admins = admin.get("/api/config/status").json()["attempted"]["findings"].clone();
    assert_eq!(admins[0]["file"], "agents/hidden.yaml");
    for path in ["/api/config/status", "/api/config/history", "/api/config/history/3"] {
        let told = narrow.get(path);
        assert!(!told.text.contains("hidden"), "{told:#?}");
    }
    let events = narrow.begin("GET", "/api/events?last_event_id=evt_unknown", &[], b"");
    let seen = super::events::heard(events, "config.refused");
    assert!(seen.contains("config.applied") && !seen.contains("hidden"), "{seen}");
}

#[test]
fn guessing_a_token_takes_longer_each_time_and_is_written_down() {
    let repo = Repo::new();
    profiles(&repo);
    let (agent, _serve, admin) = served(&repo, "");
    let guess = admin.with("0123456789abcdef0123456789");
    let answers: Vec<u16> = (0..8).map(|_| guess.get("/api/config/status").status).collect();
    assert_eq!(answers[..6], [401; 6]);
    assert_eq!(answers[6..], [429; 2]);
    let told = guess.get("/api/config/status");
    assert!(told.header("retry-after").is_some(), "{told:#?}");
    // Over the socket nobody has to wait.
    let ran = agent.run(&["audit", "--action", "access.", "-o", "json"]);
    let audit: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:#?}"));
    assert_eq!(audit["items"].as_array().map(Vec::len), Some(6), "{audit:#}");
    assert_eq!(audit["items"][0]["from"], "127.0.0.1");
}

#[test]
fn a_token_that_is_taken_away_lets_nobody_in_any_more() {
    let repo = Repo::new();
    profiles(&repo);
    let machine = Agent::new();
    let (_agent, _serve, admin) = served(&repo, &with_tokens(&machine));
    let viewer = admin.with(&token("viewer"));
    assert_eq!(viewer.get("/api/config/status").status, 200);
    let file = machine.folder().join("viewer.token");
    std::fs::write(&file, "another-token-0123456789").expect("a token's file");
    assert_eq!(viewer.get("/api/config/status").status, 401);
    assert_eq!(admin.with("another-token-0123456789").get("/api/config/status").status, 200);
}

#[test]
fn neither_errors_nor_orders_nor_counts_tell_a_narrow_role_of_other_files() {
    let repo = Repo::new();
    repo.commit(&[
        ("profiles/dev.yaml", "bus: nats\n"),
        ("profiles/hidden.yaml", "a: 1\n"),
        ("profiles/mine.yaml", "extends: hidden\n"),
        ("profiles/lost.yaml", "extends: hidden-too\n"),
    ]);
    let machine = Agent::new();
    let file = machine.folder().join("narrow.token");
    std::fs::write(&file, token("narrow")).expect("a token's file");
    let (agent, _serve, admin) = served(
        &repo,
        &format!(
            "api:\n  listen: \"127.0.0.1:0\"\n  tokens: [{{name: n, token_file: {}, role: narrow}}]\n  \
             roles: {{narrow: {{actions: [read, validate, apply, \"audit:read\", \"profiles:write\"], \
             paths: [profiles/mine.yaml, profiles/lost.yaml]}}}}\n",
            file.display()
        ),
    );
    let narrow = admin.with(&token("narrow"));
    // What is there and what is not, beside what they see and below it, is all the same.
    let said = |id: &str| {
        let answer = narrow.get(&format!("/api/profiles/{id}"));
        (answer.status, answer.text.replace(id, "X"))
    };
    let (status, text) = said("hidden");
    assert_eq!(status, 403, "{text}");
    for id in ["nothing", "mine", "lost"] {
        assert_eq!(said(id), (status, text.clone()), "{id}");
    }
    assert_eq!(admin.get("/api/profiles/lost").status, 404);
    assert_eq!(admin.get("/api/profiles/a%20b").status, 400);
    let blob = repo.git().args(["rev-parse", "main:profiles/dev.yaml"]).output().unwrap().stdout;
    let blob = String::from_utf8(blob).unwrap();
    assert_eq!(admin.get(&format!("/api/profiles/dev?at={}", blob.trim())).status, 404);

    // Orders for others' files, and how many files there are.
    let made = admin.post("/api/profiles", &json!({"id": "others", "yaml": "a: 1\n"}));
    assert_eq!(made.status, 201, "{made:#?}");
    agent.wait_until_live(made.json()["revision"].as_str().unwrap());
    let trail = narrow.get("/api/audit");
    assert!(trail.text.contains("file.publish") && !trail.text.contains("others"), "{trail:#?}");
    assert!(admin.get("/api/audit").text.contains("profiles/others.yaml"));
    let none = json!({"added": 0, "modified": 0, "removed": 0});
    assert_eq!(narrow.get("/api/config/history").json()["items"][0]["changes"], none);
    let diff = narrow.get("/api/config/diff?from=1&to=live").json();
    assert_eq!(diff["plan"]["changes"], none, "{diff:#}");
    assert_eq!(
        (&diff["plan"]["files_before"], &diff["plan"]["files_after"]),
        (&json!(0), &json!(0))
    );

    // A commit that gives no tree at all is refused for everybody, and why is told to few.
    let next = repo.change().write("agents/hid\u{1}den.yaml", "a: 1\n").commit("an odd name");
    wait_until("it is refused", || {
        admin.get("/api/config/status").json()["desired"]["revision"] == next.as_str()
    });
    let refused = |api: &Api| api.get(&format!("/api/config/diff?from=live&to={next}"));
    let all = refused(&admin);
    assert!(all.status == 409 && all.text.contains("agents"), "{all:#?}");
    let few = refused(&narrow);
    assert!(few.status == 409 && !few.text.contains("agents"), "{few:#?}");
}

#[test]
fn the_first_admin_token_is_its_owners_alone_and_another_once_it_is_removed() {
    use std::os::unix::fs::PermissionsExt as _;
    let repo = Repo::new();
    profiles(&repo);
    let (agent, serve, admin) = served(&repo, "");
    let file = agent.state_dir().join("admin.token");
    let mode = || std::fs::metadata(&file).expect("a token's file").permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    serve.stop();
    // As a backup may have brought it back.
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("a mode");
    let (serve, again) = Api::serve(&agent);
    assert_eq!((mode(), &again.token), (0o600, &admin.token));
    assert!(serve.stderr().contains("others could read this secret"), "{}", serve.stderr());
    serve.stop();
    std::fs::remove_file(&file).expect("a token's file");
    let (_serve, other) = Api::serve(&agent);
    assert_ne!(other.token, admin.token);
    assert_eq!(other.get("/api/config/status").status, 200);
    assert_eq!(other.with(&admin.token.expect("a token")).get("/api/config/status").status, 401);
}
