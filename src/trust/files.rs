//! The files of keys: read at each use, and known again by what is in them.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use chrono::{Local, NaiveDateTime};
use sha2::{Digest as _, Sha256};

use super::allowed_signers::{self, Signer};
use super::error::TrustError;
use super::openpgp::{self, Certificate};
use super::revoked;
use super::ssh::SshKey;
use crate::config::{Verify, VerifyMode};

/// Bytes of one file.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The keys that may sign, as their files have them now.
#[derive(Debug, Default)]
pub struct Keys {
    pub(super) signers: Option<Vec<Signer>>,
    /// SSH keys that were taken back.
    pub(super) revoked: Vec<SshKey>,
    pub(super) certificates: Option<Vec<Certificate>>,
}

impl Keys {
    /// Reads the files that the settings name.
    ///
    /// # Errors
    /// [`TrustError`] when one cannot be read, or is not what it should be.
    pub fn read(verify: &Verify) -> Result<Self, TrustError> {
        let mut keys = Self::default();
        if let Some(path) = &verify.allowed_signers_file {
            let signers = allowed_signers::read(&bytes(path)?, seconds_here);
            keys.signers = Some(signers.map_err(|findings| {
                let path = path.clone();
                TrustError::Signers { path, problem: told(&findings) }
            })?);
        }
        if let Some(path) = &verify.revoked_keys_file {
            keys.revoked = revoked::read(&bytes(path)?).map_err(|findings| {
                let path = path.clone();
                TrustError::Signers { path, problem: told(&findings) }
            })?;
        }
        if let Some(path) = &verify.keyring_file {
            let certificates = openpgp::read_keyring(&bytes(path)?);
            keys.certificates = Some(certificates.map_err(|problem| {
                let path = path.clone();
                TrustError::Keyring { path, problem }
            })?);
        }
        Ok(keys)
    }
}

/// The first of the problems, and how many there are.
fn told(findings: &[crate::model::Finding]) -> String {
    let Some(first) = findings.first() else { return String::new() };
    let place = |number: Option<u32>| number.unwrap_or(1);
    let hint = first.hint.as_deref().unwrap_or_default();
    let more = match findings.len() {
        1 => String::new(),
        count => format!(" (and {} more)", count - 1),
    };
    format!("{}:{}: {}; {hint}{more}", place(first.line), place(first.column), first.message)
}

fn bytes(path: &Path) -> Result<Vec<u8>, TrustError> {
    let failed = |source| TrustError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(TrustError::Size { path: path.to_owned(), max: FILE_BYTES_MAX });
    }
    Ok(bytes)
}

/// A time of this machine's zone, as ssh-keygen takes it. Of two in an hour that comes twice, the
/// earlier one.
fn seconds_here(time: NaiveDateTime) -> Option<i64> {
    time.and_local_timezone(Local).earliest().map(|time| time.timestamp())
}

/// What verdicts depend on, in a word: when it changes, what was refused is looked at again. The
/// files are read only when they seem to be others, so that asking costs a look at each.
#[derive(Debug, Default)]
pub struct Watch {
    seen: Option<(Verify, Vec<Option<Stamp>>)>,
    word: String,
}

/// Device, number, bytes, and when it was changed, by content and by anything.
type Stamp = (u64, u64, u64, (i64, i64), (i64, i64));

impl Watch {
    /// The word, as of the last look.
    #[must_use]
    pub fn word(&self) -> &str {
        &self.word
    }

    /// Looks at the files.
    pub fn look(&mut self, verify: &Verify) {
        if verify.mode == VerifyMode::Off {
            *self = Self::default();
            return;
        }
        let Verify { mode: _, what: _, allowed_signers_file, revoked_keys_file, keyring_file } =
            verify;
        let files = [allowed_signers_file, revoked_keys_file, keyring_file];
        let stamps: Vec<_> = files.iter().map(|file| stamp(file.as_deref()?)).collect();
        let is_same = self
            .seen
            .as_ref()
            .is_some_and(|(settings, before)| settings == verify && *before == stamps);
        if !is_same {
            let mut hash = Sha256::new();
            hash.update(format!("{verify:?}"));
            for file in files.into_iter().flatten() {
                // one that cannot be read holds what comes, and is looked at again in any case
                let content = bytes(file).map(Sha256::digest).unwrap_or_default();
                hash.update(content);
            }
            self.word = hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
            self.seen = Some((verify.clone(), stamps));
        }
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let it = std::fs::metadata(path).ok()?;
    let (modified, changed) = ((it.mtime(), it.mtime_nsec()), (it.ctime(), it.ctime_nsec()));
    Some((it.dev(), it.ino(), it.len(), modified, changed))
}
