//! Who may say what is live: signatures of commits and tags, held against the real program with
//! keys that ssh-keygen and gpg make. Every message is a snapshot.

mod faults;
mod openpgp;
mod ssh;
mod tags;
mod ways;

use serde_json::Value;

use crate::support::{Agent, Repo, Sealer, SshKey};

/// A time before every other in these tests: 2019-06-01T00:00:00Z.
const IN_2019: i64 = 1_559_347_200;

/// A machine that verifies: lines below `gitops:`, with `<folder>` for its own folder.
fn machine(repo: &Repo, gitops: &str) -> Agent {
    let agent = Agent::of(repo);
    set(&agent, repo, gitops);
    agent
}

fn set(agent: &Agent, repo: &Repo, gitops: &str) {
    let address = repo.path().display().to_string();
    let gitops = gitops.replace("<folder>", &agent.folder().display().to_string());
    let lines: String = gitops.lines().map(|line| format!("  {line}\n")).collect();
    agent.settings(&format!(
        "state_dir: {}\napi:\n  listen: \"127.0.0.1:0\"\nlive:\n  path: {}\n\
         gitops:\n  repository: \"{address}\"\n  sync_interval: 50ms\n{lines}",
        agent.state_dir().display(),
        agent.live_path().display(),
    ));
}

/// What `mode: require` is with SSH keys.
const BY_SSH: &str = "verify: {mode: require, allowed_signers_file: <folder>/allowed_signers}\n";

/// The file of SSH keys, whole.
fn allow(agent: &Agent, lines: &[String]) {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(agent.folder().join("allowed_signers"), text).expect("the file of keys");
}

/// A line for a key, with options such as `namespaces="git"`.
fn line(who: &str, options: &str, key: &SshKey) -> String {
    let space = if options.is_empty() { "" } else { " " };
    format!("{who} {options}{space}{}", key.public())
}

/// One pass: its exit code, and its reason when it has one.
#[track_caller]
fn pass(agent: &Agent) -> (i32, String) {
    order(agent, &["sync", "--once"])
}

#[track_caller]
fn order(agent: &Agent, verb: &[&str]) -> (i32, String) {
    let ran = agent.run(&[verb, &["-o", "json"]].concat());
    let Ok(said) = serde_json::from_str::<Value>(&ran.stdout) else {
        panic!("{verb:?} gave no JSON: {ran:#?}");
    };
    (ran.code, said["reason"].as_str().unwrap_or_default().to_owned())
}

fn done() -> (i32, String) {
    (0, String::new())
}

fn refused() -> (i32, String) {
    (12, "verification_refused".to_owned())
}

/// What a pass says to people, with the words that differ from run to run sealed.
#[track_caller]
fn told(agent: &Agent, code: i32, sealer: Sealer) -> String {
    let ran = agent.once();
    assert_eq!(ran.code, code, "{ran:#?}");
    let said = sealer
        .known(agent.folder().display(), "<folder>")
        .seal(&format!("{}{}", ran.stdout, ran.stderr));
    let kept = said.lines().filter(|line| !line.starts_with("<time>"));
    kept.map(|line| format!("{line}\n")).collect()
}

/// Seals a key and a commit.
fn sealer(commit: &str, keys: &[(&SshKey, &str)]) -> Sealer {
    let sealer = Sealer::new().known(&commit[..12], "<commit>");
    keys.iter().fold(sealer, |sealer, (key, name)| {
        sealer
            .known(key.fingerprint(), &format!("<{name}'s fingerprint>"))
            .known(key.public(), &format!("<{name}'s key>"))
    })
}
