use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

/// A key of Standard Webhooks, as the receiving end has it. Written from the specification
/// (<https://www.standardwebhooks.com>), not from the program under test.
#[derive(Clone, Debug)]
pub(crate) enum Key {
    /// `v1`: the shared secret.
    Hmac(Vec<u8>),
    /// `v1a`: the seed, of which a real receiver would only have the public key.
    Ed25519(Vec<u8>),
}

impl Key {
    /// A new key for HMAC-SHA256.
    pub(crate) fn hmac() -> Self {
        Self::Hmac(chance())
    }

    /// A new key for Ed25519.
    pub(crate) fn ed25519() -> Self {
        Self::Ed25519(chance())
    }

    /// What the sender's secret file holds.
    pub(crate) fn secret(&self) -> String {
        match self {
            Self::Hmac(key) => format!("whsec_{}", STANDARD.encode(key)),
            Self::Ed25519(seed) => format!("whsk_{}", STANDARD.encode(seed)),
        }
    }

    /// Whether one of the signatures, separated by spaces, is this key's.
    pub(crate) fn verifies(&self, signed: &[u8], signatures: &str) -> bool {
        signatures.split(' ').filter_map(|one| one.split_once(',')).any(|(version, signature)| {
            let Ok(signature) = STANDARD.decode(signature) else { return false };
            match (self, version) {
                (Self::Hmac(key), "v1") => {
                    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key);
                    ring::hmac::verify(&key, signed, &signature).is_ok()
                }
                (Self::Ed25519(seed), "v1a") => {
                    let pair = Ed25519KeyPair::from_seed_unchecked(seed).expect("a seed");
                    let public = UnparsedPublicKey::new(&ED25519, pair.public_key().as_ref());
                    public.verify(signed, &signature).is_ok()
                }
                _ => false,
            }
        })
    }
}

/// The bytes that are signed.
pub(crate) fn signed(id: &str, timestamp: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{id}.{timestamp}.").into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

fn chance() -> Vec<u8> {
    let mut bytes = vec![0; 32];
    SystemRandom::new().fill(&mut bytes).expect("random bytes");
    bytes
}
