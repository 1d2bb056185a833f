//! The verbs say the same with an agent and without one, wherever the state folder is.

use std::fs;

use serde_json::Value;

use super::{done, machine, order, pass, revision};
use crate::support::{Agent, Repo, wait_until};

/// Takes out what differs by nature: moments, ages, and whether an agent runs.
pub(super) fn steady(value: &mut Value) {
    const MOMENTS: [&str; 6] = [
        "agent_running",
        "stale_seconds",
        "last_attempt_at",
        "last_success_at",
        "checked_at",
        "expected_ms",
    ];
    match value {
        Value::Object(map) => {
            map.retain(|key, _| !MOMENTS.contains(&key.as_str()));
            map.values_mut().for_each(steady);
        }
        Value::Array(items) => items.iter_mut().for_each(steady),
        _ => {}
    }
}

fn answer(agent: &Agent, verb: &[&str]) -> (i32, Value) {
    let ran = agent.run(&[verb, &["-o", "json"]].concat());
    let Ok(mut value) = serde_json::from_str(&ran.stdout) else {
        panic!("{verb:?} gave no JSON: {ran:#?}");
    };
    steady(&mut value);
    (ran.code, value)
}

#[test]
fn verbs_say_the_same_with_an_agent_and_without() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 1\n"), ("b", "b\n")]);
    let agent = machine(&repo, "", "drift: report\n");
    assert_eq!(pass(&agent), done());
    repo.commit(&[("a.yaml", "a: 2\npassword: x\n")]);
    assert_eq!(pass(&agent), done());
    repo.commit(&[("a.yaml", "a: [\n")]);
    assert_eq!(pass(&agent).0, 13);
    assert_eq!(order(&agent, &["rollback", "--reason", "back"]), done());
    fs::write(agent.live_path().join("b"), "edited\n").expect("an edit");
    assert_eq!(pass(&agent).0, 17);
    let verbs: [&[&str]; 12] = [
        &["status"],
        &["status", "--exit-code"],
        &["history"],
        &["show", "1"],
        &["show", "3"],
        &["show", "4"],
        &["plan"],
        &["plan", "--detailed-exitcode"],
        &["diff", "1", "2"],
        &["drift"],
        &["drift", "--detailed-exitcode"],
        &["deliveries"],
    ];
    let alone = verbs.map(|verb| answer(&agent, verb));
    let sync = agent.start_sync();
    super::status_when(&agent, "a pass is over", |status| {
        status["drift"]["paths"].to_string().contains("\"b\"") && status["state"] != "starting"
    });
    for (verb, alone) in verbs.iter().zip(&alone) {
        let beside = answer(&agent, verb);
        assert_eq!(
            serde_json::to_string_pretty(&beside.1).expect("JSON"),
            serde_json::to_string_pretty(&alone.1).expect("JSON"),
            "{verb:?}"
        );
        assert_eq!(beside.0, alone.0, "{verb:?}");
    }
    assert_eq!(sync.stop().code, 0);
}

#[test]
fn what_is_not_there_is_said_the_same_with_an_agent_and_without() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let agent = machine(&repo, "", "");
    assert_eq!(pass(&agent), done());
    let verbs: [&[&str]; 6] = [
        &["show", "99"],
        &["rollback", "99"],
        &["rollback"],
        &["diff", "1", "99"],
        &["apply", "1234567890123456789012345678901234567890"],
        &["deliveries", "redeliver", "99"],
    ];
    let codes = || verbs.map(|verb| agent.run(verb).code);
    let alone = codes();
    let sync = agent.start_sync();
    super::status_when(&agent, "it runs", |status| status["state"] != "starting");
    assert_eq!(codes(), alone);
    assert!(alone.iter().all(|code| *code != 0), "{alone:?}");
    assert_eq!(revision(&agent), first);
    assert_eq!(sync.stop().code, 0);
}

#[test]
fn orders_do_the_same_with_an_agent_and_without() {
    let story = |with_agent: bool| {
        let repo = Repo::new();
        let first = repo.commit(&[("a.yaml", "a: 1\n")]);
        let agent = machine(&repo, "auto_sync: false\n", "");
        assert_eq!(pass(&agent).0, 17);
        let sync = with_agent.then(|| {
            let sync = agent.start_sync();
            super::status_when(&agent, "it is held", |status| status["state"] == "held");
            sync
        });
        let mut told = vec![answer(&agent, &["apply", "--reason", "one"])];
        repo.commit(&[("a.yaml", "a: 2\n")]);
        told.push(answer(&agent, &["apply"]));
        told.push(answer(&agent, &["rollback", "--hold"]));
        told.push(answer(&agent, &["apply", &first]));
        told.push(answer(&agent, &["rollback", "2"]));
        told.push(answer(&agent, &["drift", "--repair"]));
        if let Some(sync) = sync {
            assert_eq!(sync.stop().code, 0);
        }
        told
    };
    let (alone, beside) = (story(false), story(true));
    for (number, (alone, beside)) in alone.iter().zip(&beside).enumerate() {
        assert_eq!(
            serde_json::to_string_pretty(&beside.1).expect("JSON"),
            serde_json::to_string_pretty(&alone.1).expect("JSON"),
            "order {number}"
        );
        assert_eq!(beside.0, alone.0, "order {number}");
    }
}

#[test]
fn a_state_folder_with_a_path_too_long_for_a_socket_works() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let agent = machine(&repo, "", "");
    let long = agent.folder().join("l".repeat(90)).join("m".repeat(90)).join("state");
    let settings = fs::read_to_string(agent.settings_file()).expect("the settings");
    let short = agent.state_dir().display().to_string();
    agent.settings(&settings.replace(&short, &long.display().to_string()));
    let sync = agent.start_sync();
    super::status_when(&agent, "it is live", |status| status["live"]["revision"] == first.as_str());
    let second = repo.commit(&[("a.yaml", "a: 2\n")]);
    assert_eq!(pass(&agent), done());
    assert_eq!(revision(&agent), second);
    assert_eq!(order(&agent, &["rollback"]), done());
    assert_eq!(revision(&agent), first);
    assert_eq!(agent.start_sync().wait().code, 16);
    assert_eq!(agent.run(&["healthcheck"]).code, 0);
    assert_eq!(sync.stop().code, 0);
    assert_eq!(agent.json(&["status"])["agent_running"], false);
}

#[test]
fn a_verb_given_while_the_agent_starts_is_done_by_the_agent() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 1\n")]);
    let agent = machine(&repo, "", "");
    for number in 2..6 {
        let next = repo.commit(&[("a.yaml", &format!("a: {number}\n"))]);
        let sync = agent.start_sync();
        let of_agent = format!("process {}", sync.pid());
        wait_until("the agent holds the state folder", || {
            fs::read_to_string(agent.state_dir().join("lock"))
                .is_ok_and(|holder| holder.contains(&of_agent))
        });
        assert_eq!(pass(&agent), done());
        assert_eq!(revision(&agent), next);
        assert_eq!(sync.stop().code, 0);
    }
}
