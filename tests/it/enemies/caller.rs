//! Callers of the API that are slow, large, many, or all of it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, ipproto, socket_with};

use crate::api::served;
use crate::support::api::Api;
use crate::support::{Agent, Repo, Running, wait_for, wait_until};

/// Resident memory of a process, in KiB.
fn memory(serve: &Running) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", serve.pid())).expect("status");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("its memory");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

fn wire(api: &Api) -> TcpStream {
    let wire = TcpStream::connect(api.address).expect("the address of serve");
    wire.set_read_timeout(Some(Duration::from_secs(30))).expect("a time limit");
    wire
}

/// All that is answered on a connection until its end.
fn rest(mut wire: TcpStream) -> String {
    let mut text = Vec::new();
    // A connection that is reset has ended too.
    drop(wire.read_to_end(&mut text));
    String::from_utf8_lossy(&text).into_owned()
}

fn repo() -> Repo {
    let repo = Repo::new();
    repo.commit(&[("profiles/dev.yaml", "a: 1\n")]);
    repo
}

fn is_well(api: &Api) {
    let since = Instant::now();
    assert_eq!(api.get("/api/config/status").status, 200);
    assert!(since.elapsed() < Duration::from_secs(5), "it answered after {:?}", since.elapsed());
}

#[test]
fn heads_and_bodies_that_drip_are_ended_and_keep_nobody_waiting() {
    let repo = repo();
    let (_agent, serve, api) = served(&repo, "");
    let token = api.token.clone().expect("a token");
    let before = memory(&serve);
    let heads: Vec<TcpStream> = (0..200)
        .map(|_| {
            let mut wire = wire(&api);
            wire.write_all(b"GET /api/config/status HTTP/1.1\r\nx-slow: ").expect("it is sent");
            wire
        })
        .collect();
    let bodies: Vec<TcpStream> = (0..200)
        .map(|_| {
            let mut wire = wire(&api);
            let head = format!(
                "POST /api/config/apply HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
                 content-type: application/json\r\ncontent-length: 1000\r\n\r\n{{\"reason\": "
            );
            wire.write_all(head.as_bytes()).expect("it is sent");
            wire
        })
        .collect();
    is_well(&api);
    let since = Instant::now();
    for mut wire in heads {
        // One byte more does not begin the time anew.
        drop(wire.write_all(b"x"));
        let answer = rest(wire);
        assert!(!answer.contains("200 OK"), "{answer}");
    }
    for wire in bodies {
        let answer = rest(wire);
        assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("body_timeout"), "{answer}");
    }
    assert!(
        since.elapsed() < Duration::from_secs(25),
        "they were ended after {:?}",
        since.elapsed()
    );
    is_well(&api);
    let grown = memory(&serve).saturating_sub(before);
    assert!(grown < 32 * 1024, "400 slow callers cost {grown} KiB");
}

#[test]
fn bodies_over_the_limit_are_refused_before_they_are_read() {
    const MIB: usize = 1 << 20;
    let repo = repo();
    let (_agent, serve, api) = served(&repo, "");
    let token = api.token.clone().expect("a token");
    let head = |more: &str| {
        format!(
            "PUT /api/config/validate?path=x.yaml HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
             content-type: application/yaml\r\n{more}\r\n\r\n"
        )
    };
    // It is said, and nothing of it is sent.
    let mut announced = wire(&api);
    let gib = format!("content-length: {}", 1024 * MIB);
    announced.write_all(head(&gib).as_bytes()).expect("it is sent");
    let mut line = String::new();
    let mut announced = BufReader::new(announced);
    announced.read_line(&mut line).expect("an answer");
    assert!(line.starts_with("HTTP/1.1 413"), "{line}");
    // It is not said: it goes on without end, and is read no further than the limit.
    let before = memory(&serve);
    let mut endless = wire(&api);
    endless.set_write_timeout(Some(Duration::from_secs(30))).expect("a time limit");
    endless.write_all(head("transfer-encoding: chunked").as_bytes()).expect("it is sent");
    let chunk = [format!("{:x}\r\n", MIB / 16).as_bytes(), &vec![b'#'; MIB / 16], b"\r\n"].concat();
    let mut sent = 0;
    while sent < 256 * MIB && endless.write_all(&chunk).is_ok() {
        sent += MIB / 16;
    }
    assert!(sent < 32 * MIB, "{} MiB were taken", sent / MIB);
    let grown = memory(&serve).saturating_sub(before);
    assert!(grown < 16 * 1024, "it cost {grown} KiB");
    is_well(&api);
}

#[test]
fn heads_over_the_limit_and_what_is_no_http_are_refused() {
    let repo = repo();
    let (_agent, serve, api) = served(&repo, "");
    let before = memory(&serve);
    let long = "x".repeat(100 * 1024);
    let many: String = (0..500).map(|n| format!("x-{n}: y\r\n")).collect();
    let cases: Vec<(String, &[&str])> = vec![
        (format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx-long: {long}\r\n\r\n"), &["431"]),
        (format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{many}\r\n"), &["431"]),
        (format!("GET /{long} HTTP/1.1\r\nhost: x\r\n\r\n"), &["414", "431"]),
        ("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\u{fc}\u{3}\u{3}\r\n\r\n".to_owned(), &["400"]),
        ("GET /healthz HTTP/9.9\r\n\r\n".to_owned(), &["400", "505"]),
        ("GET /healthz HTTP/1.1\r\nhost: x\r\nno header\r\n\r\n".to_owned(), &["400"]),
        ("POST /api/config/apply HTTP/1.1\r\ncontent-length: -1\r\n\r\n".to_owned(), &["400"]),
        ("POST /api/config/apply HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n".to_owned(), &["400"]),
        ("POST /api/config/apply HTTP/1.1\r\ntransfer-encoding: chunked\r\ntransfer-encoding: x\r\n\r\n".to_owned(), &["400"]),
    ];
    for (request, expected) in cases {
        let shown: String = request.chars().take(60).collect();
        let mut wire = wire(&api);
        // It may be refused before all of it is sent.
        drop(wire.write_all(request.as_bytes()));
        let mut answer = String::new();
        drop(BufReader::new(wire).read_line(&mut answer));
        let status = answer.split(' ').nth(1).unwrap_or_default().to_owned();
        // A reset may come before the answer was read; an answer has to be the right one.
        assert!(status.is_empty() || expected.contains(&status.as_str()), "{shown:?}: {answer}");
    }
    is_well(&api);
    assert!(memory(&serve).saturating_sub(before) < 16 * 1024);
}

/// A connection that is begun and not waited for.
fn begun(address: SocketAddr) -> Option<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket =
        socket_with(AddressFamily::INET, SocketType::STREAM, flags, Some(ipproto::TCP)).ok()?;
    match connect(&socket, &address) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => Some(socket),
        Err(_) => None,
    }
}

/// As many connections at once as that, each with half a head where it came through.
fn crowd(api: &Api, count: usize) -> Vec<OwnedFd> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, ..limit };
    // Where it stays as it was, there are fewer.
    let _ = rustix::process::setrlimit(rustix::process::Resource::Nofile, raised);
    let crowd: Vec<OwnedFd> = (0..count).map_while(|_| begun(api.address)).collect();
    for one in &crowd {
        let _ = rustix::io::write(one, b"GET /api/config/status HTTP/1.1\r\n");
    }
    crowd
}

