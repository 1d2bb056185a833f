//! What proves that a delivery is the forge's: HMAC-SHA256 over the body, byte for byte.
//!
//! GitHub: <https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries>.
//! Gitea and Forgejo: <https://docs.gitea.com/usage/webhooks>.

use axum::http::{HeaderMap, StatusCode};
use ring::hmac;

use crate::http::problem::Problem;

/// Where forges put it, and what stands before the hexadecimal digits.
const HEADERS: &[(&str, &str)] =
    &[("x-hub-signature-256", "sha256="), ("x-gitea-signature", ""), ("x-forgejo-signature", "")];
/// Different signatures looked at in one request. Forges repeat theirs under several names.
const CLAIMS_MAX: usize = 4;
/// Bytes in a signature.
const BYTES: usize = 32;

/// A signature as the request has it.
pub(super) type Claim = [u8; BYTES];

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
                "X-Hub-Signature-256, X-Gitea-Signature or X-Forgejo-Signature is missing: set the \
                 webhook's secret in the forge",
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

/// The signatures that a request has. Known before its body is read.
pub(super) fn claims(headers: &HeaderMap) -> Result<Vec<Claim>, Unverified> {
    let mut found = Vec::new();
    let mut present = false;
    for (name, prefix) in HEADERS {
        for value in headers.get_all(*name) {
            present = true;
            let claim = value.to_str().ok().and_then(|text| decoded(text.strip_prefix(prefix)?));
            if let Some(claim) = claim
                && !found.contains(&claim)
            {
                found.push(claim);
            }
        }
    }
    found.truncate(CLAIMS_MAX);
    match found.is_empty() {
        false => Ok(found),
        true if present => Err(Unverified::Wrong),
        true => Err(Unverified::Missing),
    }
}

/// Whether one of the secrets gives one of the signatures for this body. The body is hashed once a
/// secret; what is compared is hashed once more and then compared in constant time, so that the
/// time it takes tells nothing of the right signature.
pub(super) fn matches(secrets: &[hmac::Key], claims: &[Claim], body: &[u8]) -> bool {
    secrets.iter().any(|secret| {
        let right = hmac::sign(secret, hmac::sign(secret, body).as_ref());
        claims.iter().any(|claim| hmac::verify(secret, claim, right.as_ref()).is_ok())
    })
}

/// The bytes of 64 hexadecimal digits.
fn decoded(text: &str) -> Option<Claim> {
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
