use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::git::{seal, succeed};
use super::repo::Repo;

/// An SSH key, made by ssh-keygen.
pub(crate) struct SshKey {
    folder: TempDir,
}

impl SshKey {
    /// Of the usual kind.
    pub(crate) fn new() -> Self {
        Self::of_kind(&["-t", "ed25519"])
    }

    /// Of a kind as ssh-keygen takes it: `-t rsa -b 3072`.
    pub(crate) fn of_kind(kind: &[&str]) -> Self {
        let key = Self { folder: TempDir::with_prefix("key-").expect("a temporary folder") };
        let mut keygen = key.keygen();
        succeed(keygen.args(kind).args(["-q", "-N", "", "-C", "", "-f"]).arg(key.path()));
        key
    }

    fn keygen(&self) -> Command {
        let mut command = Command::new("ssh-keygen");
        seal(&mut command);
        command.stdin(Stdio::null());
        command
    }

    /// The private key's file, for git's `user.signingKey`.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("key")
    }

    /// Kind and key, as a file of keys has them.
    pub(crate) fn public(&self) -> String {
        let text = std::fs::read_to_string(self.path().with_extension("pub")).expect("the key");
        text.trim_end().to_owned()
    }

    /// `SHA256:…`
    pub(crate) fn fingerprint(&self) -> String {
        let told = succeed(self.keygen().arg("-lf").arg(self.path()));
        told.split(' ').nth(1).expect("a fingerprint").to_owned()
    }

    /// The signature's text.
    pub(crate) fn sign(&self, namespace: &str, bytes: &[u8]) -> String {
        let file = self.folder.path().join("message");
        std::fs::write(&file, bytes).expect("a file");
        let signature = self.folder.path().join("message.sig");
        drop(std::fs::remove_file(&signature));
        let mut keygen = self.keygen();
        succeed(keygen.args(["-Y", "sign", "-n", namespace, "-f"]).arg(self.path()).arg(&file));
        std::fs::read_to_string(signature).expect("the signature")
    }
}

/// A folder of OpenPGP keys, made and used by gpg. Its agent ends when dropped.
pub(crate) struct Gpg {
    folder: TempDir,
}

impl Gpg {
    pub(crate) fn new() -> Self {
        let folder = TempDir::with_prefix("gpg-").expect("a temporary folder");
        let only_us = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(folder.path(), only_us).expect("its mode");
        Self { folder }
    }

    /// gpg as if it were `at` (`20190101T000000`, or now when empty).
    fn command(&self, at: &str) -> Command {
        let mut command = Command::new("gpg");
        seal(&mut command);
        command.stdin(Stdio::null()).arg("--homedir").arg(self.folder.path());
        command.args(["--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback"]);
        command.args(["--passphrase", "", "--trust-model", "always"]);
        if !at.is_empty() {
            command.args(["--faked-system-time", at]);
        }
        command
    }

    /// A new key; gives its fingerprint. `expire`: `never`, `1y`.
    pub(crate) fn make(&self, name: &str, kind: &str, at: &str, expire: &str) -> String {
        succeed(self.command(at).args(["--quick-gen-key", name, kind, "sign", expire]));
        self.fingerprints(name).remove(0)
    }

    /// A subkey that signs; gives its fingerprint.
    pub(crate) fn add_subkey(&self, key: &str, at: &str, expire: &str) -> String {
        succeed(self.command(at).args(["--quick-add-key", key, "ed25519", "sign", expire]));
        self.fingerprints(key).pop().expect("the subkey")
    }

    fn fingerprints(&self, key: &str) -> Vec<String> {
        let told = succeed(self.command("").args(["--with-colons", "--list-keys", key]));
        let lines = told.lines().filter(|line| line.starts_with("fpr:"));
        lines.map(|line| line.split(':').nth(9).expect("a fingerprint").to_owned()).collect()
    }

    /// Lets a key that expired be valid for ever.
    pub(crate) fn renew(&self, key: &str) {
        succeed(self.command("").args(["--quick-set-expire", key, "never"]));
    }

    /// Takes a key back, with the revocation that gpg made with it.
    pub(crate) fn revoke(&self, key: &str) {
        let file = self.folder.path().join(format!("openpgp-revocs.d/{key}.rev"));
        let text = std::fs::read_to_string(&file).expect("the revocation");
        std::fs::write(&file, text.replace(":-----", "-----")).expect("the revocation");
        succeed(self.command("").arg("--import").arg(&file));
    }

    /// What `gpg --export --armor` writes.
    pub(crate) fn export(&self, keys: &[&str]) -> String {
        succeed(self.command("").args(["--export", "--armor"]).args(keys)) + "\n"
    }

    /// The same, not as text.
    pub(crate) fn export_bytes(&self, key: &str) -> Vec<u8> {
        self.command("").args(["--export", key]).output().expect("gpg starts").stdout
    }

    /// The signature's text, made `at`; `key` with a `!` behind it is that very subkey.
    pub(crate) fn sign(&self, key: &str, at: &str, bytes: &[u8]) -> String {
        self.sign_for("0", key, at, bytes)
    }

    /// The same, with how long the signature itself counts, such as `1d`.
    pub(crate) fn sign_for(&self, time: &str, key: &str, at: &str, bytes: &[u8]) -> String {
        let file = self.folder.path().join("message");
        std::fs::write(&file, bytes).expect("a file");
        let mut gpg = self.command(at);
        gpg.args(["--default-sig-expire", time, "--armor", "--detach-sign", "--output", "-"]);
        succeed(gpg.args(["--local-user", key]).arg(&file)) + "\n"
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        let mut command = Command::new("gpgconf");
        seal(&mut command);
        command.arg("--homedir").arg(self.folder.path()).args(["--kill", "all"]);
        drop(command.output());
    }
}

impl Repo {
    /// Signs a commit as git does, made at `made` where that is told, and moves `main` to it.
    pub(crate) fn signed(
        &self,
        commit: &str,
        made: Option<i64>,
        sign: impl Fn(&[u8]) -> String,
    ) -> String {
        let mut text = String::from_utf8(self.bytes(commit)).expect("a commit of ours");
        if let Some(made) = made {
            let committer = text.lines().find(|line| line.starts_with("committer ")).expect("one");
            let (who, _) = committer.rsplit_once("> ").expect("a person");
            text = text.replace(committer, &format!("{who}> {made} +0000"));
        }
        let signature = sign(text.as_bytes());
        let id = self.write_commit(with_signature(&text, &signature).as_bytes());
        self.branch("main", &id);
        id
    }
}

/// A commit's text with its signature where git has it.
pub(crate) fn with_signature(commit: &str, signature: &str) -> String {
    let (header, message) = commit.split_once("\n\n").expect("a header and a message");
    let signature = signature.trim_end().replace('\n', "\n ");
    format!("{header}\ngpgsig {signature}\n\n{message}")
}
