//! Trust: whether a revision comes from somebody who may say what is live.
//!
//! Signatures of commits and tags, of SSH and of OpenPGP, are verified before anything of the
//! revision is read as configuration. Which key may sign is said by files of this machine alone.
//!
//! May read those files and the object store. Never talks to a key server, an agent or another
//! program, and never decides what follows from a finding. When a key is valid is pure (`time`); the
//! numbers of a signature are the business of `ring`, which is here for TLS anyway: libraries for all
//! of SSH and OpenPGP would bring a hundred crates, with ciphers and kinds of keys to be refused.

mod allowed_signers;
mod armor;
mod error;
mod fault;
mod files;
pub(crate) mod fuzzing;
mod openpgp;
mod revoked;
mod signed;
mod ssh;
mod time;
mod wire;

pub use error::TrustError;
pub use files::{Keys, Watch};

use fault::{By, Fault, Subject};
use openpgp::{Certificate, Signature, Standing};
use signed::Signed;
use ssh::{NAMESPACE, SshSignature, Wrong};
use time::{Moment, moments};

use crate::config::{Verify, VerifyMode, VerifyWhat};
use crate::model::{Finding, Findings, ObjectId, Revision, Severity, Timestamp};
use crate::objects::{Mirror, SignedKind};

/// Bytes of a commit or tag that is verified.
const OBJECT_BYTES_MAX: u64 = 1024 * 1024;

/// What is to be verified: it is in the mirror.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The commit that is to be live.
    pub head: &'a Revision,
    /// The full name of the reference that shows it, or its id.
    pub reference: &'a str,
    /// The tag that names it, where it is no light one.
    pub tag: Option<ObjectId>,
    /// The commits since the last accepted one, without the head.
    pub since: &'a [ObjectId],
}

/// What is wrong with the signatures that the settings ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Errors, or warnings with [`VerifyMode::Warn`]; nothing: all is well.
    pub findings: Vec<Finding>,
    /// When nothing but a key that is not valid yet is wrong: the moment at which it is.
    pub valid_from: Option<Timestamp>,
    /// Whose signature what is to be live has, when it is good.
    pub signed_by: Option<String>,
}

/// Verifies the signatures that the settings ask for.
///
/// # Errors
/// When the mirror is damaged.
pub fn check(
    mirror: &Mirror,
    keys: &Keys,
    verify: &Verify,
    candidate: &Candidate<'_>,
    now: Timestamp,
) -> Result<Verdict, TrustError> {
    let judge = Judge { mirror, keys, now: now.seconds() };
    let (mut found, mut from, mut is_only_early) = (Findings::default(), None, true);
    let mut note = |doubt: Option<Doubt>| {
        if let Some(doubt) = doubt {
            is_only_early &= doubt.from.is_some();
            from = from.max(doubt.from);
            found.push(doubt.finding);
        }
        found.are_enough()
    };
    let of_head = match verify.what {
        VerifyWhat::Tag => judge.tag(candidate)?,
        VerifyWhat::Head | VerifyWhat::All => judge.commit(candidate.head.id(), true)?,
    };
    let signed_by = of_head.as_ref().ok().map(|by| format!("{} with the {}", by.who, by.key));
    note(of_head.err());
    if verify.what == VerifyWhat::All {
        for commit in candidate.since {
            let is_enough = note(judge.commit(*commit, false)?.err());
            if is_enough {
                break;
            }
        }
    }
    let mut findings = found.into_sorted();
    if verify.mode == VerifyMode::Warn {
        findings.iter_mut().for_each(|finding| finding.severity = Severity::Warning);
    }
    let from = from.filter(|_| is_only_early);
    let valid_from = from.map(|second| Timestamp::from_millis(second.saturating_mul(1000)));
    Ok(Verdict { findings, valid_from, signed_by })
}

/// What is wrong with one signature.
struct Doubt {
    finding: Finding,
    /// The second, still to come, from which on it would be good.
    from: Option<i64>,
}

/// Verifies one thing after the other.
struct Judge<'a> {
    mirror: &'a Mirror,
    keys: &'a Keys,
    now: i64,
}

