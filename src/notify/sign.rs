//! The sending end of Standard Webhooks (<https://www.standardwebhooks.com>, version 1.0.0).

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use ring::signature::Ed25519KeyPair;

use super::NotifyError;
use super::secrets::{self, Material};
use crate::model::Timestamp;

/// The keys that sign for one node: all of them do, so that a key can be changed without a gap.
pub struct SigningKeys(Vec<Key>);

enum Key {
    /// `v1`.
    Hmac(hmac::Key),
    /// `v1a`.
    Ed25519(Box<Ed25519KeyPair>),
}

impl SigningKeys {
    /// Reads the keys in `path`: one a line, `whsec_` and base64 (HMAC-SHA256, 24 to 64 bytes) or
    /// `whsk_` and base64 (Ed25519, a 32-byte seed, or 64 bytes: seed and public key).
    /// Blocks on the file system.
    ///
    /// # Errors
    /// When the file cannot be read, is larger than 64 KiB, holds no key, more than eight, or a
    /// line that is none. No message holds a secret.
    pub fn read(path: &Path) -> Result<Self, NotifyError> {
        let shape = |problem| NotifyError::SecretFileShape { path: path.to_owned(), problem };
        let mut keys = Vec::new();
        for material in secrets::read(path)? {
            keys.push(match material {
                Material::Hmac(key) => Key::Hmac(hmac::Key::new(hmac::HMAC_SHA256, &key)),
                Material::Ed25519 { seed, public } => Key::Ed25519(Box::new(
                    match public {
                        Some(public) => Ed25519KeyPair::from_seed_and_public_key(&seed, &public),
                        None => Ed25519KeyPair::from_seed_unchecked(&seed),
                    }
                    .map_err(|_| {
                        shape("holds a whsk_ key whose two halves do not belong together")
                    })?,
                )),
                Material::Ed25519Public(_) => {
                    return Err(shape("holds a whpk_ key, which verifies and cannot sign"));
                }
            });
        }
        Ok(Self(keys))
    }

    /// The value of `webhook-signature`: one signature a key over `id.timestamp.body`, separated
    /// by spaces. `at` is the moment of the attempt; its whole seconds go into `webhook-timestamp`.
    #[must_use]
    pub fn sign(&self, id: &str, at: Timestamp, body: &[u8]) -> String {
        let message = signed_bytes(id, at.seconds(), body);
        let signatures: Vec<String> = self
            .0
            .iter()
            .map(|key| match key {
                Key::Hmac(key) => format!("v1,{}", STANDARD.encode(hmac::sign(key, &message))),
                Key::Ed25519(key) => format!("v1a,{}", STANDARD.encode(key.sign(&message))),
            })
            .collect();
        signatures.join(" ")
    }
}

/// What is signed: `id.timestamp.body`.
pub(super) fn signed_bytes(id: &str, seconds: i64, body: &[u8]) -> Vec<u8> {
    let mut message = format!("{id}.{seconds}.").into_bytes();
    message.extend_from_slice(body);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Result<SigningKeys, NotifyError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        SigningKeys::read(file.path())
    }

    #[test]
    fn published_test_vector_of_standard_webhooks() {
        let keys = keys("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let at = Timestamp::from_millis(1_614_265_330_999);
        let signature = keys.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn every_key_in_the_file_signs() {
        let seed = STANDARD.encode([7; 32]);
        let keys =
            keys(&format!("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\nwhsk_{seed}\nwhsec_{seed}\n"));
        let signature = keys.unwrap().sign("evt_1", Timestamp(0), b"{}");
        let versions: Vec<_> = signature.split(' ').map(|s| s.split_once(',').unwrap().0).collect();
        assert_eq!(versions, ["v1", "v1a", "v1"]);
    }

    #[test]
    fn a_public_key_or_a_broken_pair_cannot_sign() {
        let public = format!("whpk_{}", STANDARD.encode([7; 32]));
        assert!(keys(&public).err().unwrap().to_string().contains("cannot sign"));
        let pair = format!("whsk_{}", STANDARD.encode([7; 64]));
        assert!(keys(&pair).err().unwrap().to_string().contains("do not belong together"));
    }
}
