//! How two commits stand to each other, and whether a commit's files are all here.
//!
//! Commits are read raw: libgit2's own walk takes missing parents for damage. What makes the answer
//! exact is what was asked before: the server left out only ancestors of the accepted commit, and
//! an ancestor of a commit does not have it among its own. So a missing commit ends a path.

use std::collections::HashSet;

use git2::{ErrorCode, ObjectType, Odb, Oid, Repository};

use crate::model::ObjectId;
use crate::objects::{is_same, pairs};

/// What a walk through the commits that are here shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Walk {
    /// The accepted commit was met.
    Met,
    /// It was not, and some commits are not here.
    Cut,
    /// It was not, and the walk reached the very first commits.
    Whole,
}

/// Walks from `head` towards its ancestors until `accepted` is met.
pub(super) fn walk(odb: &Odb<'_>, head: Oid, accepted: Oid) -> Result<Walk, git2::Error> {
    let mut seen = HashSet::from([head]);
    let mut next = vec![head];
    let mut end = Walk::Whole;
    while let Some(id) = next.pop() {
        match parents(odb, id)? {
            Some(parents) if parents.contains(&accepted) => return Ok(Walk::Met),
            Some(parents) => next.extend(parents.into_iter().filter(|parent| seen.insert(*parent))),
            None => end = Walk::Cut,
        }
    }
    Ok(end)
}

/// A commit's parents as its bytes have them; `None`: it is not here.
pub(super) fn parents(odb: &Odb<'_>, id: Oid) -> Result<Option<Vec<Oid>>, git2::Error> {
    let object = match odb.read(id) {
        Ok(object) => object,
        Err(error) if error.code() == ErrorCode::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if object.kind() != ObjectType::Commit {
        return Err(git2::Error::from_str("a parent is not a commit"));
    }
    let header = object.data().split(|byte| *byte == b'\n').take_while(|line| !line.is_empty());
    header
        .filter_map(|line| line.strip_prefix(b"parent "))
        .map(|id| Oid::from_str(&String::from_utf8_lossy(id)))
        .collect::<Result<Vec<_>, _>>()
        .map(Some)
}

/// The first object that the tree `root` needs and that is not here. What `known` has, a tree whose
/// files are all here, is not looked at. Costs what differs between the two.
pub(super) fn missing(
    repository: &Repository,
    root: Oid,
    known: Option<Oid>,
) -> Result<Option<ObjectId>, git2::Error> {
    let odb = repository.odb()?;
    let mut seen = HashSet::new();
    let mut next = vec![(root, known)];
    while let Some((id, known)) = next.pop() {
        if Some(id) == known || !seen.insert(id) {
            continue;
        }
        let tree = match repository.find_tree(id) {
            Ok(tree) => tree,
            Err(error) if error.code() == ErrorCode::NotFound => return Ok(Some(object_id(id))),
            Err(error) => return Err(error),
        };
        let known = known.and_then(|id| repository.find_tree(id).ok());
        for (same, entry) in pairs(known.as_ref(), Some(&tree)) {
            if is_same(same.as_ref(), entry.as_ref()) {
                continue;
            }
            let Some(entry) = entry else { continue };
            let id = entry.id();
            match entry.kind() {
                Some(ObjectType::Tree) => next.push((id, same.map(|same| same.id()))),
                Some(ObjectType::Commit) => {}
                _ if !odb.exists(id) => return Ok(Some(object_id(id))),
                _ => {}
            }
        }
    }
    Ok(None)
}

/// libgit2's form of an id.
pub(super) fn oid(id: ObjectId) -> Oid {
    // fails only for another length than 20
    Oid::from_bytes(&id.0).unwrap_or(Oid::ZERO_SHA1)
}

/// Our form of an id.
pub(super) fn object_id(oid: Oid) -> ObjectId {
    let mut id = [0; 20];
    id.copy_from_slice(oid.as_bytes());
    ObjectId(id)
}
