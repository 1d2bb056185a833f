//! What trust covers and what passes over it: `all`, `warn`, orders, plans, keys that are not there.

use super::*;
use crate::support::{GitServer, wait_until};

const ALL: &str =
    "verify: {mode: require, what: all, allowed_signers_file: <folder>/allowed_signers}\n";

fn by(key: &SshKey) -> impl Fn(&[u8]) -> String + '_ {
    |bytes| key.sign("git", bytes)
}

/// A machine that wants all commits signed by alice, with a first one live.
fn all_by_alice(repo: &Repo, alice: &SshKey) -> Agent {
    let agent = machine(repo, ALL);
    allow(&agent, &[line("alice@example.com", "", alice)]);
    // what lies before the first revision is not looked at
    repo.commit(&[("a.yaml", "a: 0\n")]);
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    repo.signed(&first, None, by(alice));
    assert_eq!(pass(&agent), done());
    agent
}

#[test]
fn all_refuses_a_commit_in_the_middle_that_is_not_signed() {
    let (repo, alice) = (Repo::new(), SshKey::new());
    let agent = all_by_alice(&repo, &alice);
    let unsigned = repo.commit(&[("a.yaml", "a: 2\n")]);
    let head = repo.commit(&[("a.yaml", "a: 3\n")]);
    let head = repo.signed(&head, None, by(&alice));
    let sealer = sealer(&head, &[]).known(&unsigned[..12], "<unsigned>");
    insta::assert_snapshot!(told(&agent, 12, sealer));
    assert_eq!(agent.live("a.yaml").as_deref(), Some("a: 1\n"));
    // the head alone is enough for others
    set(&agent, &repo, BY_SSH);
    assert_eq!(pass(&agent), done());
    assert_eq!(agent.live("a.yaml").as_deref(), Some("a: 3\n"));
}

#[test]
fn what_all_refused_is_verified_again_with_what_follows_until_it_is_signed() {
    let (repo, alice) = (Repo::new(), SshKey::new());
    let agent = all_by_alice(&repo, &alice);
    let base = repo.tip("main");
    repo.commit(&[("a.yaml", "a: 2\n")]);
    assert_eq!(pass(&agent), refused());
    // a signed commit above it does not let it pass
    let above = repo.commit(&[("a.yaml", "a: 3\n")]);
    repo.signed(&above, None, by(&alice));
    assert_eq!(pass(&agent), refused());
    // the same two, each signed: a forced push that descends from what is live
    repo.branch("main", &base);
    for text in ["a: 2\n", "a: 3\n"] {
        let commit = repo.commit(&[("a.yaml", text)]);
        repo.signed(&commit, None, by(&alice));
    }
    assert_eq!(pass(&agent), done());
    assert_eq!(agent.live("a.yaml").as_deref(), Some("a: 3\n"));
}

#[test]
fn all_takes_a_line_of_commits_that_are_signed_also_after_their_key_expired() {
    let (repo, alice, bob) = (Repo::new(), SshKey::new(), SshKey::new());
    let agent = all_by_alice(&repo, &bob);
    let keys = [
        line("bob@example.com", "", &bob),
        line("alice@example.com", "valid-before=\"20200101Z\"", &alice),
    ];
    allow(&agent, &keys);
    let second = repo.commit(&[("a.yaml", "a: 2\n")]);
    repo.signed(&second, Some(IN_2019), by(&alice));
    let third = repo.commit(&[("a.yaml", "a: 3\n")]);
    repo.signed(&third, None, by(&bob));
    assert_eq!(pass(&agent), done());
    assert_eq!(agent.live("a.yaml").as_deref(), Some("a: 3\n"));
}

#[test]
fn all_finds_what_a_joined_branch_brings_over_http_too() {
    let (repo, alice) = (Repo::new(), SshKey::new());
    let root = repo.commit(&[("a.yaml", "a: 0\n")]);
    let root = repo.signed(&root, None, by(&alice));
    let server = GitServer::start(repo.root());
    let agent = machine(&repo, ALL);
    let text = std::fs::read_to_string(agent.settings_file()).unwrap();
    let path = repo.path().display().to_string();
    agent.settings(&text.replace(&path, &server.url()));
    allow(&agent, &[line("alice@example.com", "", &alice)]);
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let first = repo.signed(&first, None, by(&alice));
    assert_eq!(pass(&agent), done());
    // a branch from before the live commit, joined by a signed merge: once signed, once not
    for (number, is_signed) in [(1, true), (2, false)] {
        repo.branch("side", &root);
        let side = repo.change().on("side").write(&format!("{number}.yaml"), "a: 1\n").commit("x");
        let side = match is_signed {
            true => repo.signed(&side, None, by(&alice)),
            false => side,
        };
        let base = live(&agent);
        repo.branch("main", if is_signed { &first } else { &base });
        let parents = [repo.tip("main"), side.clone()];
        let text = String::from_utf8(repo.bytes(&side)).unwrap();
        let (head, _) = text.split_once("parent ").unwrap();
        let merge = format!(
            "{head}parent {}\nparent {}\nauthor A <a@b> 1767225900 +0000\n\
             committer A <a@b> 1767225900 +0000\n\nmerge\n",
            parents[0], parents[1]
        );
        let merge = repo.write_commit(merge.as_bytes());
        let merge = repo.signed(&merge, None, by(&alice));
        let expected = if is_signed { done() } else { refused() };
        assert_eq!(pass(&agent), expected, "{number}: {:#}", agent.json(&["history"]));
        if is_signed {
            assert_eq!(live(&agent), merge);
        }
    }
}

