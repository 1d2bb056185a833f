//! Secrets: what SOPS or age encrypted becomes plain bytes, in memory.
//!
//! Files that SOPS encrypted (YAML, JSON, dotenv) are told by what is in them, files that age
//! encrypted as a whole by their name (`x.age`, which becomes `x`). Pure over bytes, but for
//! [`Identities::read`], which reads the files of keys at each use. Nothing is ever decrypted in
//! part: a file gives all of its values, with its MAC verified, or an error that names the key.
//!
//! Never writes anything, never runs a program, never asks a key service, and never puts a value
//! into an error.

mod age;
mod bech32;
mod error;
mod identities;
mod sops;
mod values;

pub use error::{Problem, SecretsError};
pub use identities::{Identities, Watch};
pub use values::Values;

use std::fmt;

use zeroize::Zeroizing;

use crate::document::Format;
use crate::model::{Limits, TreePath};

/// Grows when the same encrypted file and keys give other bytes.
pub const FORMAT_VERSION: u32 = 1;

/// What every value of SOPS begins with.
const SOPS_MARK: &str = "ENC[AES256_GCM,";

/// Plain bytes of an encrypted file: they cannot be printed, and are wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Plain(Zeroizing<Vec<u8>>);

impl Plain {
    pub(crate) const fn new(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    /// The bytes, to be staged or looked at in memory, and for nothing else.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The bytes themselves, wiped by whoever drops them.
    #[must_use]
    pub fn into_bytes(self) -> Zeroizing<Vec<u8>> {
        self.0
    }
}

impl fmt::Debug for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// How a file may be encrypted, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Age,
    Document(Format),
    Dotenv,
    Ini,
}

impl Form {
    fn of(path: &str) -> Option<Self> {
        let name = path.rsplit('/').next().unwrap_or(path);
        if staged_name(name).is_some() {
            return Some(Self::Age);
        }
        let lower = name.to_ascii_lowercase();
        if lower == ".env" || lower.ends_with(".env") || lower.starts_with(".env.") {
            return Some(Self::Dotenv);
        }
        if lower.ends_with(".ini") {
            return Some(Self::Ini);
        }
        Format::of_path(path).map(Self::Document)
    }
}

/// The path or name that an age file is staged under: `x` for `x.age`. `None`: it is none.
#[must_use]
pub fn staged_name(path: &str) -> Option<&str> {
    let shown = path.strip_suffix(".age")?;
    (!shown.is_empty() && !shown.ends_with('/')).then_some(shown)
}

/// Whether a file may be encrypted; what [`decrypt`] has nothing to say of is left out quickly.
#[must_use]
pub fn may_be_encrypted(path: &TreePath, bytes: &[u8]) -> bool {
    match Form::of(path.as_str()) {
        None => false,
        Some(Form::Age) => true,
        Some(_) => match std::str::from_utf8(bytes) {
            Ok(text) => text.contains(SOPS_MARK),
            Err(_) => bytes.windows(SOPS_MARK.len()).any(|part| part == SOPS_MARK.as_bytes()),
        },
    }
}

/// Whether the bytes of a file of this name matter at all to this room.
#[must_use]
pub fn may_be_encrypted_by_name(path: &TreePath) -> bool {
    Form::of(path.as_str()).is_some()
}

/// The plain bytes of an encrypted file; `None` where it is not encrypted.
///
/// # Errors
/// [`SecretsError`]: no identity that can decrypt it, which is not the file's fault, or
/// [`SecretsError::Refused`], which is.
pub fn decrypt(
    path: &TreePath,
    bytes: &[u8],
    identities: &Identities,
    limits: &Limits,
) -> Result<Option<Plain>, SecretsError> {
    if !may_be_encrypted(path, bytes) {
        return Ok(None);
    }
    let plain = match Form::of(path.as_str()) {
        None => return Ok(None),
        Some(Form::Age) => Some(age::decrypt(bytes, identities)?),
        Some(Form::Document(format)) => sops::document(bytes, format, identities, limits)?,
        Some(Form::Dotenv) => sops::dotenv(bytes, identities)?,
        Some(Form::Ini) => sops::refuse_ini(bytes).map(|()| None)?,
    };
    Ok(plain.map(Plain::new))
}

#[cfg(test)]
pub(crate) mod tests;
