//! JSON Web Tokens: who is let in by one, and what becomes of that while the issuer is away.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{profiles, served};
use crate::support::api::{Answer, Api};
use crate::support::issuer::{Health, Issuer, SigningKey, encoded, now};
use crate::support::{Agent, Authority, Repo, Running, wait_until};

const STATUS: &str = "/api/config/status";

fn claims(issuer: &str, role: &str) -> Value {
    json!({"iss": issuer, "aud": "kconfigd", "sub": "ann@example.com", "iat": now(),
        "exp": now() + 300, "role": role})
}

fn with(mut claims: Value, key: &str, value: Value) -> Value {
    claims[key] = value;
    claims
}

/// A machine that takes the tokens of an issuer, with lines of its own below `jwt:`.
fn machine(issuer: &Issuer, jwt: &str) -> (Repo, Agent, Running, Api) {
    let repo = Repo::new();
    profiles(&repo);
    let (agent, serve, api) = served(
        &repo,
        &format!(
            "api:\n  listen: \"127.0.0.1:0\"\n  roles: {{narrow: {{actions: [read], paths: [agents/scheduler.yaml]}}}}\n  \
             jwt: {{issuer: \"{}\", audience: kconfigd{jwt}}}\n",
            issuer.name()
        ),
    );
    (repo, agent, serve, api)
}

fn ask(api: &Api, token: &str) -> Answer {
    api.with(token).get(STATUS)
}

#[track_caller]
fn assert_code(answer: &Answer, status: u16, code: &str) {
    assert_eq!(
        (answer.status, answer.json()["code"].clone()),
        (status, json!(code)),
        "{answer:#?}"
    );
}

#[test]
fn an_issuer_is_found_by_its_description_and_its_tokens_are_known_by_their_subject() {
    let issuer = Issuer::start();
    let key = SigningKey::new("ES256");
    issuer.gives(&[key.jwk("one")]);
    let (_repo, agent, _serve, api) = machine(&issuer, "");
    let token = |role: &str| key.token("ES256", "one", &claims(&issuer.name(), role));
    assert_eq!(ask(&api, &token("viewer")).status, 200);
    let seen = ["/realm/.well-known/openid-configuration", "/realm/keys"];
    assert_eq!(issuer.asked(), seen, "once, and then they are known");
    // What it may do is its role's.
    let viewer = api.with(&token("viewer"));
    assert_eq!(viewer.post("/api/config/suspend", &json!({})).status, 403);
    assert_eq!(viewer.get("/api/audit").status, 403);
    let operator = api.with(&token("operator"));
    assert_eq!(operator.post("/api/config/suspend", &json!({"reason": "tea"})).status, 204);
    let narrow = api.with(&token("narrow"));
    assert_eq!(narrow.get("/api/profiles").json()["items"], json!([]));
    assert_code(&ask(&api, &token("nobody")), 403, "forbidden");
    assert_eq!(issuer.asked().len(), 2);
    let ran = agent.run(&["audit", "--name", "ann@example.com", "-o", "json"]);
    let audit: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:#?}"));
    let actions: Vec<_> = audit["items"].as_array().expect("items").iter().collect();
    assert_eq!(actions.len(), 4, "{audit:#}");
    assert!(actions.iter().all(|one| one["known"] == "jwt" && one["from"] == "127.0.0.1"));
    assert_eq!(actions[1]["action"], "agent.suspend", "{audit:#}");
}

