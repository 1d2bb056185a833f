//! Who is outside fails, each with a circuit breaker that tells so, and the rest goes on.

use serde_json::{Value, json};

use crate::alerts::{machine, secret, set};
use crate::support::api::Api;
use crate::support::provider::Provider;
use crate::support::{Agent, Key, Receiver, Repo, wait_until};

/// The settings of a machine with two nodes, an alert and a forge.
fn outside(
    agent: &Agent,
    nodes: [&Receiver; 2],
    chat: &Provider,
    forge: &Provider,
) -> (String, String) {
    let gitops = format!(
        "commit_status: {{forge: gitea, api_url: \"{}\", project: kos/config, token_file: \"{}\"}}",
        forge.url("/api"),
        secret(agent, "forge.token", "t0ken"),
    );
    let node = |name: &str, node: &Receiver| {
        let file = node.secret_file(agent.folder());
        format!(
            "  - {{name: {name}, url: \"{}\", secret_file: \"{}\"}}\n",
            node.url(),
            file.display()
        )
    };
    let url = secret(agent, "slack.url", &chat.url("/services/hunter2"));
    let more = format!(
        "nodes:\n{}{}alerts:\n  - {{name: chat, after: 0s, slack: {{url_file: \"{url}\"}}}}\n",
        node("well", nodes[0]),
        node("gone", nodes[1]),
    );
    (gitops, more)
}

/// The breaker of a party.
fn breaker(status: &Value, kind: &str, name: &str) -> Value {
    let parties = status["parties"].as_array().expect("parties");
    let found = parties.iter().find(|party| party["kind"] == kind && party["name"] == name);
    found.unwrap_or_else(|| panic!("no {kind} {name}: {parties:#?}")).clone()
}

fn fails(party: &Value) -> bool {
    matches!(party["state"].as_str(), Some("open" | "half_open"))
}

#[test]
fn while_some_fail_the_rest_goes_on_and_each_breaker_says_how_it_is() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 1\n")]);
    let (well, mut gone) = (Receiver::start(Key::hmac()), Receiver::start(Key::hmac()));
    let (mut chat, forge) = (Provider::start(), Provider::start());
    gone.down();
    chat.down();
    forge.always((503, None, "overloaded"));
    let agent = machine(&repo, "", "");
    let (gitops, more) = outside(&agent, [&well, &gone], &chat, &forge);
    set(&agent, &repo, &gitops, &more);
    let (_serve, api) = Api::serve(&agent);
    wait_until("the node that is well was told", || {
        well.events().iter().any(|event| event.kind() == "config.applied")
    });
    let second = repo.commit(&[("a.yaml", "a: 2\n")]);
    agent.wait_until_live(&second);
    // Something to tell the alert of.
    repo.commit(&[("a.yaml", "a: [\n")]);
    let status = || api.get("/api/config/status").json();
    wait_until("three of them fail", || {
        let status = status();
        ["node/gone", "alert/chat", "forge/gitea"].iter().all(|party| {
            let (kind, name) = party.split_once('/').unwrap();
            fails(&breaker(&status, kind, name))
        })
    });
    let told = status();
    for (kind, name) in [("source", "repository"), ("node", "well")] {
        let party = breaker(&told, kind, name);
        assert_eq!(
            (&party["state"], &party["failures"]),
            (&json!("closed"), &json!(0)),
            "{party:#}"
        );
        assert_eq!((&party["since"], &party["error"]), (&Value::Null, &Value::Null), "{party:#}");
    }
    let forge_party = breaker(&told, "forge", "gitea");
    assert!(forge_party["failures"].as_u64() >= Some(1), "{forge_party:#}");
    assert_eq!(forge_party["error"], "the forge answered 503 Service Unavailable");
    assert!(forge_party["since"].is_string() && forge_party["next_try_at"].is_string());
    assert!(!told.to_string().contains("hunter2"), "{told:#}");
    // Those that fail come first.
    assert!(fails(&told["parties"][0]) && fails(&told["parties"][2]), "{told:#}");
    let human = agent.run(&["status"]).stdout;
    assert!(
        human.contains("forge gitea fails for") && human.contains("node gone fails"),
        "{human}"
    );
    assert!(!human.contains("node well fails"), "{human}");
    let metrics = api.nobody().get("/metrics").text;
    for line in [
        "kconfigd_party_up{kind=\"forge\",name=\"gitea\"} 0",
        "kconfigd_party_up{kind=\"alert\",name=\"chat\"} 0",
        "kconfigd_party_up{kind=\"node\",name=\"gone\"} 0",
        "kconfigd_party_up{kind=\"node\",name=\"well\"} 1",
        "kconfigd_party_up{kind=\"source\",name=\"repository\"} 1",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    // The source goes too; what is live can still be changed, and the node is still told.
    let (here, away) = (repo.path().to_owned(), repo.path().with_extension("away"));
    std::fs::rename(&here, &away).unwrap();
    wait_until("the source fails again and again", || {
        let source = breaker(&status(), "source", "repository");
        fails(&source)
            && source["failures"].as_u64() >= Some(2)
            && source["next_try_at"].is_string()
    });
    assert_eq!(agent.run(&["rollback", "--reason", "try"]).code, 0);
    assert_eq!(agent.live("a.yaml").as_deref(), Some("a: 1\n"));
    wait_until("the node was told of the way back", || {
        well.events().iter().any(|event| event.kind() == "config.rolled_back")
    });
    std::fs::rename(&away, &here).unwrap();
    gone.up();
    chat.up();
    forge.always((201, None, ""));
    agent.run(&["sync", "--once"]);
    let third = repo.commit(&[("a.yaml", "a: 3\n")]);
    agent.wait_until_live(&third);
    wait_until("all are well", || {
        let status = status();
        let parties = status["parties"].as_array().unwrap().clone();
        parties.len() == 5 && parties.iter().all(|party| party["state"] == "closed")
    });
    assert!(!agent.run(&["status"]).stdout.contains(" fails for"));
}

#[test]
fn how_somebody_fails_is_known_after_a_restart_and_without_an_agent() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 1\n")]);
    let (mut one, mut two) = (Receiver::start(Key::hmac()), Receiver::start(Key::hmac()));
    one.down();
    two.down();
    let forge = Provider::start();
    let agent = machine(&repo, "", "");
    let (gitops, more) = outside(&agent, [&one, &two], &Provider::start(), &forge);
    set(&agent, &repo, &gitops, &more);
    let sync = agent.start_sync();
    let party = || breaker(&agent.json(&["status"]), "node", "gone");
    wait_until("a node fails", || {
        let said = agent.run(&["status", "-o", "json"]).stdout;
        let status: Value = serde_json::from_str(&said).unwrap_or_default();
        let parties = status["parties"].as_array().cloned().unwrap_or_default();
        parties.iter().any(|party| party["name"] == "gone" && fails(party))
    });
    let before = party();
    sync.kill();
    let offline = agent.json(&["status"]);
    let kinds: Vec<&Value> =
        offline["parties"].as_array().unwrap().iter().map(|party| &party["kind"]).collect();
    assert_eq!(kinds, ["node", "node", "source"], "{offline:#}");
    assert_eq!(party()["since"], before["since"]);
    let _sync = agent.start_sync();
    wait_until("it was tried again", || {
        let status = agent.json(&["status"]);
        status["agent_running"] == json!(true)
            && breaker(&status, "node", "gone")["failures"].as_u64() > before["failures"].as_u64()
    });
    assert_eq!(party()["since"], before["since"]);
}
