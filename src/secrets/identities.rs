use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use x25519_dalek::{X25519_BASEPOINT_BYTES, x25519};
use zeroize::Zeroizing;

use super::{SecretsError, bech32};
use crate::config::Secrets;

/// Bytes of one file of identities.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// What systemd names the folder of credentials with.
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// The age identities that we decrypt with.
#[derive(Clone, Default)]
pub struct Identities {
    pub(super) list: Vec<Identity>,
}

/// An X25519 key pair; the private part is wiped when it is dropped.
#[derive(Clone)]
pub(super) struct Identity {
    scalar: Zeroizing<[u8; 32]>,
    pub(super) public: [u8; 32],
}

impl Identity {
    fn new(scalar: Zeroizing<[u8; 32]>) -> Self {
        let public = x25519(*scalar, X25519_BASEPOINT_BYTES);
        Self { scalar, public }
    }

    /// What this identity and the holder of `share` have in common.
    pub(super) fn agree(&self, share: [u8; 32]) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(x25519(*self.scalar, share))
    }

    /// `age1…`: what files are encrypted to.
    pub(super) fn recipient(&self) -> String {
        bech32::encode("age", &self.public)
    }
}

/// Only what is public is told.
impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.list.iter().map(Identity::recipient)).finish()
    }
}

impl Identities {
    /// Reads what the settings name.
    ///
    /// # Errors
    /// [`SecretsError`] when nothing is named, or a file cannot be read or is none of identities.
    pub fn read(settings: &Secrets) -> Result<Self, SecretsError> {
        let mut all = Self::default();
        let credential = settings.age_credential.as_deref().map(credential_path).transpose()?;
        let files: Vec<&PathBuf> = settings.age_identities_file.iter().chain(&credential).collect();
        if files.is_empty() {
            return Err(SecretsError::Unset);
        }
        for path in files {
            let text = text_of(path)?;
            let found = Self::parse(&text)
                .map_err(|line| SecretsError::Identity { path: path.clone(), line })?;
            if found.list.is_empty() {
                return Err(SecretsError::Empty { path: path.clone() });
            }
            all.list.extend(found.list);
        }
        Ok(all)
    }

    /// Reads the text of a file of identities: one a line, `#` begins a comment.
    ///
    /// # Errors
    /// The number of the first line that is no identity, from 1.
    pub fn parse(text: &str) -> Result<Self, usize> {
        let mut list = Vec::new();
        for (n, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let scalar = line
                .starts_with("AGE-SECRET-KEY-1")
                .then(|| bech32::decode("age-secret-key-", line))
                .flatten();
            list.push(Identity::new(scalar.ok_or(n + 1)?));
        }
        Ok(Self { list })
    }

    /// What files are encrypted to for us: `age1…`, sorted.
    #[must_use]
    pub fn recipients(&self) -> Vec<String> {
        let mut all: Vec<String> = self.list.iter().map(Identity::recipient).collect();
        all.sort();
        all.dedup();
        all
    }

    /// Tells these identities from others, by what is public of them.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let hash = Sha256::digest(self.recipients().join(" ").as_bytes());
        hash[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Which identities the settings name now, by their fingerprint. The files are read only when they
/// seem to be others, so that asking costs a look at each.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    seen: Option<(Secrets, Vec<Option<Stamp>>)>,
    fingerprint: Option<String>,
}

/// Device, number, bytes, and when it was changed.
type Stamp = (u64, u64, u64, i64, i64);

impl Watch {
    /// The fingerprint; `None` where the identities cannot be read.
    pub fn fingerprint(&mut self, settings: &Secrets) -> Option<String> {
        let credential =
            settings.age_credential.as_deref().and_then(|name| credential_path(name).ok());
        let files = settings.age_identities_file.iter().chain(&credential);
        let stamps: Vec<_> = files.map(|file| stamp(file)).collect();
        let is_same =
            self.seen.as_ref().is_some_and(|(before, seen)| before == settings && *seen == stamps);
        if !is_same {
            self.fingerprint = Identities::read(settings).ok().map(|it| it.fingerprint());
            self.seen = Some((settings.clone(), stamps));
        }
        self.fingerprint.clone()
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    use std::os::unix::fs::MetadataExt as _;
    let it = std::fs::metadata(path).ok()?;
    Some((it.dev(), it.ino(), it.size(), it.ctime(), it.ctime_nsec()))
}

fn credential_path(name: &str) -> Result<PathBuf, SecretsError> {
    let folder = std::env::var_os(CREDENTIALS_DIRECTORY).filter(|folder| !folder.is_empty());
    let folder = folder.ok_or_else(|| SecretsError::NoCredentials { name: name.to_owned() })?;
    Ok(PathBuf::from(folder).join(name))
}

fn text_of(path: &Path) -> Result<Zeroizing<String>, SecretsError> {
    let failed = |source| SecretsError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len().min(FILE_BYTES_MAX);
    // Room for all of it at once: growing would leave copies behind.
    let capacity = usize::try_from(bytes).unwrap_or(0) + 1;
    let mut text = Zeroizing::new(String::with_capacity(capacity));
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(SecretsError::Size { path: path.to_owned(), max: FILE_BYTES_MAX });
    }
    Ok(text)
}
