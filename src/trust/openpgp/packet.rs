//! What OpenPGP data is made of: packets, and keys and numbers inside them.

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use crate::trust::wire::without_zeros;

/// Packets in one file or signature.
const PACKETS_MAX: usize = 100_000;

/// A packet's tag, and what is in it.
pub(super) type Packet<'a> = (u8, &'a [u8]);

pub(super) const SIGNATURE: u8 = 2;
pub(super) const SECRET_KEY: u8 = 5;
pub(super) const PUBLIC_KEY: u8 = 6;
pub(super) const SECRET_SUBKEY: u8 = 7;
pub(super) const USER_ID: u8 = 13;
pub(super) const PUBLIC_SUBKEY: u8 = 14;
pub(super) const USER_ATTRIBUTE: u8 = 17;

/// What can be read from the front.
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(super) fn one(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    pub(super) fn two(&mut self) -> Option<usize> {
        self.take(2)?.try_into().ok().map(u16::from_be_bytes).map(usize::from)
    }

    pub(super) fn four(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    /// A number of any size, without zeros before it.
    pub(super) fn number(&mut self) -> Option<&'a [u8]> {
        let bits = self.two()?;
        self.take(bits.div_ceil(8)).map(without_zeros)
    }

    /// The length of a packet (5 bytes at most); `None` also for one that comes in parts, which
    /// keys and signatures never do.
    fn length(&mut self) -> Option<usize> {
        match self.one()? {
            short @ 0..192 => Some(usize::from(short)),
            high @ 192..224 => {
                Some((usize::from(high) - 192) * 256 + usize::from(self.one()?) + 192)
            }
            255 => usize::try_from(self.four()?).ok(),
            224..255 => None,
        }
    }

    /// The length of a part of a signature.
    pub(super) fn part_length(&mut self) -> Option<usize> {
        match self.one()? {
            short @ 0..192 => Some(usize::from(short)),
            high @ 192..255 => {
                Some((usize::from(high) - 192) * 256 + usize::from(self.one()?) + 192)
            }
            255 => usize::try_from(self.four()?).ok(),
        }
    }
}

/// All packets of some data; `None`: it is no such data.
pub(super) fn packets(bytes: &[u8]) -> Option<Vec<Packet<'_>>> {
    let mut bytes = Bytes(bytes);
    let mut packets = Vec::new();
    while let Some(first) = bytes.one() {
        let (tag, length) = match first {
            0xC0.. => (first & 0x3F, bytes.length()?),
            0x80..0xC0 => {
                let length = match first & 3 {
                    0 => usize::from(bytes.one()?),
                    1 => bytes.two()?,
                    2 => usize::try_from(bytes.four()?).ok()?,
                    _ => return None,
                };
                (first >> 2 & 0x0F, length)
            }
            ..0x80 => return None,
        };
        packets.push((tag, bytes.take(length)?));
        if packets.len() > PACKETS_MAX {
            return None;
        }
    }
    Some(packets)
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    body: Vec<u8>,
    /// When it was made: seconds since 1970.
    pub(super) created: i64,
    /// 20 bytes; its last 8 are the key's short id.
    pub(super) fingerprint: Vec<u8>,
    pub(super) material: Material,
}

/// What signatures are verified with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Material {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// Of the older kind: what is signed is the digest.
    EdDsa(Vec<u8>),
    Ed25519(Vec<u8>),
    P256(Vec<u8>),
    P384(Vec<u8>),
    /// Any other, in words.
    Other(&'static str),
}

const OID_ED25519: &[u8] = &[0x2B, 0x06, 0x01, 0x04, 0x01, 0xDA, 0x47, 0x0F, 0x01];
const OID_P256: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
const OID_P384: &[u8] = &[0x2B, 0x81, 0x04, 0x00, 0x22];

impl Key {
    /// Reads a key's packet. `None`: it is damaged, or of another version than 4.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let mut bytes = Bytes(body);
        if bytes.one()? != 4 || u16::try_from(body.len()).is_err() {
            return None;
        }
        let created = i64::from(bytes.four()?);
        let algorithm = bytes.one()?;
        let material = material(algorithm, &mut bytes)?;
        let key = Self { body: body.to_vec(), created, fingerprint: Vec::new(), material };
        let fingerprint = digest(&SHA1_FOR_LEGACY_USE_ONLY, &key.hashed());
        Some(Self { fingerprint: fingerprint.as_ref().to_vec(), ..key })
    }

    /// The key as signatures over it and its fingerprint take it.
    pub(super) fn hashed(&self) -> Vec<u8> {
        let length = u16::try_from(self.body.len()).unwrap_or(u16::MAX);
        [&[0x99], &length.to_be_bytes()[..], &self.body].concat()
    }

    /// The fingerprint in hexadecimal digits, as gpg shows it.
    pub(super) fn shown(&self) -> String {
        hex(&self.fingerprint)
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

fn material(algorithm: u8, bytes: &mut Bytes<'_>) -> Option<Material> {
    Some(match algorithm {
        1 | 3 => Material::Rsa { n: bytes.number()?.to_vec(), e: bytes.number()?.to_vec() },
        17 => Material::Other("DSA"),
        19 | 22 => {
            let length = usize::from(bytes.one()?);
            let curve = bytes.take(length)?;
            let point = bytes.number()?.to_vec();
            match (algorithm, curve) {
                (19, OID_P256) => Material::P256(point),
                (19, OID_P384) => Material::P384(point),
                (22, OID_ED25519) => {
                    Material::EdDsa(point.strip_prefix(&[0x40]).unwrap_or(&point).to_vec())
                }
                _ => Material::Other("a curve other than Ed25519, P-256 and P-384"),
            }
        }
        27 => Material::Ed25519(bytes.take(32)?.to_vec()),
        28 => Material::Other("Ed448"),
        _ => Material::Other("a kind that does not sign"),
    })
}
