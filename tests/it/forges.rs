//! The statuses of commits, as each forge takes them.

use serde_json::{Value, json};

use crate::alerts::{machine, secret, set};
use crate::support::provider::{Asked, Provider};
use crate::support::{Agent, Key, Receiver, Repo, wait_until};

const TOKEN: &str = "forge-token-hunter2";
const HEALTH: &str = "health:\n  probes:\n  - {name: own, run: [grep, -q, good, a.yaml]}\n  \
                      bake_time: 100ms\n  interval: 20ms\n  failures: 2\n";

fn commit_status(agent: &Agent, forge: &str, provider: &Provider, more: &str) -> String {
    format!(
        "commit_status: {{forge: {forge}, api_url: \"{}\", project: kos/config, \
         token_file: \"{}\"{more}}}",
        provider.url("/api"),
        secret(agent, "forge.token", TOKEN),
    )
}

/// Each status by its commit and its state, in the order they came.
fn states(asked: &[Asked]) -> Vec<(String, String)> {
    let each = asked.iter().map(|asked| {
        let revision = asked.target.rsplit('/').next().unwrap_or_default().to_owned();
        (revision, asked.body["state"].as_str().unwrap_or_default().to_owned())
    });
    each.collect()
}

fn expected(list: &[(&String, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(revision, state)| ((*revision).clone(), (*state).to_owned())).collect()
}

/// A good commit and a bad one, told to a forge.
fn good_and_bad(forge: &str, more: &str) -> (String, String, Vec<Asked>) {
    let repo = Repo::new();
    let good = repo.commit(&[("a.yaml", "a: 1\n")]);
    let provider = Provider::start();
    let agent = machine(&repo, "", "");
    set(&agent, &repo, &commit_status(&agent, forge, &provider, more), "");
    assert_eq!(agent.once().code, 0);
    let bad = repo.commit(&[("a.yaml", "a: [\n")]);
    assert_eq!(agent.once().code, 13);
    assert_eq!(agent.once().code, 17);
    (good, bad, provider.asked())
}

#[test]
fn github_sees_each_commit_pending_and_then_live_or_refused() {
    let (good, bad, asked) =
        good_and_bad("github", ", target_url: \"https://edge.example/diff?to={revision}\"");
    let all = [(&good, "pending"), (&good, "success"), (&bad, "pending"), (&bad, "failure")];
    assert_eq!(states(&asked), expected(&all));
    let last = &asked[3];
    assert_eq!(last.target, format!("/api/repos/kos/config/statuses/{bad}"));
    assert_eq!(last.header("authorization"), format!("Bearer {TOKEN}"));
    assert_eq!(last.header("accept"), "application/vnd.github+json");
    assert_eq!(last.header("x-github-api-version"), "2022-11-28");
    let description = last.body["description"].as_str().unwrap();
    assert!(
        description.contains(": a.yaml:1") || description.contains(": a.yaml:2"),
        "{description}"
    );
    assert!(description.chars().count() <= 140, "{description}");
    let context = last.body["context"].as_str().unwrap();
    assert!(context.starts_with("kconfigd/") && context.len() > 9, "{context}");
    assert_eq!(last.body["target_url"], format!("https://edge.example/diff?to={bad}"));
    assert!(asked.iter().all(|asked| !asked.text.contains(TOKEN)));
    assert!(asked[1].body["description"].as_str().unwrap().ends_with("live as deployment 1"));
}

#[test]
fn gitea_and_forgejo_take_the_same_with_a_token_of_their_own() {
    let (good, bad, asked) = good_and_bad("gitea", ", context: config/edge");
    let all = [(&good, "pending"), (&good, "success"), (&bad, "pending"), (&bad, "failure")];
    assert_eq!(states(&asked), expected(&all));
    assert_eq!(asked[0].target, format!("/api/repos/kos/config/statuses/{good}"));
    assert_eq!(asked[0].header("authorization"), format!("token {TOKEN}"));
    assert_eq!(asked[0].body["context"], "config/edge");
    assert_eq!(asked[0].body.get("target_url"), None);
}

#[test]
fn gitlab_names_things_its_own_way_and_refuses_what_it_knows() {
    let repo = Repo::new();
    let good = repo.commit(&[("a.yaml", "a: 1\n")]);
    let provider = Provider::start();
    let agent = machine(&repo, "", "");
    set(&agent, &repo, &commit_status(&agent, "gitlab", &provider, ""), "");
    let known =
        "{\"message\":\"Cannot transition status via :enqueue from :pending (Reason(s): …)\"}";
    provider.next(&[(400, None, known)]);
    assert_eq!(agent.once().code, 0);
    let bad = repo.commit(&[("a.yaml", "a: [\n")]);
    assert_eq!(agent.once().code, 13);
    let asked = provider.asked();
    let all = [(&good, "pending"), (&good, "success"), (&bad, "pending"), (&bad, "failed")];
    assert_eq!(states(&asked), expected(&all));
    assert_eq!(asked[0].target, format!("/api/projects/kos%2Fconfig/statuses/{good}"));
    assert_eq!(asked[0].header("private-token"), TOKEN);
    assert!(asked[0].body["name"].as_str().unwrap().starts_with("kconfigd/"));
    let deliveries = agent.json(&["deliveries"]);
    let items = deliveries["items"].as_array().unwrap();
    assert!(items.iter().all(|item| item["state"] == "delivered"), "{deliveries:#}");
    assert!(items.iter().all(|item| item["node"] == "forge:gitlab"), "{deliveries:#}");
}

#[test]
fn with_health_a_commit_is_good_when_that_held_and_bad_when_it_was_left() {
    let repo = Repo::new();
    let good = repo.commit(&[("a.yaml", "a: good\n")]);
    let provider = Provider::start();
    let agent = machine(&repo, "", "");
    set(&agent, &repo, &commit_status(&agent, "gitea", &provider, ""), HEALTH);
    assert_eq!(agent.once().code, 0);
    let bad = repo.commit(&[("a.yaml", "a: bad\n")]);
    assert_eq!(agent.once().code, 15);
    let told = states(&provider.asked());
    let of = |revision: &String| -> Vec<String> {
        told.iter().filter(|(of, _)| of == revision).map(|(_, state)| state.clone()).collect()
    };
    assert_eq!(of(&bad), ["pending", "failure"], "{told:?}");
    let of_good = of(&good);
    assert_eq!((of_good[0].as_str(), of_good[1].as_str()), ("pending", "success"), "{told:?}");
    assert!(of_good.iter().skip(1).all(|state| state == "success"), "{told:?}");
}

#[test]
fn content_that_is_known_is_judged_by_what_became_of_it() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 1\n")]);
    let provider = Provider::start();
    let agent = machine(&repo, "path: config", "");
    let settings = format!("path: config\n{}", commit_status(&agent, "gitea", &provider, ""));
    set(&agent, &repo, &settings, "");
    repo.commit(&[("config/a.yaml", "a: 1\n")]);
    assert_eq!(agent.once().code, 0);
    let beside = repo.commit(&[("README.md", "no part of it\n")]);
    assert_eq!(agent.once().code, 0);
    assert_eq!(states(&provider.asked())[3..], expected(&[(&beside, "success")]));
    repo.commit(&[("config/a.yaml", "a: [\n")]);
    assert_eq!(agent.once().code, 13);
    let again = repo.commit(&[("README.md", "the same bad content\n")]);
    assert_eq!(agent.once().code, 17);
    assert_eq!(agent.once().code, 17);
    let told = states(&provider.asked());
    assert_eq!(told[told.len() - 2..], expected(&[(&again, "pending"), (&again, "failure")]));
}