#[test]
fn ten_thousand_connections_are_bounded_and_it_answers_afterwards() {
    let repo = repo();
    let (_agent, serve, api) = served(&repo, "");
    let before = memory(&serve);
    // Somebody who was there before is answered all the time.
    let mut kept = BufReader::new(wire(&api));
    let crowd = crowd(&api, 10_000);
    assert!(crowd.len() > 5000, "this machine lets a test have {} connections", crowd.len());
    kept.get_mut().write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").expect("it is sent");
    let mut line = String::new();
    kept.read_line(&mut line).expect("an answer");
    assert!(line.contains("200"), "{line}");
    let taken = || {
        let files = std::fs::read_dir(format!("/proc/{}/fd", serve.pid())).expect("its files");
        files.count()
    };
    // Those that it took first are let go of when their head has had its time, which may be before
    // a busy machine has taken the last.
    wait_until("it has taken many", || {
        let taken = taken();
        assert!(taken < 4096 + 200, "{taken} files are open");
        taken > 2000
    });
    let grown = memory(&serve).saturating_sub(before);
    assert!(grown < 128 * 1024, "the crowd costs {grown} KiB");
    drop(crowd);
    wait_until("they are let go of", || taken() < 200);
    is_well(&api);
}

#[test]
fn connections_do_not_take_the_files_that_the_agent_needs() {
    let repo = repo();
    let agent = Agent::of(&repo);
    let mut inner = agent.command(&["serve", "-v"]);
    let mut limited = Command::new("sh");
    limited.arg("-c").arg("ulimit -n 512; exec \"$0\" \"$@\"").arg(inner.get_program());
    limited.args(inner.get_args()).env_clear().current_dir(agent.folder());
    limited.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    inner.stdin(std::process::Stdio::null());
    let serve = Running::start(limited);
    let address = wait_for("serve listens", || {
        let said = serve.stderr();
        let (_, after) = said.split_once("address=")?;
        after.split_whitespace().next()?.parse().ok()
    });
    let api = Api { address, token: None };
    wait_until("something is live", || agent.live("profiles/dev.yaml").is_some());
    let crowd = crowd(&api, 1000);
    assert_eq!(crowd.len(), 1000);
    let second = repo.commit(&[("profiles/dev.yaml", "a: 2\n"), ("b.yaml", "b: 1\n")]);
    // The verbs go over the control socket, which the crowd cannot take.
    agent.wait_until_live(&second);
    assert!(!serve.stderr().contains("Too many open files"), "{}", serve.stderr());
    drop(crowd);
    wait_until("it answers again", || api.get("/healthz").status == 200);
}

