use std::path::PathBuf;

use crate::objects::ObjectsError;

/// Why signatures could not be verified: none of it is a revision's fault.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A key file could not be read.
    #[error("the keys that may sign cannot be read from {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A key file is larger than any honest one.
    #[error("{} has more than {max} bytes; keep the keys of those who sign for this node only", path.display())]
    Size {
        /// The file.
        path: PathBuf,
        /// The limit.
        max: u64,
    },
    /// A key file has lines that are none of its format; what and where, and what to do.
    #[error("{}:{problem}", path.display())]
    Signers {
        /// The file.
        path: PathBuf,
        /// The first problem, with its line and column.
        problem: String,
    },
    /// A keyring is none.
    #[error("{} is no keyring: {problem}; write it with `gpg --export --armor KEY… > FILE`", path.display())]
    Keyring {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: &'static str,
    },
    /// The mirror is damaged.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
}

impl TrustError {
    /// Whether the mirror is what is damaged.
    #[must_use]
    pub const fn mirror_damaged(&self) -> bool {
        match self {
            Self::Objects(error) => error.is_damage(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_damaged_mirror_is_taken_for_one() {
        let source = git2::Error::from_str("torn");
        let torn = ObjectsError::Open { path: "repo.git".into(), source };
        assert!(TrustError::from(torn).mirror_damaged());
        let source = std::io::Error::from(std::io::ErrorKind::NotFound);
        let (operation, path) = ("write", PathBuf::from("repo.git"));
        let full = ObjectsError::File { operation, path: path.clone(), source };
        assert!(!TrustError::from(full).mirror_damaged());
        assert!(!TrustError::Keyring { path, problem: "it is empty" }.mirror_damaged());
    }
}
