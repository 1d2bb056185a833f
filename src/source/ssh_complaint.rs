//! What `ssh`, and git behind it, mean by what they print. Pure.

use std::io;

use super::SourceError;
use super::error::words;

/// The host as messages name it.
#[derive(Clone, Debug)]
pub(super) struct Host {
    /// The repository.
    pub place: String,
    /// The host as it stands in known_hosts.
    pub name: String,
    /// The host as `ssh-keyscan` takes it.
    pub scan: String,
    /// Where known keys are.
    pub known_hosts: String,
}

/// The error that stands behind the error output of an `ssh` that has ended.
pub(super) fn meaning(text: &[u8], host: &Host) -> SourceError {
    let said = String::from_utf8_lossy(text);
    let says = |any: &[&str]| any.iter().any(|part| said.contains(part));
    let place = host.place.clone();
    if says(&["REMOTE HOST IDENTIFICATION HAS CHANGED", "POSSIBLE DNS SPOOFING"]) {
        let (host, known_hosts) = (host.name.clone(), host.known_hosts.clone());
        return SourceError::HostKeyChanged { host, known_hosts };
    }
    if says(&["Host key verification failed", "host key is known for"]) {
        return SourceError::HostKeyUnknown {
            host: host.name.clone(),
            scan: host.scan.clone(),
            known_hosts: host.known_hosts.clone(),
        };
    }
    let refused = |answer: &str, advice| SourceError::Refused {
        place: place.clone(),
        answer: answer.to_owned(),
        advice,
    };
    if says(&["UNPROTECTED PRIVATE KEY", "bad permissions"]) {
        return refused("ssh does not use the key file", "chmod 600 the key file");
    }
    if says(&["incorrect passphrase", "Load key", "error in libcrypto", "invalid format"]) {
        return refused(
            "ssh cannot use the key file",
            "check `ssh_key_file`, and `passphrase_file` if it has a passphrase",
        );
    }
    if says(&["Permission denied", "Too many authentication failures"]) {
        return refused(
            "permission denied",
            "check the user, and that the host knows the key in `gitops.auth.ssh_key_file` or the \
             agent",
        );
    }
    if says(&[
        "not appear to be a git repository",
        "epository not found",
        "No such file",
        "not exist",
    ]) {
        return SourceError::NoRepository { place };
    }
    let network = [
        "Could not resolve",
        "onnection refused",
        "onnection timed out",
        "onnection closed",
        "onnection reset",
        "No route to host",
        "Network is unreachable",
        "kex_exchange_identification",
        "Operation timed out",
        "closed by remote host",
    ];
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("");
    let last = words(last.as_bytes());
    if says(&network) {
        let source = io::Error::other(last).into();
        return SourceError::Unreachable { place, doing: "connecting with ssh", source };
    }
    if last.is_empty() {
        return SourceError::Damaged { place, problem: "it ends early".to_owned() };
    }
    SourceError::Remote { place, message: last }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Reason;

    #[test]
    fn each_complaint_gets_its_own_advice() {
        let host = Host {
            place: "ssh://git.example.com/a".to_owned(),
            name: "git.example.com".to_owned(),
            scan: "git.example.com".to_owned(),
            known_hosts: "/etc/known".to_owned(),
        };
        let about = |text: &str| meaning(text.as_bytes(), &host);
        let unknown = about(
            "No ED25519 host key is known for git.example.com and you have requested strict \
             checking.\r\nHost key verification failed.\r\n",
        );
        assert!(unknown.to_string().contains("add the lines of `ssh-keyscan git.example.com` to"));
        let changed = about(
            "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nHost key verification failed.",
        );
        assert!(matches!(changed, SourceError::HostKeyChanged { .. }));
        for refused in [
            "ada@git.example.com: Permission denied (publickey).\r\n",
            "@ WARNING: UNPROTECTED PRIVATE KEY FILE! @\nada@x: Permission denied (publickey).",
        ] {
            assert_eq!(about(refused).reason(), Reason::CredentialsRefused);
        }
        let gone = about("fatal: '/a' does not appear to be a git repository\n");
        assert!(matches!(gone, SourceError::NoRepository { .. }));
        let down = about("ssh: connect to host x port 22: Connection refused\r\n");
        assert_eq!(down.reason(), Reason::SourceUnreachable);
        assert!(matches!(about(""), SourceError::Damaged { .. }));
        assert_eq!(
            about("Go away.\x1b[0m\n").to_string(),
            "ssh://git.example.com/a says: Go away. [0m"
        );
    }
}
