//! Nodes that answer slowly, without end, elsewhere, half, or not at all.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::peak_kib;
use crate::support::{Agent, Key, Receiver, Repo, wait_until};

/// What a node takes no more than, whatever its peer does.
const PEAK_KIB_MAX: u64 = 96 * 1024;

const GOOD: &[u8] = b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n";

/// What a connection gets once its request has begun.
type Answers = dyn Fn(&mut TcpStream, usize, &AtomicBool) -> std::io::Result<()> + Send + Sync;

/// A server that does with each connection what it is told to. Stops when dropped.
struct Foe {
    address: SocketAddr,
    over: Arc<AtomicBool>,
    connections: Arc<AtomicUsize>,
    accepting: Option<JoinHandle<()>>,
}

impl Foe {
    /// `answers` is given the connection and its number, from 0.
    fn new(
        answers: impl Fn(&mut TcpStream, usize, &AtomicBool) -> std::io::Result<()>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("the port");
        let over = Arc::new(AtomicBool::new(false));
        let connections = Arc::new(AtomicUsize::new(0));
        let answers: Arc<Answers> = Arc::new(answers);
        let (ends, counts) = (Arc::clone(&over), Arc::clone(&connections));
        let accepting = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if ends.load(Ordering::SeqCst) {
                    return;
                }
                let number = counts.fetch_add(1, Ordering::SeqCst);
                let (answers, ends) = (Arc::clone(&answers), Arc::clone(&ends));
                // What ends a connection is the peer's business.
                std::thread::spawn(move || drop(converse(stream, number, &*answers, &ends)));
            }
        });
        Self { address, over, connections, accepting: Some(accepting) }
    }

    fn url(&self) -> String {
        format!("http://{}/hooks", self.address)
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Foe {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // Wakes the thread in accept.
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            drop(accepting.join());
        }
    }
}

fn converse(
    mut stream: TcpStream,
    number: usize,
    answers: &Answers,
    over: &AtomicBool,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.set_write_timeout(Some(Duration::from_secs(5)))?;
    take_request(&mut stream)?;
    answers(&mut stream, number, over)
}

/// Reads a request to its last byte: head and body may come apart, and what is not read turns the end
/// of the connection into a reset, which takes the answer away from who asked.
fn take_request(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (mut line, mut body) = (String::new(), 0);
    while stream.read_line(&mut line)? > 2 {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            body = value.trim().parse().unwrap_or(0);
        }
        line.clear();
    }
    std::io::copy(&mut stream.take(body), &mut std::io::sink())?;
    Ok(())
}

/// Lets the connection end in a reset instead of in order.
fn reset(stream: &TcpStream) -> std::io::Result<()> {
    rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO)).map_err(Into::into)
}

