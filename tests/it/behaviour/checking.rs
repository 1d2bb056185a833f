//! Checks on the staged tree: what they veto, what they hold, what they are told.

use super::{done, held, machine, order, pass, revision};
use crate::support::{Agent, Repo, wait_until};

/// A machine with one check, a shell script.
fn checked(repo: &Repo, script: &str, more: &str) -> Agent {
    let agent = machine(repo, "", "");
    with_check(&agent, repo, script, more);
    agent
}

/// The same machine with another check.
fn with_check(agent: &Agent, repo: &Repo, script: &str, more: &str) {
    let script = serde_json::Value::from(script);
    agent.settings(&format!(
        "state_dir: {}\napi: {{listen: \"127.0.0.1:0\"}}\nlive: {{path: {}}}\n\
         gitops: {{repository: \"{}\", sync_interval: 50ms}}\n\
         checks:\n  - {{name: own, run: [sh, -c, {script}, sh, \"{{tree}}\"]{more}}}\n",
        agent.state_dir().display(),
        agent.live_path().display(),
        repo.path().display(),
    ));
}

const VETO: &str =
    "grep -q good a.yaml || { echo password=hunter2; echo a.yaml is not good; exit 3; }";

#[test]
fn a_check_vetoes_and_is_asked_again_when_it_is_another() {
    let repo = Repo::new();
    let good = repo.commit(&[("a.yaml", "a: good\n")]);
    let agent = checked(&repo, VETO, "");
    assert_eq!(pass(&agent), done());
    let bad = repo.commit(&[("a.yaml", "a: bad\n")]);
    assert_eq!(order(&agent, &["plan"]), (13, "validation_refused".to_owned()));
    let ran = agent.run(&["sync", "--once", "-o", "json"]);
    assert_eq!(ran.code, 13, "{ran:#?}");
    assert!(
        ran.stdout.contains("check.own") && ran.stdout.contains("a.yaml is not good"),
        "{ran:#?}"
    );
    assert!(!format!("{ran:?}").contains("hunter2"), "{ran:#?}");
    assert_eq!(revision(&agent), good);
    // In quarantine: not asked again under the same checks, an order neither.
    assert_eq!(pass(&agent).0, 17);
    assert_eq!(order(&agent, &["apply"]).0, 13);
    assert_eq!(revision(&agent), good);
    with_check(&agent, &repo, "true", "");
    assert_eq!(pass(&agent), done());
    assert_eq!(revision(&agent), bad);
    // A way back passes no checks.
    with_check(&agent, &repo, "false", "");
    assert_eq!(order(&agent, &["rollback"]), done());
    assert_eq!(revision(&agent), good);
}

#[test]
fn a_plan_of_what_waits_asks_the_checks_as_its_order_will() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: good\n")]);
    let agent = checked(&repo, VETO, "");
    assert_eq!(pass(&agent), done());
    let settings = std::fs::read_to_string(agent.settings_file()).expect("settings");
    agent.settings(&settings.replace("sync_interval: 50ms", "auto_sync: false"));
    repo.commit(&[("a.yaml", "a: bad\n")]);
    assert_eq!(order(&agent, &["plan"]), (13, "validation_refused".to_owned()));
    assert_eq!(order(&agent, &["apply"]), (13, "validation_refused".to_owned()));
    repo.commit(&[("a.yaml", "a: good\nb: 1\n")]);
    // What may be applied says for what it waits.
    assert_eq!(order(&agent, &["plan"]), (0, "awaiting_approval".to_owned()));
    assert_eq!(order(&agent, &["apply"]), done());
}

#[test]
fn a_check_that_gives_no_answer_holds_and_puts_nothing_into_quarantine() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 1\n")]);
    let agent = checked(&repo, "sleep 1000 & sleep 1000", ", timeout: 100ms");
    assert_eq!(pass(&agent), held("check_unfinished"));
    assert!(agent.live("a.yaml").is_none());
    let text = std::fs::read_to_string(agent.settings_file()).unwrap();
    agent.settings(&text.replace("run: [sh,", "run: [/no/such/program,"));
    assert_eq!(pass(&agent), held("check_unfinished"));
    assert!(agent.live("a.yaml").is_none());
    with_check(&agent, &repo, "true", "");
    assert_eq!(pass(&agent), done());
}

#[test]
fn a_check_that_writes_to_the_tree_holds_it() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 1\n")]);
    let agent = checked(&repo, "chmod u+w . a.yaml; echo b >> \"$KCONFIGD_TREE/a.yaml\"", "");
    // A plan tells that it would wait, which is no failure of the plan.
    assert_eq!(order(&agent, &["plan"]), (0, "check_unfinished".to_owned()));
    assert_eq!(pass(&agent), held("check_unfinished"));
    assert!(agent.live("a.yaml").is_none());
    with_check(&agent, &repo, "true", "");
    assert_eq!(pass(&agent), done());
    assert_eq!(agent.live("a.yaml").as_deref(), Some("a: 1\n"));
}

#[test]
fn a_check_is_told_what_it_looks_at() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n"), ("b.yaml", "b: 1\n")]);
    let agent = checked(&repo, "true", "");
    assert_eq!(pass(&agent), done());
    let second = repo.change().remove("b.yaml").write("c", "c\n").write("a.yaml", "a: 2\n");
    let second = second.commit("second");
    let changes = r#"{"added":["c"],"modified":["a.yaml"],"removed":["b.yaml"]}"#;
    let script = format!(
        "set -e; test \"$PWD\" = \"$KCONFIGD_TREE\"; test \"$1\" = \"$PWD\"; \
         test $KCONFIGD_REVISION = {second}; test $KCONFIGD_PREVIOUS_REVISION = {first}; \
         test $KCONFIGD_DEPLOYMENT = 2; test -n \"$KCONFIGD_DIGEST\"; \
         test \"$(cat $KCONFIGD_CHANGES)\" = '{changes}'"
    );
    with_check(&agent, &repo, &script, "");
    assert_eq!(pass(&agent), done());
    assert_eq!(revision(&agent), second);
}

#[test]
fn a_stop_ends_a_check_and_what_it_started() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 1\n")]);
    let pids = repo.root().join("pids");
    let script = format!("sleep 1000 & echo $$ $! > {0}.new; mv {0}.new {0}; wait", pids.display());
    let agent = checked(&repo, &script, ", timeout: 1h");
    let sync = agent.start_sync();
    wait_until("the check runs", || pids.exists());
    assert_eq!(sync.stop().code, 0);
    for pid in std::fs::read_to_string(&pids).unwrap().split_whitespace() {
        wait_until("nobody is left", || {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.is_empty() || stat.contains(") Z ")
        });
    }
    assert!(agent.live("a.yaml").is_none());
}
