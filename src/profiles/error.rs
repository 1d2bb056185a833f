use super::{CHAIN_MAX, Named};
use crate::document::Conflict;
use crate::model::Finding;

/// Why a profile cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// No profile can be called so.
    #[error("{named}{name} is not the name of a profile: letters, digits, `_`, `-` and `.`")]
    NoName {
        /// What was given.
        name: String,
        /// By whom.
        named: Named,
    },
    /// There is no such file.
    #[error("{named}there is no profile {name}: {file} is not in the tree")]
    Missing {
        /// The name.
        name: String,
        /// The file that it should have.
        file: String,
        /// Who named it.
        named: Named,
    },
    /// It extends itself, at the end.
    #[error("{named}profiles extend each other in a circle: {}", files.join(" → "))]
    Cycle {
        /// The files, the last one there twice.
        files: Vec<String>,
        /// Where the circle closes.
        named: Named,
    },
    /// More profiles than [`CHAIN_MAX`] one over the other.
    #[error("{named}more than {CHAIN_MAX} profiles extend each other")]
    TooMany {
        /// Where the next one is named.
        named: Named,
    },
    /// It is no YAML.
    #[error("{file}:{}", first(findings))]
    Unreadable {
        /// The file.
        file: String,
        /// What is wrong with it; never empty.
        findings: Vec<Finding>,
    },
    /// It is something else than keys and values.
    #[error("{file} has to be one document of keys and values")]
    NotOneMapping {
        /// The file.
        file: String,
    },
    /// It cannot be told what is meant.
    #[error("{file} cannot be laid over what it extends: {conflict}")]
    Conflict {
        /// The upper file.
        file: String,
        /// Which key.
        conflict: Box<Conflict>,
    },
}

impl ProfileError {
    /// Whether it is about the profile that was asked for itself: there is none, or can be none.
    #[must_use]
    pub const fn is_of_asked(&self) -> bool {
        matches!(
            self,
            Self::NoName { named: Named::Asked, .. } | Self::Missing { named: Named::Asked, .. }
        )
    }
}

fn first(findings: &[Finding]) -> String {
    findings.first().map_or_else(String::new, |finding| {
        let line = finding.line.map_or_else(String::new, |line| format!("{line}:"));
        let column = finding.column.map_or_else(String::new, |column| format!("{column}:"));
        format!("{line}{column} {}", finding.message)
    })
}
