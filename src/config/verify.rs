//! `gitops.verify`: whose signatures a revision needs.

use std::path::PathBuf;

use super::reader::Reader;
use super::settings::Reference;

/// What has to be signed, and by whom. The key files are read at each use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verify {
    /// What follows from a signature that is missing or wrong.
    pub mode: VerifyMode,
    /// What has to be signed.
    pub what: VerifyWhat,
    /// SSH keys that may sign: the format of `ssh-keygen`, see allowed_signers in ssh-keygen(1).
    pub allowed_signers_file: Option<PathBuf>,
    /// SSH keys that were taken back and sign nothing any more: public keys, one a line.
    pub revoked_keys_file: Option<PathBuf>,
    /// OpenPGP keys that may sign: what `gpg --export` writes, armored or not.
    pub keyring_file: Option<PathBuf>,
}

/// What follows from a signature that is missing or wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VerifyMode {
    /// Nothing is looked at.
    #[default]
    Off,
    /// It is told, and the revision goes on.
    Warn,
    /// The revision is refused.
    Require,
}

/// What has to be signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VerifyWhat {
    /// The commit that is to be live.
    #[default]
    Head,
    /// It, and every commit since the last accepted one.
    All,
    /// The tag that names it.
    Tag,
}

impl VerifyMode {
    /// As the settings have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Warn => "warn",
            Self::Require => "require",
        }
    }
}

const MODE: &str = "gitops.verify.mode";
const WHAT: &str = "gitops.verify.what";
const SIGNERS: &str = "gitops.verify.allowed_signers_file";
const REVOKED: &str = "gitops.verify.revoked_keys_file";
const KEYRING: &str = "gitops.verify.keyring_file";

/// Reads the group; `reference` is what is followed.
pub(super) fn verify(reader: &mut Reader<'_>, reference: Option<&Reference>) -> Verify {
    let verify = Verify {
        mode: match reader.word(MODE) {
            "require" => VerifyMode::Require,
            "warn" => VerifyMode::Warn,
            _ => VerifyMode::Off,
        },
        what: match reader.word(WHAT) {
            "all" => VerifyWhat::All,
            "tag" => VerifyWhat::Tag,
            _ => VerifyWhat::Head,
        },
        allowed_signers_file: reader.path(SIGNERS),
        revoked_keys_file: reader.path(REVOKED),
        keyring_file: reader.path(KEYRING),
    };
    let has_keys = verify.allowed_signers_file.is_some() || verify.keyring_file.is_some();
    if verify.mode == VerifyMode::Off {
        if has_keys && reader.setting(MODE).is_none() {
            let key = if verify.allowed_signers_file.is_some() { SIGNERS } else { KEYRING };
            reader.warn(key, "is not used: gitops.verify.mode is off; set it to require or warn");
        }
        return verify;
    }
    if !has_keys {
        let hint = "name the keys that may sign: gitops.verify.allowed_signers_file (SSH) or gitops.verify.keyring_file (OpenPGP)";
        reader.advise(MODE, "there are no keys to verify signatures with", hint);
    }
    if verify.what == VerifyWhat::Tag && !reference.is_none_or(names_a_tag) {
        let hint =
            "follow one with gitops.tag or gitops.semver, or verify commits with `head` or `all`";
        reader.advise(WHAT, "no tag is followed, so that none can be verified", hint);
    }
    if verify.what == VerifyWhat::All && reader.word("gitops.history_rewrite") == "allow" {
        let what = "a history that was rewritten begins anew with history_rewrite: allow, and of such a one only the head is verified";
        reader.warn(WHAT, what);
    }
    verify
}

fn names_a_tag(reference: &Reference) -> bool {
    match reference {
        Reference::Tag(_) | Reference::Semver(_) => true,
        Reference::Ref(name) => name.starts_with("refs/tags/"),
        Reference::Head | Reference::Branch(_) | Reference::Commit(_) => false,
    }
}
