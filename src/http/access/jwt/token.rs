//! A JSON Web Token taken apart (RFC 7515, compact serialization; RFC 7519), and what its claims have
//! to say. Nothing here believes anything: whether the signature is right comes from the keys.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::config::JwtSettings;
use crate::model::{JwtAlgorithm, Timestamp};

/// Bytes of the longest token that is looked at.
const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// How far clocks may be apart.
const LEEWAY: Duration = Duration::from_mins(1);
/// Characters of a name that are kept.
const NAME_CHARS_MAX: usize = 200;
/// Roles of a token that are looked through.
const ROLES_MAX: usize = 1000;

/// A token in its parts.
pub(super) struct Token<'t> {
    pub(super) header: Header,
    /// What is signed: the header and the claims as they came.
    pub(super) signed: &'t [u8],
    pub(super) signature: Vec<u8>,
    claims: Map<String, Value>,
}

/// How a token is signed.
pub(super) struct Header {
    pub(super) algorithm: JwtAlgorithm,
    /// The name of the key.
    pub(super) key: Option<String>,
}

/// Who a token is for, once it is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::http) struct Claimed {
    /// `sub`.
    pub(in crate::http) name: String,
    /// The names that may be of a role, in the token's order.
    pub(in crate::http) roles: Vec<String>,
    /// When it ends.
    pub(in crate::http) until: Timestamp,
}

/// Why a token is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::http) enum Refused {
    #[error("it is not a signed JSON Web Token")]
    Unreadable,
    #[error("it is signed in a way that is not taken here")]
    Algorithm,
    #[error("its header asks for something that is not known here (`crit`)")]
    Critical,
    #[error("it is signed with a key that the issuer does not name")]
    UnknownKey,
    #[error("its signature is wrong")]
    Signature,
    #[error("it is of another issuer")]
    Issuer,
    #[error("it is for another audience")]
    Audience,
    #[error("its claim `{0}` is missing, or not what it has to be")]
    Claim(&'static str),
    #[error("it is not valid yet")]
    Early,
    #[error("it has expired")]
    Expired,
    #[error("the issuer's keys cannot be had")]
    Unavailable(Duration),
}

#[derive(Deserialize)]
struct RawHeader {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

/// Whether a bearer's token has the shape of one, so that it is worth a look.
pub(in crate::http) fn has_shape(token: &str) -> bool {
    token.bytes().filter(|byte| *byte == b'.').count() == 2
}

impl<'t> Token<'t> {
    pub(super) fn read(token: &'t str, taken: &[JwtAlgorithm]) -> Result<Self, Refused> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Refused::Unreadable);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Refused::Unreadable)?;
        let (header, claims) = signed.split_once('.').ok_or(Refused::Unreadable)?;
        let header: RawHeader = part(header)?;
        if header.crit.is_some() {
            return Err(Refused::Critical);
        }
        let algorithm = JwtAlgorithm::from_word(&header.alg);
        let algorithm = algorithm.filter(|one| taken.contains(one)).ok_or(Refused::Algorithm)?;
        Ok(Self {
            header: Header { algorithm, key: header.kid },
            signed: signed.as_bytes(),
            signature: URL_SAFE_NO_PAD.decode(signature).map_err(|_| Refused::Unreadable)?,
            claims: part(claims)?,
        })
    }

    /// Whether it says that it is from this issuer and for us. Worth asking before keys are looked
    /// for, and no proof of anything.
    pub(super) fn is_for(&self, settings: &JwtSettings) -> Result<(), Refused> {
        if self.claims.get("iss").and_then(Value::as_str) != Some(&settings.issuer) {
            return Err(Refused::Issuer);
        }
        let ours = |one: &Value| one.as_str() == Some(&settings.audience);
        match self.claims.get("aud") {
            Some(Value::Array(many)) if many.iter().any(ours) => Ok(()),
            Some(one) if ours(one) => Ok(()),
            _ => Err(Refused::Audience),
        }
    }

    /// What it claims, of a token whose signature is right.
    pub(super) fn claimed(
        &self,
        settings: &JwtSettings,
        now: Timestamp,
    ) -> Result<Claimed, Refused> {
        let until = self.moment("exp")?.ok_or(Refused::Claim("exp"))?;
        if now >= until.plus(LEEWAY) {
            return Err(Refused::Expired);
        }
        for name in ["nbf", "iat"] {
            if self.moment(name)?.is_some_and(|from| from > now.plus(LEEWAY)) {
                return Err(Refused::Early);
            }
        }
        let name = self.claims.get("sub").and_then(Value::as_str).unwrap_or_default();
        let name: String =
            name.chars().filter(|one| !one.is_control()).take(NAME_CHARS_MAX).collect();
        if name.trim().is_empty() {
            return Err(Refused::Claim("sub"));
        }
        Ok(Claimed { name, roles: self.roles(&settings.role_claim), until })
    }

    /// `exp`, `nbf` or `iat`: seconds, which may have a fraction (RFC 7519, section 2).
    fn moment(&self, name: &'static str) -> Result<Option<Timestamp>, Refused> {
        let Some(value) = self.claims.get(name) else { return Ok(None) };
        let seconds = value.as_f64().filter(|seconds| (0.0..1e12).contains(seconds));
        let seconds = seconds.ok_or(Refused::Claim(name))?;
        let moment = Timestamp::default().plus(Duration::from_secs_f64(seconds));
        Ok(Some(moment))
    }

    /// The texts at a claim, which is named as it stands or by the way to it.
    fn roles(&self, claim: &str) -> Vec<String> {
        let found = self.claims.get(claim).or_else(|| {
            let mut steps = claim.split('.');
            let first = self.claims.get(steps.next()?)?;
            steps.try_fold(first, |value, step| value.get(step))
        });
        match found {
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Array(many)) => many
                .iter()
                .take(ROLES_MAX)
                .filter_map(|one| one.as_str().map(str::to_owned))
                .collect(),
            _ => Vec::new(),
        }
    }
}

fn part<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Refused> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| Refused::Unreadable)?;
    serde_json::from_slice(&bytes).map_err(|_| Refused::Unreadable)
}
