//! What fuzz targets try of this room: files of keys, and signed objects against them.

use super::openpgp::{self, Signature};
use super::ssh::SshSignature;
use super::{allowed_signers, signed};

/// A file of SSH keys. Whether it is taken.
pub(crate) fn signers(bytes: &[u8]) -> bool {
    match allowed_signers::read(bytes, |time| Some(time.and_utc().timestamp())) {
        Ok(_) => true,
        Err(findings) => {
            assert!(!findings.is_empty(), "refused without a finding");
            for finding in &findings {
                assert!(finding.line.is_some_and(|line| line > 0), "no line: {finding:?}");
                assert!(finding.column.is_some_and(|column| column > 0), "no column: {finding:?}");
                assert!(finding.hint.is_some(), "no advice: {finding:?}");
                let length = finding.message.chars().count();
                assert!(length <= 500, "{length} characters in a message");
                let control = finding.message.contains(|c: char| c.is_control());
                assert!(!control, "a control character in {:?}", finding.message);
            }
            false
        }
    }
}

/// A commit, or, when it begins as one, a tag; its signature is read too, and a keyring where one
/// is asked for by the first byte. Whether it is taken.
pub(crate) fn signatures(bytes: &[u8]) -> bool {
    if let Some(keyring) = bytes.strip_prefix(b"K") {
        return openpgp::read_keyring(keyring).is_ok();
    }
    let signed = match bytes.starts_with(b"object ") {
        true => signed::tag(bytes).map(|tag| tag.signed),
        false => signed::commit(bytes),
    };
    let Ok(signed) = signed else { return false };
    assert!(!signed.who.contains(|c: char| c.is_control()), "{:?}", signed.who);
    let Some(text) = &signed.signature else { return true };
    assert!(signed.payload.len() + text.len() <= bytes.len(), "more bytes than there were");
    let by_ssh = SshSignature::read(text);
    let by_openpgp = Signature::read_text(text);
    if let Ok(signature) = &by_ssh {
        let _: Result<(), _> = signature.verify(&signed.payload);
    }
    by_ssh.is_ok() || by_openpgp.is_ok()
}
