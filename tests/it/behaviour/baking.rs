//! After a tree is live: who reads it again, whether its health holds, and the way back.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::{deployments, done, machine, pass, revision, status_when};
use crate::support::{Agent, Repo, wait_until};

/// A machine with these lines of its own at the top of the settings.
fn baked(repo: &Repo, more: &str) -> Agent {
    let agent = machine(repo, "", "");
    with(&agent, repo, more);
    agent
}

fn with(agent: &Agent, repo: &Repo, more: &str) {
    agent.settings(&format!(
        "state_dir: {}\napi: {{listen: \"127.0.0.1:0\"}}\nlive: {{path: {}}}\n\
         gitops: {{repository: \"{}\", sync_interval: 50ms}}\n{more}",
        agent.state_dir().display(),
        agent.live_path().display(),
        repo.path().display(),
    ));
}

/// Health that holds as long as `a.yaml` says that it is good.
fn health(bake_time: &str) -> String {
    format!(
        "health:\n  probes:\n  - {{name: own, run: [grep, -q, good, a.yaml]}}\n  \
         bake_time: {bake_time}\n  interval: 20ms\n  failures: 2\n"
    )
}

fn line(agent: &Agent, name: &str) -> (PathBuf, String) {
    let file = agent.folder().join(name);
    (file.clone(), format!("run: [sh, -c, 'cat $KCONFIGD_CHANGES >> {}']", file.display()))
}

#[test]
fn a_commit_whose_health_fails_is_left_and_not_tried_again() {
    let repo = Repo::new();
    let good = repo.commit(&[("a.yaml", "a: good\n")]);
    let agent = baked(&repo, &health("200ms"));
    assert_eq!(pass(&agent), done());
    assert_eq!(agent.json(&["history"])["items"][0]["confirmed"], true);
    repo.commit(&[("a.yaml", "a: bad\n")]);
    assert_eq!(pass(&agent), (15, "rolled_back".to_owned()));
    assert_eq!(revision(&agent), good);
    assert_eq!(agent.live("a.yaml").as_deref(), Some("a: good\n"));
    let status = agent.json(&["status"]);
    assert_eq!((&status["state"], &status["reason"]), (&"held".into(), &"rolled_back".into()));
    let history = agent.json(&["history"]);
    assert_eq!(history["items"][1]["confirmed"], false, "{history:#}");
    assert_eq!(history["items"][0]["confirmed"], true, "{history:#}");
    assert_eq!(pass(&agent).0, 17);
    assert_eq!(deployments(&agent), 3);
    let next = repo.commit(&[("a.yaml", "a: good again\n")]);
    assert_eq!(pass(&agent), done());
    assert_eq!(revision(&agent), next);
}

/// Milliseconds since 1970 of a time in a deployment.
fn at(deployment: &Value, key: &str) -> i64 {
    let text = deployment[key].as_str().unwrap_or_default();
    chrono::DateTime::parse_from_rfc3339(text).expect("a time").timestamp_millis()
}

#[test]
fn what_fails_its_health_is_left_within_the_bake_time_and_a_second() {
    const BAKE_MS: i64 = 500;
    // Told to be ill at the very end alone: so many failures do not come together before.
    let health = health("500ms").replace("failures: 2", "failures: 1000");
    // A busy machine may take longer once; what is promised has to be seen.
    let mut seen = Vec::new();
    for _ in 0..3 {
        let repo = Repo::new();
        repo.commit(&[("a.yaml", "a: good\n")]);
        let agent = baked(&repo, "");
        assert_eq!(pass(&agent), done());
        with(&agent, &repo, &health);
        repo.commit(&[("a.yaml", "a: bad\n")]);
        let sync = agent.start_sync();
        status_when(&agent, "it is back", |status| status["reason"] == "rolled_back");
        assert_eq!(sync.stop().code, 0);
        let history = agent.json(&["history"]);
        let (back, bad) = (&history["items"][0], &history["items"][1]);
        assert_eq!((&back["origin"], &bad["outcome"]), (&"rollback".into(), &"rolled_back".into()));
        // From when it was about to be live to when the one before was live again.
        seen.push(at(back, "finished_at") - at(bad, "started_at"));
        if seen.last().is_some_and(|took| (BAKE_MS..=BAKE_MS + 1000).contains(took)) {
            return;
        }
    }
    panic!("milliseconds until it was back: {seen:?}");
}