#[track_caller]
fn wait_for_reason(agent: &Agent, reason: &str) {
    wait_until(&format!("its reason is {reason}"), || {
        let ran = agent.run(&["status", "-o", "json"]);
        serde_json::from_str::<Value>(&ran.stdout).is_ok_and(|status| status["reason"] == reason)
    });
}

fn live(agent: &Agent) -> String {
    agent.json(&["status"])["live"]["revision"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn no_order_passes_over_trust_and_plans_and_dry_runs_go_through_it() {
    let (repo, alice) = (Repo::new(), SshKey::new());
    let agent = all_by_alice(&repo, &alice);
    let unsigned = repo.commit(&[("a.yaml", "a: 2\n")]);
    let before = agent.json(&["history"])["items"].as_array().map_or(0, Vec::len);
    assert_eq!(order(&agent, &["plan"]), refused());
    assert_eq!(order(&agent, &["sync", "--once", "--dry-run"]), refused());
    let after = agent.json(&["history"])["items"].as_array().map_or(0, Vec::len);
    assert_eq!(before, after, "looking records nothing");
    for verb in [vec!["sync", "--once"], vec!["apply"], vec!["apply", &unsigned]] {
        assert_eq!(order(&agent, &verb), refused(), "{verb:?}");
    }
    assert_eq!(agent.live("a.yaml").as_deref(), Some("a: 1\n"));
    let row = &agent.json(&["history"])["items"][0];
    assert_eq!(row["outcome"], "refused", "{row:#}");
}

#[test]
fn warn_tells_what_is_wrong_and_goes_on() {
    let repo = Repo::new();
    let agent = machine(&repo, &BY_SSH.replace("require", "warn"));
    allow(&agent, &[]);
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    insta::assert_snapshot!(told(&agent, 0, sealer(&first, &[])));
    std::fs::remove_file(agent.folder().join("allowed_signers")).unwrap();
    let second = repo.commit(&[("a.yaml", "a: 2\n")]);
    let text = told(&agent, 0, sealer(&second, &[]));
    assert!(text.contains("warning: signatures cannot be verified"), "{text}");
    assert_eq!(agent.live("a.yaml").as_deref(), Some("a: 2\n"));
}

#[test]
fn keys_that_are_not_there_hold_and_go_on_by_themselves_when_they_come() {
    let (repo, alice) = (Repo::new(), SshKey::new());
    let agent = machine(&repo, BY_SSH);
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let first = repo.signed(&first, None, by(&alice));
    insta::assert_snapshot!(told(&agent, 17, sealer(&first, &[])));
    let status = agent.json(&["status"]);
    assert_eq!(status["quarantine"], serde_json::json!([]), "{status:#}");
    let sync = agent.start_sync();
    wait_until("it is held", || agent.json(&["status"])["reason"] == "verification_unavailable");
    allow(&agent, &[line("alice@example.com", "", &alice)]);
    agent.wait_until_live(&first);
    assert_eq!(sync.stop().code, 0);
}

#[test]
fn a_file_of_keys_that_cannot_be_read_as_such_holds_and_says_where() {
    let (repo, alice) = (Repo::new(), SshKey::new());
    let agent = machine(&repo, BY_SSH);
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let first = repo.signed(&first, None, by(&alice));
    let mut told_all = String::new();
    for wrong in [
        "alice@example.com".to_owned(),
        "alice@example.com ssh-ed25519".to_owned(),
        "alice@example.com ssh-ed25519 AAAA".to_owned(),
        "alice@example.com namespace=\"git\" ssh-ed25519 AAAA".to_owned(),
        "alice@example.com namespaces=git ssh-ed25519 AAAA".to_owned(),
        "alice@example.com valid-before=\"2026-01-01\" ssh-ed25519 AAAA".to_owned(),
        line("alice@example.com", "cert-authority", &alice),
        "alice@example.com namespaces=\"git ssh-ed25519 AAAA".to_owned(),
        line("alice@example.com", "valid-after=\"20260101Z\",valid-before=\"20250101Z\"", &alice),
    ] {
        allow(&agent, &[format!("# ours\n{}", line("b", "", &alice)), wrong]);
        told_all.push_str(&told(&agent, 17, sealer(&first, &[(&alice, "alice")])));
    }
    insta::assert_snapshot!(told_all);
}

#[test]
fn a_running_agent_looks_again_when_the_file_of_keys_changes() {
    let (repo, alice) = (Repo::new(), SshKey::new());
    let agent = machine(&repo, BY_SSH);
    allow(&agent, &[]);
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let first = repo.signed(&first, None, by(&alice));
    let sync = agent.start_sync();
    wait_for_reason(&agent, "verification_refused");
    allow(&agent, &[line("alice@example.com", "", &alice)]);
    agent.wait_until_live(&first);
    assert_eq!(sync.stop().code, 0);
}

#[test]
fn the_example_of_the_documentation_runs() {
    let text = include_str!("../../../docs/trust.md");
    let example = text.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let agent = Agent::new();
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_kconfigd")).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut shell = std::process::Command::new("sh");
    shell.args(["-eu", "-c", example]).current_dir(agent.folder()).env_clear();
    shell.env("PATH", format!("{}:{path}", program.display()));
    shell.env("TMPDIR", agent.folder()).env("HOME", agent.folder().join("home"));
    let said = crate::support::succeed(&mut shell);
    let kept = ["interval: 5m", "interval: 1s", "exit code 12"];
    let lines: Vec<&str> = said.lines().filter(|line| kept.contains(line)).collect();
    assert_eq!(lines, ["interval: 5m", "exit code 12", "interval: 5m", "interval: 1s"], "{said}");
}
