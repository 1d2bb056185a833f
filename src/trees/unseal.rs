use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

use super::seals::{SEALS_MAX, Seal, Seals};
use super::{Manifest, Trees, TreesError};
use crate::memory;
use crate::model::{Change, Entry, FileMode, Finding, ObjectId, Plan, TreePath, blob_digest};
use crate::objects::Mirror;
use crate::secrets::{self, Identities, SecretsError};

/// What became of the encrypted files of a tree, in memory.
pub enum Unsealed {
    /// All of them can be decrypted.
    Whole(Arc<Seals>),
    /// Some of them are wrong: the revision's fault.
    Refused(Vec<Finding>),
    /// What is needed to decrypt one is not there: not the revision's fault.
    Missing {
        /// The file; `None`: it is about all of them.
        path: Option<TreePath>,
        /// What is missing.
        error: SecretsError,
    },
}

/// From this many files on, threads are started for them.
const FILES_SHARED_FROM: usize = 500;

/// Largest decrypted file whose values are hidden in what checks say.
const PLAIN_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// An encrypted file, found in a tree.
struct Found {
    path: TreePath,
    id: ObjectId,
}

impl Trees {
    /// Whether a tree on disk is what its content would be made now, identities included. Where
    /// these cannot be read at the moment, nobody says that they are others.
    #[must_use]
    pub fn fits(&self, manifest: &Manifest) -> bool {
        let now = if manifest.seals.is_empty() { None } else { self.fingerprint() };
        let identities = now.unwrap_or_else(|| manifest.seals.identities().to_owned());
        manifest.materialisation == self.material.key_for(&manifest.seals, &identities)
    }

    /// The same but for the identities: what they decrypt does not depend on which they are.
    pub(super) fn fits_but_identities(&self, manifest: &Manifest) -> bool {
        let identities = manifest.seals.identities();
        manifest.materialisation == self.material.key_for(&manifest.seals, identities)
    }

    fn fingerprint(&self) -> Option<String> {
        self.identities.borrow_mut().fingerprint(self.material.secrets())
    }

    /// Decrypts every encrypted file of a tree in memory and forgets what it gave, but for a keyed
    /// hash. What the live tree has too, under the same identities, is known. The plan leads to that
    /// tree.
    ///
    /// # Errors
    /// When the mirror is damaged.
    pub fn unseal(&self, mirror: &Mirror, plan: &Plan) -> Result<Unsealed, TreesError> {
        if !self.material.secrets().decrypt {
            return Ok(Unsealed::Whole(Arc::default()));
        }
        if plan.is_large() {
            memory::give_back();
        }
        let tree = plan.to_tree;
        let live = self.live_name()?;
        let live = live.and_then(|name| self.manifests.get(&name));
        let known = live.filter(|live| self.fits(live) && mirror.has(live.tree));
        let since = known.map(|known| known.tree);
        let changes = if since == plan.from_tree {
            Cow::Borrowed(&plan.changes)
        } else {
            Cow::Owned(mirror.changes(since, tree)?)
        };
        let found = find(mirror, &changes)?;
        let known = known.filter(|known| !known.seals.is_empty());
        let kept = known.map_or_else(Vec::new, |known| {
            let changed: HashSet<&TreePath> = changes.iter().map(|change| &change.path).collect();
            known.seals.files().filter(|seal| !changed.contains(&seal.path)).collect()
        });
        if found.is_empty() && kept.is_empty() {
            return Ok(Unsealed::Whole(Arc::default()));
        }
        let identities = match Identities::read(self.material.secrets()) {
            Ok(identities) => identities,
            // What is known already needs no identity.
            Err(_) if found.is_empty() => Identities::default(),
            Err(error) => {
                let path = found.into_iter().next().map(|found| found.path);
                return Ok(Unsealed::Missing { path, error });
            }
        };
        let mut seals = match known {
            Some(known) => Seals::under(known.seals.key(), known.seals.identities().to_owned()),
            None => Seals::under(fresh_key()?, identities.fingerprint()),
        };
        kept.into_iter().for_each(|seal| seals.keep(seal));
        self.open_all(mirror, tree, found, &identities, seals)
    }