#[test]
fn every_algorithm_is_verified_and_what_is_not_right_is_refused_and_costs_time() {
    let issuer = Issuer::start();
    let rsa = SigningKey::new("RS256");
    let others = ["ES256", "ES384", "EdDSA"].map(|one| (one, SigningKey::new(one)));
    let mut keys = vec![rsa.jwk("RSA")];
    keys.extend(others.iter().map(|(name, key)| key.jwk(name)));
    issuer.gives(&keys);
    let jwt = format!(", jwks_url: \"{}\"", issuer.keys_url());
    let (_repo, agent, _serve, api) = machine(&issuer, &jwt);
    let good = claims(&issuer.name(), "viewer");
    for algorithm in ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"] {
        assert_eq!(ask(&api, &rsa.token(algorithm, "RSA", &good)).status, 200, "{algorithm}");
    }
    for (name, key) in &others {
        assert_eq!(ask(&api, &key.token(name, name, &good)).status, 200, "{name}");
    }
    // Not valid any more, or not yet: that is no guess, however often.
    let old = rsa.token("RS256", "RSA", &with(good.clone(), "exp", json!(now() - 120)));
    for _ in 0..8 {
        assert_code(&ask(&api, &old), 401, "token_expired");
    }
    let early = rsa.token("RS256", "RSA", &with(good.clone(), "nbf", json!(now() + 600)));
    assert_code(&ask(&api, &early), 401, "token_early");

    let hs256 = {
        let header = encoded(br#"{"alg":"HS256","kid":"RSA"}"#);
        let signed = format!("{header}.{}", encoded(good.to_string().as_bytes()));
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, rsa.pem().as_bytes());
        format!("{signed}.{}", encoded(ring::hmac::sign(&key, signed.as_bytes()).as_ref()))
    };
    let none = {
        let header = encoded(br#"{"alg":"none"}"#);
        format!("{header}.{}.", encoded(good.to_string().as_bytes()))
    };
    let stranger = SigningKey::new("ES256");
    let wrong = [
        hs256,
        none,
        stranger.token("ES256", "ES256", &good),
        others[0].1.token("ES256", "RSA", &good),
        rsa.token("RS256", "RSA", &with(good.clone(), "iss", json!("https://evil.example"))),
        rsa.token("RS256", "RSA", &with(good.clone(), "aud", json!("another"))),
    ];
    let right = rsa.token("RS256", "RSA", &good);
    for token in &wrong {
        // A right one between them, or the address would have to wait.
        assert_eq!(ask(&api, &right).status, 200);
        assert_code(&ask(&api, token), 401, "invalid_token");
    }
    let ran = agent.run(&["audit", "--action", "access.", "-o", "json"]);
    let audit: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:#?}"));
    let items = audit["items"].as_array().expect("items");
    assert_eq!(items.len(), wrong.len(), "{audit:#}");
    assert!(items.iter().all(|one| one["action"] == "access.invalid_token"), "{audit:#}");
    assert!(!ran.stdout.contains(&right[..40]), "no token is written down");
    let guesses: Vec<u16> = (0..7).map(|_| ask(&api, &wrong[2]).status).collect();
    assert_eq!(guesses[..5], [401; 5]);
    assert_eq!(guesses[6], 429, "{guesses:?}");
}

#[test]
fn keys_that_change_are_found_and_an_issuer_that_is_away_stops_nobody_who_is_known() {
    let issuer = Issuer::start();
    let (old, new) = (SigningKey::new("ES256"), SigningKey::new("EdDSA"));
    issuer.gives(&[old.jwk("old")]);
    let (_repo, _agent, _serve, api) = machine(&issuer, "");
    let good = claims(&issuer.name(), "viewer");
    let of_old = old.token("ES256", "old", &good);
    assert_eq!(ask(&api, &of_old).status, 200);
    // A key that comes is looked for, once for all who wait.
    issuer.gives(&[new.jwk("new"), old.jwk("old")]);
    let of_new = new.token("EdDSA", "new", &good);
    assert_eq!(ask(&api, &of_new).status, 200);
    assert_eq!(issuer.asked().len(), 4);
    // One that goes counts no more after the next look.
    issuer.gives(&[new.jwk("new")]);
    let unknown = old.token("ES256", "made-up", &good);
    assert_code(&ask(&api, &unknown), 401, "invalid_token");
    assert_code(&ask(&api, &of_old), 401, "invalid_token");
    // Whoever makes up names of keys does not make us ask each time.
    for n in 0..20 {
        assert_eq!(ask(&api, &of_new).status, 200);
        let made_up = old.token("ES256", &n.to_string(), &good);
        assert_eq!(ask(&api, &made_up).status, 401);
    }
    assert!(issuer.asked().len() <= 2 * 6, "{:?}", issuer.asked());
    for health in [Health::Down, Health::Silent] {
        issuer.is(health);
        assert_eq!(ask(&api, &of_new).status, 200, "what is known is known");
    }
}

