use std::collections::BTreeMap;
use std::fmt;

use ring::hmac;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::model::{Digest, ObjectId, TreePath};
use crate::objects::{Item, ItemKind};
use crate::secrets;

/// Files of one tree that are decrypted when it is staged.
pub(super) const SEALS_MAX: usize = 4_096;

/// The files of a tree that were encrypted in the repository and are plain on disk: how each is
/// known again without being decrypted, by a hash that only the holder of `key` can make. The key
/// stands in the manifest, which is its owner's alone then.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Seals {
    key: Zeroizing<[u8; 32]>,
    /// Who could decrypt them: the fingerprint of the identities, which is public.
    identities: String,
    /// By their path in the repository.
    files: BTreeMap<TreePath, Seal>,
}

/// One such file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seal {
    /// Where it is in the repository.
    pub(super) path: TreePath,
    /// The encrypted file.
    pub(super) id: ObjectId,
    /// The digest of its bytes.
    pub(super) digest: Digest,
    /// The keyed hash of the plain bytes.
    hash: [u8; 32],
}

impl fmt::Debug for Seals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.files.keys().map(TreePath::as_str)).finish()
    }
}

impl Seals {
    /// None yet, under a key.
    pub(super) fn under(key: Zeroizing<[u8; 32]>, identities: String) -> Self {
        Self { key, identities, files: BTreeMap::new() }
    }

    pub(super) fn key(&self) -> Zeroizing<[u8; 32]> {
        self.key.clone()
    }

    pub(super) fn identities(&self) -> &str {
        &self.identities
    }

    /// Whether nothing of the tree was encrypted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    pub(super) fn files(&self) -> impl Iterator<Item = &Seal> {
        self.files.values()
    }

    /// The keyed hash of plain bytes.
    fn hash(&self, plain: &[u8]) -> [u8; 32] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &*self.key);
        let mut hash = [0; 32];
        hash.copy_from_slice(hmac::sign(&key, plain).as_ref());
        hash
    }

    /// Adds a file that gives these plain bytes.
    pub(super) fn add(&mut self, path: &TreePath, id: ObjectId, digest: Digest, plain: &[u8]) {
        let seal = Seal { path: path.clone(), id, digest, hash: self.hash(plain) };
        self.files.insert(path.clone(), seal);
    }

    /// Adds a file that another list under the same key has.
    pub(super) fn keep(&mut self, seal: &Seal) {
        self.files.insert(seal.path.clone(), seal.clone());
    }

    /// Whether plain bytes are what the file gives.
    pub(super) fn fits(&self, seal: &Seal, plain: &[u8]) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &*self.key);
        hmac::verify(&key, plain, &seal.hash).is_ok()
    }

    pub(super) fn get(&self, path: &TreePath, id: ObjectId) -> Option<&Seal> {
        self.files.get(path).filter(|seal| seal.id == id)
    }

    /// The file that has this path on disk.
    pub(super) fn at(&self, shown: &str) -> Option<&Seal> {
        if self.is_empty() {
            return None;
        }
        let of = |path: &str| self.files.get(&TreePath::parse(path).ok()?);
        let by_age = of(&format!("{shown}.age"));
        by_age.or_else(|| of(shown).filter(|seal| seal.shown() == shown))
    }

    /// Whether something at this path on disk, or below it, was encrypted.
    pub(super) fn holds(&self, shown: &str) -> bool {
        let below = |seal: &Seal| {
            seal.shown().strip_prefix(shown).is_some_and(|it| it.is_empty() || it.starts_with('/'))
        };
        shown.is_empty() && !self.is_empty() || self.files().any(below)
    }

    /// The seal of an item in a folder.
    pub(super) fn of_item(&self, at: Option<&TreePath>, item: &Item) -> Option<&Seal> {
        if self.is_empty() || !matches!(item.kind, ItemKind::File(_)) {
            return None;
        }
        self.get(&TreePath::join(at, &item.name).ok()?, item.id)
    }

    /// The name that an item has on disk.
    pub(super) fn name<'i>(&self, at: Option<&TreePath>, item: &'i Item) -> &'i [u8] {
        match self.of_item(at, item) {
            Some(_) => unsealed_name(&item.name),
            None => &item.name,
        }
    }
}

/// The name that a decrypted file has, by its name in the repository.
pub(super) fn unsealed_name(name: &[u8]) -> &[u8] {
    let text = std::str::from_utf8(name).ok();
    text.and_then(secrets::staged_name).map_or(name, str::as_bytes)
}

