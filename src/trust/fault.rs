//! What is wrong with a signature, in words: who signed, with which key, and what to do.

use super::time::shown;
use crate::model::Finding;

/// Why a signature is not enough.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// There is none.
    Unsigned,
    /// The commit or tag is not built as git builds them.
    Malformed(&'static str),
    /// It has more bytes than any honest one.
    Size(u64),
    /// There is a signature that cannot be read.
    Unreadable(&'static str),
    /// There are no keys to verify it with: the key of the settings that would name them.
    NoKeys { kind: &'static str, setting: &'static str },
    /// It may be good, and we cannot say.
    Unsupported { key: String, what: String },
    /// It was made for something else.
    Namespace { key: String, namespace: String },
    /// Its key may sign, but not for git.
    NotForGit { by: By },
    /// Nobody named this key.
    Unknown { key: String, add: String },
    /// It is not over these bytes.
    Forged { by: By },
    /// Its key is not valid yet, or was not.
    NotYetValid { by: By, from: i64 },
    /// Its key is not valid any more, or was not.
    Expired { by: By, until: i64 },
    /// The signature itself says until when it counts.
    Lapsed { by: By, until: i64 },
    /// Its owner took the key back.
    Revoked { by: By, why: &'static str },
    /// The key is for something else.
    MayNotSign { by: By },
    /// The key's own signatures do not prove it.
    Unproven { by: By },
    /// A light tag.
    LightTag(String),
    /// The tag is another one than the reference says.
    OtherTag { named: String, wanted: String },
    /// The tag names something else than the commit.
    OtherObject,
    /// No tag names the commit.
    NoTag,
}

/// Who signed, and with which key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct By {
    pub(super) who: String,
    pub(super) key: String,
}

/// What a signature is to be on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    /// `commit 480dd3e73601` or `tag v1.2`.
    pub(super) name: &'a str,
    /// Who says to have made it; empty where that is not known.
    pub(super) who: &'a str,
    /// How it is signed again.
    pub(super) again: &'a str,
}

impl Fault {
    /// The finding for it.
    pub(super) fn finding(&self, subject: &Subject<'_>) -> Finding {
        let Subject { name, who, again } = subject;
        let by = if who.is_empty() { String::new() } else { format!(" (by {who}, as it says)") };
        let (rule, message, hint) = self.words(again);
        Finding::error(&format!("trust.{rule}"), format!("{name}{by} {message}")).hint(hint)
    }

    fn words(&self, again: &str) -> (&'static str, String, String) {
        let signed = |by: &By| format!("is signed by {} with the {}", by.who, by.key);
        let another = |what: &str| format!("sign it with {what}: {again}");
        let rebuilt = || "make it anew with git itself, and sign that".to_owned();
        match self {
            Self::Unsigned => {
                let hint = format!(
                    "sign it: {again}; `git config commit.gpgsign true` lets git do so always"
                );
                ("unsigned", "is not signed".into(), hint)
            }
            Self::Malformed(why) => {
                ("malformed", format!("cannot be read safely: {why}"), rebuilt())
            }
            Self::Size(max) => ("malformed", format!("has more than {max} bytes"), rebuilt()),
            Self::Unreadable(why) => (
                "unreadable",
                format!("has a signature that cannot be read: {why}"),
                again_plainly(again),
            ),
            Self::NoKeys { kind, setting } => {
                let hint = format!(
                    "name the {kind} keys that may sign with {setting}, or sign with another kind of key: {again}"
                );
                ("no_keys", format!("has a signature of {kind}, and no such keys are named"), hint)
            }
            Self::Unsupported { key, what } => {
                let message =
                    format!("is signed with the {key}, and this version cannot verify {what}");
                ("unsupported", message, another("an Ed25519 key"))
            }
            Self::Namespace { key, namespace } => {
                let namespace: String =
                    namespace.chars().filter(|c| !c.is_control()).take(60).collect();
                let message = format!(
                    "has a signature with the {key} that was made for `{namespace}`, not for `git`"
                );
                ("namespace", message, format!("let git sign it: {again}"))
            }
            Self::NotForGit { by } => {
                let message = format!("{}, which may not sign for `git`", signed(by));
                (
                    "namespace",
                    message,
                    format!(
                        "add git to the namespaces of that key in gitops.verify.allowed_signers_file, or {}",
                        another("another one")
                    ),
                )
            }
            Self::Unknown { key, add } => {
                let message =
                    format!("is signed with the {key}, which is none of those that may sign");
                (
                    "unknown_key",
                    message,
                    format!(
                        "if you know that key and it may sign, {add}; else {}",
                        another("one that may")
                    ),
                )
            }
            Self::Forged { by } => {
                let message = format!(
                    "has a signature that names {} and the {}, and is not over this content",
                    by.who, by.key
                );
                (
                    "bad_signature",
                    message,
                    format!(
                        "it was changed after it was signed, or the signature is another one's: find out which; then {again}"
                    ),
                )
            }
            Self::NotYetValid { by, from } => {
                let message = format!("{}, which is valid from {} on", signed(by), shown(*from));
                (
                    "not_yet_valid",
                    message,
                    format!(
                        "wait for that time, or look at the clocks of both machines, or {}",
                        another("a key that is valid")
                    ),
                )
            }
            Self::Expired { by, until } => {
                let message = format!("{}, which was valid until {}", signed(by), shown(*until));
                (
                    "expired",
                    message,
                    format!(
                        "{}; or extend the key and bring it here again",
                        another("a key that is valid")
                    ),
                )
            }
            Self::Lapsed { by, until } => {
                let message =
                    format!("{}, by a signature that counted until {}", signed(by), shown(*until));
                ("expired", message, another("one that lasts"))
            }
            Self::Revoked { by, why } => {
                let message = format!("{}, which was revoked: {why}", signed(by));
                ("revoked", message, another("a key that is valid"))
            }
            Self::MayNotSign { by } => {
                let message = format!("{}, which is not there for signing", signed(by));
                ("may_not_sign", message, another("a subkey that signs"))
            }
            Self::Unproven { by } => {
                let message = format!("{}, whose own signatures cannot be verified", signed(by));
                let hint = "renew that key with SHA-2 (`gpg --quick-set-expire FINGERPRINT 2y`), and export it again";
                ("unproven", message, hint.to_owned())
            }
            Self::LightTag(tag) => (
                "unsigned",
                format!("is named by the light tag {tag}, which cannot be signed"),
                format!("make a tag that can: {again}"),
            ),
            Self::OtherTag { named, wanted } => {
                let message =
                    format!("is shown as `{wanted}`, and its signature is for the name `{named}`");
                (
                    "tag_name",
                    message,
                    format!(
                        "somebody shows one tag as another; if that was not meant, find out who; then {again}"
                    ),
                )
            }
            Self::OtherObject => (
                "tag_object",
                "does not name this commit itself".into(),
                format!("make a tag that does: {again}"),
            ),
            Self::NoTag => {
                let hint = "follow it by gitops.tag or gitops.semver; or verify commits, with gitops.verify.what `head` or `all`";
                ("unsigned", "was asked for by its id, so that no tag names it".into(), hint.into())
            }
        }
    }
}

fn again_plainly(again: &str) -> String {
    format!("sign it again: {again}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_that_cannot_be_read_is_told_with_how_to_make_another() {
        let subject = Subject { name: "tag v1", who: "", again: "git tag -s" };
        let finding = Fault::Unreadable("it ends early").finding(&subject);
        assert_eq!(finding.message, "tag v1 has a signature that cannot be read: it ends early");
        assert_eq!(finding.hint.as_deref(), Some("sign it again: git tag -s"));
    }
}
