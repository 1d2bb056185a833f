//! The running agent: its settings, its signals, and what it answers to whom.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use rustix::process::Signal;

use super::{done, machine, pass, reread, set, status_when};
use crate::support::{Agent, Fault, GitServer, Repo, Running, Stage, wait_until};

fn one_commit() -> (Repo, String) {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    (repo, first)
}

#[test]
fn settings_that_are_wrong_leave_the_old_ones_and_are_told() {
    let (repo, first) = one_commit();
    let agent = machine(&repo, "", "");
    let mut sync = agent.start_sync();
    agent.wait_until_live(&first);
    let good = std::fs::read_to_string(agent.settings_file()).expect("the settings");
    agent.settings(&good.replace("sync_interval", "sync_intervall"));
    reread(&mut sync, "the old ones stay");
    assert!(sync.stderr().contains("sync_intervall"), "{}", sync.stderr());
    let second = repo.commit(&[("a.yaml", "a: 2\n")]);
    agent.wait_until_live(&second);
    // No YAML, and no file at all.
    agent.settings("gitops: [\n");
    reread(&mut sync, "kconfigd.yaml:");
    std::fs::remove_file(agent.settings_file()).expect("the file");
    reread(&mut sync, "no repository is named");
    agent.settings(&good);
    reread(&mut sync, "the settings were read again");
    assert_eq!(sync.stop().code, 0);
}

#[test]
fn what_needs_a_restart_is_told_and_stays_while_the_rest_counts() {
    let (repo, first) = one_commit();
    let other = repo.change().on("other").write("o", "o\n").commit("on another branch");
    let agent = machine(&repo, "branch: main\n", "");
    let mut sync = agent.start_sync();
    agent.wait_until_live(&first);
    set(&agent, &repo, "branch: other\n", "mode: exchange\n");
    reread(&mut sync, "these need a restart");
    assert!(sync.stderr().contains("live.mode"), "{}", sync.stderr());
    agent.wait_until_live(&other);
    assert!(agent.live_path().is_symlink());
    assert_eq!(sync.stop().code, 0);
}

#[test]
fn sighup_looks_now() {
    let (repo, first) = one_commit();
    let agent = machine(&repo, "", "");
    let slow = std::fs::read_to_string(agent.settings_file()).expect("the settings");
    agent.settings(&slow.replace("50ms", "1h"));
    let sync = agent.start_sync();
    agent.wait_until_live(&first);
    let second = repo.commit(&[("a.yaml", "a: 2\n")]);
    sync.signal(Signal::HUP);
    agent.wait_until_live(&second);
    assert_eq!(sync.stop().code, 0);
}

#[test]
fn sigterm_ends_it_within_the_grace_though_the_source_hangs_and_leaves_all_consistent() {
    let (repo, first) = one_commit();
    let server = GitServer::start(repo.root());
    let agent = machine(&repo, "", "");
    super::follow(&agent, &server.url(), "", "");
    let settings = std::fs::read_to_string(agent.settings_file()).expect("the settings");
    agent.settings(&format!("{settings}shutdown_grace: 2s\n"));
    for signal in [Signal::TERM, Signal::INT] {
        let sync = agent.start_sync();
        agent.wait_until_live(&first);
        server.forget();
        server.break_down(Stage::Fetch, Fault::Hang);
        repo.commit(&[("a.yaml", "a: 2\n")]);
        server.wait_for("a pack is asked for", |seen| seen.stage == Stage::Fetch);
        let begun = std::time::Instant::now();
        sync.signal(signal);
        let ran = sync.wait();
        let took = begun.elapsed();
        assert!(took.as_secs() < 4, "{signal:?} took {took:?}: {ran:#?}");
        assert_eq!(ran.code, 0, "{ran:#?}");
        server.heal();
        assert_eq!(agent.live("a.yaml").as_deref(), Some("a: 1\n"));
        let status = agent.json(&["status"]);
        assert_eq!(status["live"]["revision"], first.as_str(), "{status:#}");
        repo.branch("main", &first);
    }
    repo.commit(&[("a.yaml", "a: 3\n")]);
    assert_eq!(pass(&agent), done());
}

