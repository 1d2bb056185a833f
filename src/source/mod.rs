//! Git: which commit is wanted, and its objects.
//!
//! Asking is one small request (protocol v2 `ls-refs` with a prefix) on a connection that is kept;
//! fetching is one request too (`fetch`, the new commit alone, without what the live one has).
//! The order to read in: [`Source`], [`Remote`], then the wires (`http`, `ssh`, `local`), what is
//! said over them (`packets`, `advertisement`, `pack_request`, `intake`) and what is made of it
//! (`wanted`, `descent`, `submodules`).
//!
//! A server that knows only protocol v0 is spoken to in v0, by the same code over the same wires:
//! the same limits and errors hold, and libgit2 needs no transport registered. Its references come
//! all at once there; that is the one thing that costs more.
//!
//! One way leads back: a commit of ours, written to a branch (`push`).
//!
//! May touch the network, the credential files that the settings name, the folder of a local
//! repository and the mirror's folder. Never runs anything that a repository holds, never follows a
//! redirect to another host, and never decides whether a head is taken.

mod advertisement;
mod askpass;
mod client;
mod credentials;
mod descent;
mod embedded;
mod error;
pub(crate) mod fuzzing;
mod gitmodules;
mod history;
mod http;
mod intake;
mod local;
mod netrc;
mod origin;
mod pack_request;
mod packets;
mod patience;
mod peer;
mod push;
mod reach;
mod reactor;
mod remote;
mod repository;
mod retry_after;
mod ssh;
mod ssh_complaint;
mod submodules;
mod wanted;
mod wire;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::model::{ObjectId, Revision};
use crate::objects::Mirror;
use crate::progress::Progress;

pub use error::SourceError;
pub use remote::Remote;

/// From so many bytes on memory is given back around the steps of a fetch.
pub const LARGE_FETCH_BYTES: u64 = 4 << 20;

/// Where configuration comes from. One of the three traits whose implementation a test replaces.
pub trait Source: Send {
    /// Which commit is wanted now. At most one small request where nothing is wrong; none for a
    /// full commit id.
    ///
    /// # Errors
    /// [`SourceError`]; within the settings' `timeout`.
    fn ask(&mut self) -> Result<Head, SourceError>;

    /// Which commit a branch or a tag shows that is not the one that is followed: `my-branch`,
    /// `origin/my-branch`, `v1.2.3`, or a full name. A few small requests.
    ///
    /// # Errors
    /// [`SourceError`]; within the settings' `timeout`.
    fn look_up(&mut self, name: &str) -> Result<Head, SourceError>;

    /// Brings the files of the commit into the mirror, and says how it stands to `since`, the last
    /// accepted commit of the same line (which need not be in the mirror, but costs less when it is).
    /// Also what the settings want signatures on. Nothing in the files is looked at. `meanwhile` is done
    /// while somebody else works on an answer, where anybody is asked: once, or more than once.
    ///
    /// # Errors
    /// [`SourceError`]; within the settings' `timeout`, to which what is done meanwhile is added.
    fn fetch(
        &mut self,
        head: &Head,
        since: Option<&Revision>,
        mirror: &Mirror,
        meanwhile: &dyn Fn(),
    ) -> Result<Fetched, SourceError>;

    /// Brings the submodules that a commit in the mirror names, nested ones too, where the settings
    /// want them. Gives their trees by their path in the repository. This reads what the commit
    /// says, so its signature is verified before.
    ///
    /// # Errors
    /// [`SourceError`]; within the settings' `timeout`.
    fn submodules(
        &mut self,
        revision: &Revision,
        mirror: &Mirror,
    ) -> Result<BTreeMap<String, ObjectId>, SourceError>;

    /// Writes a commit of ours, which is in the mirror, to a branch that shows `old` (`None`: that is
    /// not there yet). Never forces anything.
    ///
    /// # Errors
    /// [`SourceError`]; what the repository refuses is none.
    fn push(
        &mut self,
        commit: &Revision,
        old: Option<&Revision>,
        reference: &str,
        mirror: &Mirror,
    ) -> Result<Pushed, SourceError>;

    /// From now on tells `progress` how many bytes have come.
    fn report_to(&mut self, progress: Progress);
}

/// What became of a commit that was written to the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// The branch shows it.
    Done,
    /// The branch shows another commit than it was thought to: it moved meanwhile. Or the server
    /// says so in these words, which it also has for what never gets better.
    Moved(Option<String>),
    /// The repository does not take it, in its own words.
    Refused(String),
}

/// What the source wants to be live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The commit.
    pub revision: Revision,
    /// The full name of the reference that gave it, or the commit's id where an id was asked for.
    pub reference: String,
    /// The tag's own object, where the reference is a tag that has one.
    pub tag: Option<ObjectId>,
}

impl Head {
    /// A commit that is named by its id alone.
    #[must_use]
    pub fn of(revision: Revision) -> Self {
        let reference = revision.to_string();
        Self { revision, reference, tag: None }
    }
}

/// A commit whose files are in the mirror.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The commit.
    pub revision: Revision,
    /// How it stands to the last accepted one.
    pub descent: Descent,
    /// Bytes of packs received; 0 when everything was there.
    pub bytes: u64,
    /// The commits that it has and the last accepted one has not, without itself: where the
    /// settings want them signed and it descends from that one.
    pub since: Vec<ObjectId>,
    /// The tag that shows it, where the settings want that signed.
    pub tag: Option<ShownTag>,
}

/// A tag as the repository shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownTag {
    /// The reference's full name.
    pub name: String,
    /// The tag's own object, which is in the mirror; `None`: it is a light one.
    pub id: Option<ObjectId>,
}

/// How a commit stands to the last accepted one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Descent {
    /// There is no accepted one.
    First,
    /// It is the same.
    Same,
    /// The accepted one is among its ancestors.
    Descends,
    /// It is not: history was rewritten.
    Rewritten,
}
