//! `what: tag`: the tag that names the commit is signed.

use super::*;
use crate::support::{GitServer, succeed};

const TAGS: &str = "semver: \"*\"\nverify: {mode: require, what: tag, allowed_signers_file: <folder>/allowed_signers}\n";

/// A tag as git writes it, signed by a key.
fn tag(repo: &Repo, reference: &str, name: &str, commit: &str, key: &SshKey) -> String {
    let text = format!(
        "object {commit}\ntype commit\ntag {name}\n\
         tagger Alice <alice@example.com> 1767225600 +0000\n\na release\n"
    );
    let signature = key.sign("git", text.as_bytes());
    repo.write_tag(&format!("refs/tags/{reference}"), format!("{text}{signature}").as_bytes())
}

fn following_tags() -> (Repo, Agent, SshKey) {
    let (repo, alice) = (Repo::new(), SshKey::new());
    let agent = machine(&repo, TAGS);
    allow(&agent, &[line("alice@example.com", "", &alice)]);
    (repo, agent, alice)
}

#[test]
fn a_tag_that_git_signs_goes_live_though_its_commit_is_not_signed() {
    let (repo, agent, alice) = following_tags();
    let commit = repo.commit(&[("a.yaml", "a: 1\n")]);
    let mut git = repo.git();
    git.args(["-c", "gpg.format=ssh", "-c"]);
    git.arg(format!("user.signingKey={}", alice.path().display()));
    succeed(git.args(["tag", "-s", "-m", "a release", "v1.0.0", &commit]));
    assert_eq!(pass(&agent), done());
    assert_eq!(agent.live("a.yaml").as_deref(), Some("a: 1\n"));
    // an order names the commit; the tag is found
    assert_eq!(order(&agent, &["apply", &commit]), done());
    // a commit that no tag names does not go live, whoever orders it
    let second = repo.commit(&[("a.yaml", "a: 2\n")]);
    let ran = agent.run(&["apply", &second]);
    assert_eq!(ran.code, 12, "{ran:#?}");
    assert!(ran.stdout.contains("no tag names it"), "{ran:#?}");
    // the same commit is here already when its tag comes
    assert_eq!(order(&agent, &["plan", &second]).0, 12);
    tag(&repo, "v2.0.0", "v2.0.0", &second, &alice);
    assert_eq!(pass(&agent), done());
    assert_eq!(agent.live("a.yaml").as_deref(), Some("a: 2\n"));
}

#[test]
fn a_light_tag_is_refused() {
    let (repo, agent, _) = following_tags();
    let commit = repo.commit(&[("a.yaml", "a: 1\n")]);
    repo.tag("v1.0.0", &commit);
    insta::assert_snapshot!(told(&agent, 12, sealer(&commit, &[])));
}

#[test]
fn a_tag_without_a_signature_is_refused() {
    let (repo, agent, _) = following_tags();
    let commit = repo.commit(&[("a.yaml", "a: 1\n")]);
    repo.annotated_tag("v1.0.0", &commit);
    insta::assert_snapshot!(told(&agent, 12, sealer(&commit, &[])));
}

#[test]
fn an_old_tag_that_is_shown_as_a_newer_one_is_refused() {
    let (repo, agent, alice) = following_tags();
    let commit = repo.commit(&[("a.yaml", "a: 1\n")]);
    tag(&repo, "v9.0.0", "v1.0.0", &commit, &alice);
    insta::assert_snapshot!(told(&agent, 12, sealer(&commit, &[(&alice, "alice")])));
}

#[test]
fn a_tag_of_a_tag_is_refused() {
    let (repo, agent, alice) = following_tags();
    let commit = repo.commit(&[("a.yaml", "a: 1\n")]);
    let inner = tag(&repo, "inner", "inner", &commit, &alice);
    let text = format!(
        "object {inner}\ntype tag\ntag v1.0.0\ntagger Alice <alice@example.com> 1767225600 +0000\n\nouter\n"
    );
    let signature = alice.sign("git", text.as_bytes());
    repo.write_tag("refs/tags/v1.0.0", format!("{text}{signature}").as_bytes());
    insta::assert_snapshot!(told(&agent, 12, sealer(&commit, &[(&alice, "alice")])));
}

#[test]
fn a_branch_has_no_tag_to_verify() {
    let repo = Repo::new();
    let agent = machine(&repo, &TAGS.replace("semver: \"*\"", "branch: main"));
    let ran = agent.run(&["config", "check"]);
    assert_eq!(ran.code, 10, "{ran:#?}");
    assert!(ran.stderr.contains("no tag is followed"), "{ran:#?}");
}

#[test]
fn a_commit_that_is_here_goes_live_when_its_tag_is_signed_over_http_too() {
    let (repo, agent, alice) = following_tags();
    let server = GitServer::start(repo.root());
    let text = std::fs::read_to_string(agent.settings_file()).unwrap();
    agent.settings(&text.replace(&repo.path().display().to_string(), &server.url()));
    let commit = repo.commit(&[("a.yaml", "a: 1\n")]);
    repo.annotated_tag("v1.0.0", &commit);
    assert_eq!(pass(&agent), refused());
    assert_eq!(pass(&agent).0, 17);
    // the same name, the same commit, another tag
    tag(&repo, "v1.0.0", "v1.0.0", &commit, &alice);
    assert_eq!(pass(&agent), done());
    assert_eq!(agent.live("a.yaml").as_deref(), Some("a: 1\n"));
}