/// The status and body that the service gives.
fn get(address: &str, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("the service listens");
    let text = format!("{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(text.as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.expect("a status"), answer)
}

/// The address that a service says it listens at.
fn address(serve: &mut Running) -> String {
    serve.wait_for_stderr("127.0.0.1:");
    let said = serve.stderr();
    let port = said.split("127.0.0.1:").nth(1).unwrap_or_default();
    let port: String = port.chars().take_while(char::is_ascii_digit).collect();
    format!("127.0.0.1:{port}")
}

#[test]
fn the_address_of_serve_answers_probes_and_metrics_and_nothing_else() {
    let (repo, first) = one_commit();
    let agent = machine(&repo, "", "");
    let mut serve = agent.start(&["serve"]);
    agent.wait_until_live(&first);
    let address = address(&mut serve);
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(get(&address, &format!("GET {path}")).0, 200, "{path}");
    }
    assert!(get(&address, "GET /metrics").1.contains("kconfigd_"));
    for request in [
        "GET /api/config/status",
        "GET /api/config/health",
        "GET /api/config/history",
        "GET /api/config/profile",
        "POST /api/config/apply",
        "POST /api/config/rollback",
        "POST /api/config/suspend",
        "POST /api/config/sync",
        "GET /api/deliveries",
        "GET /api/nothing",
        "GET //api/config/status",
        "GET /healthz/../api/config/status",
    ] {
        let (status, answer) = get(&address, request);
        assert!([400, 401, 404].contains(&status), "{request}: {answer}");
        assert!(!answer.contains(&first), "{request}: {answer}");
    }
    let (status, answer) = get(&address, "GET /");
    assert!(status == 303 && answer.contains("location: /sign-in"), "{answer}");
    let (status, answer) = get(&address, "GET /api/nothing");
    assert!(answer.contains("application/problem+json"), "{status}: {answer}");
    assert_eq!(serve.stop().code, 0);
}

