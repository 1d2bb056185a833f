use crate::gates::GateError;
use crate::journal::JournalError;
use crate::model::Finding;
use crate::objects::ObjectsError;
use crate::profiles::ProfileError;
use crate::render::RenderError;
use crate::trees::{DiskError, TreesError};

/// Why something could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// Nothing was ever fetched.
    #[error("nothing was fetched yet, so there is nothing to look at")]
    Nothing,
    /// No deployment or revision has this name.
    #[error("`{name}` names no deployment and no revision")]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// The tree of a deployment is gone.
    #[error("the tree of deployment {deployment} is not kept any more")]
    NotKept {
        /// Its number.
        deployment: u64,
    },
    /// A revision was not fetched.
    #[error("revision {revision} was not fetched: kconfigd has only seen its name")]
    NotFetched {
        /// The commit.
        revision: String,
    },
    /// A revision gives no tree.
    #[error("revision {revision} gives no tree that could be looked at")]
    Refused {
        /// The commit.
        revision: String,
        /// Why.
        findings: Vec<Finding>,
    },
    /// A file or a folder cannot have this path.
    #[error("`{path}` cannot be the path of a file in a tree")]
    Path {
        /// What was asked for.
        path: String,
    },
    /// A profile cannot be read whole.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The mirror is damaged; the next pass makes it whole.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    /// It could not be rendered.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// The gates could not be asked.
    #[error(transparent)]
    Gates(#[from] GateError),
    /// The journal could not be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The live path of the settings is none.
    #[error(transparent)]
    Layout(#[from] TreesError),
    /// A manifest could not be read.
    #[error(transparent)]
    Manifest(#[from] DiskError),
}
