use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::chance::Chance;
use super::rounds;
use crate::support::{Agent, GitServer, Repo, wait_until};

/// A tree's files and their bytes.
type Files = BTreeMap<String, Vec<u8>>;

/// A repository and what each of its commits holds.
struct History {
    repo: Repo,
    files: BTreeMap<String, Files>,
    count: usize,
}

impl History {
    fn new() -> Self {
        let mut history = Self { repo: Repo::new(), files: BTreeMap::new(), count: 0 };
        history.commit(0);
        history
    }

    /// A commit whose content is that of a number: the same number, the same tree.
    fn commit(&mut self, content: usize) -> String {
        let name = |number: usize| format!("sub{}/f{number:02}.yaml", number % 3);
        let mut change = self.repo.change();
        let before = (self.count > 0).then(|| &self.files[&self.repo.tip("main")]);
        let mut files = Files::new();
        for number in 0..12 {
            // One file of twelve is not there, always another one.
            if number == content % 12 {
                if before.is_some_and(|before| before.contains_key(&name(number))) {
                    change = change.remove(&name(number));
                }
                continue;
            }
            let text = format!("file: {number}\nof: {content}\n");
            change = change.write(&name(number), &text);
            files.insert(name(number), text.into_bytes());
        }
        let revision = change.commit(&format!("number {}", self.count));
        self.count += 1;
        self.files.insert(revision.clone(), files);
        revision
    }

    fn next(&mut self, chance: &mut Chance) -> String {
        // Some go back to what was there before.
        let content = if chance.one_in(5) { chance.below(self.count) } else { self.count };
        self.commit(content)
    }
}

#[test]
fn killed_at_any_moment_the_promises_hold_with_a_link() {
    killed_at_any_moment("symlink");
}

#[test]
fn killed_at_any_moment_the_promises_hold_with_a_folder() {
    killed_at_any_moment("exchange");
}

fn killed_at_any_moment(mode: &str) {
    let mut chance = Chance::new();
    let mut history = History::new();
    let mut server = GitServer::start(history.repo.root());
    let agent = Agent::following(&server.url(), "");
    let settings = std::fs::read_to_string(agent.settings_file()).expect("the settings");
    agent.settings(&settings.replace("live:\n", &format!("live:\n  mode: {mode}\n")));
    assert_eq!(agent.once().code, 0);
    let longest = time_to_live(&mut history, &agent);

    for round in 0..rounds(20) {
        let idle = chance.one_in(2);
        if !idle && !chance.one_in(3) {
            history.next(&mut chance);
        }
        server.forget();
        let sync = agent.start_sync();
        if idle {
            server.wait_for("a poll", |_| true);
            for _ in 0..=chance.below(2) {
                history.next(&mut chance);
            }
        }
        sync.kill_after(chance.moment(longest));

        let shown = agent.live_files();
        assert!(
            history.files.values().any(|files| *files == shown),
            "round {round}: no whole tree is live: {shown:#?}"
        );
        server.down();
        let again = agent.start_sync();
        let status = status_of_running(&agent);
        let revision = status["live"]["revision"].as_str().unwrap_or_default();
        assert_eq!(history.files.get(revision), Some(&shown), "round {round}: {status:#}");
        assert_eq!(agent.live_files(), shown, "round {round}: a start changed the live tree");
        again.kill();
        server.up();
        if !chance.one_in(4) {
            converges(&history, &agent, round);
        }
    }
    converges(&history, &agent, rounds(20));
}

/// How long it takes from a start to a new live tree.
fn time_to_live(history: &mut History, agent: &Agent) -> Duration {
    let revision = history.commit(history.count);
    let began = Instant::now();
    let sync = agent.start_sync();
    wait_until("it is live", || agent.live_files() == history.files[&revision]);
    let took = began.elapsed();
    sync.kill();
    took
}

fn status_of_running(agent: &Agent) -> Value {
    let mut status = Value::Null;
    wait_until("the agent answers", || {
        status = agent.json(&["status"]);
        status["agent_running"] == true
    });
    status
}

/// The next pass brings the head, and what is told agrees with what is there.
#[track_caller]
fn converges(history: &History, agent: &Agent, round: usize) {
    let ran = agent.once();
    assert_eq!(ran.code, 0, "round {round}: {ran:#?}");
    let head = history.repo.tip("main");
    assert_eq!(agent.live_files(), history.files[&head], "round {round}: {ran:#?}");
    let status = agent.json(&["status"]);
    assert_eq!(status["live"]["revision"], head.as_str(), "round {round}: {status:#}");
    assert_eq!(status["state"], "in_sync", "round {round}: {status:#}");

    let told = agent.json(&["history", "--limit", "1000"]);
    let items = told["items"].as_array().expect("a list");
    let numbers: Vec<_> = items.iter().filter_map(|item| item["deployment"].as_u64()).collect();
    assert!(numbers.is_sorted_by(|newer, older| newer > older), "round {round}: {numbers:?}");
    let live: Vec<_> = items.iter().filter(|item| item["outcome"] == "live").collect();
    assert_eq!(live.len(), 1, "round {round}: {live:#?}");
    assert_eq!(live[0]["deployment"], status["live"]["deployment"], "round {round}");
    for item in items {
        let revision = item["revision"].as_str().unwrap_or_default();
        assert!(history.files.contains_key(revision), "round {round}: {item:#}");
    }
}
