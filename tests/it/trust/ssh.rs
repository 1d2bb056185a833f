//! SSH signatures of the head.

use super::*;
use crate::support::{succeed, with_signature};

/// A repository and a machine whose keys are alice's, with options.
fn alices(options: &str) -> (Repo, Agent, SshKey) {
    let (repo, alice) = (Repo::new(), SshKey::new());
    let agent = machine(&repo, BY_SSH);
    allow(&agent, &[line("alice@example.com", options, &alice)]);
    (repo, agent, alice)
}

#[test]
fn what_git_itself_signs_goes_live_with_every_kind_of_key() {
    let kinds: [&[&str]; 4] = [
        &["-t", "ed25519"],
        &["-t", "rsa", "-b", "2048"],
        &["-t", "ecdsa", "-b", "256"],
        &["-t", "ecdsa", "-b", "384"],
    ];
    for kind in kinds {
        let (repo, key) = (Repo::new(), SshKey::of_kind(kind));
        let agent = machine(&repo, BY_SSH);
        allow(&agent, &[line("alice@example.com", "namespaces=\"git\"", &key)]);
        let unsigned = repo.commit(&[("a.yaml", "a: 1\n")]);
        let mut git = repo.git();
        git.args(["-c", "gpg.format=ssh", "-c"]);
        git.arg(format!("user.signingKey={}", key.path().display()));
        git.args(["commit-tree", "-S", "-m", "by git", &format!("{unsigned}^{{tree}}")]);
        let signed = succeed(&mut git);
        repo.branch("main", &signed);
        assert_eq!(pass(&agent), done(), "{kind:?}");
        assert_eq!(agent.live("a.yaml").as_deref(), Some("a: 1\n"));
    }
}

#[test]
fn a_key_of_a_kind_that_is_not_verified_is_refused_by_name() {
    let (repo, key) = (Repo::new(), SshKey::of_kind(&["-t", "ecdsa", "-b", "521"]));
    let agent = machine(&repo, BY_SSH);
    allow(&agent, &[line("alice@example.com", "", &key)]);
    let commit = repo.commit(&[("a.yaml", "a: 1\n")]);
    let commit = repo.signed(&commit, None, |bytes| key.sign("git", bytes));
    insta::assert_snapshot!(told(&agent, 12, sealer(&commit, &[(&key, "alice")])));
}

#[test]
fn a_commit_without_a_signature_is_refused() {
    let (repo, agent, _) = alices("");
    let commit = repo.commit(&[("a.yaml", "a: 1\n")]);
    insta::assert_snapshot!(told(&agent, 12, sealer(&commit, &[])));
    assert!(agent.live_files().is_empty());
    // what was refused is not looked at again
    assert_eq!(pass(&agent), (17, "verification_refused".to_owned()));
    let status = agent.json(&["status"]);
    assert_eq!(status["quarantine"][0]["revision"], commit.as_str(), "{status:#}");
    assert!(status["quarantine"][0]["digest"].is_null(), "{status:#}");
}

#[test]
fn a_key_that_nobody_named_is_refused_with_the_line_that_would_allow_it() {
    let (repo, agent, _) = alices("");
    let mallory = SshKey::new();
    let commit = repo.commit(&[("a.yaml", "a: 1\n")]);
    let commit = repo.signed(&commit, None, |bytes| mallory.sign("git", bytes));
    insta::assert_snapshot!(told(&agent, 12, sealer(&commit, &[(&mallory, "mallory")])));
}

#[test]
fn a_signature_for_another_purpose_is_refused() {
    let (repo, agent, alice) = alices("");
    let commit = repo.commit(&[("a.yaml", "a: 1\n")]);
    let commit = repo.signed(&commit, None, |bytes| alice.sign("file", bytes));
    insta::assert_snapshot!(told(&agent, 12, sealer(&commit, &[(&alice, "alice")])));
}

#[test]
fn a_key_that_may_not_sign_for_git_is_refused() {
    let (repo, agent, alice) = alices("namespaces=\"file,email\"");
    let commit = repo.commit(&[("a.yaml", "a: 1\n")]);
    let commit = repo.signed(&commit, None, |bytes| alice.sign("git", bytes));
    insta::assert_snapshot!(told(&agent, 12, sealer(&commit, &[(&alice, "alice")])));
}

#[test]
fn a_commit_that_was_changed_after_it_was_signed_is_refused() {
    let (repo, agent, alice) = alices("");
    let commit = repo.commit(&[("a.yaml", "a: 1\n")]);
    let honest = String::from_utf8(repo.bytes(&commit)).unwrap();
    let signature = alice.sign("git", honest.as_bytes());
    // another tree under an honest signature
    let other = repo.commit(&[("a.yaml", "a: forged\n")]);
    let other_tree = String::from_utf8(repo.bytes(&other)).unwrap();
    let tree = |text: &str| text.lines().next().unwrap().to_owned();
    let forged = honest.replace(&tree(&honest), &tree(&other_tree));
    let forged = repo.write_commit(with_signature(&forged, &signature).as_bytes());
    repo.branch("main", &forged);
    insta::assert_snapshot!(told(&agent, 12, sealer(&forged, &[(&alice, "alice")])));
    assert!(agent.live_files().is_empty());
}

