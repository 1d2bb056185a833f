use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use super::chain::{Hash, from_hex, hex};
use crate::model::{Secret, Timestamp};

/// What a checkpoint is for; one cannot be taken for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::journal) enum Purpose {
    /// It tells how the trail was at a record.
    Witness,
    /// The trail begins behind a record, because retention forgot what was before.
    Beginning,
}

impl Purpose {
    const fn word(self) -> &'static str {
        match self {
            Self::Witness => "kconfigd-checkpoint",
            Self::Beginning => "kconfigd-beginning",
        }
    }
}

/// Signs checkpoints with Ed25519 (RFC 8032).
pub struct Sealer(Ed25519KeyPair);

/// The state of the trail at one record: whoever keeps one elsewhere can tell later whether the
/// trail up to there is still what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub(in crate::journal) purpose: Purpose,
    /// The record's number.
    pub id: u64,
    /// Its hash.
    pub(in crate::journal) hash: Hash,
    /// When it was signed.
    pub at: Timestamp,
    /// Over [`Checkpoint::signed_text`].
    pub(in crate::journal) signature: Vec<u8>,
}

/// A text that is no checkpoint.
#[derive(Debug, thiserror::Error)]
#[error("this is no checkpoint: `kconfigd audit checkpoint` writes one, a line of five words")]
pub struct InvalidCheckpoint;

/// Bytes of a key's seed.
pub const SEED_BYTES: usize = 32;

impl Sealer {
    /// The key that a seed of [`SEED_BYTES`] bytes in base64 stands for; `None`: it is none.
    #[must_use]
    pub fn from_seed(seed: &Secret) -> Option<Self> {
        let seed = zeroize::Zeroizing::new(STANDARD.decode(seed.expose().trim()).ok()?);
        Ed25519KeyPair::from_seed_unchecked(&seed).ok().map(Self)
    }

    /// The public key, in base64.
    #[must_use]
    pub fn public_key(&self) -> String {
        STANDARD.encode(self.0.public_key())
    }

    pub(super) fn seal(&self, purpose: Purpose, id: u64, hash: &Hash, at: Timestamp) -> Checkpoint {
        let signature = Vec::new();
        let mut checkpoint = Checkpoint { purpose, id, hash: *hash, at, signature };
        checkpoint.signature = self.0.sign(checkpoint.signed_text().as_bytes()).as_ref().to_vec();
        checkpoint
    }
}

impl Checkpoint {
    /// What is signed: a word for what it is for, the record's number, its hash and the moment in milliseconds.
    fn signed_text(&self) -> String {
        format!("{} {} {} {}", self.purpose.word(), self.id, hex(&self.hash), self.at.0)
    }

    /// One line: what is signed, and the signature in base64.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{} {}", self.signed_text(), STANDARD.encode(&self.signature))
    }

    /// Reads a line.
    ///
    /// # Errors
    /// [`InvalidCheckpoint`].
    pub fn parse(line: &str) -> Result<Self, InvalidCheckpoint> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [word, id, hash, at, signature] = words[..] else { return Err(InvalidCheckpoint) };
        let purposes = [Purpose::Witness, Purpose::Beginning];
        Ok(Self {
            purpose: purposes.into_iter().find(|p| p.word() == word).ok_or(InvalidCheckpoint)?,
            id: id.parse().map_err(|_| InvalidCheckpoint)?,
            hash: from_hex(hash).and_then(|h| h.try_into().ok()).ok_or(InvalidCheckpoint)?,
            at: Timestamp(at.parse().map_err(|_| InvalidCheckpoint)?),
            signature: STANDARD.decode(signature).map_err(|_| InvalidCheckpoint)?,
        })
    }

    /// Whether the holder of this public key (base64) signed it.
    #[must_use]
    pub fn is_signed_by(&self, public_key: &str) -> bool {
        let Ok(key) = STANDARD.decode(public_key.trim()) else { return false };
        let key = UnparsedPublicKey::new(&ED25519, key);
        key.verify(self.signed_text().as_bytes(), &self.signature).is_ok()
    }
}
