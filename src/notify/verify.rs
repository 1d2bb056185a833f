//! The receiving end of Standard Webhooks, for `kconfigd listen`.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use super::NotifyError;
use super::secrets::{self, Material};
use super::sign::signed_bytes;
use crate::model::Timestamp;

/// How far a signature's time may be from ours: what Standard Webhooks proposes.
pub const TOLERANCE: Duration = Duration::from_secs(5 * 60);
/// Signatures looked at in one header; more than the keys a sender may have.
const SIGNATURES_MAX: usize = 16;

/// The keys that a receiver trusts.
pub struct VerifyingKeys(Vec<Key>);

enum Key {
    Hmac(hmac::Key),
    Ed25519(UnparsedPublicKey<Vec<u8>>),
}

/// The headers of a Standard Webhook as they arrived.
#[derive(Clone, Copy, Debug, Default)]
pub struct Headers<'a> {
    /// `webhook-id`.
    pub id: Option<&'a str>,
    /// `webhook-timestamp`.
    pub timestamp: Option<&'a str>,
    /// `webhook-signature`.
    pub signature: Option<&'a str>,
}

/// Why a request is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// A header is not there or not text.
    #[error("the header {0} is missing")]
    Missing(&'static str),
    /// The timestamp is not a number of seconds.
    #[error("webhook-timestamp is not a number of seconds")]
    Timestamp,
    /// It was signed too long ago: a replay, or a clock that is wrong.
    #[error("signed {0} s ago, which is too long: a replay, or a wrong clock")]
    Old(u64),
    /// It was signed in the future.
    #[error("signed {0} s in the future: a wrong clock")]
    Early(u64),
    /// No signature is by a key that is trusted.
    #[error("no signature matches: another key, or an altered body")]
    NoMatch,
}

impl VerifyingKeys {
    /// Adds up the keys in `paths`: `whsec_` (HMAC-SHA256), `whpk_` (an Ed25519 public key) or
    /// `whsk_` (its private key, whose public half is taken). Blocks on the file system.
    ///
    /// # Errors
    /// As [`super::SigningKeys::read`].
    pub fn read<P: AsRef<Path>>(paths: &[P]) -> Result<Self, NotifyError> {
        let mut keys = Vec::new();
        for path in paths.iter().map(AsRef::as_ref) {
            for material in secrets::read(path)? {
                keys.push(match material {
                    Material::Hmac(key) => Key::Hmac(hmac::Key::new(hmac::HMAC_SHA256, &key)),
                    Material::Ed25519Public(key) => {
                        Key::Ed25519(UnparsedPublicKey::new(&ED25519, key))
                    }
                    Material::Ed25519 { seed, .. } => {
                        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| {
                            NotifyError::SecretFileShape {
                                path: path.to_owned(),
                                problem: "holds a whsk_ key that is not one",
                            }
                        })?;
                        let public = pair.public_key().as_ref().to_vec();
                        Key::Ed25519(UnparsedPublicKey::new(&ED25519, public))
                    }
                });
            }
        }
        Ok(Self(keys))
    }

    /// Whether the body was signed by one of the keys, within `tolerance` of `now`. Signatures
    /// are compared in constant time.
    ///
    /// # Errors
    /// Says why it is not believed.
    pub fn verify(
        &self,
        headers: Headers<'_>,
        body: &[u8],
        now: Timestamp,
        tolerance: Duration,
    ) -> Result<(), Unverified> {
        let id = headers.id.ok_or(Unverified::Missing("webhook-id"))?;
        let timestamp = headers.timestamp.ok_or(Unverified::Missing("webhook-timestamp"))?;
        let signature = headers.signature.ok_or(Unverified::Missing("webhook-signature"))?;
        let seconds: i64 = timestamp.parse().map_err(|_| Unverified::Timestamp)?;
        let age = now.seconds().saturating_sub(seconds);
        if age.unsigned_abs() > tolerance.as_secs() {
            let distance = age.unsigned_abs();
            return Err(if age > 0 {
                Unverified::Old(distance)
            } else {
                Unverified::Early(distance)
            });
        }
        let message = signed_bytes(id, seconds, body);
        let matches = signature
            .split_ascii_whitespace()
            .take(SIGNATURES_MAX)
            .filter_map(|one| one.split_once(','))
            .filter_map(|(version, text)| Some((version, STANDARD.decode(text).ok()?)))
            .any(|(version, bytes)| self.0.iter().any(|key| key.made(version, &bytes, &message)));
        if matches { Ok(()) } else { Err(Unverified::NoMatch) }
    }
}

