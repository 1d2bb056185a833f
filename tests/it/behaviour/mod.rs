//! What the contract says of each setting and verb, held against the real program, one behaviour a
//! test: what is held and let go, what is followed, what is rendered, what is put right.
//!
//! Nothing here sleeps; what takes time is awaited.

mod access;
mod baking;
mod checking;
mod drifting;
mod finding;
mod following;
mod holding;
mod layering;
mod leaking;
mod others;
mod planning;
mod profiles;
mod returning;
mod ruling;
mod running;
mod settling;
mod standing;
mod telling;
mod validating;

use serde_json::Value;

use crate::support::{Agent, Repo, Running, wait_until};

/// A machine that follows a repository, with lines of its own below `gitops:` and below `live:`.
fn machine(repo: &Repo, gitops: &str, live: &str) -> Agent {
    let agent = Agent::of(repo);
    set(&agent, repo, gitops, live);
    agent
}

/// The same machine with other lines.
fn set(agent: &Agent, repo: &Repo, gitops: &str, live: &str) {
    follow(agent, &repo.path().display().to_string(), gitops, live);
}

/// The same machine, following any address.
fn follow(agent: &Agent, address: &str, gitops: &str, live: &str) {
    let block = |text: &str| text.lines().map(|line| format!("  {line}\n")).collect::<String>();
    agent.settings(&format!(
        "state_dir: {}\napi:\n  listen: \"127.0.0.1:0\"\nlive:\n  path: {}\n{}\
         gitops:\n  repository: \"{address}\"\n  sync_interval: 50ms\n{}",
        agent.state_dir().display(),
        agent.live_path().display(),
        block(live),
        block(gitops),
    ));
}

/// One pass: its exit code, and its reason when it has one.
#[track_caller]
fn pass(agent: &Agent) -> (i32, String) {
    order(agent, &["sync", "--once"])
}

/// Any verb that makes a pass: its exit code, and its reason when it has one.
#[track_caller]
fn order(agent: &Agent, verb: &[&str]) -> (i32, String) {
    let ran = agent.run(&[verb, &["-o", "json"]].concat());
    let Ok(said) = serde_json::from_str::<Value>(&ran.stdout) else {
        panic!("{verb:?} gave no JSON: {ran:#?}");
    };
    (ran.code, said["reason"].as_str().unwrap_or_default().to_owned())
}

/// What [`order`] gives of a verb that did what was asked.
fn done() -> (i32, String) {
    (0, String::new())
}

/// What [`order`] gives of a pass that was held.
fn held(reason: &str) -> (i32, String) {
    (17, reason.to_owned())
}

fn revision(agent: &Agent) -> String {
    agent.json(&["status"])["live"]["revision"].as_str().unwrap_or_default().to_owned()
}

fn digest(agent: &Agent) -> String {
    agent.json(&["status"])["live"]["digest"].as_str().unwrap_or_default().to_owned()
}

/// How many deployments the history tells of.
fn deployments(agent: &Agent) -> usize {
    agent.json(&["history"])["items"].as_array().map_or(0, Vec::len)
}

/// Waits until the running agent's status is as told, and gives it.
#[track_caller]
fn status_when(agent: &Agent, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let mut status = Value::Null;
    wait_until(what, || {
        let ran = agent.run(&["status", "-o", "json"]);
        status = serde_json::from_str(&ran.stdout).unwrap_or_default();
        status["agent_running"] == true && holds(&status)
    });
    status
}

/// Lets the agent read its settings again, and waits until it says this anew.
#[track_caller]
fn reread(agent: &mut Running, says: &str) {
    let before = agent.stderr().len();
    agent.signal(rustix::process::Signal::HUP);
    wait_until(&format!("it says {says:?}"), || {
        assert!(agent.is_running(), "it ended: {}", agent.stderr());
        agent.stderr().get(before..).is_some_and(|new| new.contains(says))
    });
}
