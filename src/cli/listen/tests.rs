use clap::Parser as _;
use serde_json::{Value, json};

use super::*;
use crate::clock::ManualClock;
use crate::config::NodeSettings;
use crate::journal::Journal;
use crate::model::{ChangeLists, DeploymentId, Event, EventFacts, EventKind, Revision};
use crate::notify::{Audience, Deliverer, Endpoint};

const T0: Timestamp = Timestamp(1_700_000_000_000);
const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n";

#[derive(clap::Parser)]
struct Cli {
    #[command(flatten)]
    listen: ListenArgs,
}

/// Lines as they are written.
struct Lines(mpsc::UnboundedSender<String>, Vec<u8>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.1.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let text = String::from_utf8(std::mem::take(&mut self.1)).unwrap();
        text.lines().for_each(|line| drop(self.0.send(line.to_owned())));
        Ok(())
    }
}

/// Runs `listen` with `flags` to its end beside `send`, and gives what it printed.
async fn listen<F: Future<Output = ()>>(
    flags: &[&str],
    json: bool,
    send: impl FnOnce(String) -> F,
) -> Vec<String> {
    let arguments = ["listen", "127.0.0.1:0"].into_iter().chain(flags.iter().copied());
    let args = Cli::try_parse_from(arguments).unwrap().listen;
    let (out, mut printed) = mpsc::unbounded_channel();
    let (err, mut said) = mpsc::unbounded_channel();
    let (mut out, mut err) = (Lines(out, Vec::new()), Lines(err, Vec::new()));
    let clock = Arc::new(ManualClock::at(T0));
    let (ended, ()) = tokio::join!(run(args, json, clock, &mut out, &mut err), async {
        let first = said.recv().await.unwrap();
        let url = first.strip_prefix("listening on ").unwrap();
        send(url.split(';').next().unwrap().to_owned()).await;
    });
    ended.unwrap();
    let mut lines = Vec::new();
    while let Ok(line) = printed.try_recv() {
        lines.push(line);
    }
    lines
}

fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap()
}

fn key_file() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), KEY).unwrap();
    file
}

async fn deliver(url: String, secret_file: PathBuf) -> u64 {
    let journal = Arc::new(Journal::open_in_memory().unwrap());
    let changes =
        ChangeLists { modified: vec!["agents/x.yaml".to_owned()], ..ChangeLists::default() };
    let facts = EventFacts {
        deployment: Some(DeploymentId(42)),
        revision: Revision::parse(&"ab".repeat(20)).ok(),
        changes: Some(changes),
        ..EventFacts::default()
    };
    let id = "evt_1".to_owned();
    let event = Event { id, sequence: 0, kind: EventKind::Applied, at: T0, facts, trace: None };
    journal.record_event(&event, &["a".to_owned()]).unwrap();
    // So far on in the schedule that one more failure is the last try within the limit.
    (0..5).for_each(|_| journal.failed_attempt(1, None, "", T0, None, T0).unwrap());
    let node = NodeSettings {
        name: "a".to_owned(),
        url,
        secret_file,
        timeout: Duration::from_secs(60),
        labels: Vec::new(),
        events: Vec::new(),
        paths: Vec::new(),
        deliver_for: Duration::from_secs(60),
    };
    let source = "urn:kconfigd:test".to_owned();
    let endpoints = vec![Endpoint::of_node(&node)];
    let audience = Audience { endpoints, source, place: String::new(), body_bytes_max: 20_000 };
    let clock = Arc::new(ManualClock::at(T0));
    Deliverer::new(journal, clock, audience).deliver_once(Duration::from_secs(40)).await.delivered
}

#[tokio::test]
async fn what_the_agent_sends_is_verified_and_printed_and_known_again() {
    let file = key_file();
    let secret = file.path().to_owned();
    let path = secret.to_str().unwrap();
    let lines = listen(&["--secret-file", path, "--count", "2"], false, |url| async move {
        for _ in 0..2 {
            let sent = deliver(url.clone(), file.path().to_owned()).await;
            assert_eq!(sent, 1);
        }
    })
    .await;
    let line = "2023-11-14T22:13:20.000Z  config.applied  deployment 42  revision abababababab  \
                1 file (+0 ~1 -0)  verified";
    assert_eq!(lines, [line.to_owned(), format!("{line}  again")]);
}

#[tokio::test]
async fn another_key_is_refused_with_the_reason() {
    let (file, other) = (key_file(), key_file());
    std::fs::write(other.path(), "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap();
    let path = file.path().to_str().unwrap();
    let flags = ["--secret-file", path, "--count", "1"];
    let lines = listen(&flags, true, |url| async move {
        assert_eq!(deliver(url, other.path().to_owned()).await, 0);
    })
    .await;
    let line: Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(line["verified"], json!(false));
    assert_eq!(line["why"], json!("no signature matches: another key, or an altered body"));
    assert_eq!(line["event"]["data"]["deployment"], json!(42));
}

#[tokio::test]
async fn without_a_secret_it_says_that_nothing_is_verified_and_garbage_moves_no_cursor() {
    let lines = listen(&["--count", "2", "--fail-with", "503"], false, |url| async move {
        let client = client();
        let post = |url: &str, body: String| client.post(url).body(body).send();
        let status = post(&url, r#"{"type": "a\u001b[2Jb"}"#.into()).await.unwrap().status();
        assert_eq!(status, 503);
        assert_eq!(post(&url, "{".into()).await.unwrap().status(), 400);
        drop(client);
    })
    .await;
    assert_eq!(
        lines,
        [
            "2023-11-14T22:13:20.000Z  a\u{fffd}[2Jb  not verified (no --secret-file)",
            "2023-11-14T22:13:20.000Z  1 bytes that are not JSON  not verified (no --secret-file)",
        ]
    );
}

#[tokio::test]
async fn other_paths_methods_and_large_bodies_are_refused_and_not_printed() {
    let lines = listen(&["--count", "1", "--path", "/x"], false, |url| async move {
        let client = client();
        let other = url.replace("/x", "/y");
        assert_eq!(client.post(&other).send().await.unwrap().status(), 404);
        assert_eq!(client.get(&url).send().await.unwrap().status(), 405);
        let large = client.post(&url).body("x".repeat(BODY_BYTES_MAX + 1)).send().await;
        // The connection may be closed while the body is still being written.
        assert!(large.is_err() || large.is_ok_and(|answer| answer.status() == 413));
        assert_eq!(client.post(&url).body("{}").send().await.unwrap().status(), 204);
    })
    .await;
    assert_eq!(lines.len(), 1);
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut recent = Recent::default();
    let seen = |id: usize| Seen {
        at: T0,
        id: Some(id.to_string()),
        verdict: Verdict::Unchecked,
        event: None,
        bytes: 0,
    };
    (0..=REMEMBERED_MAX).for_each(|id| assert!(!recent.has_or_takes(&seen(id))));
    assert!(recent.has_or_takes(&seen(1)) && !recent.has_or_takes(&seen(0)));
    assert_eq!((recent.ids.len(), recent.order.len()), (REMEMBERED_MAX, REMEMBERED_MAX));
}