    /// The same text without what the decrypted files of a tree hold: nothing of it, where
    /// these cannot be read.
    #[must_use]
    pub fn hide_unsealed(&self, name: &str, text: &str) -> String {
        let Some(Manifest { seals, .. }) = self.manifests.get(name) else { return String::new() };
        let Ok(folder) = self.folder_of(name) else { return String::new() };
        let mut values = secrets::Values::default();
        for shown in seals.files().map(Seal::shown) {
            let plain = self.disk.read(&folder.join(shown), PLAIN_BYTES_MAX).map(Zeroizing::new);
            let (Ok(plain), Ok(path)) = (plain, TreePath::parse(shown)) else {
                return String::new();
            };
            values.add(&path, &plain, self.material.limits());
        }
        values.hide(text)
    }

    fn open_all(
        &self,
        mirror: &Mirror,
        tree: ObjectId,
        found: Vec<Found>,
        identities: &Identities,
        mut seals: Seals,
    ) -> Result<Unsealed, TreesError> {
        let limits = self.material.limits();
        let mut findings = Vec::new();
        let mut missing = None;
        for Found { path, id } in found {
            let opened = mirror.with_blob(id, |bytes| {
                let plain = secrets::decrypt(&path, bytes, identities, limits);
                plain.map(|plain| plain.map(|plain| (plain, blob_digest(bytes))))
            })?;
            match opened {
                Ok(Some((plain, digest))) => seals.add(&path, id, digest, plain.expose()),
                Ok(None) => {}
                Err(error) => match error.finding(&path) {
                    Some(finding) => findings.push(finding),
                    None => missing = missing.or(Some((path, error))),
                },
            }
        }
        findings.extend(taken_names(mirror, tree, &seals)?);
        if seals.len() > SEALS_MAX {
            let what = format!("the tree has {} encrypted files", seals.len());
            findings.push(Finding::error(
                "secrets.files",
                format!("{what}, and {SEALS_MAX} are allowed"),
            ));
        }
        if !findings.is_empty() {
            return Ok(Unsealed::Refused(findings));
        }
        Ok(match missing {
            Some((path, error)) => Unsealed::Missing { path: Some(path), error },
            None => Unsealed::Whole(Arc::new(seals)),
        })
    }
}

/// The files among those that changed which may be encrypted.
fn find(mirror: &Mirror, changes: &[Change]) -> Result<Vec<Found>, TreesError> {
    let candidates: Vec<(&TreePath, &Entry)> = changes
        .iter()
        .filter_map(|change| Some((&change.path, change.new.as_ref()?)))
        .filter(|(path, entry)| {
            entry.mode != FileMode::Link && secrets::may_be_encrypted_by_name(path)
        })
        .collect();
    let parts = mirror.share_out(&candidates, FILES_SHARED_FROM, |mirror, part| {
        let mut found = Vec::new();
        for (path, entry) in part {
            if mirror.with_blob(entry.id, |bytes| secrets::may_be_encrypted(path, bytes))? {
                found.push(Found { path: (*path).clone(), id: entry.id });
            }
        }
        Ok::<_, TreesError>(found)
    })?;
    Ok(parts.into_iter().flatten().collect())
}

/// Findings for files whose name on disk another file or folder has.
fn taken_names(mirror: &Mirror, tree: ObjectId, seals: &Seals) -> Result<Vec<Finding>, TreesError> {
    let mut findings = Vec::new();
    for seal in seals.files().filter(|seal| seal.shown() != seal.path.as_str()) {
        let Some(other) = mirror.find(tree, seal.shown())? else { continue };
        let at = seal.path.parent().and_then(|at| TreePath::parse(at).ok());
        // One that is staged under another name itself is not in the way.
        if seals.name(at.as_ref(), &other) != other.name {
            continue;
        }
        let text = format!("it is staged as `{}`, and that is there too", seal.shown());
        let finding = Finding::error("secrets.name", text).in_file(seal.path.as_str());
        findings.push(finding.hint("take one of the two out of the repository"));
    }
    Ok(findings)
}

fn fresh_key() -> Result<Zeroizing<[u8; 32]>, TreesError> {
    let mut key = Zeroizing::new([0; 32]);
    SystemRandom::new().fill(&mut *key).map_err(|_| TreesError::NoChance)?;
    Ok(key)
}