impl Seal {
    /// Its path on disk.
    pub(super) fn shown(&self) -> &str {
        secrets::staged_name(self.path.as_str()).unwrap_or(self.path.as_str())
    }
}

/// [`Seals`] as a manifest has them.
#[derive(Serialize, Deserialize)]
pub(super) struct WireSeals {
    key: String,
    identities: String,
    files: Vec<WireSeal>,
}

#[derive(Serialize, Deserialize)]
struct WireSeal {
    path: String,
    blob: String,
    digest: String,
    hmac: String,
}

impl WireSeals {
    pub(super) fn of(seals: &Seals) -> Option<Self> {
        (!seals.is_empty()).then(|| Self {
            key: hex(&seals.key),
            identities: seals.identities.clone(),
            files: seals
                .files()
                .map(|seal| WireSeal {
                    path: seal.path.as_str().to_owned(),
                    blob: seal.id.to_string(),
                    digest: seal.digest.to_string(),
                    hmac: hex(&seal.hash),
                })
                .collect(),
        })
    }

    pub(super) fn into_seals(self) -> Option<Seals> {
        let mut seals = Seals::under(Zeroizing::new(unhex(&self.key)?), self.identities);
        for file in self.files {
            let seal = Seal {
                path: TreePath::parse(&file.path).ok()?,
                id: ObjectId::parse(&file.blob).ok()?,
                digest: Digest::parse(&file.digest).ok()?,
                hash: unhex(&file.hmac)?,
            };
            seals.keep(&seal);
        }
        Some(seals)
    }
}

fn hex(bytes: &[u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    Digest::parse(&format!("sha256:{text}")).ok().map(|digest| digest.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FileMode, blob_digest};

    fn path(text: &str) -> TreePath {
        TreePath::parse(text).unwrap()
    }

    fn seals() -> Seals {
        let mut seals = Seals::under(Zeroizing::new([1; 32]), "who".to_owned());
        seals.add(&path("a/key.age"), ObjectId([2; 20]), blob_digest(b"sealed"), b"plain");
        seals.add(&path("db.yaml"), ObjectId([3; 20]), blob_digest(b"other"), b"plain");
        seals
    }

    #[test]
    fn what_a_manifest_tells_of_decrypted_files_is_read_the_same() {
        let text = serde_json::to_string(&WireSeals::of(&seals())).unwrap();
        assert!(!text.contains("plain"));
        let read: WireSeals = serde_json::from_str(&text).unwrap();
        assert_eq!(read.into_seals(), Some(seals()));
        assert!(WireSeals::of(&Seals::default()).is_none());
        let short: WireSeals = serde_json::from_str(&text.replacen("0101", "01", 1)).unwrap();
        assert_eq!(short.into_seals(), None);
    }

    #[test]
    fn a_hash_tells_plain_bytes_only_to_who_has_the_key() {
        let (ours, mut others) = (seals(), Seals::under(Zeroizing::new([9; 32]), String::new()));
        let seal = ours.at("db.yaml").unwrap();
        assert!(ours.fits(seal, b"plain") && !ours.fits(seal, b"plaim"));
        others.keep(seal);
        assert!(!others.fits(seal, b"plain"));
    }

    #[test]
    fn files_are_found_by_their_path_on_disk_and_by_their_item() {
        let seals = seals();
        assert_eq!(seals.at("a/key").map(|seal| seal.path.as_str()), Some("a/key.age"));
        assert_eq!(seals.at("db.yaml").map(Seal::shown), Some("db.yaml"));
        assert!(seals.at("a/key.age").is_none() && seals.at("key").is_none());
        for (shown, held) in
            [("a", true), ("a/key", true), ("", true), ("a/k", false), ("b", false)]
        {
            assert_eq!(seals.holds(shown), held, "{shown}");
        }
        let item = |id: u8| Item {
            name: b"key.age".to_vec(),
            id: ObjectId([id; 20]),
            kind: ItemKind::File(FileMode::Regular),
        };
        assert_eq!(seals.name(Some(&path("a")), &item(2)), b"key");
        assert_eq!(seals.name(Some(&path("a")), &item(7)), b"key.age", "another blob");
        assert_eq!(seals.name(None, &item(2)), b"key.age", "another folder");
    }
}
