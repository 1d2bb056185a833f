//! The source: which commit is wanted, and its objects.
//!
//! May touch the network and the mirror's folder. Never renders, never decides, and runs nothing
//! that a repository holds.

mod descent;
mod error;
mod local;
mod reference;
mod remote;

pub use error::SourceError;
pub use remote::Remote;

use std::collections::BTreeMap;

use crate::model::{ObjectId, Revision};
use crate::objects::Mirror;

/// Where configuration comes from. One of the three traits whose implementation a test replaces.
pub trait Source: Send {
    /// Which commit is wanted now: one small request, whatever the number of references.
    ///
    /// # Errors
    /// See [`SourceError`].
    fn ask(&mut self) -> Result<Head, SourceError>;

    /// Brings a commit's objects into the mirror. `since` is the last accepted commit, whose
    /// objects the mirror has unless it was rebuilt.
    ///
    /// # Errors
    /// See [`SourceError`].
    fn fetch(
        &mut self,
        head: &Head,
        since: Option<&Revision>,
        mirror: &Mirror,
    ) -> Result<Fetched, SourceError>;
}

/// The commit that a reference names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The commit.
    pub revision: Revision,
    /// The reference's full name, or the commit's id where none is followed.
    pub reference: String,
}

impl Head {
    /// A commit that is named by its id alone.
    #[must_use]
    pub fn of(revision: Revision) -> Self {
        let reference = revision.to_string();
        Self { revision, reference }
    }
}

/// A commit whose objects are in the mirror.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The commit.
    pub revision: Revision,
    /// How it stands to the last accepted one.
    pub descent: Descent,
    /// Bytes that were received.
    pub bytes: u64,
    /// The trees of its submodules, by their path in the repository; empty when they are off.
    pub submodules: BTreeMap<String, ObjectId>,
}

/// How a commit stands to the last accepted one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Descent {
    /// Nothing was accepted before.
    First,
    /// It is the same commit.
    Same,
    /// It comes after it.
    Descends,
    /// It does not: history was rewritten.
    Rewritten,
}
