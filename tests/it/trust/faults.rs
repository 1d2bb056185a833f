//! What is wrong with a signature is told by its kind, with who, which key and what to do, wherever
//! the signature is: on a commit on the way (`all`), and on a tag.

use super::*;
use crate::support::Gpg;

/// Makes the signature of bytes; empty for none.
type Sign<'a> = Box<dyn Fn(&[u8]) -> String + 'a>;

/// A way to sign wrongly: the rule that says so, what stands in the line of alice's SSH key, the
/// keyring's text, and the signature.
struct Wrong<'a> {
    rule: &'static str,
    options: &'static str,
    keyring: String,
    sign: Sign<'a>,
}

fn by_ssh<'a>(alice: &'a SshKey, mallory: &'a SshKey) -> Vec<Wrong<'a>> {
    let wrong =
        |rule, options, sign: Sign<'a>| Wrong { rule, options, keyring: String::new(), sign };
    let good = || -> Sign<'a> { Box::new(|bytes| alice.sign("git", bytes)) };
    vec![
        wrong("unsigned", "", Box::new(|_| String::new())),
        wrong("unknown_key", "", Box::new(|bytes| mallory.sign("git", bytes))),
        wrong("bad_signature", "", Box::new(|bytes| alice.sign("git", &[bytes, b"x"].concat()))),
        wrong("expired", "valid-before=\"20200101Z\"", good()),
        wrong("not_yet_valid", "valid-after=\"20990101Z\"", good()),
        wrong("revoked", "", good()),
        wrong("namespace", "", Box::new(|bytes| alice.sign("file", bytes))),
        wrong("namespace", "namespaces=\"file\"", good()),
    ]
}

/// Keys that gpg makes, with the times at which they sign.
struct Ring {
    gpg: Gpg,
    good: String,
    stranger: String,
    expired: String,
    early: String,
    revoked: String,
    /// What all of them were when they could sign.
    text: String,
}

impl Ring {
    fn new() -> Self {
        let gpg = Gpg::new();
        let make = |name: &str, at: &str, expire: &str| {
            gpg.make(&format!("{name} <{name}@example.com>"), "ed25519", at, expire)
        };
        let good = make("good", "", "never");
        let stranger = make("stranger", "", "never");
        let expired = make("expired", "20190101T000000", "1y");
        let early = make("early", "20990101T000000", "never");
        let revoked = make("revoked", "", "never");
        let text = gpg.export(&[&good, &expired, &early, &revoked]);
        Self { gpg, good, stranger, expired, early, revoked, text }
    }

    fn wrong(&self) -> Vec<Wrong<'_>> {
        let by = |key: String, at: &'static str| -> Sign<'_> {
            Box::new(move |bytes| self.gpg.sign(&key, at, bytes))
        };
        let none: Sign<'_> = Box::new(|_| String::new());
        let forged: Sign<'_> =
            Box::new(|bytes| self.gpg.sign(&self.good, "", &[bytes, b"x"].concat()));
        let all = [
            ("unsigned", none),
            ("bad_signature", forged),
            ("unknown_key", by(self.stranger.clone(), "")),
            ("expired", by(self.expired.clone(), "20190601T000000")),
            ("not_yet_valid", by(self.early.clone(), "20990201T000000")),
        ];
        let keyring = || self.text.clone();
        let wrong = all.into_iter();
        wrong.map(|(rule, sign)| Wrong { rule, options: "", keyring: keyring(), sign }).collect()
    }

    /// A key that could sign, and is taken back behind it.
    fn taken_back(&self) -> Wrong<'_> {
        Wrong {
            rule: "revoked",
            options: "",
            keyring: String::new(),
            sign: Box::new(|bytes| self.gpg.sign(&self.revoked, "", bytes)),
        }
    }

    fn sealer(&self, commit: &str) -> Sealer {
        let keys = [&self.good, &self.stranger, &self.expired, &self.early, &self.revoked];
        keys.into_iter().fold(sealer(commit, &[]), |sealer, key| {
            sealer.known(key, "<fingerprint>").known(&key[key.len() - 16..], "<key>")
        })
    }
}

const SSH: &str =
    "allowed_signers_file: <folder>/allowed_signers, revoked_keys_file: <folder>/revoked";

/// The files of keys of a machine for one case.
fn keys(agent: &Agent, alice: &SshKey, others: &[String], wrong: &Wrong<'_>) {
    let mut lines = others.to_vec();
    lines.push(line("alice@example.com", wrong.options, alice));
    allow(agent, &lines);
    let revoked = match wrong.rule {
        "revoked" => format!("# stolen\n{}\n", alice.public()),
        _ => String::new(),
    };
    std::fs::write(agent.folder().join("revoked"), revoked).expect("the file of revoked keys");
    std::fs::write(agent.folder().join("keyring.asc"), &wrong.keyring).expect("the keyring");
}

