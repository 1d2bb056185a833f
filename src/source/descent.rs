use git2::{Oid, Repository};

use super::Descent;
use crate::model::Revision;

/// How a commit stands to the last accepted one, as the mirror knows history. Where the mirror has
/// lost the accepted commit, nothing can be said against the new one's history: the caller sees to
/// it that the objects are there.
pub(super) fn of(
    repository: &Repository,
    head: &Revision,
    since: Option<&Revision>,
) -> Result<Descent, git2::Error> {
    let Some(since) = since else { return Ok(Descent::First) };
    if since == head {
        return Ok(Descent::Same);
    }
    let (head, since) = (oid(head)?, oid(since)?);
    if repository.find_commit(since).is_err() {
        return Ok(Descent::Rewritten);
    }
    let descends = repository.graph_descendant_of(head, since)?;
    Ok(if descends { Descent::Descends } else { Descent::Rewritten })
}

/// libgit2's form of a commit's id.
pub(super) fn oid(revision: &Revision) -> Result<Oid, git2::Error> {
    Oid::from_bytes(&revision.id().0)
}
