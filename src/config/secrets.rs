//! `secrets`: what encrypted files are decrypted with.

use std::path::PathBuf;

use super::reader::Reader;
use super::values::{self, shown};

/// What encrypted files are decrypted with when they are staged. The keys are read at each use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secrets {
    /// Whether they are decrypted; else they are brought as they are.
    pub decrypt: bool,
    /// Age identities: what `age-keygen` writes.
    pub age_identities_file: Option<PathBuf>,
    /// The name of a systemd credential that holds age identities.
    pub age_credential: Option<String>,
}

impl Default for Secrets {
    fn default() -> Self {
        Self { decrypt: true, age_identities_file: None, age_credential: None }
    }
}

const DECRYPT: &str = "secrets.decrypt";
const FILE: &str = "secrets.age_identities_file";
const CREDENTIAL: &str = "secrets.age_credential";
/// Bytes of a credential's name.
const NAME_BYTES_MAX: usize = 255;

/// Reads the group.
pub(super) fn secrets(reader: &mut Reader<'_>) -> Secrets {
    let secrets = Secrets {
        decrypt: reader.boolean(DECRYPT),
        age_identities_file: reader.path(FILE),
        age_credential: reader.optional(CREDENTIAL, credential),
    };
    let is_unused = !secrets.decrypt
        && (secrets.age_identities_file.is_some() || secrets.age_credential.is_some());
    if is_unused {
        let key = if secrets.age_identities_file.is_some() { FILE } else { CREDENTIAL };
        reader.warn(key, "is not used: secrets.decrypt is false");
    }
    secrets
}

fn credential(node: &crate::document::Node) -> values::Read<String> {
    let name = values::text(node)?;
    let is_name = !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && !matches!(name.as_str(), "." | "..")
        && !name.contains(['/', ':'])
        && !name.contains(char::is_control);
    if is_name {
        Ok(name)
    } else {
        Err(format!("{} is not the name of a systemd credential", shown(&name)))
    }
}
