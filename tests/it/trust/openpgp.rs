//! OpenPGP signatures of the head, with keys that gpg makes.

use super::*;
use crate::support::Gpg;

const BY_GPG: &str = "verify: {mode: require, keyring_file: <folder>/keyring.asc}\n";
const NAME: &str = "Alice <alice@example.com>";

/// A repository, a machine, and keys of its own.
fn world() -> (Repo, Agent, Gpg) {
    let repo = Repo::new();
    let agent = machine(&repo, BY_GPG);
    (repo, agent, Gpg::new())
}

fn keyring(agent: &Agent, text: impl AsRef<[u8]>) {
    std::fs::write(agent.folder().join("keyring.asc"), text).expect("the keyring");
}

/// A new commit on `main`, signed by a key of gpg at a time.
fn signed(repo: &Repo, gpg: &Gpg, key: &str, at: &str) -> String {
    let commit = repo.change().write("a.yaml", "a: 1\n").commit("a change");
    repo.signed(&commit, None, |bytes| gpg.sign(key, at, bytes))
}

fn sealed(commit: &str, key: &str) -> Sealer {
    sealer(commit, &[]).known(key, "<fingerprint>")
}

#[test]
fn what_gpg_signs_goes_live_with_every_kind_of_key() {
    for kind in ["ed25519", "rsa3072", "nistp256", "nistp384"] {
        let (repo, agent, gpg) = world();
        let key = gpg.make(NAME, kind, "", "never");
        keyring(&agent, gpg.export(&[&key]));
        signed(&repo, &gpg, &key, "");
        assert_eq!(pass(&agent), done(), "{kind}");
    }
}

#[test]
fn a_keyring_need_not_be_text_and_a_subkey_may_sign() {
    let (repo, agent, gpg) = world();
    let key = gpg.make(NAME, "ed25519", "", "never");
    let subkey = gpg.add_subkey(&key, "", "1y");
    keyring(&agent, gpg.export_bytes(&key));
    signed(&repo, &gpg, &format!("{subkey}!"), "");
    assert_eq!(pass(&agent), done());
}

#[test]
fn a_key_that_is_not_in_the_keyring_is_refused() {
    let (repo, agent, gpg) = world();
    let (key, other) =
        (gpg.make(NAME, "ed25519", "", "never"), gpg.make("Bob <b@c.d>", "ed25519", "", "never"));
    keyring(&agent, gpg.export(&[&other]));
    let commit = signed(&repo, &gpg, &key, "");
    insta::assert_snapshot!(told(&agent, 12, sealed(&commit, &key)));
}

#[test]
fn an_expired_key_is_refused_even_for_a_day_on_which_it_was_valid() {
    let (repo, agent, gpg) = world();
    let key = gpg.make(NAME, "ed25519", "20190101T000000", "1y");
    keyring(&agent, gpg.export(&[&key]));
    let commit = signed(&repo, &gpg, &key, "20190601T000000");
    insta::assert_snapshot!(told(&agent, 12, sealed(&commit, &key)));
}

#[test]
fn an_expired_subkey_is_refused_though_its_key_is_valid() {
    let (repo, agent, gpg) = world();
    let key = gpg.make(NAME, "ed25519", "20190101T000000", "never");
    let subkey = gpg.add_subkey(&key, "20190101T000000", "1y");
    keyring(&agent, gpg.export(&[&key]));
    signed(&repo, &gpg, &format!("{subkey}!"), "20190601T000000");
    let said = told(&agent, 12, Sealer::new());
    assert!(said.contains("[trust.expired]"), "{said}");
}

#[test]
fn a_revoked_key_is_refused() {
    let (repo, agent, gpg) = world();
    let key = gpg.make(NAME, "ed25519", "", "never");
    let commit = signed(&repo, &gpg, &key, "");
    let before = gpg.export(&[&key]);
    gpg.revoke(&key);
    keyring(&agent, gpg.export(&[&key]));
    insta::assert_snapshot!(told(&agent, 12, sealed(&commit, &key)));
    // nor does an older copy beside it help
    keyring(&agent, format!("{before}{}", gpg.export(&[&key])));
    let said = told(&agent, 12, Sealer::new());
    assert!(said.contains("[trust.revoked]"), "{said}");
}

