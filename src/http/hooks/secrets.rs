//! The file with the webhook's secrets, read again at each use.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use zeroize::Zeroizing;

/// Bytes in a secret file.
const FILE_BYTES_MAX: usize = 64 * 1024;
/// Secrets in a file: during a change there are two, so eight is generous.
const SECRETS_MAX: usize = 8;

/// What a secret for Standard Webhooks begins with, such as a signing token of GitLab.
const TIMED: &str = "whsec_";

/// A secret, ready to verify with: of it no byte is kept but inside the keys.
pub(super) struct Secret {
    key: hmac::Key,
    /// The secret signed with itself: what a right token gives too.
    token: hmac::Tag,
    timed: Option<hmac::Key>,
}

impl Secret {
    pub(super) fn new(line: &[u8]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, line);
        let token = hmac::sign(&key, line);
        let inner = line.strip_prefix(TIMED.as_bytes());
        let inner = inner.and_then(|text| STANDARD.decode(text).ok()).map(Zeroizing::new);
        let timed = inner.map(|bytes| hmac::Key::new(hmac::HMAC_SHA256, &bytes));
        Self { key, token, timed }
    }

    pub(super) const fn key(&self) -> &hmac::Key {
        &self.key
    }

    /// The key of Standard Webhooks, where it is one.
    pub(super) const fn timed(&self) -> Option<&hmac::Key> {
        self.timed.as_ref()
    }

    pub(super) fn sign(&self, bytes: &[u8]) -> hmac::Tag {
        hmac::sign(&self.key, bytes)
    }

    /// Whether these bytes give this tag, in constant time.
    pub(super) fn is(&self, bytes: &[u8], tag: &hmac::Tag) -> bool {
        hmac::verify(&self.key, bytes, tag.as_ref()).is_ok()
    }

    /// Whether this is the secret itself, in constant time.
    pub(super) fn is_token(&self, token: &[u8]) -> bool {
        self.is(token, &self.token)
    }
}

/// Why there is no secret to verify with.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("cannot read gitops.webhook_secret_file, {path}")]
    File { path: PathBuf, source: io::Error },
    #[error("gitops.webhook_secret_file, {path}, {problem}")]
    Shape { path: PathBuf, problem: &'static str },
}

impl Unreadable {
    /// What the system says, in one line.
    pub(super) fn cause(&self) -> String {
        std::error::Error::source(self).map_or_else(String::new, ToString::to_string)
    }
}

/// Reads the secrets in `path`: one a line as it was given to the forge, without the white space
/// around it. Blank lines do not count. Blocks on the file system.
pub(super) fn read(path: &Path) -> Result<Vec<Secret>, Unreadable> {
    let failed = |source| Unreadable::File { path: path.to_owned(), source };
    let shape = |problem| Unreadable::Shape { path: path.to_owned(), problem };
    // Looked at before it is opened: opening a pipe that nobody writes to would wait for ever.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")));
    }
    // Allocated once: a vector that grows would leave copies behind that nobody wipes.
    let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_BYTES_MAX + 1));
    let limit = u64::try_from(FILE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(shape("is larger than 64 KiB; it holds one secret a line"));
    }
    let lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let secrets: Vec<_> =
        lines.filter(|line| !line.is_empty()).take(SECRETS_MAX + 1).map(Secret::new).collect();
    match secrets.len() {
        0 => Err(shape("holds no secret; write one line, such as `openssl rand -hex 32` gives")),
        1..=SECRETS_MAX => Ok(secrets),
        _ => Err(shape("holds more than 8 secrets; remove those that are no longer used")),
    }
}