#[test]
fn a_forge_that_fails_delays_nobody_and_is_told_in_order_when_it_is_back() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let mut provider = Provider::start();
    provider.down();
    let node = Receiver::start(Key::hmac());
    let agent = machine(&repo, "", "");
    let nodes = format!(
        "nodes:\n  - {{name: edge, url: \"{}\", secret_file: \"{}\", events: [config.applied]}}\n",
        node.url(),
        node.secret_file(agent.folder()).display(),
    );
    set(&agent, &repo, &commit_status(&agent, "gitea", &provider, ""), &nodes);
    let _sync = agent.start_sync();
    node.wait_for(1);
    let second = repo.commit(&[("a.yaml", "a: 2\n")]);
    node.wait_for(2);
    let pending = |agent: &Agent| -> Value { agent.json(&["status"])["outbox"]["pending"].clone() };
    assert_eq!(pending(&agent), json!(4));
    provider.up();
    // A newer event is a reason to try at once.
    let third = repo.commit(&[("a.yaml", "a: 3\n")]);
    provider.wait_for(6);
    let all = [
        (&first, "pending"),
        (&first, "success"),
        (&second, "pending"),
        (&second, "success"),
        (&third, "pending"),
        (&third, "success"),
    ];
    assert_eq!(states(&provider.asked()), expected(&all));
    wait_until("all is delivered", || pending(&agent) == json!(0));
}

#[test]
fn a_token_in_a_finding_reaches_no_forge() {
    let leak = "AKIAQYLPMN5HHHFPZAM2";
    let repo = Repo::new();
    repo.commit(&[("a.yaml", &format!("note: {leak}\n"))]);
    let provider = Provider::start();
    let agent = machine(&repo, "", "");
    let leaks = "validation: {leaks: refuse}\n";
    set(&agent, &repo, &commit_status(&agent, "github", &provider, ""), leaks);
    assert_eq!(agent.once().code, 13);
    let asked = provider.asked();
    assert_eq!(asked[1].body["state"], "failure", "{asked:#?}");
    assert!(asked.iter().all(|asked| !asked.text.contains(leak)), "{asked:#?}");
}
