//! Secrets in the repository: SOPS and age files are decrypted when staged, all of a revision or
//! nothing of it, and are nowhere but in the live tree.

mod canary;
mod going_live;
mod rules;
mod served;
mod staying;
#[path = "../../../src/secrets/tests/writer.rs"]
mod writer;

use std::os::unix::fs::PermissionsExt as _;

use crate::support::{Agent, Repo};
use writer::Pair;

/// A machine with a file of identities named, which may not be there yet.
fn machine(repo: &Repo, live: &str) -> Agent {
    let agent = Agent::of(repo);
    agent.settings(&format!(
        "state_dir: {}\napi:\n  listen: \"127.0.0.1:0\"\nlive:\n  path: {}\n{live}\
         gitops:\n  repository: \"{}\"\n  sync_interval: 50ms\n\
         secrets:\n  age_identities_file: age.key\n",
        agent.state_dir().display(),
        agent.live_path().display(),
        repo.path().display(),
    ));
    agent
}

/// The identities of a machine, whole.
fn keys(agent: &Agent, pairs: &[Pair]) {
    let text: String = pairs.iter().map(|pair| format!("{}\n", pair.identity)).collect();
    std::fs::write(agent.folder().join("age.key"), text).expect("the identities");
}

fn no_keys(agent: &Agent) {
    std::fs::remove_file(agent.folder().join("age.key")).expect("the identities were there");
}

fn mode(agent: &Agent, path: &str) -> u32 {
    let file = agent.live_path().join(path);
    std::fs::metadata(file).expect("a live file").permissions().mode() & 0o7777
}

/// One pass: its exit code, and its reason when it has one.
#[track_caller]
fn pass(agent: &Agent) -> (i32, String) {
    let ran = agent.run(&["sync", "--once", "-o", "json"]);
    let Ok(said) = serde_json::from_str::<serde_json::Value>(&ran.stdout) else {
        panic!("a pass gave no JSON: {ran:#?}");
    };
    (ran.code, said["reason"].as_str().unwrap_or_default().to_owned())
}

fn done() -> (i32, String) {
    (0, String::new())
}

fn held() -> (i32, String) {
    (17, "secrets_unavailable".to_owned())
}

fn refused() -> (i32, String) {
    (13, "validation_refused".to_owned())
}
