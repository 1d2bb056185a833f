use ring::digest;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RsaPublicKeyComponents,
    UnparsedPublicKey,
};

use super::packet::{self, Bytes, Key, Material, hex};
use crate::trust::armor;
use crate::trust::ssh::Wrong;
use crate::trust::wire::filled;

/// A signature of version 4.
#[derive(Clone, Debug)]
pub(in crate::trust) struct Signature {
    /// What it says: 0 is "this data", see RFC 9580, section 5.2.1.
    pub(super) kind: u8,
    algorithm: u8,
    hash: u8,
    /// From its version to the end of the parts that it covers.
    hashed: Vec<u8>,
    numbers: Vec<u8>,
    parts: Parts,
}

/// What a signature says of itself and of what it is over.
#[derive(Clone, Debug, Default)]
struct Parts {
    created: Option<i64>,
    expires_after: Option<i64>,
    key_expires_after: Option<i64>,
    key_flags: Option<u8>,
    issuers: Vec<Vec<u8>>,
    embedded: Option<Vec<u8>>,
    reason: Option<u8>,
    /// Something that has to be understood, and is not.
    is_strange: bool,
}

impl Signature {
    /// Reads a detached signature from its text.
    pub(in crate::trust) fn read_text(text: &str) -> Result<Self, &'static str> {
        let blocks = armor::blocks(text, "PGP SIGNATURE")?;
        let [bytes] = &blocks[..] else { return Err("there is not exactly one in it") };
        match &packet::packets(bytes).ok_or("its packets end early")?[..] {
            [(packet::SIGNATURE, body)] => {
                Self::read(body).ok_or("it is not of OpenPGP's version 4")
            }
            _ => Err("there is not exactly one in it"),
        }
    }

    /// Reads a signature's packet. `None`: it is damaged, or of another version than 4.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let mut bytes = Bytes(body);
        if bytes.one()? != 4 {
            return None;
        }
        let (kind, algorithm, hash) = (bytes.one()?, bytes.one()?, bytes.one()?);
        let covered = bytes.two()?;
        let mut parts = Parts::default();
        parts.read(bytes.take(covered)?, true)?;
        let hashed = body.get(..6 + covered)?.to_vec();
        let rest = bytes.two()?;
        // not covered by the signature: only hints are taken from there
        parts.read(bytes.take(rest)?, false)?;
        // the first bytes of the digest
        bytes.two()?;
        Some(Self { kind, algorithm, hash, hashed, numbers: bytes.0.to_vec(), parts })
    }

    /// What a signature says that may be one of any version.
    pub(super) fn kind_of(body: &[u8]) -> u8 {
        let at = if body.first() == Some(&3) { 2 } else { 1 };
        body.get(at).copied().unwrap_or(0)
    }

    /// When it was made, as the signer says.
    pub(in crate::trust) const fn created(&self) -> Option<i64> {
        self.parts.created
    }

    /// Until when it counts; `None`: for ever.
    pub(in crate::trust) fn until(&self) -> Option<i64> {
        Some(self.parts.created?.saturating_add(self.parts.expires_after?))
    }

    /// Until when it lets a key, which was made at `made`, be valid; `None`: for ever.
    pub(super) fn key_until(&self, made: i64) -> Option<i64> {
        let key = self.parts.key_expires_after.map(|after| made.saturating_add(after));
        key.into_iter().chain(self.until()).min()
    }

    /// What it lets a key do; `None`: it does not say.
    pub(super) const fn key_flags(&self) -> Option<u8> {
        self.parts.key_flags
    }

    /// Why a key was revoked, in words.
    pub(super) const fn reason(&self) -> &'static str {
        match self.parts.reason {
            Some(1) => "it was superseded",
            Some(2) => "it was compromised",
            Some(3) => "it is not used any more",
            _ => "no reason is given",
        }
    }

    /// The signature inside it by which a subkey says that it belongs to the key.
    pub(super) fn embedded(&self) -> Option<Self> {
        Self::read(self.parts.embedded.as_deref()?)
    }

    /// Whether it says, or leaves open, that it is by this key.
    pub(super) fn may_be_by(&self, key: &Key) -> bool {
        self.parts.issuers.is_empty()
            || self.parts.issuers.iter().any(|issuer| key.fingerprint.ends_with(issuer))
    }

    /// By which key it says to be: the longest name that it gives, in hexadecimal digits.
    pub(in crate::trust) fn issuer(&self) -> Option<String> {
        self.parts.issuers.iter().max_by_key(|issuer| issuer.len()).map(|issuer| hex(issuer))
    }

    /// Whether it is over data as it stands.
    pub(in crate::trust) const fn is_of_data(&self) -> bool {
        self.kind == 0
    }

    /// Whether it is by `key`, over `data`.
    pub(super) fn verify(&self, key: &Key, data: &[u8]) -> Result<(), Wrong> {
        if self.parts.is_strange {
            return Err(Wrong::Unsupported("something in it that has to be understood".into()));
        }
        let length = u32::try_from(self.hashed.len()).unwrap_or(u32::MAX).to_be_bytes();
        let signed = [data, &self.hashed, &[4, 0xFF], &length].concat();
        self.verify_bytes(key, &signed).unwrap_or(Err(Wrong::Forged))
    }

    /// `None`: key or signature is not built as its kind wants.
    fn verify_bytes(&self, key: &Key, signed: &[u8]) -> Option<Result<(), Wrong>> {
        let unsupported = |what: String| Some(Err(Wrong::Unsupported(what)));
        let hash = match self.hash {
            8 => &digest::SHA256,
            9 => &digest::SHA384,
            10 => &digest::SHA512,
            1..=3 => return unsupported("a hash that is broken (SHA-1 or older)".into()),
            _ => return unsupported("a hash other than SHA-256, SHA-384 and SHA-512".into()),
        };
        let mut numbers = Bytes(&self.numbers);
        let good = match (&key.material, self.algorithm) {
            (Material::Rsa { n, e }, 1 | 3) => {
                if !(256..=1024).contains(&n.len()) {
                    return unsupported(format!("an RSA key of {} bits", n.len() * 8));
                }
                let parameters = match self.hash {
                    8 => &RSA_PKCS1_2048_8192_SHA256,
                    9 => &RSA_PKCS1_2048_8192_SHA384,
                    _ => &RSA_PKCS1_2048_8192_SHA512,
                };
                let signature = filled(numbers.number()?, n.len())?;
                RsaPublicKeyComponents { n, e }.verify(parameters, signed, &signature)
            }
            (Material::EdDsa(point), 22) => {
                let pair = pair(&mut numbers, 32)?;
                let digest = digest::digest(hash, signed);
                UnparsedPublicKey::new(&ED25519, point).verify(digest.as_ref(), &pair)
            }
            (Material::Ed25519(point), 27) => {
                let digest = digest::digest(hash, signed);
                UnparsedPublicKey::new(&ED25519, point).verify(digest.as_ref(), numbers.take(64)?)
            }
            (Material::P256(point), 19) if self.hash == 8 => {
                let pair = pair(&mut numbers, 32)?;
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, &pair)
            }
            (Material::P384(point), 19) if self.hash == 9 => {
                let pair = pair(&mut numbers, 48)?;
                UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point).verify(signed, &pair)
            }
            (Material::P256(_) | Material::P384(_), 19) => {
                return unsupported("ECDSA with a hash of another length than the key".into());
            }
            (Material::Other(kind), _) => return unsupported(format!("a key of {kind}")),
            _ => return None,
        };
        Some(good.map_err(|_| Wrong::Forged))
    }
}

