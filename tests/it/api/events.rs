use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;

use super::{profiles, served, token, with_tokens};
use crate::support::{Agent, Repo, wait_until};

/// What is heard on a stream until an event of this type has come whole.
#[track_caller]
pub(super) fn heard(wire: TcpStream, last: &str) -> String {
    let mut wire = BufReader::new(wire);
    let mut text = String::new();
    let mut found = false;
    loop {
        let begin = text.len();
        let read = wire.read_line(&mut text).expect("the stream goes on");
        assert!(read > 0, "the stream ended: {text}");
        let line = &text[begin..];
        found |= line.trim_end() == format!("event: {last}");
        if found && line.trim_end().is_empty() {
            return text;
        }
    }
}

fn ids(heard: &str) -> Vec<&str> {
    heard.lines().filter_map(|line| line.strip_prefix("id: ")).collect()
}

#[test]
fn who_listens_hears_what_happens_and_who_comes_back_what_they_missed() {
    let repo = Repo::new();
    profiles(&repo);
    let (agent, _serve, api) = served(&repo, "");
    let wire = api.begin("GET", "/api/events", &[], b"");
    let second = repo.commit(&[("a.yaml", "a: 1\n")]);
    let first_heard = heard(wire, "config.applied");
    let data = first_heard.lines().rfind(|line| line.starts_with("data: ")).expect("a body");
    assert!(data.contains(&second) && data.contains("\"specversion\":\"1.0\""), "{first_heard}");
    let last = ids(&first_heard).last().copied().expect("an id").to_owned();
    // Two more happen while nobody listens.
    for text in ["a: 2\n", "a: 3\n"] {
        let next = repo.commit(&[("a.yaml", text)]);
        agent.wait_until_live(&next);
    }
    let wire =
        api.begin("GET", "/api/events?types=config.applied", &[("last-event-id", &last)], b"");
    repo.commit(&[("b.yaml", "b: 1\n")]);
    let mut wire = BufReader::new(wire);
    let mut text = String::new();
    while text.matches("event: config.applied").count() < 3 {
        assert!(wire.read_line(&mut text).expect("the stream goes on") > 0, "{text}");
    }
    assert!(!text.contains("config.revision.detected"), "{text}");
    assert!(!ids(&text).contains(&last.as_str()), "{text}");
}

#[test]
fn a_stop_does_not_wait_for_those_who_listen() {
    let repo = Repo::new();
    profiles(&repo);
    let (_agent, serve, api) = served(&repo, "");
    let mut wires: Vec<BufReader<TcpStream>> =
        (0..20).map(|_| BufReader::new(api.begin("GET", "/api/events", &[], b""))).collect();
    for wire in &mut wires {
        let mut line = String::new();
        wire.read_line(&mut line).expect("an answer");
        assert!(line.contains("200"), "{line}");
    }
    assert_eq!(serve.stop().code, 0);
    for mut wire in wires {
        let mut rest = String::new();
        wait_until("the stream ends", || wire.read_line(&mut rest).is_ok_and(|read| read == 0));
    }
}

/// Reads on until the stream ends.
#[track_caller]
fn ends(mut wire: BufReader<TcpStream>) -> String {
    let mut rest = String::new();
    while wire.read_line(&mut rest).expect("the stream goes on or ends") > 0 {}
    rest
}

#[test]
fn a_stream_ends_with_the_right_to_it() {
    let repo = Repo::new();
    profiles(&repo);
    let machine = Agent::new();
    let (agent, _serve, admin) = served(&repo, &with_tokens(&machine));
    let viewer = admin.with(&token("viewer"));
    let open = |wire: TcpStream| {
        let mut wire = BufReader::new(wire);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(wire.read_line(&mut head).expect("an answer") > 0, "{head}");
        }
        assert!(head.contains("200"), "{head}");
        wire
    };
    let by_token = open(viewer.begin("GET", "/api/events", &[], b""));
    let form = ("content-type", "application/x-www-form-urlencoded");
    let shown = format!("token={}", token("viewer"));
    let answer = admin.nobody().send("POST", "/sign-in", &[form], shown.as_bytes());
    let cookie = answer.header("set-cookie").and_then(|text| text.split(';').next());
    let cookie = cookie.expect("a cookie").to_owned();
    let by_session = open(admin.nobody().begin("GET", "/live", &[("cookie", &cookie)], b""));
    let stays = open(admin.begin("GET", "/api/events", &[], b""));
    // The token is taken away, and with it its sessions.
    let file = machine.folder().join("viewer.token");
    std::fs::write(&file, "another-token-0123456789").expect("a token's file");
    let second = repo.commit(&[("a.yaml", "a: 1\n")]);
    agent.wait_until_live(&second);
    for wire in [by_token, by_session] {
        let heard = ends(wire);
        assert!(!heard.contains("event:"), "{heard}");
    }
    let heard = heard(stays.into_inner(), "config.applied");
    assert!(heard.contains(&second), "{heard}");
}
