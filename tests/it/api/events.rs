use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;

use super::{profiles, served};
use crate::support::{Repo, wait_until};

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