/// Two numbers of `length` bytes.
fn pair(numbers: &mut Bytes<'_>, length: usize) -> Option<Vec<u8>> {
    Some([filled(numbers.number()?, length)?, filled(numbers.number()?, length)?].concat())
}

impl Parts {
    /// Reads the parts of a signature. `None`: they end early.
    fn read(&mut self, parts: &[u8], is_covered: bool) -> Option<()> {
        let mut bytes = Bytes(parts);
        while !bytes.0.is_empty() {
            let length = bytes.part_length()?;
            let (first, value) = bytes.take(length)?.split_first()?;
            let kind = first & 0x7F;
            match kind {
                // who signed is only a hint, which verifying proves or not
                16 if value.len() == 8 => self.issuers.push(value.to_vec()),
                33 if value.len() == 21 => self.issuers.push(value.get(1..)?.to_vec()),
                // it carries its own proof
                32 => self.embedded = Some(value.to_vec()),
                _ if !is_covered => {}
                2 => self.created = Some(i64::from(Bytes(value).four()?)),
                3 => self.expires_after = after(value)?,
                9 => self.key_expires_after = after(value)?,
                27 => self.key_flags = Some(value.first().copied().unwrap_or(0)),
                29 => self.reason = value.first().copied(),
                // what says nothing of whether a signature holds
                4 | 5 | 7 | 11 | 12 | 16 | 21..=26 | 28 | 30 | 31 | 33 | 34 | 35 | 39 => {}
                _ => self.is_strange |= first & 0x80 != 0,
            }
        }
        Some(())
    }
}

/// A number of seconds; 0 is for ever.
fn after(value: &[u8]) -> Option<Option<i64>> {
    let seconds = i64::from(Bytes(value).four()?);
    Some((seconds > 0).then_some(seconds))
}
