//! A supervisor, and a machine that stands still for longer than it allows.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::process::Signal;

use crate::promises::rounds;
use crate::support::{self, Agent, Key, Repo, wait_until};

/// How long the supervisor waits for a sign of life.
const WATCHDOG: Duration = Duration::from_millis(200);

/// A supervisor's socket: what `NOTIFY_SOCKET` names. All that is sent is taken at once.
struct Supervisor(Receiver<String>);

impl Supervisor {
    fn at(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).expect("a socket");
        let (sender, heard) = channel();
        std::thread::spawn(move || {
            let mut message = [0; 4096];
            while let Ok(length) = socket.recv(&mut message) {
                let text = String::from_utf8_lossy(&message[..length]).into_owned();
                if sender.send(text).is_err() {
                    return;
                }
            }
        });
        Self(heard)
    }

    /// The next message; `None` when there is silence for three times what the watchdog allows.
    fn next(&self) -> Option<String> {
        self.0.recv_timeout(WATCHDOG * 3).ok()
    }

    /// Waits for a message with this text.
    fn wait_for(&self, text: &str) {
        wait_until(&format!("the supervisor hears {text}"), || {
            self.next().is_some_and(|message| message.lines().any(|line| line == text))
        });
    }

    /// Takes what was sent before, and then hears nothing.
    fn hears_nothing_more(&self) {
        wait_until("the agent is silent", || self.next().is_none());
    }
}

#[test]
fn stopped_for_longer_than_the_watchdog_it_goes_on_soundly() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 0\n")]);
    let node = support::Receiver::start(Key::hmac());
    let agent = Agent::of(&repo);
    let socket = agent.folder().join("notify");
    let supervisor = Supervisor::at(&socket);
    let socket = socket.display().to_string();
    let agent = agent
        .variable("NOTIFY_SOCKET", &socket)
        .variable("WATCHDOG_USEC", &WATCHDOG.as_micros().to_string());
    let settings = std::fs::read_to_string(agent.settings_file()).expect("the settings");
    agent.settings(&format!(
        "{settings}nodes:\n  - name: edge\n    url: {}\n    secret_file: {}\n    \
         events: [config.applied]\n",
        node.url(),
        node.secret_file(agent.folder()).display(),
    ));
    let sync = agent.start_sync();
    supervisor.wait_for("READY=1");
    supervisor.wait_for("WATCHDOG=1");
    agent.wait_until_live(&first);
    node.wait_for(1);

    for number in 1..=rounds(4).min(50) {
        // Now and then it is stopped in the midst of a pass.
        let text = format!("a: {number}\n");
        let before = agent.live("a.yaml");
        if number % 2 == 0 {
            repo.commit(&[("a.yaml", &text)]);
            sync.signal(Signal::STOP);
        } else {
            sync.signal(Signal::STOP);
            repo.commit(&[("a.yaml", &text)]);
        }
        supervisor.hears_nothing_more();
        let shown = agent.live("a.yaml");
        assert!(shown == before || shown.as_deref() == Some(text.as_str()), "{shown:?}");
        sync.signal(Signal::CONT);
        supervisor.wait_for("WATCHDOG=1");
        agent.wait_until_live(&repo.tip("main"));
        assert_eq!(agent.live("a.yaml"), Some(text));
        assert_eq!(agent.json(&["status"])["state"], "in_sync");
        let told = node.wait_for(number + 1);
        assert_eq!(told[number].event["data"]["revision"], repo.tip("main").as_str());
    }
    let ran = sync.stop();
    assert_eq!(ran.code, 0, "{ran:#?}");
    assert!(!ran.stderr.contains("panicked"), "{ran:#?}");
}

#[test]
fn a_stopped_agent_lets_no_health_check_wait_without_end() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 0\n")]);
    let agent = Agent::of(&repo);
    let sync = agent.start_sync();
    agent.wait_until_live(&first);
    sync.signal(Signal::STOP);
    let (check, status) = std::thread::scope(|scope| {
        let check = scope.spawn(|| agent.start(&["healthcheck"]).wait());
        let status = scope.spawn(|| agent.start(&["status"]).wait());
        (check.join().expect("the check"), status.join().expect("the status"))
    });
    for ran in [check, status] {
        assert_eq!(ran.code, 1, "{ran:#?}");
        assert!(ran.stderr.contains("did not answer in time"), "{ran:#?}");
    }
    sync.signal(Signal::CONT);
    assert_eq!(agent.run(&["healthcheck"]).code, 0);
    sync.stop();
}
