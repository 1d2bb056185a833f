use zeroize::Zeroizing;

use super::TreesError;
use super::disk::{Attributes, Kind, Stat};
use super::seals::{Seal, Seals};
use crate::config::{LiveSettings, Secrets};
use crate::decide::patterns::Patterns;
use crate::model::{Entry, FileMode, Limits, ObjectId, Timestamp, TreePath};
use crate::secrets::{self, Identities};

/// What an entry of a tree becomes on disk, beside its bytes: mode, owner, and the mark by which
/// its content is known again from a `stat` alone.
#[derive(Clone, Debug)]
pub struct Materialisation {
    uid: Option<u32>,
    gid: Option<u32>,
    modes: Vec<(Patterns, u32)>,
    key: String,
    secrets: Secrets,
    limits: Limits,
}

impl Materialisation {
    /// From the settings of the live tree. A pattern that is none is left out: the settings' own
    /// check has refused it before.
    #[must_use]
    pub fn new(settings: &LiveSettings) -> Self {
        let mut key = format!("2;{:?}", settings.owner);
        let mut modes = Vec::new();
        for rule in &settings.file_modes {
            if let Ok(patterns) = Patterns::new([rule.pattern.as_str()]) {
                modes.push((patterns, rule.mode));
            }
            key.push_str(&format!(";{}={:o}", rule.pattern, rule.mode));
        }
        let owner = settings.owner;
        Self {
            uid: owner.and_then(|o| o.uid),
            gid: owner.and_then(|o| o.gid),
            modes,
            key,
            secrets: Secrets::default(),
            limits: Limits::default(),
        }
    }

    /// The same, with what encrypted files are decrypted with.
    #[must_use]
    pub fn with_secrets(mut self, secrets: &Secrets, limits: &Limits) -> Self {
        if !secrets.decrypt {
            self.key.push_str(";encrypted");
        }
        Self { secrets: secrets.clone(), limits: limits.clone(), ..self }
    }

    pub(super) const fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    pub(super) const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Equal keys mean that equal content without encrypted files is equal on disk too.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The key of a tree with these encrypted files, decrypted by those who have this fingerprint.
    pub(super) fn key_for(&self, seals: &Seals, identities: &str) -> String {
        if seals.is_empty() {
            return self.key.clone();
        }
        format!("{};secrets {};{identities}", self.key, secrets::FORMAT_VERSION)
    }

    /// The plain bytes of an encrypted file, checked against what it gave before.
    pub(super) fn decrypt(
        &self,
        seals: &Seals,
        seal: &Seal,
        bytes: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, TreesError> {
        let failed = |source| TreesError::Sealed { path: seal.path.as_str().to_owned(), source };
        let identities = Identities::read(&self.secrets).map_err(failed)?;
        let plain = secrets::decrypt(&seal.path, bytes, &identities, &self.limits);
        match plain.map_err(failed)? {
            Some(plain) if seals.fits(seal, plain.expose()) => Ok(plain.into_bytes()),
            _ => Err(TreesError::Unsealed(seal.path.as_str().to_owned())),
        }
    }

    /// Whether files may be shared between trees by hard links: not where they belong to somebody
    /// who could then write through one tree into all.
    pub(super) const fn may_share(&self) -> bool {
        self.uid.is_none() && self.gid.is_none()
    }

    /// What a folder of a tree is given.
    pub(super) const fn folder(&self) -> Attributes {
        Attributes { mode: 0o755, uid: self.uid, gid: self.gid, mtime: None }
    }

    /// What a regular file of a tree is given; `sealed`: it was encrypted.
    pub(super) fn file(
        &self,
        path: &TreePath,
        entry: Entry,
        sealed: bool,
        now: Timestamp,
    ) -> Attributes {
        Attributes {
            mode: self.mode(path, entry.mode, sealed),
            uid: self.uid,
            gid: self.gid,
            mtime: Some((now.seconds(), stamp(entry.id, sealed))),
        }
    }

    fn mode(&self, path: &TreePath, mode: FileMode, sealed: bool) -> u32 {
        let path = path.as_str();
        let ruled = self.modes.iter().rev().find(|(patterns, _)| patterns.mean_file(path));
        match (ruled, mode, sealed) {
            (Some((_, bits)), _, _) => *bits,
            (None, FileMode::Executable, true) => 0o700,
            (None, _, true) => 0o600,
            (None, FileMode::Executable, false) => 0o755,
            (None, _, false) => 0o644,
        }
    }

    /// Whether mode and owner of a file are as they should be.
    pub(super) fn file_fits(
        &self,
        path: &TreePath,
        entry: Entry,
        sealed: bool,
        found: &Stat,
    ) -> bool {
        found.mode == self.mode(path, entry.mode, sealed) && self.owner_fits(found)
    }

    /// Whether mode and owner of a folder are as they should be.
    pub(super) fn folder_fits(&self, found: &Stat) -> bool {
        found.mode == self.folder().mode && self.owner_fits(found)
    }

    fn owner_fits(&self, found: &Stat) -> bool {
        self.uid.is_none_or(|uid| uid == found.uid) && self.gid.is_none_or(|gid| gid == found.gid)
    }
}

/// The nanoseconds that a file's modification time is given: made from its blob's id, so that one
/// `stat` tells whether the content is still the one that was written, with no list kept of it.
///
/// What was decrypted has another stamp than the encrypted file, so that none is taken for the
/// other.
pub(super) fn stamp(id: ObjectId, sealed: bool) -> u32 {
    let [a, b, c, d, ..] = id.0;
    let stamp = u64::from(u32::from_be_bytes([a, b, c, d])) + u64::from(sealed) * SEALED;
    u32::try_from(stamp % 1_000_000_000).unwrap_or_default()
}

/// What the stamp of a decrypted file has more.
const SEALED: u64 = 500_000_000 + secrets::FORMAT_VERSION as u64;

/// What an entry is on disk.
pub(super) const fn kind_of(mode: FileMode) -> Kind {
    match mode {
        FileMode::Regular | FileMode::Executable => Kind::File,
        FileMode::Link => Kind::Link,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config::{DriftPolicy, LiveMode, MaxDeletions};

    pub(in crate::trees) fn settings() -> LiveSettings {
        LiveSettings {
            path: "/etc/config".into(),
            mode: LiveMode::Symlink,
            drift: DriftPolicy::Repair,
            drift_interval: std::time::Duration::from_secs(60),
            adopt: false,
            max_deletions: MaxDeletions::Part(0.5),
            reuse_after: std::time::Duration::ZERO,
            owner: None,
            file_modes: Vec::new(),
        }
    }

    #[test]
    fn modes_for_folders_are_not_given_to_files_at_the_root() {
        let rule = crate::config::FileModeRule { pattern: "*/".to_owned(), mode: 0o600 };
        let settings = LiveSettings { file_modes: vec![rule], ..settings() };
        let material = Materialisation::new(&settings);
        let mode =
            |path: &str| material.mode(&TreePath::parse(path).unwrap(), FileMode::Regular, false);
        assert_eq!(mode("a.yaml"), 0o644);
        assert_eq!(mode("folder/a.yaml"), 0o600);
    }
}
