use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::{Value, json};

use super::issuer::now;
use super::wait::PATIENCE;

/// Which forge a delivery looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    GitHub,
    /// GitHub, with the content type `application/x-www-form-urlencoded`.
    GitHubForm,
    Gitea,
    Forgejo,
    /// GitLab, which shows the secret.
    GitLab,
    /// GitLab with a signing token, which is `whsec_` and base64.
    GitLabSigned,
    /// Bitbucket Cloud.
    Bitbucket,
    /// Bitbucket Data Center.
    BitbucketServer,
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
        self.push_to(reference, &json!({"default_branch": "main", "full_name": "edge/config"}))
    }

    /// The same, of this repository.
    pub(crate) fn push_to(&self, reference: &str, repository: &Value) -> Answered {
        let name = reference.rsplit('/').next().unwrap_or_default();
        let (event, payload) = match self.kind {
            Kind::GitLab | Kind::GitLabSigned => {
                let body = json!({"object_kind": "push", "ref": reference, "project": repository});
                ("Push Hook", body)
            }
            Kind::Bitbucket => {
                let changes = json!([{"old": null, "new": {"type": "branch", "name": name}}]);
                let push = json!({ "changes": changes });
                ("repo:push", json!({"push": push, "repository": repository}))
            }
            Kind::BitbucketServer => {
                let changes = json!([{"ref": {"id": reference, "displayId": name}}]);
                ("repo:refs_changed", json!({"changes": changes, "repository": repository}))
            }
            _ => ("push", json!({"ref": reference, "repository": repository})),
        };
        self.deliver(event, &payload.to_string())
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
        let (name, signed) = match self.kind {
            Kind::GitHub | Kind::GitHubForm => ("X-GitHub-Event", "X-Hub-Signature-256"),
            Kind::Gitea => ("X-Gitea-Event", "X-Gitea-Signature"),
            Kind::Forgejo => ("X-Forgejo-Event", "X-Forgejo-Signature"),
            Kind::GitLab | Kind::GitLabSigned => ("X-Gitlab-Event", "X-Gitlab-Token"),
            Kind::Bitbucket | Kind::BitbucketServer => ("X-Event-Key", "X-Hub-Signature"),
        };
        let mut headers = vec![(name.to_owned(), event.to_owned())];
        let Some(secret) = &self.secret else { return headers };
        let proof = match self.kind {
            Kind::GitLab => secret.clone(),
            Kind::GitLabSigned => {
                let inner = secret.strip_prefix("whsec_").unwrap_or(secret);
                let key = STANDARD.decode(inner).unwrap_or_else(|_| secret.clone().into_bytes());
                let sent = now().to_string();
                let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
                let tag = hmac::sign(&key, &[b"msg_1.", sent.as_bytes(), b".", body].concat());
                let signature = format!("v1,{}", STANDARD.encode(tag));
                headers.push(("webhook-id".to_owned(), "msg_1".to_owned()));
                headers.push(("webhook-timestamp".to_owned(), sent));
                headers.push(("webhook-signature".to_owned(), signature));
                return headers;
            }
            kind => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
                let tag = hmac::sign(&key, body);
                let digits: String =
                    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
                let is_bare = matches!(kind, Kind::Gitea | Kind::Forgejo);
                if is_bare { digits } else { format!("sha256={digits}") }
            }
        };
        headers.push((signed.to_owned(), proof));
        headers
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
