use serde_json::{Value, json};

use super::{add, edge};
use crate::support::{Agent, Key, Mood, Receiver, Repo, wait_until};

/// The lines of a log in JSON; every one has to be an object.
fn lines(log: &str) -> Vec<Value> {
    log.lines().map(|line| serde_json::from_str(line).expect("a JSON object a line")).collect()
}

#[test]
fn each_line_of_a_pass_says_which_deployment_it_belongs_to() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let agent = Agent::following(
        &repo.path().display().to_string(),
        "checks:\n  - {name: fine, run: [\"true\"]}\n",
    );
    let mut sync = agent.start(&["sync", "--log-format", "json"]);
    agent.wait_until_live(&first);
    let second = repo.commit(&[("a.yaml", "a: 1\n"), ("b.yaml", "b: [\n")]);
    wait_until("it is refused", || sync.stderr().contains("Refused("));
    assert!(sync.is_running());
    let lines = lines(&sync.stop().stderr);
    let applied = lines.iter().find(|line| line["outcome"] == "Applied").expect("it is said");
    assert_eq!(
        (&applied["deployment"], &applied["revision"], &applied["trigger"]),
        (&json!(1), &json!(first), &json!("start")),
        "{applied:#}"
    );
    let refused: Vec<&Value> = lines.iter().filter(|line| line["level"] == "WARN").collect();
    assert!(!refused.is_empty());
    for line in refused {
        assert_eq!(
            (&line["deployment"], &line["revision"]),
            (&json!(2), &json!(second)),
            "{line:#}"
        );
        assert_eq!(line["trigger"], "interval", "{line:#}");
    }
    // What belongs to no pass says nothing of one.
    let runs = lines.iter().find(|line| line["message"] == "kconfigd runs").expect("it is said");
    assert_eq!((&runs["deployment"], &runs["trigger"]), (&Value::Null, &Value::Null));
    for line in &lines {
        let keys: Vec<&str> =
            line.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(keys[..3], ["timestamp", "level", "message"], "{line:#}");
        assert!(!keys.contains(&"span") && !keys.contains(&"spans"), "{line:#}");
    }
}

#[test]
fn lines_within_a_pass_carry_its_number_before_it_has_ended() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let agent = Agent::of(&repo);
    add(&agent, "reload: [{name: web, run: [\"true\"]}]\n");
    let ran = agent.run(&["sync", "--once", "--log-format", "json"]);
    assert_eq!(ran.code, 0, "{ran:#?}");
    let lines = lines(&ran.stderr);
    let reloaded = lines.iter().find(|line| line["reload"] == "web").expect("it is said");
    assert_eq!(reloaded["deployment"], 1, "{reloaded:#}");
    assert_eq!(reloaded["revision"], first.as_str(), "{reloaded:#}");
    assert_eq!(reloaded["trigger"], "start", "{reloaded:#}");
}

#[test]
fn each_line_of_a_delivery_says_to_whom_of_what() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let node = Receiver::start(Key::hmac());
    node.mood(Mood::Status(500, None));
    let agent = Agent::of(&repo);
    add(&agent, &edge(&agent, &node));
    let sync = agent.start(&["sync", "--log-format", "json"]);
    wait_until("it is not delivered", || sync.stderr().contains("not delivered"));
    let lines = lines(&sync.stop().stderr);
    let told = lines.iter().find(|line| line["node"] == "edge").expect("it is said");
    let event = node.attempts()[0].id.clone();
    assert_eq!(told["event"], event.as_str(), "{told:#}");
    assert_eq!((&told["deployment"], &told["revision"]), (&json!(1), &json!(first)), "{told:#}");
}