#[test]
fn a_key_that_was_renewed_signs_also_with_an_old_copy_of_it_beside() {
    let (repo, _, gpg) = world();
    let key = gpg.make(NAME, "ed25519", "20190101T000000", "1y");
    let old = gpg.export(&[&key]);
    gpg.renew(&key);
    let new = gpg.export(&[&key]);
    signed(&repo, &gpg, &key, "");
    for (first, second) in [(&old, &new), (&new, &old)] {
        let agent = machine(&repo, BY_GPG);
        keyring(&agent, format!("{first}{second}"));
        assert_eq!(pass(&agent), done());
    }
}

#[test]
fn a_signature_that_was_to_count_for_a_day_only_is_refused_after_it() {
    let (repo, agent, gpg) = world();
    let key = gpg.make(NAME, "ed25519", "20190101T000000", "never");
    keyring(&agent, gpg.export(&[&key]));
    let commit = repo.commit(&[("a.yaml", "a: 1\n")]);
    repo.signed(&commit, None, |bytes| gpg.sign_for("1d", &key, "20190601T000000", bytes));
    let said = told(&agent, 12, Sealer::new());
    assert!(said.contains("by a signature that counted until <time> [trust.expired]"), "{said}");
    repo.signed(&commit, None, |bytes| gpg.sign_for("1d", &key, "", bytes));
    assert_eq!(pass(&agent), done());
}

#[test]
fn a_signature_of_x_509_is_refused_by_its_kind() {
    let (repo, agent, gpg) = world();
    keyring(&agent, gpg.export(&[&gpg.make(NAME, "ed25519", "", "never")]));
    let commit = repo.commit(&[("a.yaml", "a: 1\n")]);
    let text = "-----BEGIN SIGNED MESSAGE-----\nAAAA\n-----END SIGNED MESSAGE-----\n";
    repo.signed(&commit, None, |_| text.to_owned());
    let said = told(&agent, 12, Sealer::new());
    assert!(said.contains("X.509"), "{said}");
}

#[test]
fn a_key_that_is_not_valid_yet_is_refused() {
    let (repo, agent, gpg) = world();
    let key = gpg.make(NAME, "ed25519", "20990101T000000", "never");
    keyring(&agent, gpg.export(&[&key]));
    let commit = signed(&repo, &gpg, &key, "20990201T000000");
    insta::assert_snapshot!(told(&agent, 12, sealed(&commit, &key)));
}

#[test]
fn a_commit_that_was_changed_after_it_was_signed_is_refused() {
    let (repo, agent, gpg) = world();
    let key = gpg.make(NAME, "ed25519", "", "never");
    keyring(&agent, gpg.export(&[&key]));
    let commit = repo.commit(&[("a.yaml", "a: 1\n")]);
    let forged =
        repo.signed(&commit, None, |bytes| gpg.sign(&key, "", &[bytes, b"changed"].concat()));
    insta::assert_snapshot!(told(&agent, 12, sealed(&forged, &key)));
}

#[test]
fn a_signature_of_the_other_kind_says_which_keys_are_missing() {
    let (repo, agent, _) = world();
    let alice = SshKey::new();
    keyring(&agent, "");
    let gpg = Gpg::new();
    let key = gpg.make(NAME, "ed25519", "", "never");
    keyring(&agent, gpg.export(&[&key]));
    let commit = repo.commit(&[("a.yaml", "a: 1\n")]);
    let commit = repo.signed(&commit, None, |bytes| alice.sign("git", bytes));
    insta::assert_snapshot!(told(&agent, 12, sealer(&commit, &[(&alice, "alice")])));
}

#[test]
fn a_file_that_is_no_keyring_holds() {
    let (repo, agent, gpg) = world();
    let key = gpg.make(NAME, "ed25519", "", "never");
    let commit = signed(&repo, &gpg, &key, "");
    let mut all = String::new();
    for wrong in ["", "hello\n", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n"] {
        keyring(&agent, wrong);
        all.push_str(&told(&agent, 17, sealed(&commit, &key)));
    }
    insta::assert_snapshot!(all);
}
