use serde_json::{Value, json};

use super::{machine, receiver, set, steps, told, webhook};
use crate::support::{Repo, wait_until};

#[test]
fn a_problem_is_told_once_however_often_it_is_seen_and_so_is_its_end() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 1\n")]);
    let node = receiver();
    let agent = machine(&repo, "", "");
    set(&agent, &repo, "", &webhook(&agent, &node, ""));
    assert_eq!(agent.once().code, 0);
    let bad = repo.commit(&[("a.yaml", "a: [\n")]);
    assert_eq!(agent.once().code, 13);
    // Each of these is a process of its own.
    for _ in 0..3 {
        assert_eq!(agent.once().code, 17);
    }
    assert_eq!(told(&node), steps(&[("raised", "revision_refused")]));
    let data = node.events()[0].event["data"].clone();
    assert_eq!(data["revision"], bad.as_str(), "{data:#}");
    assert_eq!(
        (&data["severity"], &data["reason"]),
        (&json!("error"), &json!("validation_refused"))
    );
    assert_eq!(data["findings"][0]["file"], "a.yaml", "{data:#}");
    assert!(data["since"].is_string() && data["what_to_do"].is_string(), "{data:#}");
    let title = data["title"].as_str().unwrap();
    assert!(title.contains(&bad[..12]) && title.ends_with("is refused"), "{title}");
    repo.commit(&[("a.yaml", "a: 2\n")]);
    assert_eq!(agent.once().code, 0);
    assert_eq!(agent.once().code, 0);
    let all = [("raised", "revision_refused"), ("resolved", "revision_refused")];
    assert_eq!(told(&node), steps(&all));
    assert_eq!(node.events()[1].event["data"]["since"], data["since"]);
}

#[test]
fn a_restart_in_the_middle_tells_nothing_twice_and_forgets_nothing() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 1\n")]);
    let node = receiver();
    let agent = machine(&repo, "", "");
    set(&agent, &repo, "auto_sync: false", &webhook(&agent, &node, ""));
    let sync = agent.start_sync();
    node.wait_for(1);
    wait_until("that is written down", || agent.json(&["status"])["outbox"]["pending"] == json!(0));
    sync.kill();
    let mut sync = agent.start(&["sync", "-v"]);
    wait_until("it waits again", || {
        agent.json(&["status"])["agent_running"] == json!(true)
            && sync.is_running()
            && agent.json(&["status"])["reason"] == "awaiting_approval"
    });
    assert_eq!(agent.run(&["apply"]).code, 0);
    node.wait_for(2);
    assert_eq!(told(&node), steps(&[("raised", "held"), ("resolved", "held")]));
    assert_eq!(node.attempts().len(), 2);
}

#[test]
fn what_lasts_is_reminded_of_and_what_passes_wakes_nobody() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 1\n")]);
    let node = receiver();
    let agent = machine(&repo, "", "");
    let live = format!(
        "live: {{path: {}, drift: report, drift_interval: 20ms}}\n",
        agent.live_path().display()
    );
    let alerts = webhook(&agent, &node, ", remind_every: 1s, problems: [drift]");
    let (first, rest) = alerts.split_once("  - ").unwrap();
    let patient = rest.replacen("name: ops", "name: patient", 1).replace("after: 0s", "after: 1h");
    set(&agent, &repo, "", &format!("{live}{first}  - {rest}  - {patient}"));
    let _sync = agent.start_sync();
    wait_until("it is live", || agent.live("a.yaml").is_some());
    let file = agent.live_path().join("a.yaml");
    std::fs::remove_file(&file).unwrap();
    let events = node.wait_for(3);
    let wait = |one: usize, two: usize| events[two].at.duration_since(events[one].at);
    assert!(wait(0, 1).as_millis() >= 900 && wait(1, 2).as_millis() >= 900, "{events:#?}");
    assert!(events[1].event["data"]["title"].as_str().unwrap().contains("still"));
    assert_eq!(agent.run(&["drift", "--repair"]).code, 0);
    wait_until("it is over", || told(&node).last().is_some_and(|(step, _)| step == "resolved"));
    let told = told(&node);
    assert_eq!(told[0], ("raised".to_owned(), "drift".to_owned()));
    assert!(told[1..told.len() - 1].iter().all(|(step, _)| step == "reminded"), "{told:?}");
    // The other alert wanted it to last: nothing was recorded for it.
    let deliveries = agent.json(&["deliveries"]);
    let nodes: Vec<&Value> =
        deliveries["items"].as_array().unwrap().iter().map(|d| &d["node"]).collect();
    assert!(nodes.iter().all(|node| **node == "alert:ops"), "{nodes:?}");
}