/// A tag whose text is signed in some way, of a commit that is not.
fn tagged(repo: &Repo, sign: &Sign<'_>) -> String {
    let commit = repo.commit(&[("a.yaml", "a: 1\n")]);
    let text = format!(
        "object {commit}\ntype commit\ntag v1.0.0\n\
         tagger Alice <alice@example.com> 1767225600 +0000\n\na release\n"
    );
    let signature = sign(text.as_bytes());
    repo.write_tag("refs/tags/v1.0.0", format!("{text}{signature}").as_bytes());
    commit
}

/// What is said, and that it is by this rule.
#[track_caller]
fn said(agent: &Agent, wrong: &Wrong<'_>, sealer: Sealer) -> String {
    let said = told(agent, 12, sealer);
    assert!(said.contains(&format!("[trust.{}]", wrong.rule)), "{}: {said}", wrong.rule);
    assert!(said.contains("hint: "), "{said}");
    assert!(agent.live("a.yaml").is_none_or(|text| text == "a: 0\n"));
    format!("## {} {}\n{said}\n", wrong.rule, wrong.options)
}

#[test]
fn a_tag_that_ssh_keys_signed_wrongly_is_refused_by_what_is_wrong() {
    let (alice, mallory) = (SshKey::new(), SshKey::new());
    let mut page = String::new();
    for wrong in by_ssh(&alice, &mallory) {
        let repo = Repo::new();
        let agent = machine(
            &repo,
            &format!("semver: \"*\"\nverify: {{mode: require, what: tag, {SSH}}}\n"),
        );
        keys(&agent, &alice, &[], &wrong);
        let commit = tagged(&repo, &wrong.sign);
        let sealer = sealer(&commit, &[(&alice, "alice"), (&mallory, "mallory")]);
        page.push_str(&said(&agent, &wrong, sealer));
    }
    insta::assert_snapshot!(page);
}

#[test]
fn a_commit_on_the_way_that_ssh_keys_signed_wrongly_is_refused_by_what_is_wrong() {
    let (alice, bob, mallory) = (SshKey::new(), SshKey::new(), SshKey::new());
    let mut page = String::new();
    for wrong in by_ssh(&alice, &mallory) {
        let repo = Repo::new();
        let agent = machine(&repo, &format!("verify: {{mode: require, what: all, {SSH}}}\n"));
        keys(&agent, &alice, &[line("bob@example.com", "", &bob)], &wrong);
        let sign = |text: &str| {
            let commit = repo.commit(&[("a.yaml", text)]);
            repo.signed(&commit, None, |bytes| bob.sign("git", bytes))
        };
        sign("a: 0\n");
        assert_eq!(pass(&agent), done());
        let middle = repo.commit(&[("a.yaml", "a: 1\n")]);
        let middle = match wrong.rule {
            "unsigned" => middle,
            _ => repo.signed(&middle, None, &wrong.sign),
        };
        let head = sign("a: 2\n");
        let sealer = sealer(&head, &[(&alice, "alice"), (&mallory, "mallory")]);
        page.push_str(&said(&agent, &wrong, sealer.known(&middle[..12], "<middle>")));
    }
    insta::assert_snapshot!(page);
}

#[test]
fn a_tag_that_gpg_signed_wrongly_is_refused_by_what_is_wrong() {
    let (ring, alice) = (Ring::new(), SshKey::new());
    let gitops =
        "semver: \"*\"\nverify: {mode: require, what: tag, keyring_file: <folder>/keyring.asc}\n";
    let mut page = String::new();
    for wrong in ring.wrong() {
        let repo = Repo::new();
        let agent = machine(&repo, gitops);
        keys(&agent, &alice, &[], &wrong);
        let commit = tagged(&repo, &wrong.sign);
        page.push_str(&said(&agent, &wrong, ring.sealer(&commit)));
    }
    let (repo, mut wrong) = (Repo::new(), ring.taken_back());
    let agent = machine(&repo, gitops);
    let commit = tagged(&repo, &wrong.sign);
    ring.gpg.revoke(&ring.revoked);
    wrong.keyring = ring.gpg.export(&[&ring.revoked]);
    keys(&agent, &alice, &[], &wrong);
    page.push_str(&said(&agent, &wrong, ring.sealer(&commit)));
    insta::assert_snapshot!(page);
    // The good key signs tags as well as commits.
    let (repo, good) = (Repo::new(), ring.wrong().remove(0));
    let agent = machine(&repo, gitops);
    keys(&agent, &alice, &[], &good);
    let sign: Sign<'_> = Box::new(|bytes| ring.gpg.sign(&ring.good, "", bytes));
    tagged(&repo, &sign);
    assert_eq!(pass(&agent), done());
}

