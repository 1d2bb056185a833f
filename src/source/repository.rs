//! One repository, wherever it is: its references, a commit's files, and how two commits stand.
//!
//! The one that is followed and each submodule are such.

use git2::{Odb, OdbLookupFlags};

use crate::model::{Limits, ObjectId, Revision};
use crate::objects::{Mirror, ObjectsError};
use crate::progress::Progress;

use super::advertisement::Shown;
use super::descent::{self, Walk, oid};
use super::local::Local;
use super::pack_request::{Answered, Asked};
use super::patience::Patience;
use super::peer::Peer;
use super::{Descent, SourceError};

/// How a repository is reached.
pub(super) enum Repository {
    Peer(Box<Peer>),
    Local(Local),
}

/// What a fetch works with.
#[derive(Clone, Copy)]
pub(super) struct Into<'m> {
    pub mirror: &'m Mirror,
    pub odb: &'m Odb<'m>,
    pub limits: &'m Limits,
    pub patience: Patience,
    /// Whoever watches is told here.
    pub progress: &'m Progress,
    /// What is done while a server works on its answer.
    pub meanwhile: &'m dyn Fn(),
}

impl Repository {
    /// How it is shown to people.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Peer(peer) => peer.place().to_owned(),
            Self::Local(local) => local.place(),
        }
    }

    /// The references whose names start with `prefix`, at least.
    pub(super) fn references(
        &mut self,
        prefix: &str,
        patience: Patience,
    ) -> Result<Vec<Shown>, SourceError> {
        match self {
            Self::Peer(peer) => peer.references(prefix, patience),
            Self::Local(local) => local.references(prefix),
        }
    }

    /// Ends what costs something while it is idle.
    pub(super) fn close(&mut self) {
        if let Self::Peer(peer) = self {
            peer.close();
        }
    }

    /// Brings the commit's files into the mirror; gives the bytes received. `shown` is the id under
    /// which the repository shows it; `is_new`, that it has just begun to; `since`, a commit whose
    /// files may be there already.
    pub(super) fn files(
        &mut self,
        (head, shown): (&Revision, ObjectId),
        is_new: bool,
        since: Option<&Revision>,
        into: Into<'_>,
    ) -> Result<u64, SourceError> {
        let tree = |revision: &Revision| into.mirror.commit_tree(revision).ok();
        let known = since.and_then(|since| Some((since.id(), tree(since)?)));
        let known_tree = known.map(|(_, tree)| tree);
        if let Some(tree) = known_tree {
            into.mirror.expect(tree);
        }
        // What is new is not here yet as a rule: no reason to open all packs, or to list them again.
        let is_here = || {
            let is_known = into.odb.exists_ext(oid(head.id()), OdbLookupFlags::NO_REFRESH);
            Ok::<_, SourceError>(is_known && lacks(into.mirror, head, known_tree)?.is_none())
        };
        if !is_new && is_here()? {
            return Ok(0);
        }
        let mut bytes = 0;
        if let Some((have, _)) = known
            && let Self::Peer(peer) = self
            && let Some(received) = peer.since(shown, have, into)?
        {
            if lacks(into.mirror, head, known_tree)?.is_none() {
                return Ok(received);
            }
            bytes = received;
        }
        if is_new && is_here()? {
            return Ok(bytes);
        }
        if let Some((have, tree)) = known {
            match self.bring(head, shown, Some((have, tree)), into) {
                Ok(received) if lacks(into.mirror, head, known_tree)?.is_none() => {
                    return Ok(bytes + received);
                }
                Ok(received) => bytes += received,
                // differences to something that is not here after all
                Err(SourceError::Damaged { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        bytes += self.bring(head, shown, None, into)?;
        match lacks(into.mirror, head, None)? {
            None => Ok(bytes),
            Some(id) => Err(SourceError::Incomplete { place: self.place(), id }),
        }
    }

    fn bring(
        &mut self,
        head: &Revision,
        shown: ObjectId,
        known: Option<(ObjectId, ObjectId)>,
        into: Into<'_>,
    ) -> Result<u64, SourceError> {
        match self {
            Self::Local(local) => local.copy(head, known.map(|(_, tree)| tree), into),
            Self::Peer(peer) => {
                let asked = Asked::Files { have: known.map(|(commit, _)| commit) };
                peer.pack(shown, asked, into).map(size)
            }
        }
    }

    /// Looks for a commit in the history of `heads`: they are fetched whole, one after the other,
    /// until it is there. Gives the bytes received; `None`: it is in none of them.
    pub(super) fn search(
        &mut self,
        revision: &Revision,
        heads: &[ObjectId],
        into: Into<'_>,
    ) -> Result<Option<u64>, SourceError> {
        let Self::Peer(peer) = self else { return Ok(None) };
        let mut bytes = 0;
        for head in heads {
            bytes += size(peer.pack(*head, Asked::Everything, into)?);
            if lacks(into.mirror, revision, None)?.is_none() {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    /// How `head`, whose files are here, stands to the last accepted commit; and bytes received.
    pub(super) fn descent(
        &mut self,
        (head, shown): (&Revision, ObjectId),
        since: Option<&Revision>,
        into: Into<'_>,
    ) -> Result<(Descent, u64), SourceError> {
        let Some(since) = since else { return Ok((Descent::First, 0)) };
        if since == head {
            return Ok((Descent::Same, 0));
        }
        let descent = |descends| if descends { Descent::Descends } else { Descent::Rewritten };
        let peer = match self {
            Self::Local(local) => return Ok((descent(local.descends(head, since)?), 0)),
            Self::Peer(peer) => peer,
        };
        let walk = || {
            descent::walk(into.odb, oid(head.id()), oid(since.id()))
                .map_err(|source| damage(into.mirror, source))
        };
        match walk()? {
            Walk::Met => return Ok((Descent::Descends, 0)),
            Walk::Whole => return Ok((Descent::Rewritten, 0)),
            Walk::Cut => {}
        }
        let mut answered = Answered::Undecided;
        for insist in [false, true] {
            if answered == Answered::Undecided {
                let asked = Asked::History { known: since.id(), insist };
                answered = peer.pack(shown, asked, into)?;
            }
        }
        match answered {
            Answered::Pack(bytes) => Ok((descent(walk()? == Walk::Met), bytes)),
            Answered::Unknown | Answered::Undecided => Ok((Descent::Rewritten, 0)),
        }
    }
}

/// The bytes that an answer brought.
pub(super) const fn size(answered: Answered) -> u64 {
    match answered {
        Answered::Pack(bytes) => bytes,
        Answered::Unknown | Answered::Undecided => 0,
    }
}

/// The first object that the commit needs and that is not in the mirror.
fn lacks(
    mirror: &Mirror,
    head: &Revision,
    known: Option<ObjectId>,
) -> Result<Option<ObjectId>, SourceError> {
    let Ok(tree) = mirror.commit_tree(head) else { return Ok(Some(head.id())) };
    descent::missing(mirror.repository(), oid(tree), known.map(oid))
        .map_err(|source| damage(mirror, source))
}

/// The mirror could not be read.
pub(super) fn damage(mirror: &Mirror, source: git2::Error) -> SourceError {
    SourceError::Mirror(ObjectsError::Open { path: mirror.path().to_owned(), source })
}