#[test]
fn an_issuer_that_does_not_answer_is_left_alone_and_no_request_hangs_on_it() {
    let issuer = Issuer::start();
    let key = SigningKey::new("ES256");
    issuer.gives(&[key.jwk("one")]);
    issuer.is(Health::Down);
    let (_repo, _agent, serve, api) = machine(&issuer, "");
    let token = key.token("ES256", "one", &claims(&issuer.name(), "viewer"));
    let mut answers = Vec::new();
    wait_until("the breaker opens", || {
        answers.push(ask(&api, &token));
        api.get("/metrics").text.contains("\nkconfigd_jwt_issuer_breaker_open 1")
    });
    let status = api.get("/api/config/status").json();
    let mut parties = status["parties"].as_array().expect("parties").iter();
    let party = parties.find(|party| party["kind"] == "identity_provider").expect("the issuer");
    assert!(party["state"] != "closed" && party["failures"].as_u64() >= Some(3), "{party:#}");
    assert!(party["since"].is_string() && party["next_try_at"].is_string(), "{party:#}");
    for answer in &answers {
        assert_code(answer, 503, "issuer_unavailable");
        assert!(answer.header("retry-after").is_some());
    }
    let asked = issuer.asked().len();
    assert_eq!(asked, 3);
    // Now it is silent, which would take long; nobody asks it.
    issuer.is(Health::Silent);
    let since = Instant::now();
    assert_code(&ask(&api, &token), 503, "issuer_unavailable");
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    assert_eq!(issuer.asked().len(), asked);
    // Others are not held up by it.
    assert_eq!(api.get(STATUS).status, 200);
    assert!(serve.stderr().contains("answered 503"), "{}", serve.stderr());
}

#[test]
fn an_issuer_that_sends_elsewhere_never_ends_or_is_another_gives_no_keys() {
    let issuer = Issuer::start();
    let thief = Issuer::start();
    let key = SigningKey::new("ES256");
    thief.gives(&[key.jwk("one")]);
    let jwt = format!(", jwks_url: \"{}\"", issuer.keys_url());
    for (health, jwt) in [
        (Health::Elsewhere(thief.keys_url()), jwt.as_str()),
        (Health::Endless, jwt.as_str()),
        (Health::Well, ""),
    ] {
        issuer.is(health.clone());
        issuer.calls_itself("http://127.0.0.1:1/realm");
        let (_repo, _agent, _serve, api) = machine(&issuer, jwt);
        let token = key.token("ES256", "one", &claims(&issuer.name(), "viewer"));
        let answer = ask(&api, &token);
        assert_eq!(answer.json()["code"], "issuer_unavailable", "{health:?} {answer:#?}");
    }
    assert_eq!(thief.asked(), Vec::<String>::new());
}

#[test]
fn keys_in_a_file_need_no_network_and_are_read_again_when_they_change() {
    let issuer = Issuer::start();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("issuer.pem");
    let (first, second) = (SigningKey::new("RS256"), SigningKey::new("ES256"));
    std::fs::write(&file, first.pem()).expect("a key's file");
    let jwt = format!(", key_file: {}, algorithms: [RS256, ES256]", file.display());
    let (_repo, _agent, _serve, api) = machine(&issuer, &jwt);
    let good = claims(&issuer.name(), "viewer");
    let of_first = first.token("RS256", "any", &good);
    assert_eq!(ask(&api, &of_first).status, 200);
    assert_code(&ask(&api, &first.token("PS256", "any", &good)), 401, "invalid_token");
    std::fs::write(&file, json!({"keys": [second.jwk("two")]}).to_string()).expect("a key set");
    assert_eq!(ask(&api, &second.token("ES256", "two", &good)).status, 200);
    assert_code(&ask(&api, &of_first), 401, "invalid_token");
    std::fs::remove_file(&file).expect("a key's file");
    assert_code(&ask(&api, &of_first), 503, "issuer_unavailable");
    assert_eq!(issuer.asked(), Vec::<String>::new());
}

