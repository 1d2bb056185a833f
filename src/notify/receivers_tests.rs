//! The receivers that the documentation shows, run against our signer.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use tempfile::TempDir;

use super::{Audience, Deliverer, DeliveryReport, Endpoint, SigningKeys};
use crate::clock::{Clock as _, SystemClock};
use crate::config::NodeSettings;
use crate::journal::Journal;
use crate::model::{DeploymentId, Event, EventFacts, EventKind};

fn receiver(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/receivers").join(name)
}

fn key(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn whsec(byte: u8, length: usize) -> String {
    format!("whsec_{}\n", STANDARD.encode(vec![byte; length]))
}

/// Delivers one event; the receivers hold its time against the machine's clock, so it has it too.
async fn deliver(url: &str, secret_file: PathBuf) -> DeliveryReport {
    let journal = Arc::new(Journal::open_in_memory().unwrap());
    let deployment = Some(DeploymentId(42));
    let event = Event {
        id: "evt_1".to_owned(),
        sequence: 0,
        kind: EventKind::Applied,
        at: SystemClock.now(),
        facts: EventFacts { deployment, ..EventFacts::default() },
        trace: None,
    };
    journal.record_event(&event, &["a".to_owned()]).unwrap();
    // So far on in the schedule that one more failure is the last try within the limit.
    (0..5).for_each(|_| journal.failed_attempt(1, None, "", event.at, None, event.at).unwrap());
    let node = NodeSettings {
        name: "a".to_owned(),
        url: url.to_owned(),
        secret_file,
        timeout: Duration::from_secs(60),
        labels: Vec::new(),
        events: Vec::new(),
        paths: Vec::new(),
        deliver_for: Duration::from_secs(600),
    };
    let source = "urn:kconfigd:test".to_owned();
    let endpoints = vec![Endpoint::of_node(&node)];
    let audience = Audience { endpoints, source, place: String::new(), body_bytes_max: 20_000 };
    Deliverer::new(journal, Arc::new(SystemClock), audience)
        .deliver_once(Duration::from_secs(40))
        .await
}

#[tokio::test]
async fn the_receiver_in_python_takes_ours_and_refuses_others() {
    let folder = tempfile::tempdir().unwrap();
    let ours = key(&folder, "ours", &format!("# old and new\n{}{}", whsec(1, 32), whsec(2, 24)));
    let mut child = Command::new("python3")
        .arg(receiver("receiver.py"))
        .args(["--port", "0", "--secret-file"])
        .arg(key(&folder, "theirs", &whsec(2, 24)))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut first = String::new();
    said.read_line(&mut first).unwrap();
    let url = first.trim().strip_prefix("listening on ").unwrap();

    let refused = deliver(url, key(&folder, "other", &whsec(3, 32))).await;
    let taken = deliver(url, ours.clone()).await;
    let again = deliver(url, ours).await;
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(refused.problems["a"], "the node answered 401 Unauthorized");
    assert!(taken.is_complete() && again.is_complete(), "{taken:?} {again:?}");
    let mut printed = String::new();
    child.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
    let changes = r#"{"added": [], "modified": [], "removed": []}"#;
    assert_eq!(printed, format!("config.applied 42 {changes}\n"), "a repeat is acted on once");
}

/// Gives a request to the receiver in shell; gives the status it answers with.
fn shell(secret_file: &Path, signature: &str, seconds: i64, body: &[u8]) -> String {
    let mut child = Command::new("sh")
        .arg(receiver("receiver.sh"))
        .arg(secret_file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let head = format!(
        "POST /hooks/config HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\nwebhook-id: evt_1\r\n\
         Webhook-Timestamp: {seconds}\r\nwebhook-signature: {signature}\r\n\r\n",
        body.len()
    );
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&[head.as_bytes(), body].concat()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn the_receiver_in_shell_takes_ours_and_refuses_others() {
    let folder = tempfile::tempdir().unwrap();
    let seed = [5; 32];
    let private = format!("whsk_{}\n", STANDARD.encode(seed));
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
    let public = format!("whpk_{}", STANDARD.encode(pair.public_key().as_ref()));
    let ours = key(&folder, "ours", &format!("{}{private}{}", whsec(1, 32), whsec(0, 64)));
    let now = SystemClock.now();
    // Bytes that a shell would like to eat.
    let body = b"{\"a\": \"$(x) `y` \\\\ %s \xc3\xa9\x00\"}\n\n";
    let signature = SigningKeys::read(&ours).unwrap().sign("evt_1", now, body);
    let status = |keys: &str, seconds: i64, body: &[u8]| {
        shell(&key(&folder, "theirs", keys), &signature, seconds, body)
    };
    let taken = "HTTP/1.1 204 No Content";
    let refused = "HTTP/1.1 401 Unauthorized";
    assert_eq!(status(&whsec(1, 32), now.seconds(), body), taken);
    assert_eq!(status(&format!("# new\n{}", whsec(0, 64)), now.seconds(), body), taken);
    assert_eq!(status(&public, now.seconds(), body), taken, "the last line needs no end");
    assert_eq!(status(&whsec(9, 32), now.seconds(), body), refused);
    assert_eq!(status(&whsec(1, 32), now.seconds(), b"{}"), refused);
    assert_eq!(status(&public, now.seconds(), b"{}"), refused);
    assert_eq!(status(&whsec(1, 32), now.seconds() - 1000, body), refused);
}

#[test]
fn the_documentation_shows_the_receivers_as_they_are_and_names_every_event() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs/notifications.md")).unwrap();
    let receivers = ["receiver.py", "receiver.sh"]
        .map(|name| std::fs::read_to_string(receiver(name)).unwrap())
        .concat();
    let (_, shown) = text.split_once("## Receivers").unwrap();
    let blocks: Vec<_> = shown.split("```").skip(1).step_by(2).collect();
    assert_eq!(blocks.len(), 3);
    for block in blocks {
        let (_, code) = block.split_once('\n').unwrap();
        assert!(receivers.contains(code.trim()), "{code}");
    }
    for kind in EventKind::ALL {
        assert!(text.contains(&format!("| `{kind}` |")), "{kind} is not documented");
    }
}