impl Key {
    fn made(&self, version: &str, signature: &[u8], message: &[u8]) -> bool {
        match (self, version) {
            (Self::Hmac(key), "v1") => hmac::verify(key, message, signature).is_ok(),
            (Self::Ed25519(key), "v1a") => key.verify(message, signature).is_ok(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::SigningKeys;

    const AT: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    fn check(sender: &str, receiver: &str, body: &[u8], now: Timestamp) -> Result<(), Unverified> {
        let signature = SigningKeys::read(file(sender).path()).unwrap().sign("evt_1", AT, b"{}");
        let headers = Headers {
            id: Some("evt_1"),
            timestamp: Some("1700000000"),
            signature: Some(&signature),
        };
        let keys = VerifyingKeys::read(&[file(receiver)]).unwrap();
        keys.verify(headers, body, now, TOLERANCE)
    }

    fn whsec(byte: u8) -> String {
        format!("whsec_{}\n", STANDARD.encode([byte; 32]))
    }

    fn ed25519(byte: u8) -> (String, String) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[byte; 32]).unwrap();
        let public = STANDARD.encode(pair.public_key().as_ref());
        (format!("whsk_{}\n", STANDARD.encode([byte; 32])), format!("whpk_{public}\n"))
    }

    #[test]
    fn both_kinds_of_keys_verify_what_they_signed() {
        let (private, public) = ed25519(3);
        assert_eq!(check(&whsec(1), &whsec(1), b"{}", AT), Ok(()));
        assert_eq!(check(&private, &public, b"{}", AT), Ok(()));
        assert_eq!(check(&private, &private, b"{}", AT), Ok(()));
    }

    #[test]
    fn during_a_key_change_old_and_new_receivers_both_verify() {
        let both = whsec(1) + &whsec(2) + &ed25519(3).0;
        for receiver in [whsec(1), whsec(2), ed25519(3).1] {
            assert_eq!(check(&both, &receiver, b"{}", AT), Ok(()));
        }
    }

    #[test]
    fn another_key_or_an_altered_body_does_not_verify() {
        assert_eq!(check(&whsec(1), &whsec(2), b"{}", AT), Err(Unverified::NoMatch));
        assert_eq!(check(&whsec(1), &whsec(1), b"{ }", AT), Err(Unverified::NoMatch));
        assert_eq!(check(&ed25519(3).0, &ed25519(4).1, b"{}", AT), Err(Unverified::NoMatch));
    }

    #[test]
    fn a_replay_and_a_wrong_clock_are_told_apart() {
        let key = whsec(1);
        let late = AT.plus(Duration::from_secs(301));
        assert_eq!(check(&key, &key, b"{}", AT.plus(TOLERANCE)), Ok(()));
        assert_eq!(check(&key, &key, b"{}", late), Err(Unverified::Old(301)));
        let early = AT.minus(Duration::from_secs(301));
        assert_eq!(check(&key, &key, b"{}", early), Err(Unverified::Early(301)));
    }

    #[test]
    fn garbage_in_the_headers_is_refused() {
        let keys = VerifyingKeys::read(&[file(&whsec(1))]).unwrap();
        let check = |headers| keys.verify(headers, b"", AT, TOLERANCE);
        assert_eq!(check(Headers::default()), Err(Unverified::Missing("webhook-id")));
        let headers = Headers { id: Some("x"), timestamp: Some("soon"), signature: Some("") };
        assert_eq!(check(headers), Err(Unverified::Timestamp));
        let minimum = i64::MIN.to_string();
        let headers = Headers { timestamp: Some(&minimum), ..headers };
        assert!(matches!(check(headers), Err(Unverified::Old(_))));
        let headers = Headers {
            timestamp: Some("1700000000"),
            signature: Some("v1 v1, v1,=== v1a,AAAA v2,AAAA"),
            ..headers
        };
        assert_eq!(check(headers), Err(Unverified::NoMatch));
    }
}
