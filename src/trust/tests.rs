use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use sha2::{Digest as _, Sha256};

use super::wire::put;
use super::*;

fn verify(folder: &std::path::Path) -> Verify {
    Verify {
        mode: VerifyMode::Require,
        allowed_signers_file: Some(folder.join("signers")),
        ..Verify::default()
    }
}

#[test]
fn what_was_refused_is_looked_at_again_when_the_keys_are_others_and_not_when_a_file_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let verify = verify(folder.path());
    let file = folder.path().join("signers");
    let mut watch = Watch::default();
    let mut word = |verify: &Verify| {
        watch.look(verify);
        watch.word().to_owned()
    };
    let missing = word(&verify);
    std::fs::write(&file, "# one\n").unwrap();
    let one = word(&verify);
    assert_ne!(one, missing);
    std::fs::write(&file, "# one\n").unwrap();
    assert_eq!(word(&verify), one);
    std::fs::write(&file, "# two\n").unwrap();
    assert_ne!(word(&verify), one);
    std::fs::write(&file, "# one\n").unwrap();
    assert_eq!(word(&verify), one);
    assert_ne!(word(&Verify { what: VerifyWhat::All, ..verify.clone() }), one);
    assert_eq!(word(&Verify::default()), "");
    // the same after a restart
    let mut again = Watch::default();
    again.look(&verify);
    assert_eq!(again.word(), one);
}

#[test]
fn a_file_of_keys_has_a_bound() {
    let folder = tempfile::tempdir().unwrap();
    let verify = verify(folder.path());
    let file = std::fs::File::create(folder.path().join("signers")).unwrap();
    file.set_len(5 * 1024 * 1024).unwrap();
    let error = Keys::read(&verify).unwrap_err();
    assert!(matches!(error, TrustError::Size { .. }), "{error}");
    assert!(!error.mirror_damaged());
    file.set_len(4 * 1024 * 1024 + 1).unwrap();
    assert!(matches!(Keys::read(&verify), Err(TrustError::Size { .. })));
    std::fs::write(folder.path().join("signers"), "#\n".repeat(2 * 1024 * 1024)).unwrap();
    assert!(Keys::read(&verify).is_ok(), "as large as it may be");
}

/// A machine with one SSH key, which is valid from a second on, and what that key signed.
struct Signing {
    folder: tempfile::TempDir,
    mirror: Mirror,
    key: Ed25519KeyPair,
}

impl Signing {
    fn new(valid_from: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mirror = Mirror::open_or_create(&folder.path().join("repo.git")).unwrap();
        let key = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let public = STANDARD.encode(public(&key));
        let line = format!("alice valid-after=\"{valid_from}\" ssh-ed25519 {public}\n");
        std::fs::write(folder.path().join("signers"), line).unwrap();
        Self { folder, mirror, key }
    }

    fn write(&self, kind: git2::ObjectType, bytes: &[u8]) -> ObjectId {
        let repository = git2::Repository::open_bare(self.mirror.path()).unwrap();
        let id = repository.odb().unwrap().write(kind, bytes).unwrap();
        ObjectId(id.as_bytes().try_into().unwrap())
    }

    /// A commit that was made at this second, signed or not.
    fn commit(&self, made: i64, is_signed: bool) -> Revision {
        let tree = self.mirror.write_tree(&[]).unwrap();
        let head =
            format!("tree {tree}\nauthor a <a@b> {made} +0000\ncommitter a <a@b> {made} +0000\n");
        let payload = format!("{head}\nmessage\n");
        let field = match is_signed {
            true => format!(
                "gpgsig {}\n",
                self.sign(payload.as_bytes()).trim_end().replace('\n', "\n ")
            ),
            false => String::new(),
        };
        let id =
            self.write(git2::ObjectType::Commit, format!("{head}{field}\nmessage\n").as_bytes());
        Revision::parse(&id.to_string()).unwrap()
    }

    /// A tag with this name, of this object, which it says is a commit or something else.
    fn tag(&self, name: &str, object: &Revision, kind: &str) -> ObjectId {
        let text = format!(
            "object {object}\ntype {kind}\ntag {name}\ntagger a <a@b> 50 +0000\n\nmessage\n"
        );
        let signed = format!("{text}{}", self.sign(text.as_bytes()));
        self.write(git2::ObjectType::Tag, signed.as_bytes())
    }