#[test]
fn a_commit_on_the_way_that_gpg_signed_wrongly_is_refused_by_what_is_wrong() {
    let (ring, alice) = (Ring::new(), SshKey::new());
    let gitops = "verify: {mode: require, what: all, keyring_file: <folder>/keyring.asc}\n";
    let mut page = String::new();
    // What expired since it signed counts on the way: `all_takes_a_line_of_commits_…`.
    for wrong in ring.wrong().into_iter().filter(|wrong| wrong.rule != "expired") {
        let repo = Repo::new();
        let agent = machine(&repo, gitops);
        keys(&agent, &alice, &[], &wrong);
        let sign = |text: &str| {
            let commit = repo.commit(&[("a.yaml", text)]);
            repo.signed(&commit, None, |bytes| ring.gpg.sign(&ring.good, "", bytes))
        };
        sign("a: 0\n");
        assert_eq!(pass(&agent), done());
        let middle = repo.commit(&[("a.yaml", "a: 1\n")]);
        let middle = match wrong.rule {
            "unsigned" => middle,
            _ => repo.signed(&middle, None, &wrong.sign),
        };
        let head = sign("a: 2\n");
        let sealer = ring.sealer(&head).known(&middle[..12], "<middle>");
        page.push_str(&said(&agent, &wrong, sealer));
    }
    insta::assert_snapshot!(page);
}

#[test]
fn nothing_of_a_commit_is_read_as_configuration_before_it_is_trusted() {
    let (repo, alice) = (Repo::new(), SshKey::new());
    let agent = machine(&repo, BY_SSH);
    allow(&agent, &[line("alice@example.com", "", &alice)]);
    let change = repo.change().write("a.yaml", "a: [1\n").write("bad\u{7}name", "x");
    let commit = change.write(".gitmodules", "[submodule").commit("all is wrong with it");
    let report = agent.json(&["plan"]);
    let rules: Vec<&Value> =
        report["findings"].as_array().unwrap().iter().map(|finding| &finding["rule"]).collect();
    assert_eq!(rules, ["trust.unsigned"], "{report:#}");
    assert_eq!(pass(&agent), refused());
    // Signed, it is refused for what is in it, and that is remembered in another way.
    repo.signed(&commit, None, |bytes| alice.sign("git", bytes));
    let (code, reason) = pass(&agent);
    assert_eq!((code, reason.as_str()), (13, "validation_refused"));
}

#[test]
fn the_last_accepted_commit_moves_only_when_a_revision_is_live() {
    let (repo, alice, bob) = (Repo::new(), SshKey::new(), SshKey::new());
    let agent = machine(&repo, &format!("verify: {{mode: require, what: all, {SSH}}}\n"));
    std::fs::write(agent.folder().join("revoked"), "").expect("no key is revoked");
    let lines = [line("alice@example.com", "", &alice), line("bob@example.com", "", &bob)];
    allow(&agent, &lines);
    let commit = |text: &str, key: &SshKey| {
        let commit = repo.commit(&[("a.yaml", text)]);
        repo.signed(&commit, None, |bytes| key.sign("git", bytes))
    };
    commit("a: 0\n", &alice);
    assert_eq!(pass(&agent), done());
    // Trusted, and refused by the gates: it is not live.
    commit("a: [1\n", &bob);
    assert_eq!(pass(&agent).0, 13);
    // Bob is trusted no more, and the commit that he signed is still on the way to the next one.
    allow(&agent, &lines[..1]);
    commit("a: 2\n", &alice);
    assert_eq!(pass(&agent), refused());
    assert_eq!(agent.live("a.yaml").as_deref(), Some("a: 0\n"));
    allow(&agent, &lines);
    assert_eq!(pass(&agent), done());
    assert_eq!(agent.live("a.yaml").as_deref(), Some("a: 2\n"));
}

#[test]
fn files_of_revoked_keys_that_cannot_be_read_hold() {
    let (repo, alice) = (Repo::new(), SshKey::new());
    let agent = machine(&repo, &format!("verify: {{mode: require, {SSH}}}\n"));
    allow(&agent, &[line("alice@example.com", "", &alice)]);
    let commit = repo.commit(&[("a.yaml", "a: 1\n")]);
    let commit = repo.signed(&commit, None, |bytes| alice.sign("git", bytes));
    let mut page = told(&agent, 17, sealer(&commit, &[(&alice, "alice")]));
    for wrong in [&b"alice is gone\n"[..], b"SSHKRL\n\0\0\0\0\x01"] {
        std::fs::write(agent.folder().join("revoked"), wrong).expect("a file");
        page.push_str(&told(&agent, 17, sealer(&commit, &[(&alice, "alice")])));
    }
    insta::assert_snapshot!(page);
    std::fs::write(agent.folder().join("revoked"), "# nobody yet\n").expect("a file");
    assert_eq!(pass(&agent), done());
}