#[test]
fn a_commit_that_hides_a_second_tree_is_refused() {
    let (repo, agent, alice) = alices("");
    let commit = repo.commit(&[("a.yaml", "a: 1\n")]);
    let honest = String::from_utf8(repo.bytes(&commit)).unwrap();
    let tree = honest.lines().next().unwrap();
    let doubled = honest.replacen(tree, &format!("{tree}\n{tree}"), 1);
    let signed = with_signature(&doubled, &alice.sign("git", doubled.as_bytes()));
    let id = repo.write_commit(signed.as_bytes());
    repo.branch("main", &id);
    let (code, _) = pass(&agent);
    assert!(code == 11 || code == 12, "{code}");
    assert!(agent.live_files().is_empty());
}

#[test]
fn an_expired_key_is_refused_even_for_a_day_on_which_it_was_valid() {
    let (repo, agent, alice) = alices("valid-before=\"20200101Z\"");
    let commit = repo.commit(&[("a.yaml", "a: 1\n")]);
    let late = repo.signed(&commit, None, |bytes| alice.sign("git", bytes));
    insta::assert_snapshot!(told(&agent, 12, sealer(&late, &[(&alice, "alice")])));
    // whoever signs chooses the commit's time
    let early = repo.signed(&commit, Some(IN_2019), |bytes| alice.sign("git", bytes));
    let told = told(&agent, 12, sealer(&early, &[]));
    assert!(told.contains("[trust.expired]"), "{told}");
}

#[test]
fn a_key_that_is_not_valid_yet_is_refused() {
    let (repo, agent, alice) = alices("valid-after=\"20990101Z\"");
    let commit = repo.commit(&[("a.yaml", "a: 1\n")]);
    let in_2100 = Some(4_102_444_800);
    let commit = repo.signed(&commit, in_2100, |bytes| alice.sign("git", bytes));
    insta::assert_snapshot!(told(&agent, 12, sealer(&commit, &[(&alice, "alice")])));
}

#[test]
fn the_same_content_signed_properly_goes_through() {
    let (repo, agent, alice) = alices("");
    let commit = repo.commit(&[("a.yaml", "a: 1\n")]);
    assert_eq!(pass(&agent), refused());
    repo.signed(&commit, None, |bytes| alice.sign("git", bytes));
    assert_eq!(pass(&agent), done());
    assert_eq!(agent.live("a.yaml").as_deref(), Some("a: 1\n"));
}

#[test]
fn a_new_key_in_the_file_lets_go_through_what_was_refused_and_an_old_one_counts_no_more() {
    let (repo, agent, alice) = alices("");
    let bob = SshKey::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let signed = repo.signed(&first, None, |bytes| bob.sign("git", bytes));
    assert_eq!(pass(&agent), refused());
    assert_eq!(pass(&agent).0, 17);
    // nothing but the file of keys changes
    allow(&agent, &[line("bob@example.com", "", &bob)]);
    assert_eq!(pass(&agent), done());
    assert_eq!(agent.json(&["status"])["live"]["revision"], signed.as_str());
    let second = repo.commit(&[("a.yaml", "a: 2\n")]);
    repo.signed(&second, None, |bytes| alice.sign("git", bytes));
    assert_eq!(pass(&agent), refused());
    assert_eq!(agent.live("a.yaml").as_deref(), Some("a: 1\n"));
}

/// What git itself says of a commit, by the same file of keys, at the commit's own time.
fn git_takes(repo: &Repo, agent: &Agent, commit: &str) -> bool {
    let mut git = repo.git();
    git.args(["-c", "gpg.format=ssh", "-c"]);
    let file = agent.folder().join("allowed_signers");
    git.arg(format!("gpg.ssh.allowedSignersFile={}", file.display()));
    git.args(["verify-commit", commit]).output().expect("git starts").status.success()
}

#[test]
fn git_says_the_same_but_for_keys_that_are_not_valid_now() {
    let (alice, bob) = (SshKey::new(), SshKey::new());
    let options = [
        ("", true),
        ("namespaces=\"git\"", true),
        ("namespaces=\"file,g*\"", true),
        ("namespaces=\"*,!git\"", false),
        ("namespaces=\"file\"", false),
        ("valid-after=\"20200101\",valid-before=\"20990101\"", true),
        ("valid-before=\"20200101Z\"", false),
        ("valid-after=\"20990101Z\"", false),
    ];
    for (options, is_taken) in options {
        let repo = Repo::new();
        let agent = machine(&repo, BY_SSH);
        allow(&agent, &[line("\"alice@example.com,*@example.org\"", options, &alice)]);
        let commit = repo.commit(&[("a.yaml", "a: 1\n")]);
        let by_alice = repo.signed(&commit, None, |bytes| alice.sign("git", bytes));
        assert_eq!(git_takes(&repo, &agent, &by_alice), is_taken, "git, {options}");
        assert_eq!(pass(&agent) == done(), is_taken, "{options}");
    }
    let repo = Repo::new();
    let agent = machine(&repo, BY_SSH);
    allow(&agent, &[line("alice@example.com", "valid-before=\"20200101Z\"", &alice)]);
    let commit = repo.commit(&[("a.yaml", "a: 1\n")]);
    let by_bob = repo.signed(&commit, None, |bytes| bob.sign("git", bytes));
    let for_files = repo.signed(&commit, None, |bytes| alice.sign("file", bytes));
    let early = repo.signed(&commit, Some(IN_2019), |bytes| alice.sign("git", bytes));
    for (commit, gits) in [(commit, false), (by_bob, false), (for_files, false), (early, true)] {
        repo.branch("main", &commit);
        assert_eq!(git_takes(&repo, &agent, &commit), gits, "{commit}");
        assert_eq!(pass(&agent), refused(), "{commit}");
    }
}
