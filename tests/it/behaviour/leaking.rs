//! Credentials that stand in the repository.

use super::{done, machine, order, pass, revision};
use crate::support::{Agent, Repo};

/// Opens nothing: made up for this test.
const TOKEN: &str = concat!("ghp", "_q7Rk2Zp9LmX4vTb8NcW3sHd6JfYg5aUeQ1k2");

fn follow(agent: &Agent, repo: &Repo, validation: &str) {
    agent.settings(&format!(
        "state_dir: {}\napi: {{listen: \"127.0.0.1:0\"}}\nlive: {{path: {}}}\n\
         gitops: {{repository: \"{}\", sync_interval: 50ms}}\n{validation}",
        agent.state_dir().display(),
        agent.live_path().display(),
        repo.path().display(),
    ));
}

#[test]
fn a_credential_in_the_repository_is_told_by_default_and_refused_when_that_is_set() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let agent = machine(&repo, "", "");
    follow(&agent, &repo, "validation: {leaks: refuse}\n");
    assert_eq!(pass(&agent), done());
    let leaking = repo.commit(&[("a.yaml", &format!("a: 1\nforge: {TOKEN}\n"))]);
    let ran = agent.run(&["sync", "--once", "-o", "json"]);
    assert_eq!(ran.code, 13, "{ran:#?}");
    assert!(ran.stdout.contains("leak.github_token"), "{ran:#?}");
    assert!(!format!("{ran:?}").contains(&TOKEN[8..20]), "{ran:#?}");
    assert_eq!(order(&agent, &["apply"]).0, 13);
    assert_eq!(revision(&agent), first);
    // Somebody says why it may stand there.
    let allow = "validation:\n  leaks: refuse\n  leak_allow: [{match: [a.yaml], rule: github_token, reason: it opens nothing}]\n";
    follow(&agent, &repo, allow);
    assert_eq!(pass(&agent), done());
    assert_eq!(revision(&agent), leaking);
    let status = agent.json(&["status"]);
    assert!(!status.to_string().contains("leak."), "{status:#}");
}

#[test]
fn by_default_it_goes_live_with_a_warning() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", &format!("forge: {TOKEN}\n"))]);
    let agent = machine(&repo, "", "");
    let ran = agent.run(&["sync", "--once", "-o", "json"]);
    assert_eq!(ran.code, 0, "{ran:#?}");
    let told: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let finding = &told["findings"][0];
    assert_eq!(finding["rule"], "leak.github_token", "{told:#}");
    assert_eq!((&finding["line"], &finding["column"]), (&1.into(), &8.into()), "{told:#}");
    assert!(!finding.to_string().contains(&TOKEN[8..20]), "{told:#}");
    assert_eq!(revision(&agent), first);
}
