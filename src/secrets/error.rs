use std::path::PathBuf;

use crate::model::{Finding, TreePath};

/// Why a file could not be decrypted. No value and no key is ever part of one.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// The settings name no identities.
    #[error(
        "no identities are set: name them in secrets.age_identities_file or secrets.age_credential, or bring encrypted files as they are with `secrets.decrypt: false`"
    )]
    Unset,
    /// A file of identities cannot be read.
    #[error("cannot read the identities in {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A file of identities is too large to be one.
    #[error("{path} has more than {max} bytes: it is no file of age identities")]
    Size {
        /// The file.
        path: PathBuf,
        /// What is allowed.
        max: u64,
    },
    /// A line of a file of identities is no identity.
    #[error(
        "{path}:{line}: this is no age identity (`AGE-SECRET-KEY-1…`, as age-keygen writes it; one a line)"
    )]
    Identity {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// A file of identities that has none.
    #[error("{path} has no age identity: age-keygen writes one")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The service manager has given no credentials.
    #[error(
        "secrets.age_credential: {name} is given by systemd (LoadCredential= or LoadCredentialEncrypted= of the unit), and CREDENTIALS_DIRECTORY is not set"
    )]
    NoCredentials {
        /// The credential.
        name: String,
    },
    /// None of our identities can decrypt it.
    #[error("none of our identities can decrypt it: it is encrypted to {to}")]
    NoIdentity {
        /// Whom it is encrypted to, in words.
        to: String,
    },
    /// The file is at fault.
    #[error("{0}")]
    Refused(Problem),
}

/// What is wrong with an encrypted file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The MAC over all values is another one.
    #[error("the MAC is wrong: values were changed, moved or left out since SOPS wrote the file")]
    Mac,
    /// A value does not decrypt.
    #[error("the value of `{key}` cannot be decrypted: {why}")]
    Value {
        /// The way to it.
        key: String,
        /// Why.
        why: &'static str,
    },
    /// A value that should be encrypted is not.
    #[error("the value of `{key}` is not encrypted, and by the file's own rules it should be")]
    Plain {
        /// The way to it.
        key: String,
    },
    /// The file has encrypted values and nothing that says who can decrypt them.
    #[error("the value of `{key}` is encrypted by SOPS, and the file has no `sops` section")]
    NoSection {
        /// The way to it.
        key: String,
    },
    /// The `sops` section is not what SOPS writes.
    #[error("the `sops` section cannot be used: {0}")]
    Section(&'static str),
    /// The key is split among several groups.
    #[error(
        "its key is split among several key groups (Shamir), which kconfigd does not put together"
    )]
    Shamir,
    /// SOPS's INI files.
    #[error("INI files of SOPS are not decrypted; YAML, JSON and dotenv files are")]
    Ini,
    /// An age file is not what it should be.
    #[error("the age file cannot be used: {0}")]
    Age(&'static str),
}

impl Problem {
    /// The rule's stable name.
    #[must_use]
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::Mac => "secrets.mac",
            Self::Value { .. } | Self::Plain { .. } => "secrets.value",
            Self::NoSection { .. } | Self::Section(_) | Self::Shamir | Self::Ini => "secrets.sops",
            Self::Age(_) => "secrets.age",
        }
    }

    const fn hint(&self) -> &'static str {
        match self {
            Self::Mac | Self::Value { .. } | Self::Plain { .. } => {
                "change encrypted files with `sops edit` alone; layers cannot merge them"
            }
            Self::NoSection { .. } | Self::Section(_) => "encrypt the file again with `sops`",
            Self::Shamir => "use one key group: `sops updatekeys` after changing .sops.yaml",
            Self::Ini => "encrypt the file as a whole with age, or leave it out (gitops.exclude)",
            Self::Age(_) => "encrypt the file again: `age -r RECIPIENT -o FILE.age FILE`",
        }
    }
}

impl SecretsError {
    /// The finding for a file that is at fault; `None` where it is not, and what is missing may
    /// come: that is a hold.
    #[must_use]
    pub fn finding(&self, path: &TreePath) -> Option<Finding> {
        let Self::Refused(problem) = self else { return None };
        let finding = Finding::error(problem.rule(), problem.to_string());
        Some(finding.in_file(path.as_str()).hint(problem.hint()))
    }
}

impl From<Problem> for SecretsError {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem)
    }
}
