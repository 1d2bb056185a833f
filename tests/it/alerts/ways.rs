use serde_json::json;

use super::{machine, secret, set};
use crate::support::provider::{Asked, Provider};
use crate::support::{Agent, Repo, wait_until};

/// Looks like a key of AWS, and opens nothing.
const LEAK: &str = "AKIAQYLPMN5HHHFPZAM2";

fn pagerduty(agent: &Agent, provider: &Provider, key: &str) -> String {
    format!(
        "alerts:\n  - {{name: pager, after: 0s, pagerduty: {{routing_key_file: \"{}\", url: \"{}\"}}}}\n",
        secret(agent, "pagerduty.key", key),
        provider.url("/v2/enqueue"),
    )
}

fn slack(agent: &Agent, provider: &Provider) -> String {
    let url = secret(agent, "slack.url", &provider.url("/services/T0/B0/hunter2hunter2"));
    format!("alerts:\n  - {{name: chat, after: 0s, slack: {{url_file: \"{url}\"}}}}\n")
}

/// What must be nowhere: in no body, no list, no log.
#[track_caller]
fn assert_hidden(secrets: &[&str], texts: &[String]) {
    for text in texts {
        for secret in secrets {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

fn texts(asked: &[Asked]) -> Vec<String> {
    asked.iter().map(|asked| asked.text.clone()).collect()
}

#[test]
fn pagerduty_opens_an_incident_and_closes_the_same_one() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 1\n")]);
    let pager = Provider::start();
    let agent = machine(&repo, "", "");
    let key = "R0UT1NGKEY0123456789abcdef012345";
    set(&agent, &repo, "", &pagerduty(&agent, &pager, key));
    assert_eq!(agent.once().code, 0);
    let bad = repo.commit(&[("a.yaml", "a: [\n")]);
    assert_eq!(agent.once().code, 13);
    assert_eq!(agent.once().code, 17);
    repo.commit(&[("a.yaml", "a: 2\n")]);
    assert_eq!(agent.once().code, 0);
    let asked = pager.asked();
    assert_eq!(asked.len(), 2, "{asked:#?}");
    let (open, close) = (&asked[0].body, &asked[1].body);
    assert_eq!((asked[0].method.as_str(), asked[0].target.as_str()), ("POST", "/v2/enqueue"));
    assert_eq!(asked[0].header("content-type"), "application/json");
    assert_eq!((&open["routing_key"], &open["event_action"]), (&json!(key), &json!("trigger")));
    let payload = &open["payload"];
    let machine = payload["source"].as_str().unwrap();
    let summary = payload["summary"].as_str().unwrap();
    let expected = format!("{machine}: revision {} is refused (since ", &bad[..12]);
    assert!(!machine.is_empty() && summary.starts_with(&expected), "{summary}");
    assert_eq!(
        (&payload["severity"], &payload["class"]),
        (&json!("error"), &json!("revision_refused"))
    );
    assert!(payload["timestamp"].as_str().unwrap().ends_with('Z'), "{payload:#}");
    let details = &payload["custom_details"];
    assert!(details["what"].as_str().unwrap().contains("a.yaml:"), "{details:#}");
    assert!(details["what_to_do"].as_str().unwrap().contains("kconfigd show 2"), "{details:#}");
    let dedup = open["dedup_key"].as_str().unwrap();
    assert!(dedup.starts_with(&format!("kconfigd/{machine}/")) && dedup.len() <= 255, "{dedup}");
    let resolve = json!({"routing_key": key, "event_action": "resolve", "dedup_key": dedup});
    assert_eq!(*close, resolve);
    let told = [agent.run(&["deliveries", "-o", "json"]).stdout, agent.run(&["status"]).stdout];
    assert_hidden(&[key], &told);
}

#[test]
fn slack_is_told_by_the_schedule_until_it_takes_it_and_sees_no_secret() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 1\n")]);
    let chat = Provider::start();
    let agent = machine(&repo, "", "");
    set(&agent, &repo, "", &format!("validation: {{leaks: refuse}}\n{}", slack(&agent, &chat)));
    let mut sync = agent.start(&["sync", "-v"]);
    wait_until("it is live", || agent.live("a.yaml").is_some());
    chat.next(&[(429, Some(1), "rate_limited"), (500, None, "")]);
    repo.commit(&[("b.yaml", &format!("note: {LEAK}\n"))]);
    let asked = chat.wait_for(3);
    assert_eq!(asked.iter().map(|a| a.status).collect::<Vec<_>>(), [429, 500, 202]);
    assert!(asked[1].at.duration_since(asked[0].at).as_millis() >= 900, "retry-after");
    assert_eq!(asked[0].text, asked[2].text);
    assert_eq!(asked[0].target, "/services/T0/B0/hunter2hunter2");
    let body = &asked[0].body;
    assert!(body["text"].as_str().unwrap().ends_with("is refused"), "{body:#}");
    let blocks = body["blocks"].as_array().unwrap();
    assert!(blocks.iter().all(|block| block["type"] == "section"), "{body:#}");
    assert!(asked[0].text.contains("b.yaml:1") && asked[0].text.contains("Since "), "{body:#}");
    repo.change().remove("b.yaml").commit("take it back");
    let asked = chat.wait_for(4);
    assert!(asked[3].text.contains("over"), "{asked:#?}");
    let deliveries = agent.run(&["deliveries", "-o", "json"]).stdout;
    assert!(deliveries.contains("alert:chat"), "{deliveries}");
    assert!(sync.is_running());
    let said = [texts(&asked), vec![deliveries, sync.stop().stderr]].concat();
    assert_hidden(&[LEAK, "hunter2hunter2"], &said);
}

#[test]
fn what_a_provider_will_never_take_is_given_up_at_once_and_can_be_sent_again() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 1\n")]);
    let chat = Provider::start();
    chat.next(&[(400, None, "invalid_payload")]);
    let agent = machine(&repo, "", "");
    set(&agent, &repo, "auto_sync: false", &slack(&agent, &chat));
    assert_eq!(agent.once().code, 17);
    let failed = agent.json(&["deliveries", "--failed"])["items"][0].clone();
    assert_eq!(
        (&failed["node"], &failed["type"]),
        (&json!("alert:chat"), &json!("problem.raised"))
    );
    assert_eq!(failed["attempts"], 1, "{failed:#}");
    let error = failed["last_error"].as_str().unwrap();
    assert!(error.starts_with("Slack answered 400"), "{error}");
    assert_eq!(agent.run(&["deliveries", "redeliver", &failed["id"].to_string()]).code, 0);
    assert_eq!(agent.once().code, 17);
    let asked = chat.asked();
    assert_eq!(asked.len(), 2, "{asked:#?}");
    assert_eq!(asked[0].text, asked[1].text);
}

#[test]
fn a_credential_file_that_is_missing_is_named_and_nothing_is_sent() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 1\n")]);
    let chat = Provider::start();
    let agent = machine(&repo, "", "");
    let alerts = slack(&agent, &chat);
    set(&agent, &repo, "auto_sync: false", &alerts);
    let file = agent.folder().join("slack.url");
    std::fs::remove_file(&file).unwrap();
    let ran = agent.run(&["sync", "--once", "--deliver-timeout", "0s"]);
    assert_eq!(ran.code, 17, "{ran:#?}");
    let _sync = agent.start_sync();
    wait_until("the file is named", || {
        let delivery = agent.json(&["deliveries"])["items"][0].clone();
        delivery["last_error"].as_str().is_some_and(|error| error.contains("slack.url"))
    });
    assert!(chat.asked().is_empty());
    secret(&agent, "slack.url", &chat.url("/services/again"));
    chat.wait_for(1);
}