/// Writes this over and over, with a pause after each.
fn without_end(
    stream: &mut TcpStream,
    over: &AtomicBool,
    head: &[u8],
    part: &[u8],
    pause: Duration,
) -> std::io::Result<()> {
    stream.write_all(head)?;
    stream.set_read_timeout(Some(pause.max(Duration::from_millis(1))))?;
    while !over.load(Ordering::SeqCst) {
        stream.write_all(part)?;
        if !pause.is_zero() {
            // The peer says nothing: this waits, and notices when it closes.
            let mut nothing = [0; 16];
            if matches!(stream.read(&mut nothing), Ok(0)) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// A machine that tells these nodes of what is applied, and a good one, `good`.
fn machine(repo: &Repo, good: &Receiver, foes: &[(String, String)], timeout: &str) -> Agent {
    let agent = Agent::of(repo);
    let secret = good.secret_file(agent.folder());
    let mut text = std::fs::read_to_string(agent.settings_file()).expect("the settings");
    text.push_str("nodes:\n");
    let all = foes.iter().cloned().chain([("good".to_owned(), good.url())]);
    for (name, url) in all {
        write!(
            text,
            "  - name: {name}\n    url: {url}\n    secret_file: {}\n    timeout: {timeout}\n    \
             events: [config.applied]\n",
            secret.display()
        )
        .expect("a text");
    }
    agent.settings(&text);
    agent
}

#[test]
fn slow_and_endless_nodes_delay_no_other_and_cost_little() {
    let repo = Repo::new();
    let mut last = repo.commit(&[("a.yaml", "a: 0\n")]);
    let ok = b"HTTP/1.1 200 OK\r\n";
    let slow = Duration::from_millis(30);
    let foes = [
        (
            "silent",
            Foe::new(|s, _, over| without_end(s, over, b"", b"", Duration::from_millis(50))),
        ),
        ("loris-status", Foe::new(move |s, _, over| without_end(s, over, b"", b"H", slow))),
        ("loris-head", Foe::new(move |s, _, over| without_end(s, over, ok, b"x", slow))),
        (
            "loris-body",
            Foe::new(move |s, _, over| {
                let head = b"HTTP/1.1 500 No\r\ncontent-length: 1000000\r\n\r\n";
                without_end(s, over, head, b"x", slow)
            }),
        ),
        (
            "endless-head",
            Foe::new(move |s, _, over| {
                without_end(s, over, ok, &b"a: b\r\n".repeat(10_000), Duration::ZERO)
            }),
        ),
        (
            "endless-line",
            Foe::new(move |s, _, over| {
                without_end(s, over, b"HTTP/1.1 200 ", &[b'x'; 60_000], Duration::ZERO)
            }),
        ),
        (
            "endless-body",
            Foe::new(move |s, _, over| {
                let head = b"HTTP/1.1 500 No\r\n\r\n";
                without_end(s, over, head, &[b'x'; 60_000], Duration::ZERO)
            }),
        ),
        (
            "endless-chunks",
            Foe::new(move |s, _, over| {
                let head = b"HTTP/1.1 503 No\r\ntransfer-encoding: chunked\r\n\r\n";
                without_end(s, over, head, b"1\r\nx\r\n", Duration::ZERO)
            }),
        ),
        (
            "hints",
            Foe::new(move |s, _, over| {
                without_end(s, over, b"", b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n", slow)
            }),
        ),
        ("garbage", Foe::new(|s, _, _| s.write_all(&[0xfe; 10_000]))),
    ];
    let good = Receiver::start(Key::hmac());
    let named: Vec<_> = foes.iter().map(|(name, foe)| ((*name).to_owned(), foe.url())).collect();
    let agent = machine(&repo, &good, &named, "2s");
    let mut sync = agent.start_sync();
    agent.wait_until_live(&last);
    let mut slowest = Duration::ZERO;
    for number in 1..=20 {
        last = repo.commit(&[("a.yaml", &format!("a: {number}\n"))]);
        wait_until("it is live", || agent.live("a.yaml") == Some(format!("a: {number}\n")));
        let since = Instant::now();
        good.wait_for(number + 1);
        slowest = slowest.max(since.elapsed());
    }
    eprintln!("the good node was told within {slowest:?}, beside {} others", foes.len());
    // Shorter than one of the others' timeouts, and so no other was waited for.
    assert!(slowest < Duration::from_millis(1500), "a good node was delayed by {slowest:?}");
    for (name, foe) in &foes {
        wait_until(&format!("{name} was tried"), || foe.connections() > 0);
    }
    assert!(sync.is_running(), "{}", sync.stderr());
    let peak = peak_kib(sync.pid());
    eprintln!("at most {peak} KiB");
    assert!(peak < PEAK_KIB_MAX, "it held {peak} KiB");
    agent.wait_until_live(&last);
    // What was not taken is shown, and its events are kept.
    let status = agent.json(&["status"]);
    let open = status["outbox"]["pending"].as_u64().unwrap_or_default();
    assert!(open >= foes.len() as u64, "{status:#}");
    let ran = sync.stop();
    assert_eq!(ran.code, 0, "{ran:#?}");
}

#[test]
fn a_connection_that_is_reset_at_any_byte_of_the_answer_loses_no_event() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 0\n")]);
    // For each byte a node that breaks off there, and is well at the second try.
    let foes: Vec<Foe> = (0..GOOD.len())
        .map(|at| {
            Foe::new(move |stream, number, _| {
                if number > 0 {
                    return stream.write_all(GOOD);
                }
                stream.write_all(GOOD.get(..at).unwrap_or_default())?;
                reset(stream)
            })
        })
        .collect();
    let good = Receiver::start(Key::hmac());
    let named: Vec<_> =
        foes.iter().enumerate().map(|(at, foe)| (format!("byte-{at}"), foe.url())).collect();
    let agent = machine(&repo, &good, &named, "10s");
    let mut sync = agent.start_sync();
    good.wait_for(1);
    wait_until("all nodes have taken the event", || {
        assert!(sync.is_running(), "{}", sync.stderr());
        let outbox = &agent.json(&["status"])["outbox"];
        outbox["pending"] == 0 && outbox["failed"] == 0
    });
    let again = foes.iter().filter(|foe| foe.connections() > 1).count();
    eprintln!("{} answers reset, {again} events sent again", foes.len());
    // Before the status line is whole nobody knows.
    let line = GOOD.windows(2).position(|two| two == b"\r\n").expect("a line");
    let early = foes.iter().take(line).filter(|foe| foe.connections() > 1).count();
    assert_eq!(early, line, "an answer without a status was taken for one");
    sync.stop();
}

#[test]
fn a_redirect_to_this_machine_or_its_metadata_is_not_followed() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 0\n")]);
    let trap = Foe::new(|stream, _, _| stream.write_all(GOOD));
    let good = Receiver::start(Key::hmac());
    let places = [
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://[fe80::1]/".to_owned(),
        "http://[fd00:ec2::254]/".to_owned(),
        "file:///etc/passwd".to_owned(),
        trap.url(),
        trap.url().replace("http:", ""),
    ];
    let mut nodes = Vec::new();
    for status in [301, 302, 303, 307, 308] {
        for place in &places {
            let place = place.clone();
            nodes.push(Foe::new(move |stream, _, _| {
                let head = format!("HTTP/1.1 {status} X\r\nlocation: {place}\r\n");
                stream.write_all(head.as_bytes())?;
                stream.write_all(b"refresh: 0;url=/x\r\ncontent-length: 0\r\n\r\n")
            }));
        }
    }
    let named: Vec<_> =
        nodes.iter().enumerate().map(|(number, foe)| (format!("n{number}"), foe.url())).collect();
    let agent = machine(&repo, &good, &named, "5s");
    let ran = agent.run(&["sync", "--once", "--deliver-timeout", "3s"]);
    assert_eq!(ran.code, 18, "{ran:#?}");
    assert!(nodes.iter().all(|node| node.connections() > 0), "a node was not told");
    assert_eq!(trap.connections(), 0, "a redirect was followed");
    let told = agent.run(&["deliveries"]);
    assert!(format!("{}{}", told.stdout, ran.stderr).contains("redirect"), "{ran:#?} {told:#?}");
    good.wait_for(1);
}

#[test]
fn ten_thousand_queued_events_delay_no_other_node_and_cost_little() {
    const NODES: usize = 200;
    const EVENTS: usize = 50;
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 0\n")]);
    // They take connections and answer nothing; every event for them stays in the outbox.
    let foes: Vec<Foe> = (0..NODES)
        .map(|_| Foe::new(|s, _, over| without_end(s, over, b"", b"", Duration::from_millis(50))))
        .collect();
    let good = Receiver::start(Key::hmac());
    let named: Vec<_> =
        foes.iter().enumerate().map(|(n, foe)| (format!("n{n}"), foe.url())).collect();
    let agent = machine(&repo, &good, &named, "1s");
    let sync = agent.start_sync();
    good.wait_for(1);
    let after_one = peak_kib(sync.pid());
    for number in 1..=EVENTS {
        repo.commit(&[("a.yaml", &format!("a: {number}\n"))]);
        wait_until("it is live", || agent.live("a.yaml") == Some(format!("a: {number}\n")));
    }
    let told = good.wait_for(EVENTS + 1);
    assert!(told.windows(2).all(|two| {
        two[0].event["data"]["deployment"].as_u64() < two[1].event["data"]["deployment"].as_u64()
    }));
    let status = agent.json(&["status"]);
    let pending = status["outbox"]["pending"].as_u64().unwrap_or_default();
    assert!(pending >= (NODES * EVENTS) as u64, "{status:#}");
    let peak = peak_kib(sync.pid());
    eprintln!("{pending} queued events: {after_one} KiB at most with one, {peak} KiB with all");
    assert!(peak < PEAK_KIB_MAX, "it held {peak} KiB");

    // What comes now is told as it comes.
    repo.commit(&[("a.yaml", "a: last\n")]);
    wait_until("it is live", || agent.live("a.yaml").as_deref() == Some("a: last\n"));
    let since = Instant::now();
    good.wait_for(EVENTS + 2);
    assert!(since.elapsed() < Duration::from_millis(1500), "delayed by {:?}", since.elapsed());
    sync.stop();
}
