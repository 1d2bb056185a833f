//! SSH keys, and signatures as `ssh-keygen -Y sign` makes them (OpenSSH's PROTOCOL.sshsig).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA512, RsaPublicKeyComponents, UnparsedPublicKey,
};
use sha2::{Digest as _, Sha256, Sha512};

use super::armor;
use super::wire::{Wire, filled, put};

/// What git signs as.
pub(super) const NAMESPACE: &str = "git";

/// Bytes of a public key: the largest that is verified, RSA of 8,192 bits, has some 1,100.
const KEY_BYTES_MAX: usize = 4096;

/// What a signed message starts with.
const MAGIC: &[u8] = b"SSHSIG";

/// The kinds of keys that OpenSSH knows, and how people call them.
const KINDS: &[(&str, &str)] = &[
    ("ssh-ed25519", "ED25519"),
    ("ssh-rsa", "RSA"),
    ("ssh-dss", "DSA"),
    ("ecdsa-sha2-nistp256", "ECDSA"),
    ("ecdsa-sha2-nistp384", "ECDSA"),
    ("ecdsa-sha2-nistp521", "ECDSA"),
    ("sk-ssh-ed25519@openssh.com", "ED25519-SK"),
    ("sk-ecdsa-sha2-nistp256@openssh.com", "ECDSA-SK"),
];

/// Whether this names a kind of SSH key.
pub(super) fn is_kind(word: &str) -> bool {
    KINDS.iter().any(|(kind, _)| *kind == word)
}

/// A public key: its bytes as SSH writes them, whose first value is the kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SshKey(Vec<u8>);

impl SshKey {
    /// A key of one of the known kinds; `None`: it is none, or too large.
    pub(super) fn read(bytes: Vec<u8>) -> Option<Self> {
        let key = Self(bytes);
        (key.0.len() <= KEY_BYTES_MAX && is_kind(key.kind())).then_some(key)
    }

    /// Its kind, as SSH names it.
    pub(super) fn kind(&self) -> &str {
        Wire::new(&self.0).text().unwrap_or_default()
    }

    /// `ED25519 key SHA256:…`, as ssh-keygen and git show it.
    pub(super) fn shown(&self) -> String {
        let kind = KINDS.iter().find(|(kind, _)| *kind == self.kind());
        let hash = STANDARD_NO_PAD.encode(Sha256::digest(&self.0));
        format!("{} key SHA256:{hash}", kind.map_or("SSH", |(_, name)| name))
    }

    /// The line of text that a file of keys has.
    pub(super) fn line(&self) -> String {
        let base64 = base64::engine::general_purpose::STANDARD.encode(&self.0);
        format!("{} {base64}", self.kind())
    }
}

/// A signature that could be read.
#[derive(Debug)]
pub(super) struct SshSignature {
    /// By which key.
    pub(super) key: SshKey,
    /// What it was made for.
    pub(super) namespace: String,
    reserved: Vec<u8>,
    hash: String,
    algorithm: String,
    signature: Vec<u8>,
    /// What a hardware key adds: its flags and its counter.
    device: Vec<u8>,
}

/// Why a signature that could be read does not hold.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It is not over these bytes, or not by this key.
    Forged,
    /// It may be good, and we cannot say: what is not supported.
    Unsupported(String),
}

