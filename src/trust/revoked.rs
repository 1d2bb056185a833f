//! The SSH keys that were taken back: public keys, one a line, as ssh-keygen and git take them
//! (`gpg.ssh.revocationFile`). The binary lists of ssh-keygen are an error that says so.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::ssh::{SshKey, is_kind};
use crate::model::Finding;

/// Lines with a key.
const KEYS_MAX: usize = 10_000;
/// What ssh-keygen's binary lists begin with.
const BINARY: &[u8] = b"SSHKRL\n\0";
const FORM: &str = "write one public key a line, as the `.pub` file has it";

/// Reads a file. The first that is no key is told, with its line.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<SshKey>, Vec<Finding>> {
    let wrong = |line: u32, message: String| {
        let finding = Finding::error("trust.revoked_keys", message).at(line, 1).hint(FORM);
        vec![finding]
    };
    if bytes.starts_with(BINARY) {
        return Err(wrong(1, "a binary list of ssh-keygen (KRL) is not read here".to_owned()));
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Err(wrong(1, "is not UTF-8".to_owned()));
    };
    let mut keys = Vec::new();
    for (number, line) in (1_u32..).zip(text.lines()) {
        let mut words = line.split_whitespace();
        let (kind, base64) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if kind.is_empty() || kind.starts_with('#') {
            continue;
        }
        let read = STANDARD.decode(base64).ok().and_then(SshKey::read);
        match read.filter(|key| is_kind(kind) && key.kind() == kind) {
            Some(key) if keys.len() < KEYS_MAX => keys.push(key),
            Some(_) => return Err(wrong(number, format!("has more than {KEYS_MAX} keys"))),
            None => return Err(wrong(number, "this is no public key".to_owned())),
        }
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f alice";

    #[test]
    fn keys_are_read_with_comments_and_empty_lines_and_nothing_else() {
        let text = format!("# stolen in May\n\n{KEY}\n  {KEY}\n");
        assert_eq!(read(text.as_bytes()).unwrap().len(), 2);
        assert_eq!(read(b"").unwrap(), []);
        for (text, line) in [
            (format!("{KEY}\nalice {KEY}\n").into_bytes(), 2),
            (b"ssh-ed25519\n".to_vec(), 1),
            (KEY.replace("ssh-ed25519", "ssh-rsa").into_bytes(), 1),
            (b"SSHKRL\n\0\0\0\0\x01".to_vec(), 1),
            (b"\xff\n".to_vec(), 1),
        ] {
            let findings = read(&text).unwrap_err();
            assert_eq!(findings[0].line, Some(line), "{findings:?}");
        }
    }

    #[test]
    fn as_many_keys_as_the_bound_are_taken_and_no_more() {
        let keys = format!("{KEY}\n").repeat(KEYS_MAX);
        assert_eq!(read(keys.as_bytes()).unwrap().len(), KEYS_MAX);
        let findings = read(format!("{keys}{KEY}\n").as_bytes()).unwrap_err();
        assert_eq!(findings[0].message, "has more than 10000 keys");
    }
}