#[test]
fn a_newer_head_waits_until_the_one_before_is_confirmed() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: good\n")]);
    let agent = baked(&repo, &health("1h"));
    let sync = agent.start_sync();
    status_when(&agent, "it bakes", |status| status["state"] == "baking");
    let second = repo.commit(&[("a.yaml", "a: good too\n")]);
    status_when(&agent, "the newer head is seen", |status| {
        status["desired"]["revision"] == second.as_str() && status["state"] == "baking"
    });
    assert_eq!(revision(&agent), first);
    // The agent answers and ends at once: a bake is no pass.
    assert_eq!(sync.stop().code, 0);
    with(&agent, &repo, &health("100ms"));
    let sync = agent.start_sync();
    agent.wait_until_live(&second);
    status_when(&agent, "all is well", |status| status["state"] == "in_sync");
    assert_eq!(sync.stop().code, 0);
}

#[test]
fn killed_once_in_a_bake_it_bakes_again_and_killed_twice_it_goes_back() {
    let repo = Repo::new();
    let good = repo.commit(&[("a.yaml", "a: good\n")]);
    let agent = baked(&repo, &health("50ms"));
    assert_eq!(pass(&agent), done());
    with(&agent, &repo, &health("1h"));
    let second = repo.commit(&[("a.yaml", "a: good, for all that is known\n")]);
    let sync = agent.start_sync();
    status_when(&agent, "it bakes", |status| {
        status["state"] == "baking" && status["live"]["revision"] == second.as_str()
    });
    sync.kill();
    let mut sync = agent.start_sync();
    sync.wait_for_stderr("that begins anew");
    sync.kill();
    with(&agent, &repo, &health("100ms"));
    assert_eq!(pass(&agent), (15, "rolled_back".to_owned()));
    assert_eq!(revision(&agent), good);
}

#[test]
fn without_anything_to_go_back_to_it_stays_degraded_until_a_better_commit() {
    let repo = Repo::new();
    let bad = repo.commit(&[("a.yaml", "a: bad\n")]);
    let agent = baked(&repo, &health("100ms"));
    assert_eq!(pass(&agent), (1, "unhealthy".to_owned()));
    assert_eq!(revision(&agent), bad);
    assert_eq!(agent.json(&["status"])["state"], "degraded");
    let good = repo.commit(&[("a.yaml", "a: good\n")]);
    assert_eq!(pass(&agent), done());
    assert_eq!(revision(&agent), good);
    assert_eq!(agent.json(&["status"])["state"], "in_sync");
}

#[test]
fn a_way_back_that_is_unhealthy_too_ends_there() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: good\n")]);
    let agent = baked(&repo, "");
    assert_eq!(pass(&agent), done());
    let never = health("100ms").replace("good", "never");
    with(&agent, &repo, &never);
    repo.commit(&[("a.yaml", "a: other\n")]);
    let ran = agent.run(&["sync", "--once"]);
    assert_eq!(ran.code, 15, "{ran:#?}");
    assert!(format!("{ran:?}").contains("the way back is unhealthy too"), "{ran:#?}");
    assert_eq!(revision(&agent), first);
    assert_eq!(agent.json(&["status"])["state"], "degraded");
    let before = deployments(&agent);
    assert_eq!(pass(&agent).0, 17);
    assert_eq!(deployments(&agent), before, "two bad trees do not take turns");
}

#[test]
fn a_reload_runs_once_for_its_paths_and_again_on_the_way_back() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: good\n"), ("web/b", "1\n")]);
    let agent = baked(&repo, "");
    let ((a, run_a), (b, run_b)) = (line(&agent, "a"), line(&agent, "b"));
    let more = format!(
        "reload:\n  - {{name: a, paths: [a.yaml], {run_a}}}\n  - {{name: b, paths: [web/], {run_b}}}\n{}",
        health("100ms")
    );
    with(&agent, &repo, &more);
    assert_eq!(pass(&agent), done());
    std::fs::remove_file(&b).unwrap();
    std::fs::remove_file(&a).unwrap();
    repo.commit(&[("a.yaml", "a: bad\n")]);
    assert_eq!(pass(&agent).0, 15);
    let said = r#"{"added":[],"modified":["a.yaml"],"removed":[]}"#;
    assert_eq!(std::fs::read_to_string(&a).unwrap(), said.repeat(2));
    assert!(!b.exists(), "nothing of it changed");
}

