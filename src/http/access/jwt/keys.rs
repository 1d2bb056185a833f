//! Keys of an issuer: a key set (RFC 7517), or a public key or certificate in PEM, and what they say
//! of a signature.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    self, ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaPublicKeyComponents, UnparsedPublicKey,
};
use rustls::pki_types::pem::{PemObject as _, SectionKind};
use serde::Deserialize;

use super::der::{PublicKey, of_certificate, of_public_key, without_zeros};
use super::token::Header;
use crate::model::JwtAlgorithm;

/// Keys of one issuer; beyond, a set is refused.
const KEYS_MAX: usize = 100;

/// The keys that count.
#[derive(Debug, Default)]
pub(super) struct Keys(Vec<Key>);

#[derive(Debug)]
struct Key {
    /// Its name; `None`: it goes by any.
    id: Option<String>,
    /// The one algorithm that it is for, where it says so.
    algorithm: Option<JwtAlgorithm>,
    key: PublicKey,
}

/// Why there are no keys.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum KeysError {
    #[error("it is neither a key set nor a public key or a certificate in PEM")]
    Unreadable,
    #[error("it has more than {KEYS_MAX} keys")]
    TooMany,
    #[error(
        "it has no public key that signatures can be verified with (RSA, P-256, P-384, Ed25519)"
    )]
    NoneUsable,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Keys {
    /// A key set. Keys in it that are of no use here are passed over.
    pub(super) fn of_set(json: &[u8]) -> Result<Self, KeysError> {
        let set: Set = serde_json::from_slice(json).map_err(|_| KeysError::Unreadable)?;
        if set.keys.len() > KEYS_MAX {
            return Err(KeysError::TooMany);
        }
        let read = |value| serde_json::from_value::<Jwk>(value).ok().and_then(key_of);
        let keys: Vec<Key> = set.keys.into_iter().filter_map(read).collect();
        if keys.is_empty() { Err(KeysError::NoneUsable) } else { Ok(Self(keys)) }
    }

    /// What a file holds: a key set, or keys and certificates in PEM.
    pub(super) fn of_file(bytes: &[u8]) -> Result<Self, KeysError> {
        if bytes.trim_ascii_start().starts_with(b"{") {
            return Self::of_set(bytes);
        }
        let mut keys = Vec::new();
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(bytes) {
            let (kind, der) = section.map_err(|_| KeysError::Unreadable)?;
            let key = match kind {
                SectionKind::PublicKey => of_public_key(&der),
                SectionKind::Certificate => of_certificate(&der),
                _ => None,
            };
            keys.extend(key.map(|key| Key { id: None, algorithm: None, key }));
            if keys.len() > KEYS_MAX {
                return Err(KeysError::TooMany);
            }
        }
        if keys.is_empty() { Err(KeysError::NoneUsable) } else { Ok(Self(keys)) }
    }

    /// Whether one of them may have signed a token with this header.
    pub(super) fn has(&self, header: &Header) -> bool {
        self.fitting(header).next().is_some()
    }

    /// Whether one of them signed these bytes.
    pub(super) fn verify(&self, header: &Header, signed: &[u8], signature: &[u8]) -> bool {
        self.fitting(header).any(|key| key.verify(header.algorithm, signed, signature))
    }

    fn fitting<'k>(&'k self, header: &'k Header) -> impl Iterator<Item = &'k Key> {
        self.0.iter().filter(|key| {
            key.id.as_ref().zip(header.key.as_ref()).is_none_or(|(one, other)| one == other)
                && key.algorithm.is_none_or(|only| only == header.algorithm)
                && key.fits(header.algorithm)
        })
    }
}

impl Key {
    /// Whether it is of the kind that an algorithm takes. A key of another kind is never asked, so
    /// that no token chooses what its key is taken for.
    const fn fits(&self, algorithm: JwtAlgorithm) -> bool {
        use JwtAlgorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        matches!(
            (&self.key, algorithm),
            (PublicKey::Rsa { .. }, Rs256 | Rs384 | Rs512 | Ps256 | Ps384 | Ps512)
                | (PublicKey::P256(_), Es256)
                | (PublicKey::P384(_), Es384)
                | (PublicKey::Ed25519(_), EdDsa)
        )
    }

    fn verify(&self, algorithm: JwtAlgorithm, signed: &[u8], signature: &[u8]) -> bool {
        let point = |algorithm, bytes: &[u8]| {
            UnparsedPublicKey::new(algorithm, bytes).verify(signed, signature)
        };
        let verified = match &self.key {
            PublicKey::Rsa { n, e } => match of_rsa_words(algorithm) {
                Some(parameters) => {
                    RsaPublicKeyComponents { n, e }.verify(parameters, signed, signature)
                }
                None => return false,
            },
            PublicKey::P256(bytes) => point(&ECDSA_P256_SHA256_FIXED, bytes),
            PublicKey::P384(bytes) => point(&ECDSA_P384_SHA384_FIXED, bytes),
            PublicKey::Ed25519(bytes) => {
                UnparsedPublicKey::new(&signature::ED25519, bytes).verify(signed, signature)
            }
        };
        verified.is_ok()
    }
}

/// What ring takes for an algorithm of RSA; keys are of 2,048 to 8,192 bits.
const fn of_rsa_words(algorithm: JwtAlgorithm) -> Option<&'static signature::RsaParameters> {
    Some(match algorithm {
        JwtAlgorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
        JwtAlgorithm::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
        JwtAlgorithm::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
        JwtAlgorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
        JwtAlgorithm::Ps384 => &RSA_PSS_2048_8192_SHA384,
        JwtAlgorithm::Ps512 => &RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

/// A key of a set, where it verifies signatures in a way that is known here (RFC 7517, section 4).
fn key_of(jwk: Jwk) -> Option<Key> {
    if jwk.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    if jwk.key_ops.as_ref().is_some_and(|uses| !uses.iter().any(|one| one == "verify")) {
        return None;
    }
    // One that is for an algorithm which is not taken here is for no other either.
    let algorithm = match &jwk.alg {
        Some(word) => Some(JwtAlgorithm::from_word(word)?),
        None => None,
    };
    let bytes = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
    let key = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => PublicKey::Rsa {
            n: without_zeros(&bytes(&jwk.n)?).to_vec(),
            e: without_zeros(&bytes(&jwk.e)?).to_vec(),
        },
        ("EC", Some("P-256")) => PublicKey::P256(point(&bytes(&jwk.x)?, &bytes(&jwk.y)?, 32)?),
        ("EC", Some("P-384")) => PublicKey::P384(point(&bytes(&jwk.x)?, &bytes(&jwk.y)?, 48)?),
        ("OKP", Some("Ed25519")) => PublicKey::Ed25519(bytes(&jwk.x)?),
        _ => return None,
    };
    Some(Key { id: jwk.kid, algorithm, key })
}

/// A point as SEC 1 writes it without compression; its coordinates have their full length
/// (RFC 7518, section 6.2.1.2).
fn point(x: &[u8], y: &[u8], bytes: usize) -> Option<Vec<u8>> {
    (x.len() == bytes && y.len() == bytes).then(|| [&[4], x, y].concat())
}