impl Judge<'_> {
    fn commit(&self, id: ObjectId, is_head: bool) -> Result<Result<By, Doubt>, TrustError> {
        let short = Revision::from(id).short();
        let again = match is_head {
            true => "`git commit --amend --no-edit -S`".to_owned(),
            false => format!("`git rebase --force-rebase -S {short}^`"),
        };
        let bytes = self.mirror.signed_object(SignedKind::Commit, id, OBJECT_BYTES_MAX)?;
        let signed = match bytes.as_deref().map(signed::commit) {
            None => Err(Fault::Size(OBJECT_BYTES_MAX)),
            Some(result) => result.map_err(Fault::Malformed),
        };
        let who = signed.as_ref().map(|signed| signed.who.clone()).unwrap_or_default();
        let verdict = signed.and_then(|signed| self.verify(&signed, is_head));
        let name = format!("commit {short}");
        let subject = Subject { name: &name, who: &who, again: &again };
        Ok(verdict.map_err(|fault| self.doubt(&fault, &subject)))
    }

    fn tag(&self, candidate: &Candidate<'_>) -> Result<Result<By, Doubt>, TrustError> {
        let short = candidate.head.short();
        let wanted = candidate.reference.strip_prefix("refs/tags/");
        let (Some(id), Some(wanted)) = (candidate.tag, wanted) else {
            let name = format!("commit {short}");
            let again = format!("`git tag -f -s {} {short}`", wanted.unwrap_or("NAME"));
            let subject = Subject { name: &name, who: "", again: &again };
            let light = |tag: &str| Fault::LightTag(signed::plain(tag.as_bytes()));
            return Ok(Err(self.doubt(&wanted.map_or(Fault::NoTag, light), &subject)));
        };
        let bytes = self.mirror.signed_object(SignedKind::Tag, id, OBJECT_BYTES_MAX)?;
        let tag = match bytes.as_deref().map(signed::tag) {
            None => Err(Fault::Size(OBJECT_BYTES_MAX)),
            Some(result) => result.map_err(Fault::Malformed),
        };
        let who = tag.as_ref().map(|tag| tag.signed.who.clone()).unwrap_or_default();
        let verdict = tag.and_then(|tag| {
            let by = self.verify(&tag.signed, true)?;
            if !tag.is_of_commit || tag.object != candidate.head.id() {
                return Err(Fault::OtherObject);
            }
            if tag.name != wanted {
                return Err(Fault::OtherTag { named: tag.name, wanted: wanted.to_owned() });
            }
            Ok(by)
        });
        let name = format!("tag {}", signed::plain(wanted.as_bytes()));
        let again = format!("`git tag -f -s {} {short}`", signed::plain(wanted.as_bytes()));
        let subject = Subject { name: &name, who: &who, again: &again };
        Ok(verdict.map_err(|fault| self.doubt(&fault, &subject)))
    }

    fn doubt(&self, fault: &Fault, subject: &Subject<'_>) -> Doubt {
        let from = match fault {
            Fault::NotYetValid { from, .. } => Some(*from).filter(|from| *from > self.now),
            _ => None,
        };
        Doubt { finding: fault.finding(subject), from }
    }

    fn verify(&self, signed: &Signed, is_head: bool) -> Result<By, Fault> {
        let Some(text) = &signed.signature else { return Err(Fault::Unsigned) };
        match text.lines().next().unwrap_or_default().trim_end() {
            "-----BEGIN SSH SIGNATURE-----" => self.by_ssh(text, signed, is_head),
            "-----BEGIN PGP SIGNATURE-----" => self.by_openpgp(text, signed, is_head),
            "-----BEGIN SIGNED MESSAGE-----" => Err(Fault::Unsupported {
                key: "X.509 certificate in it".to_owned(),
                what: "X.509".to_owned(),
            }),
            _ => Err(Fault::Unreadable("it is none of SSH or OpenPGP")),
        }
    }

    fn by_ssh(&self, text: &str, signed: &Signed, is_head: bool) -> Result<By, Fault> {
        let setting = "gitops.verify.allowed_signers_file";
        let no_keys = Fault::NoKeys { kind: "SSH", setting };
        let signers = self.keys.signers.as_ref().ok_or(no_keys)?;
        let signature = SshSignature::read(text).map_err(Fault::Unreadable)?;
        let key = signature.key.shown();
        if signature.namespace != NAMESPACE {
            return Err(Fault::Namespace { key, namespace: signature.namespace });
        }
        let of_key = || signers.iter().filter(|signer| signer.key == signature.key);
        let who = of_key().next().map_or("nobody we know", |signer| &signer.principals);
        let by = |who: &str| By { who: signed::plain(who.as_bytes()), key: key.clone() };
        signature.verify(&signed.payload).map_err(|wrong| match wrong {
            Wrong::Forged => Fault::Forged { by: by(who) },
            Wrong::Unsupported(what) => Fault::Unsupported { key: key.clone(), what },
        })?;
        if self.keys.revoked.contains(&signature.key) {
            let why = "it is in the file of gitops.verify.revoked_keys_file";
            return Err(Fault::Revoked { by: by(who), why });
        }
        let moments = moments(signed.made, is_head, self.now);
        let mut fault = None;
        for signer in of_key() {
            let by = by(&signer.principals);
            fault = Some(match signer.valid.during(&moments) {
                _ if !signer.signs_for(NAMESPACE) => Fault::NotForGit { by },
                Moment::Before(from) => Fault::NotYetValid { by, from },
                Moment::After(until) => Fault::Expired { by, until },
                Moment::Inside => return Ok(by),
            });
        }
        Err(fault.unwrap_or_else(|| {
            let line = signature.key.line();
            let add =
                format!("add the line `WHO namespaces=\"git\" {line}` to the file of {setting}");
            Fault::Unknown { key, add }
        }))
    }

    fn by_openpgp(&self, text: &str, signed: &Signed, is_head: bool) -> Result<By, Fault> {
        let setting = "gitops.verify.keyring_file";
        let no_keys = Fault::NoKeys { kind: "OpenPGP", setting };
        let certificates = self.keys.certificates.as_ref().ok_or(no_keys)?;
        let signature = Signature::read_text(text).map_err(Fault::Unreadable)?;
        let Some(made) = signature.created().filter(|_| signature.is_of_data()) else {
            return Err(Fault::Unreadable("it is not one of data, with its time"));
        };
        let moments = moments(Some(made), is_head, self.now);
        let mut verdict = None;
        for certificate in certificates {
            let result = certificate.verify(&signature, &signed.payload);
            let Some(told) = result.map(|it| standing(certificate, &signature, it, &moments))
            else {
                continue;
            };
            // the same key may be there twice, revoked in one place
            match (&verdict, &told) {
                (_, Err(Fault::Revoked { .. })) => return told,
                (Some(Ok(_)), _) => {}
                (Some(Err(_)), Err(Fault::Forged { .. })) => {}
                // it names no key, so that all are tried
                (None, Err(Fault::Forged { .. })) if signature.issuer().is_none() => {}
                _ => verdict = Some(told),
            }
        }
        verdict.unwrap_or_else(|| {
            let id = signature.issuer().unwrap_or_else(|| "KEY".to_owned());
            let add =
                format!("add what `gpg --export --armor {id}` writes to the file of {setting}");
            Err(Fault::Unknown { key: format!("OpenPGP key {id}"), add })
        })
    }
}