#[test]
fn a_reload_that_fails_is_failed_health() {
    let repo = Repo::new();
    let good = repo.commit(&[("a.yaml", "a: good\n")]);
    let agent = baked(&repo, "reload:\n  - {name: own, run: [grep, -q, good, a.yaml]}\n");
    assert_eq!(pass(&agent), done());
    repo.commit(&[("a.yaml", "a: bad\n")]);
    assert_eq!(pass(&agent), (15, "rolled_back".to_owned()));
    assert_eq!(revision(&agent), good);
}

#[test]
fn a_reload_that_a_kill_interrupted_is_run_again() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: good\n")]);
    let agent = baked(&repo, "");
    let ran = agent.folder().join("ran");
    let script = format!("echo x >> {0}; test $(wc -l < {0}) -gt 1 || sleep 1000", ran.display());
    with(
        &agent,
        &repo,
        &format!("reload:\n  - {{name: own, run: [sh, -c, '{script}'], timeout: 1h}}\n"),
    );
    let sync = agent.start_sync();
    wait_until("the reload runs", || ran.exists());
    sync.kill();
    assert_eq!(pass(&agent), done());
    assert_eq!(std::fs::read_to_string(&ran).unwrap(), "x\nx\n");
}

#[test]
fn a_reload_may_be_a_signal() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: good\n")]);
    let agent = baked(&repo, "");
    let mut sleeper = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    let pid_file = agent.folder().join("pid");
    std::fs::write(&pid_file, sleeper.id().to_string()).unwrap();
    with(
        &agent,
        &repo,
        &format!(
            "reload:\n  - {{name: own, signal: {{pid_file: {}, signal: USR1}}}}\n",
            pid_file.display()
        ),
    );
    assert_eq!(pass(&agent), done());
    assert_eq!(sleeper.wait().unwrap().signal(), Some(10));
}

#[test]
fn a_reload_and_a_probe_may_be_requests() {
    let repo = Repo::new();
    let good = repo.commit(&[("a.yaml", "a: good\n")]);
    let asked = Arc::new(Mutex::new(Vec::new()));
    let answers = Arc::new(AtomicU16::new(200));
    let (log, status) = (Arc::clone(&asked), Arc::clone(&answers));
    let port = one_answer_each(move |line| {
        log.lock().unwrap().push(line);
        status.load(Ordering::SeqCst)
    });
    let more = format!(
        "reload:\n  - {{name: own, http: {{url: 'http://127.0.0.1:{port}/reload'}}}}\n\
         health:\n  probes:\n  - {{name: web, http: {{url: 'http://127.0.0.1:{port}/up'}}}}\n  \
         - {{name: port, tcp: 'localhost:{port}'}}\n  bake_time: 50ms\n  interval: 20ms\n"
    );
    let agent = baked(&repo, &more);
    assert_eq!(pass(&agent), done());
    let first = asked.lock().unwrap().clone();
    assert_eq!(first[0], "POST /reload HTTP/1.1");
    assert!(first.contains(&"GET /up HTTP/1.1".to_owned()), "{first:?}");
    answers.store(503, Ordering::SeqCst);
    repo.commit(&[("a.yaml", "a: other\n")]);
    assert_eq!(pass(&agent), (15, "rolled_back".to_owned()));
    assert_eq!(revision(&agent), good);
}

/// A server that answers each request with a status, and closes; it ends with the test.
fn one_answer_each(mut answer: impl FnMut(String) -> u16 + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = BufReader::new(stream);
            let mut line = String::new();
            // Who only opens a connection asks nothing.
            if stream.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
                let status = answer(line.trim().to_owned());
                let text = format!(
                    "HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                );
                drop(stream.get_mut().write_all(text.as_bytes()));
            }
        }
    });
    port
}