impl SshSignature {
    /// Reads a signature from its text.
    pub(super) fn read(text: &str) -> Result<Self, &'static str> {
        let blocks = armor::blocks(text, "SSH SIGNATURE")?;
        let [bytes] = &blocks[..] else { return Err("there is not exactly one in it") };
        Self::of(bytes).unwrap_or(Err("it ends early"))
    }

    /// `None`: the bytes end early.
    fn of(bytes: &[u8]) -> Option<Result<Self, &'static str>> {
        let mut wire = Wire::new(bytes);
        if wire.take(MAGIC.len())? != MAGIC || wire.number()? != 1 {
            return Some(Err("it is not of SSH's version 1"));
        }
        let Some(key) = SshKey::read(wire.string()?.to_vec()) else {
            return Some(Err("its key is of an unknown kind, or a certificate"));
        };
        let namespace = wire.text()?.to_owned();
        let reserved = wire.string()?.to_vec();
        let hash = wire.text()?.to_owned();
        let mut inner = Wire::new(wire.string()?);
        let algorithm = inner.text()?.to_owned();
        let signature = inner.string()?.to_vec();
        let device = if key.kind().starts_with("sk-") { inner.take(5)? } else { &[] }.to_vec();
        if !inner.is_at_end() || !wire.is_at_end() {
            return Some(Err("something follows it"));
        }
        Some(Ok(Self { key, namespace, reserved, hash, algorithm, signature, device }))
    }

    /// Whether it is over `message`, by its own key.
    pub(super) fn verify(&self, message: &[u8]) -> Result<(), Wrong> {
        let digest = match self.hash.as_str() {
            "sha256" => Sha256::digest(message).to_vec(),
            "sha512" => Sha512::digest(message).to_vec(),
            _ => return Err(Wrong::Unsupported("a hash other than SHA-256 and SHA-512".into())),
        };
        let mut signed = MAGIC.to_vec();
        for part in [self.namespace.as_bytes(), &self.reserved, self.hash.as_bytes(), &digest] {
            put(&mut signed, part);
        }
        self.verify_bytes(&signed).unwrap_or(Err(Wrong::Forged))
    }

    /// `None`: the key or the signature is not built as its kind wants.
    fn verify_bytes(&self, signed: &[u8]) -> Option<Result<(), Wrong>> {
        let mut key = Wire::new(&self.key.0);
        let kind = key.text()?;
        let algorithm = match kind {
            "ssh-rsa" if self.algorithm != "rsa-sha2-256" && self.algorithm != "rsa-sha2-512" => {
                return Some(Err(Wrong::Unsupported("an RSA signature with SHA-1".into())));
            }
            "ssh-rsa" => self.algorithm.as_str(),
            kind => kind,
        };
        if algorithm != self.algorithm {
            return None;
        }
        let good = match kind {
            "ssh-ed25519" => {
                UnparsedPublicKey::new(&ED25519, key.string()?).verify(signed, &self.signature)
            }
            "sk-ssh-ed25519@openssh.com" => {
                let point = key.string()?;
                let signed = self.by_device(key.string()?, signed);
                UnparsedPublicKey::new(&ED25519, point).verify(&signed, &self.signature)
            }
            "ecdsa-sha2-nistp256" => {
                key.string()?;
                let signature = self.pair(32)?;
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.string()?)
                    .verify(signed, &signature)
            }
            "ecdsa-sha2-nistp384" => {
                key.string()?;
                let signature = self.pair(48)?;
                UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, key.string()?)
                    .verify(signed, &signature)
            }
            "sk-ecdsa-sha2-nistp256@openssh.com" => {
                key.string()?;
                let (point, signature) = (key.string()?, self.pair(32)?);
                let signed = self.by_device(key.string()?, signed);
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(&signed, &signature)
            }
            "ssh-rsa" => {
                let (e, n) = (key.large_number()?, key.large_number()?);
                if !(256..=1024).contains(&n.len()) {
                    let bits = n.len() * 8;
                    return Some(Err(Wrong::Unsupported(format!("an RSA key of {bits} bits"))));
                }
                let parameters = match algorithm {
                    "rsa-sha2-256" => &RSA_PKCS1_2048_8192_SHA256,
                    _ => &RSA_PKCS1_2048_8192_SHA512,
                };
                let signature = filled(&self.signature, n.len())?;
                RsaPublicKeyComponents { n, e }.verify(parameters, signed, &signature)
            }
            other => return Some(Err(Wrong::Unsupported(format!("a key of the kind {other}")))),
        };
        Some(good.map_err(|_| Wrong::Forged))
    }

    /// An ECDSA signature as its two numbers of `length` bytes.
    fn pair(&self, length: usize) -> Option<Vec<u8>> {
        let mut wire = Wire::new(&self.signature);
        let (r, s) = (wire.large_number()?, wire.large_number()?);
        let both = [filled(r, length)?, filled(s, length)?].concat();
        wire.is_at_end().then_some(both)
    }

    /// What a hardware key signs (OpenSSH's PROTOCOL.u2f).
    fn by_device(&self, application: &[u8], signed: &[u8]) -> Vec<u8> {
        [&Sha256::digest(application)[..], &self.device, &Sha256::digest(signed)[..]].concat()
    }
}

#[cfg(test)]
mod tests;
