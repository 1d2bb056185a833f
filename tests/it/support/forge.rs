use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use ring::hmac;
use serde_json::{Value, json};

use super::wait::PATIENCE;

/// Which forge a delivery looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    GitHub,
    /// GitHub, with the content type `application/x-www-form-urlencoded`.
    GitHubForm,
    Gitea,
    Forgejo,
}

/// A forge that tells of pushes to the address of `kconfigd serve`.
#[derive(Clone, Debug)]
pub(crate) struct Forge {
    pub(crate) address: SocketAddr,
    pub(crate) kind: Kind,
    /// `None`: it does not sign.
    pub(crate) secret: Option<String>,
}

/// What was answered to a delivery.
#[derive(Clone, Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Value,
}

impl Forge {
    /// Tells of a push to a reference, `refs/heads/main`.
    pub(crate) fn push(&self, reference: &str) -> Answered {
        let repository = json!({"default_branch": "main", "full_name": "edge/config"});
        self.deliver("push", &json!({"ref": reference, "repository": repository}).to_string())
    }

    /// Delivers an event.
    pub(crate) fn deliver(&self, event: &str, payload: &str) -> Answered {
        let form = self.kind == Kind::GitHubForm;
        let body = if form { format!("payload={}", encoded(payload)) } else { payload.to_owned() };
        let mut headers = self.headers(event, body.as_bytes());
        let kind = if form { "application/x-www-form-urlencoded" } else { "application/json" };
        headers.push(("content-type".to_owned(), kind.to_owned()));
        headers.push(("content-length".to_owned(), body.len().to_string()));
        self.send(&headers, body.as_bytes())
    }

    /// What a delivery says of itself, the signature of its body included.
    pub(crate) fn headers(&self, event: &str, body: &[u8]) -> Vec<(String, String)> {
        let signature = self.secret.as_ref().map(|secret| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
            let tag = hmac::sign(&key, body);
            tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        });
        let (name, signed, prefix) = match self.kind {
            Kind::GitHub | Kind::GitHubForm => ("X-GitHub-Event", "X-Hub-Signature-256", "sha256="),
            Kind::Gitea => ("X-Gitea-Event", "X-Gitea-Signature", ""),
            Kind::Forgejo => ("X-Forgejo-Event", "X-Forgejo-Signature", ""),
        };
        let signed = signature.map(|digits| (signed.to_owned(), format!("{prefix}{digits}")));
        [(name.to_owned(), event.to_owned())].into_iter().chain(signed).collect()
    }

    /// Sends a request and reads what is answered to its end.
    pub(crate) fn send(&self, headers: &[(String, String)], body: &[u8]) -> Answered {
        let mut wire = TcpStream::connect(self.address).expect("the address of serve");
        wire.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        let mut request = format!("POST /hooks/git HTTP/1.1\r\nhost: {}\r\n", self.address);
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("connection: close\r\n\r\n");
        let sent = wire.write_all(&[request.as_bytes(), body].concat());
        let mut text = String::new();
        let read = wire.read_to_string(&mut text);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| {
            panic!("no answer: {text:?}, {sent:?}, {read:?}");
        });
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        Answered {
            status: status.unwrap_or_default(),
            head: head.to_ascii_lowercase(),
            body: serde_json::from_str(body).unwrap_or(Value::Null),
        }
    }

    /// What `gitops.webhook_secret_file` holds for these secrets.
    pub(crate) fn write_secrets(file: &Path, secrets: &[&str]) {
        std::fs::write(file, secrets.join("\n")).expect("the secret file");
    }
}

/// As a form field: everything but letters and digits by its number.
fn encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        b' ' => "+".to_owned(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}