#[test]
fn a_source_that_is_gone_is_told_when_that_lasts_by_the_clock_alone() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 1\n")]);
    let node = receiver();
    let agent = machine(&repo, "", "");
    let alerts = webhook(&agent, &node, "").replace("after: 0s", "after: 1s");
    set(&agent, &repo, "", &alerts);
    let _sync = agent.start_sync();
    wait_until("it is live", || agent.live("a.yaml").is_some());
    let (here, away) = (repo.path().to_owned(), repo.path().with_extension("away"));
    std::fs::rename(&here, &away).unwrap();
    node.wait_for(1);
    std::fs::rename(&away, &here).unwrap();
    node.wait_for(2);
    let all = [("raised", "source_unreachable"), ("resolved", "source_unreachable")];
    assert_eq!(told(&node), steps(&all));
}

#[test]
fn an_alert_is_told_the_problems_and_severities_that_it_names() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 1\n")]);
    let (waiting, urgent) = (receiver(), receiver());
    let agent = machine(&repo, "", "");
    let one = webhook(&agent, &waiting, ", problems: [held]");
    let two = webhook(&agent, &urgent, ", severity: error").replace("name: ops", "name: urgent");
    let both = format!("{one}{}", two.strip_prefix("alerts:\n").unwrap());
    set(&agent, &repo, "auto_sync: false", &both);
    assert_eq!(agent.once().code, 17);
    repo.commit(&[("a.yaml", "a: [\n")]);
    assert_eq!(agent.once().code, 13);
    assert_eq!(told(&waiting), steps(&[("raised", "held"), ("resolved", "held")]));
    assert_eq!(told(&urgent), steps(&[("raised", "revision_refused")]));
}

#[test]
fn going_back_by_itself_is_told_and_going_back_by_order_is_not() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: good\n")]);
    let node = receiver();
    let agent = machine(&repo, "", "");
    let health = "health:\n  probes:\n  - {name: own, run: [grep, -q, good, a.yaml]}\n  \
                  bake_time: 100ms\n  interval: 20ms\n  failures: 2\n";
    set(&agent, &repo, "", &format!("{health}{}", webhook(&agent, &node, "")));
    assert_eq!(agent.once().code, 0);
    let bad = repo.commit(&[("a.yaml", "a: bad\n")]);
    assert_eq!(agent.once().code, 15);
    assert_eq!(agent.once().code, 17);
    assert_eq!(told(&node), steps(&[("raised", "rolled_back")]));
    let data = node.events()[0].event["data"].clone();
    assert_eq!((&data["revision"], &data["deployment"]), (&json!(bad), &json!(3)), "{data:#}");
    repo.commit(&[("a.yaml", "a: good again\n")]);
    assert_eq!(agent.once().code, 0);
    assert_eq!(agent.run(&["rollback", "--reason", "just because"]).code, 0);
    assert_eq!(agent.once().code, 17);
    let all = [("raised", "rolled_back"), ("resolved", "rolled_back")];
    assert_eq!(told(&node), steps(&all));
}

#[test]
fn an_unhealthy_tree_with_nothing_to_go_back_to_is_the_most_urgent() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: bad\n")]);
    let node = receiver();
    let agent = machine(&repo, "", "");
    let health = "health:\n  probes:\n  - {name: own, run: [grep, -q, good, a.yaml]}\n  \
                  bake_time: 100ms\n  interval: 20ms\n  failures: 2\n";
    let alert = webhook(&agent, &node, ", severity: critical");
    set(&agent, &repo, "", &format!("{health}{alert}"));
    agent.once();
    assert_eq!(told(&node), steps(&[("raised", "unhealthy")]));
    repo.commit(&[("a.yaml", "a: good\n")]);
    assert_eq!(agent.once().code, 0);
    assert_eq!(told(&node), steps(&[("raised", "unhealthy"), ("resolved", "unhealthy")]));
}

#[test]
fn deliveries_that_were_given_up_are_told_until_one_arrives() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 1\n")]);
    let (ops, mut edge) = (receiver(), receiver());
    edge.down();
    let agent = machine(&repo, "", "");
    let nodes = format!(
        "nodes:\n  - {{name: edge, url: \"{}\", secret_file: \"{}\", deliver_for: 0s, events: [config.applied]}}\n",
        edge.url(),
        edge.secret_file(agent.folder()).display(),
    );
    set(&agent, &repo, "", &format!("{nodes}{}", webhook(&agent, &ops, "")));
    let _sync = agent.start_sync();
    ops.wait_for(1);
    assert_eq!(told(&ops), steps(&[("raised", "deliveries_given_up")]));
    let message = ops.events()[0].event["data"]["message"].clone();
    assert!(message.as_str().unwrap().starts_with("1 delivery for edge: "), "{message}");
    edge.up();
    let failed = agent.json(&["deliveries", "--failed"])["items"][0]["id"].to_string();
    assert_eq!(agent.run(&["deliveries", "redeliver", &failed]).code, 0);
    ops.wait_for(2);
    let all = [("raised", "deliveries_given_up"), ("resolved", "deliveries_given_up")];
    assert_eq!(told(&ops), steps(&all));
}
