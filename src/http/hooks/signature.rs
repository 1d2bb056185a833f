//! What proves that a delivery is the forge's: HMAC-SHA256 over the body, byte for byte, or with GitLab
//! the secret itself.
//!
//! GitHub: <https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries>.
//! Gitea and Forgejo: <https://docs.gitea.com/usage/webhooks>.
//! GitLab: <https://docs.gitlab.com/user/project/integrations/webhooks/>; its signing tokens are those of
//! Standard Webhooks.
//! Bitbucket: <https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/>.

use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

use super::secrets::Secret;
use crate::http::problem::Problem;
use crate::model::Timestamp;

/// Where forges put a signature of the body, and what stands before the hexadecimal digits.
const HEADERS: &[(&str, &str)] = &[
    ("x-hub-signature-256", "sha256="),
    ("x-gitea-signature", ""),
    ("x-forgejo-signature", ""),
    ("x-hub-signature", "sha256="),
];
/// Where GitHub has SHA-1 too, which counts as nothing, and Bitbucket SHA-256.
const OLD: &str = "x-hub-signature";
/// Where GitLab puts the secret.
const TOKEN: &str = "x-gitlab-token";
/// Different signatures looked at in one request. Forges repeat theirs under several names.
const CLAIMS_MAX: usize = 4;
/// Bytes in a signature.
const BYTES: usize = 32;
/// How old a delivery may be that says when it was sent, and how far ahead, in milliseconds.
const AGE_MAX_MS: u64 = 5 * 60 * 1000;

/// What a request has to show for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// A signature of the body.
    Body([u8; BYTES]),
    /// The secret.
    Token(Vec<u8>),
    /// A signature of what stands before the body, and it (Standard Webhooks).
    Timed { before: Vec<u8>, sent: i64, signature: [u8; BYTES] },
}

/// Why a delivery is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unverified {
    /// It has no signature that we know.
    Missing,
    /// It has one, by another secret or of another body.
    Wrong,
}

impl From<Unverified> for Problem {
    fn from(unverified: Unverified) -> Self {
        let (code, detail) = match unverified {
            Unverified::Missing => (
                "signature_missing",
                "X-Hub-Signature-256, X-Gitea-Signature, X-Forgejo-Signature, X-Gitlab-Token, \
                 webhook-signature or X-Hub-Signature with sha256 is missing: set the webhook's \
                 secret in the forge",
            ),
            Unverified::Wrong => (
                "signature_wrong",
                "the signature does not match: the forge has another secret than the file that \
                 gitops.webhook_secret_file names, or the body was altered on its way",
            ),
        };
        Self::new(StatusCode::UNAUTHORIZED, code, detail)
    }
}

/// What a request has to show. Known before its body is read.
pub(super) fn claims(headers: &HeaderMap) -> Result<Vec<Claim>, Unverified> {
    let mut found = Vec::new();
    let mut present = false;
    for (name, prefix) in HEADERS {
        for value in headers.get_all(*name) {
            let digits = value.to_str().ok().and_then(|text| text.strip_prefix(prefix));
            present |= *name != OLD || digits.is_some();
            let claim = digits.and_then(decoded).map(Claim::Body);
            found.extend(claim.filter(|claim| !found.contains(claim)));
        }
    }
    for value in headers.get_all(TOKEN) {
        present = true;
        let token = value.as_bytes().trim_ascii();
        found.extend((!token.is_empty()).then(|| Claim::Token(token.to_vec())));
    }
    if let Some(value) = headers.get("webhook-signature") {
        present = true;
        found.extend(timed(headers, value.to_str().unwrap_or_default()));
    }
    found.truncate(CLAIMS_MAX);
    match found.is_empty() {
        false => Ok(found),
        true if present => Err(Unverified::Wrong),
        true => Err(Unverified::Missing),
    }
}

/// The signatures of Standard Webhooks, with what they are of.
fn timed(headers: &HeaderMap, signatures: &str) -> Vec<Claim> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let (Some(id), Some(sent)) = (text("webhook-id"), text("webhook-timestamp")) else {
        return Vec::new();
    };
    let Ok(seconds) = sent.trim().parse::<i64>() else { return Vec::new() };
    let claim = |word: &str| {
        let bytes = STANDARD.decode(word.strip_prefix("v1,")?).ok()?;
        let before = format!("{id}.{sent}.").into_bytes();
        Some(Claim::Timed { before, sent: seconds, signature: bytes.try_into().ok()? })
    };
    signatures.split_ascii_whitespace().filter_map(claim).take(CLAIMS_MAX).collect()
}

/// Whether one of the secrets gives one of the claims for this body. The body is hashed once a
/// secret; what is compared is hashed once more and then compared in constant time, so that the
/// time it takes tells nothing of the right signature.
pub(super) fn matches(secrets: &[Secret], claims: &[Claim], body: &[u8], now: Timestamp) -> bool {
    secrets.iter().any(|secret| {
        let of_body = secret.sign(hmac::sign(secret.key(), body).as_ref());
        claims.iter().any(|claim| match claim {
            Claim::Body(signature) => secret.is(signature, &of_body),
            Claim::Token(token) => secret.is_token(token),
            Claim::Timed { before, sent, signature } => {
                let sent = Timestamp(sent.saturating_mul(1000));
                sent.0.abs_diff(now.0) <= AGE_MAX_MS
                    && secret.timed().is_some_and(|key| {
                        hmac::verify(key, &[before, body].concat(), signature).is_ok()
                    })
            }
        })
    })
}

/// The bytes of 64 hexadecimal digits.
fn decoded(text: &str) -> Option<[u8; BYTES]> {
    let text = text.trim_ascii().as_bytes();
    if text.len() != 2 * BYTES {
        return None;
    }
    let mut claim = [0; BYTES];
    for (byte, pair) in claim.iter_mut().zip(text.chunks_exact(2)) {
        *byte = pair.iter().try_fold(0, |byte, digit| {
            let digit = char::from(*digit).to_digit(16)?;
            u8::try_from(digit).ok().map(|digit| byte << 4 | digit)
        })?;
    }
    Some(claim)
}