#[test]
fn a_thousand_who_listen_all_hear_and_cost_little() {
    let repo = repo();
    let (agent, serve, api) = served(&repo, "");
    let before = memory(&serve);
    let mut all: Vec<BufReader<TcpStream>> =
        (0..1000).map(|_| BufReader::new(api.begin("GET", "/api/events", &[], b""))).collect();
    for one in &mut all {
        let mut line = String::new();
        one.read_line(&mut line).expect("an answer");
        assert!(line.contains("200"), "{line}");
    }
    let each = memory(&serve).saturating_sub(before) / 1000;
    assert!(each <= 20, "each costs {each} KiB");
    let second = repo.commit(&[("a.yaml", "a: 1\n")]);
    agent.wait_until_live(&second);
    for mut one in all {
        let mut line = String::new();
        while line.trim_end() != "event: config.applied" {
            line.clear();
            assert!(one.read_line(&mut line).expect("the stream goes on") > 0, "it ended");
        }
    }
}

#[test]
fn who_says_a_strange_last_event_is_told_all_there_is() {
    let repo = repo();
    let (_agent, _serve, api) = served(&repo, "");
    for last in ["", "evt_unknown", "-1", "'; DROP TABLE events; --", &"x".repeat(10_000)] {
        let wire =
            api.begin("GET", "/api/events?types=config.applied", &[("last-event-id", last)], b"");
        let mut wire = BufReader::new(wire);
        let mut line = String::new();
        while line.trim_end() != "event: config.applied" {
            line.clear();
            assert!(wire.read_line(&mut line).expect("the stream goes on") > 0, "it ended");
        }
    }
    is_well(&api);
}