/// What is to be said of a signature that a certificate answers for.
fn standing(
    certificate: &Certificate,
    signature: &Signature,
    result: Result<Standing, Wrong>,
    moments: &[i64],
) -> Result<By, Fault> {
    let key = format!("OpenPGP key {}", certificate.fingerprint());
    let by = By { who: certificate.name.clone(), key };
    let span = match result {
        Ok(Standing::MaySign(span)) => span,
        Ok(Standing::MayNotSign) => return Err(Fault::MayNotSign { by }),
        Ok(Standing::Revoked(why)) => return Err(Fault::Revoked { by, why }),
        Ok(Standing::Unproven) => return Err(Fault::Unproven { by }),
        Err(Wrong::Forged) => return Err(Fault::Forged { by }),
        Err(Wrong::Unsupported(what)) => return Err(Fault::Unsupported { key: by.key, what }),
    };
    match span.during(moments) {
        Moment::Before(from) => return Err(Fault::NotYetValid { by, from }),
        Moment::After(until) => return Err(Fault::Expired { by, until }),
        Moment::Inside => {}
    }
    let own = time::Span { from: None, until: signature.until() };
    match own.during(moments) {
        Moment::After(until) => Err(Fault::Lapsed { by, until }),
        _ => Ok(by),
    }
}

#[cfg(test)]
mod tests;