#[test]
fn a_json_web_token_begins_a_session_that_ends_with_it_or_its_role() {
    let issuer = Issuer::start();
    let key = SigningKey::new("ES256");
    issuer.gives(&[key.jwk("one")]);
    let (_repo, agent, serve, api) = machine(&issuer, "");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let sign_in = |claims: &Value| {
        let body = format!("token={}", key.token("ES256", "one", claims));
        let answer = api.nobody().send("POST", "/sign-in", &form, body.as_bytes());
        assert_eq!(answer.status, 303, "{answer:#?}");
        let cookie = answer.header("set-cookie").expect("a cookie");
        cookie.split(';').next().unwrap_or_default().to_owned()
    };
    let page = |cookie: &str| api.nobody().send("GET", "/", &[("cookie", cookie)], b"");
    let narrow = claims(&issuer.name(), "narrow");
    let cookie = sign_in(&narrow);
    assert!(page(&cookie).text.contains("ann@example.com"), "{:#?}", page(&cookie));
    // The issuer counts clocks that differ; a session does not.
    let short = sign_in(&with(narrow, "exp", json!(now() + 2)));
    wait_until("the session ends", || page(&short).status == 303);
    assert_eq!(page(&cookie).status, 200);
    let settings = std::fs::read_to_string(agent.settings_file()).expect("the settings");
    agent.settings(&settings.replace("audience: kconfigd", "audience: another"));
    serve.signal(rustix::process::Signal::HUP);
    wait_until("the session ends", || page(&cookie).status == 303);
}

#[test]
fn settings_that_could_not_be_safe_are_refused() {
    let repo = Repo::new();
    let agent = Agent::new();
    let settings = format!("gitops: {{repository: \"{}\"}}", repo.path().display());
    for (jwt, says) in [
        ("issuer: \"http://id.example.com\", audience: a", "https"),
        ("issuer: a, audience: a, jwks_url: \"http://id.example.com/keys\"", "https"),
        ("issuer: \"https://id.example.com\"", "needs `audience`"),
        ("audience: a", "needs `issuer`"),
        ("issuer: \"https://a.example\", audience: a, algorithms: [none]", "could make one"),
        ("issuer: \"https://a.example\", audience: a, algorithms: [HS256]", "could make one"),
        ("issuer: \"https://a.example\", audience: a, algorithms: [RS265]", "did you mean `RS256`"),
        ("key_file: a.pem", "needs `issuer` and `audience`"),
        ("issuer: a, audience: a, key_file: b, jwks_url: \"https://c.example\"", "only one"),
    ] {
        agent.settings(&format!("{settings}\napi: {{jwt: {{{jwt}}}}}\n"));
        let ran = agent.run(&["config", "check"]);
        assert!(ran.code == 10 && ran.stderr.contains(says), "{jwt}: {ran:#?}");
    }
}

#[test]
fn an_issuer_with_a_private_authority_is_believed_by_its_ca_file() {
    // Nothing listens behind TLS here but another kconfigd, which gives no keys: what counts is how
    // far the conversation comes.
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new(folder.path());
    authority.write_server(folder.path(), "server");
    let repo = Repo::new();
    profiles(&repo);
    let other = Agent::new();
    other.settings(&format!(
        "state_dir: {}\nlive: {{path: {}}}\ngitops: {{repository: \"{}\"}}\n\
         api: {{listen: \"127.0.0.1:0\", tls: {{cert_file: {}, key_file: {}}}}}\n",
        other.state_dir().display(),
        other.live_path().display(),
        repo.path().display(),
        folder.path().join("server.pem").display(),
        folder.path().join("server.key").display(),
    ));
    let (_other, address) = Api::serve(&other);
    let name = format!("https://{}", address.address);
    let key = SigningKey::new("ES256");
    let token = key.token("ES256", "one", &claims(&name, "viewer"));
    let ca = format!(", ca_file: {}", authority.ca_file().display());
    for (more, says) in [("", "does not answer"), (ca.as_str(), "answered 404")] {
        let (_agent, serve, api) = served(
            &repo,
            &format!(
                "api: {{listen: \"127.0.0.1:0\", jwt: {{issuer: \"{name}\", audience: kconfigd{more}}}}}\n"
            ),
        );
        assert_code(&ask(&api, &token), 503, "issuer_unavailable");
        wait_until(&format!("it says that the issuer {says}"), || serve.stderr().contains(says));
    }
}