    /// A signature as `ssh-keygen -Y sign -n git` makes it (OpenSSH's PROTOCOL.sshsig).
    fn sign(&self, message: &[u8]) -> String {
        let mut signed = b"SSHSIG".to_vec();
        let mut file = [&b"SSHSIG"[..], &1_u32.to_be_bytes()].concat();
        put(&mut file, &public(&self.key));
        for out in [&mut signed, &mut file] {
            put(out, b"git");
            put(out, b"");
            put(out, b"sha256");
        }
        put(&mut signed, &Sha256::digest(message));
        let mut signature = Vec::new();
        put(&mut signature, b"ssh-ed25519");
        put(&mut signature, self.key.sign(&signed).as_ref());
        put(&mut file, &signature);
        let text = STANDARD.encode(file);
        format!("-----BEGIN SSH SIGNATURE-----\n{text}\n-----END SSH SIGNATURE-----\n")
    }

    fn check(&self, what: VerifyWhat, candidate: &Candidate<'_>, now: i64) -> Verdict {
        let verify = Verify { what, ..verify(self.folder.path()) };
        let keys = Keys::read(&verify).unwrap();
        check(&self.mirror, &keys, &verify, candidate, Timestamp(now * 1000)).unwrap()
    }
}

fn public(key: &Ed25519KeyPair) -> Vec<u8> {
    let mut bytes = Vec::new();
    put(&mut bytes, b"ssh-ed25519");
    put(&mut bytes, key.public_key().as_ref());
    bytes
}

fn of(head: &Revision) -> Candidate<'_> {
    Candidate { head, reference: "refs/heads/main", tag: None, since: &[] }
}

fn rules(verdict: &Verdict) -> Vec<&str> {
    verdict.findings.iter().map(|finding| finding.rule.as_ref()).collect()
}

#[test]
fn what_a_key_signed_that_is_not_valid_yet_is_looked_at_again_when_it_is() {
    let signing = Signing::new("19700101000140Z");
    let head = signing.commit(200, true);
    let early = signing.check(VerifyWhat::Head, &of(&head), 99);
    assert_eq!((rules(&early).len(), early.valid_from), (1, Some(Timestamp(100_000))));
    assert_eq!(early.signed_by, None);
    let then = signing.check(VerifyWhat::Head, &of(&head), 100);
    assert_eq!((rules(&then).len(), then.valid_from), (0, None));
    assert!(then.signed_by.is_some_and(|by| by.starts_with("alice with the ")));
}

#[test]
fn what_was_signed_before_its_key_was_valid_becomes_no_better_by_waiting() {
    let signing = Signing::new("19700101000140Z");
    let head = signing.commit(50, true);
    for now in [100, 101, 1000] {
        let verdict = signing.check(VerifyWhat::Head, &of(&head), now);
        assert_eq!((rules(&verdict).len(), verdict.valid_from), (1, None), "{now}");
    }
}

#[test]
fn waiting_for_a_key_is_in_vain_when_something_else_is_wrong_too() {
    let signing = Signing::new("19700101000140Z");
    let (head, unsigned) = (signing.commit(200, true), signing.commit(60, false));
    let unsigned = [unsigned.id()];
    let candidate = Candidate { since: &unsigned, ..of(&head) };
    let all = signing.check(VerifyWhat::All, &candidate, 99);
    assert_eq!((rules(&all).len(), all.valid_from), (2, None));
    let head_alone = signing.check(VerifyWhat::Head, &candidate, 99);
    assert_eq!(head_alone.valid_from, Some(Timestamp(100_000)));
}

#[test]
fn a_signed_tag_counts_for_the_commit_that_it_names_and_no_other() {
    let signing = Signing::new("19700101Z");
    let (head, other) = (signing.commit(10, false), signing.commit(20, false));
    let verdict = |tag| {
        let candidate = Candidate { reference: "refs/tags/v1", tag: Some(tag), ..of(&head) };
        signing.check(VerifyWhat::Tag, &candidate, 99)
    };
    let good = verdict(signing.tag("v1", &head, "commit"));
    assert_eq!(rules(&good), [""; 0]);
    for wrong in [("v1", &other, "commit"), ("v1", &head, "tree"), ("v2", &head, "commit")] {
        let verdict = verdict(signing.tag(wrong.0, wrong.1, wrong.2));
        assert_eq!((rules(&verdict).len(), &verdict.signed_by), (1, &None), "{wrong:?}");
    }
}
