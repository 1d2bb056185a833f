use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::config::Listed;
use crate::decide::patterns::InvalidPattern;
use crate::model::Finding;
use crate::objects::ObjectsError;
use crate::rego::RegoError;

/// Why the gates could not be asked. What a tree does wrong is a finding, not this.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// The mirror is damaged.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    /// A pattern of the settings is none.
    #[error("the settings of `validation` or `mask` cannot be used")]
    Pattern(#[from] InvalidPattern),
    /// A file of this node that holds rules cannot be read. Nothing is refused for it.
    #[error("the {what} {} of this node cannot be read: put it there, or change {setting}", path.display())]
    NodeFile {
        /// What it is.
        what: &'static str,
        /// The setting that names it.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Arc<io::Error>,
    },
    /// A file of this node that holds rules is wrong. Nothing is refused for it.
    #[error("the {what} {} of this node cannot be used\n{}", path.display(), Listed(findings))]
    NodeRules {
        /// What it is.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        findings: Vec<Finding>,
    },
    /// Policies cannot be asked.
    #[error(transparent)]
    Rego(#[from] RegoError),
}

impl GateError {
    /// Whether the mirror is what is damaged.
    #[must_use]
    pub const fn mirror_damaged(&self) -> bool {
        match self {
            Self::Objects(error) => error.is_damage(),
            Self::Pattern(_) | Self::NodeFile { .. } | Self::NodeRules { .. } | Self::Rego(_) => {
                false
            }
        }
    }

    /// Whether the rules of this node are what is wrong, so that no revision can be judged.
    #[must_use]
    pub const fn is_of_this_node(&self) -> bool {
        !matches!(self, Self::Objects(_))
    }
}
