//! Alerts from outside: who is told of which problem, when, how often, and of its end.

mod ways;
mod when;

use crate::support::{Agent, Key, Receiver, Repo};

/// A machine that follows a repository, with lines below `gitops:`, and lines at the top.
pub(crate) fn machine(repo: &Repo, gitops: &str, more: &str) -> Agent {
    let agent = Agent::new();
    set(&agent, repo, gitops, more);
    agent
}

/// The same machine with other lines.
pub(crate) fn set(agent: &Agent, repo: &Repo, gitops: &str, more: &str) {
    let gitops: String = gitops.lines().map(|line| format!("  {line}\n")).collect();
    let live = if more.contains("live:") {
        String::new()
    } else {
        format!("live: {{path: {}}}\n", agent.live_path().display())
    };
    agent.settings(&format!(
        "state_dir: {}\napi: {{listen: \"127.0.0.1:0\"}}\n{live}\
         gitops:\n  repository: \"{}\"\n  sync_interval: 50ms\n{gitops}{more}",
        agent.state_dir().display(),
        repo.path().display(),
    ));
}

/// A file with one credential, beside the settings.
pub(crate) fn secret(agent: &Agent, name: &str, text: &str) -> String {
    let path = agent.folder().join(name);
    std::fs::write(&path, format!("{text}\n")).expect("a secret file");
    path.display().to_string()
}

/// An alert by webhook, told at once unless `terms` say otherwise.
fn webhook(agent: &Agent, receiver: &Receiver, terms: &str) -> String {
    format!(
        "alerts:\n  - {{name: ops, after: 0s, webhook: {{url: \"{}\", secret_file: \"{}\"}}{terms}}}\n",
        receiver.url(),
        receiver.secret_file(agent.folder()).display(),
    )
}

fn receiver() -> Receiver {
    Receiver::start(Key::hmac())
}

/// What a receiver was told: the step and the problem of each event.
fn told(receiver: &Receiver) -> Vec<(String, String)> {
    let events = receiver.events();
    let each = events.iter().map(|event| {
        let problem = event.event["data"]["problem"].as_str().unwrap_or_default();
        let step = event.kind().strip_prefix("problem.").unwrap_or(event.kind());
        (step.to_owned(), problem.to_owned())
    });
    each.collect()
}

fn steps(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(step, problem)| ((*step).to_owned(), (*problem).to_owned())).collect()
}