#[test]
fn every_key_has_a_twin_in_the_environment_and_lists_are_json_there() {
    let (repo, _) = one_commit();
    repo.commit(&[("conf/b.yaml", "b: 1\n"), ("conf/c.md", "c\n"), ("conf/d.txt", "d\n")]);
    let agent = Agent::new()
        .variable("KCONFIGD_GITOPS__PATH", "conf")
        .variable("KCONFIGD_GITOPS__EXCLUDE", r#"["*.md"]"#)
        .variable("KCONFIGD_GITOPS__AUTO_SYNC", "true")
        .variable("KCONFIGD_LIVE__FILE_MODES", r#"[{"match": "d.txt", "mode": "0600"}]"#)
        .variable("KCONFIGD_PORT_8740_TCP", "tcp://10.0.0.1:8740");
    // The file says otherwise: the environment comes first.
    set(&agent, &repo, "path: elsewhere\nauto_sync: false\n", "");
    let ran = agent.once();
    assert_eq!(ran.code, 0, "{ran:#?}");
    assert!(ran.stderr.contains("KCONFIGD_PORT_8740_TCP"), "{ran:#?}");
    let files: Vec<_> = agent.live_files().into_keys().collect();
    assert_eq!(files, ["b.yaml", "d.txt"]);
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(agent.live_path().join("d.txt")).expect("a file").permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
}

#[test]
fn the_environment_alone_is_enough_and_flags_come_before_it() {
    let (repo, first) = one_commit();
    repo.change().on("other").write("o", "o\n").commit("on another branch");
    let agent = Agent::new();
    let (live, state) = (agent.live_path(), agent.state_dir());
    let agent = agent
        .variable("KCONFIGD_STATE_DIR", &state.display().to_string())
        .variable("KCONFIGD_LIVE__PATH", &live.display().to_string())
        .variable("KCONFIGD_GITOPS__REPOSITORY", &repo.path().display().to_string())
        .variable("KCONFIGD_GITOPS__BRANCH", "other");
    let ran = agent.run(&["sync", "--once"]);
    assert!([0, 10].contains(&ran.code), "{ran:#?}");
    let ran = agent.run(&["sync", "--once", "--branch", "main"]);
    assert_eq!(ran.code, 0, "{ran:#?}");
    let state = state.display().to_string();
    assert_eq!(agent.json(&["status", "--state-dir", &state])["live"]["revision"], first.as_str());
}

#[test]
fn a_variable_that_is_no_key_is_10_and_the_nearest_one_is_told() {
    let (repo, _) = one_commit();
    for (name, value, told) in [
        ("KCONFIGD_GITOPS__BRANHC", "main", "KCONFIGD_GITOPS__BRANCH"),
        ("KCONFIGD_GITOPS__EXCLUDE", "*.md", "KCONFIGD_GITOPS__EXCLUDE"),
        ("KCONFIGD_GITOPS__SYNC_INTERVAL", "soon", "KCONFIGD_GITOPS__SYNC_INTERVAL"),
    ] {
        let agent = Agent::new().variable(name, value);
        set(&agent, &repo, "", "");
        let ran = agent.once();
        assert_eq!(ran.code, 10, "{name}: {ran:#?}");
        assert!(ran.stderr.contains(told), "{name}: {ran:#?}");
        assert!(!agent.live_path().exists(), "{name}");
    }
}

#[test]
fn one_pass_beside_a_running_agent_is_its_pass() {
    let (repo, first) = one_commit();
    let agent = machine(&repo, "", "");
    let slow = std::fs::read_to_string(agent.settings_file()).expect("the settings");
    agent.settings(&slow.replace("50ms", "1h"));
    let sync = agent.start_sync();
    agent.wait_until_live(&first);
    let second = repo.commit(&[("a.yaml", "a: 2\n")]);
    assert_eq!(pass(&agent), done());
    status_when(&agent, "it is live", |status| status["live"]["revision"] == second.as_str());
    repo.commit(&[("a.yaml", "a: [\n")]);
    assert_eq!(pass(&agent), (13, "validation_refused".to_owned()));
    assert_eq!(pass(&agent).0, 17);
    assert_eq!(sync.stop().code, 0);
}

#[test]
fn a_second_signal_ends_it_at_once_and_the_next_start_goes_on() {
    let (repo, first) = one_commit();
    let server = GitServer::start(repo.root());
    let agent = machine(&repo, "", "");
    super::follow(&agent, &server.url(), "timeout: 40s\n", "");
    let settings = std::fs::read_to_string(agent.settings_file()).expect("the settings");
    agent.settings(&format!("{settings}shutdown_grace: 20s\n"));
    let sync = agent.start_sync();
    agent.wait_until_live(&first);
    server.break_down(Stage::Fetch, Fault::Hang);
    let second = repo.commit(&[("a.yaml", "a: 2\n")]);
    server
        .wait_for("a pack is asked for", |seen| seen.stage == Stage::Fetch && seen.bytes.is_none());
    let begun = std::time::Instant::now();
    // Two that come together may be heard as one: it is told until it has ended.
    let mut sync = sync;
    crate::support::wait_until("it ends", || {
        if sync.is_running() {
            sync.signal(Signal::TERM);
        }
        !sync.is_running()
    });
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
    server.heal();
    assert_eq!(agent.live("a.yaml").as_deref(), Some("a: 1\n"));
    let sync = agent.start_sync();
    agent.wait_until_live(&second);
    assert_eq!(sync.stop().code, 0);
}

#[test]
fn the_mirror_is_packed_anew_when_the_agent_rests() {
    let repo = Repo::new();
    let path = repo.path().display().to_string();
    let agent = Agent::following(&path, "limits:\n  mirror_packs_max: 2\n");
    let packs = || {
        let files = std::fs::read_dir(agent.state_dir().join("repo.git/objects/pack"));
        let names = files.into_iter().flatten().flatten().map(|file| file.path());
        names.filter(|path| path.extension().is_some_and(|it| it == "pack")).count()
    };
    let mut sync = None;
    // Fewer than are packed anew at once.
    for number in 0..5 {
        let revision = repo.commit(&[("a.yaml", &format!("a: {number}\n"))]);
        sync.get_or_insert_with(|| agent.start_sync());
        agent.wait_until_live(&revision);
    }
    wait_until("there are few packs", || (1..=2).contains(&packs()));
    let last = repo.commit(&[("a.yaml", "a: last\n")]);
    agent.wait_until_live(&last);
    assert_eq!(sync.map(|sync| sync.stop().code), Some(0));
}
