//! What signatures may be on, beside the head: the commits since the last accepted one, and the tag.
//!
//! A server could leave commits out, so that nobody looks at their signatures. Therefore nothing is
//! taken for an ancestor of the accepted commit that is not seen to be one: where the commits that
//! are here do not show it, all of them are asked for, without their files.

use std::collections::HashSet;

use git2::{ObjectType, Odb, Oid};

use crate::model::{ObjectId, Revision};

use super::SourceError;
use super::descent::{object_id, oid, parents};
use super::local::Local;
use super::pack_request::Asked;
use super::repository::{Into, Repository, damage, size};

/// Commits that are looked at to tell the new ones from the old ones.
const WALKED_MAX: usize = 500_000;

/// New commits that are verified at once.
const NEW_MAX: usize = 10_000;

/// The commits that one way through a history met, in its order.
struct Met {
    commits: Vec<Oid>,
    known: HashSet<Oid>,
    /// One that is not here.
    missing: Option<Oid>,
    /// Whether a very first commit is among them.
    reached_first: bool,
}

/// Meets every commit from `from` on, and none behind `until`. `None`: there are too many.
fn meet(odb: &Odb<'_>, from: Oid, until: Option<Oid>) -> Result<Option<Met>, git2::Error> {
    let known = HashSet::from([from]);
    let mut met = Met { commits: Vec::new(), known, missing: None, reached_first: false };
    let mut next = vec![from];
    while let Some(id) = next.pop() {
        match parents(odb, id)? {
            None => met.missing = Some(id),
            Some(parents) => {
                met.commits.push(id);
                met.reached_first |= parents.is_empty();
                let new = |parent: &Oid| Some(*parent) != until && met.known.insert(*parent);
                next.extend(parents.into_iter().filter(new));
            }
        }
        if met.known.len() > WALKED_MAX {
            return Ok(None);
        }
    }
    Ok(Some(met))
}

/// What the commits that are here say of what is new.
enum New {
    /// These, without the head.
    Exactly(Vec<ObjectId>),
    /// That cannot be told without this commit.
    Unclear(Oid),
    /// More than is looked at.
    TooMany(usize),
}

impl New {
    fn commits(self, place: &str) -> Result<Vec<ObjectId>, SourceError> {
        let place = place.to_owned();
        match self {
            Self::Exactly(commits) => Ok(commits),
            Self::Unclear(id) => Err(SourceError::Incomplete { place, id: object_id(id) }),
            Self::TooMany(max) => {
                let limit = "the number of commits that are verified at once";
                Err(SourceError::Limit { place, limit, max: max as u64 })
            }
        }
    }
}

/// The commits that `head` has and `accepted`, one of its ancestors, has not.
fn new(odb: &Odb<'_>, head: Oid, accepted: Oid) -> Result<New, git2::Error> {
    let Some(met) = meet(odb, head, Some(accepted))? else { return Ok(New::TooMany(WALKED_MAX)) };
    let mut commits = met.commits;
    // Where every way ends at the accepted commit, all that was met is behind it. Where one ends
    // elsewhere, a branch was joined that is older than it.
    if met.missing.is_some() || met.reached_first {
        let Some(old) = meet(odb, accepted, None)? else { return Ok(New::TooMany(WALKED_MAX)) };
        if let Some(missing) = met.missing.filter(|it| !old.known.contains(it)).or(old.missing) {
            return Ok(New::Unclear(missing));
        }
        commits.retain(|commit| !old.known.contains(commit));
    }
    if commits.len() > NEW_MAX {
        return Ok(New::TooMany(NEW_MAX));
    }
    Ok(New::Exactly(commits.into_iter().filter(|id| *id != head).map(object_id).collect()))
}

impl Repository {
    /// The commits that `head`, which is in the mirror, has and `accepted`, one of its ancestors,
    /// has not; the head itself left out. They are in the mirror then. And bytes received.
    pub(super) fn news(
        &mut self,
        (head, shown): (&Revision, ObjectId),
        accepted: &Revision,
        into: Into<'_>,
    ) -> Result<(Vec<ObjectId>, u64), SourceError> {
        let peer = match self {
            Self::Local(local) => return local.news(head, accepted, into),
            Self::Peer(peer) => peer,
        };
        let mut bytes = 0;
        let mut told = new(into.odb, oid(head.id()), oid(accepted.id()));
        if let Ok(New::Unclear(_)) = told {
            bytes = size(peer.pack(shown, Asked::Commits, into)?);
            told = new(into.odb, oid(head.id()), oid(accepted.id()));
        }
        let told = told.map_err(|source| damage(into.mirror, source))?;
        Ok((told.commits(peer.place())?, bytes))
    }

    /// Brings a tag into the mirror whose commit is there. Gives the bytes received.
    pub(super) fn tag(
        &mut self,
        tag: ObjectId,
        head: &Revision,
        into: Into<'_>,
    ) -> Result<u64, SourceError> {
        if into.mirror.has(tag) {
            return Ok(0);
        }
        let bytes = match self {
            Self::Peer(peer) => {
                size(peer.pack(tag, Asked::Files { have: Some(head.id()) }, into)?)
            }
            Self::Local(local) => local.copy_object(tag, ObjectType::Tag, into)?,
        };
        match into.mirror.has(tag) {
            true => Ok(bytes),
            false => Err(SourceError::Incomplete { place: self.place(), id: tag }),
        }
    }
}

impl Local {
    /// The same, from a repository that has all of them.
    fn news(
        &self,
        head: &Revision,
        accepted: &Revision,
        into: Into<'_>,
    ) -> Result<(Vec<ObjectId>, u64), SourceError> {
        let repository = self.open()?;
        let unreadable = |source| self.unreadable(source);
        let odb = repository.odb().map_err(unreadable)?;
        let told = new(&odb, oid(head.id()), oid(accepted.id())).map_err(unreadable)?;
        let commits = told.commits(&self.place())?;
        let mut bytes = 0;
        for commit in &commits {
            if !into.mirror.has(*commit) {
                bytes += self.copy_from(&odb, *commit, ObjectType::Commit, into)?;
            }
        }
        Ok((commits, bytes))
    }

    /// Copies one object. Gives its bytes.
    fn copy_object(
        &self,
        id: ObjectId,
        kind: ObjectType,
        into: Into<'_>,
    ) -> Result<u64, SourceError> {
        let repository = self.open()?;
        let odb = repository.odb().map_err(|source| self.unreadable(source))?;
        self.copy_from(&odb, id, kind, into)
    }

    fn copy_from(
        &self,
        odb: &Odb<'_>,
        id: ObjectId,
        kind: ObjectType,
        into: Into<'_>,
    ) -> Result<u64, SourceError> {
        let object = odb.read(oid(id)).map_err(|source| self.unreadable(source))?;
        let store = |source| SourceError::Store { path: into.mirror.path().to_owned(), source };
        let written = into.odb.write(kind, object.data()).map_err(store)?;
        if object_id(written) != id {
            let problem = format!("{id} is of another kind than it is said to be");
            return Err(SourceError::Damaged { place: self.place(), problem });
        }
        Ok(object.data().len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Commits that name each other, with no files: they are written only when told so.
    struct Commits {
        folder: tempfile::TempDir,
        repository: git2::Repository,
    }

    impl Commits {
        fn none() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let repository = git2::Repository::init_bare(folder.path()).unwrap();
            Self { folder, repository }
        }

        fn text(name: &str, parents: &[Oid]) -> String {
            let tree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
            let parents: String = parents.iter().map(|id| format!("parent {id}\n")).collect();
            format!("tree {tree}\n{parents}author A <a> 1 +0000\ncommitter A <a> 1 +0000\n\n{name}")
        }

        fn add(&self, name: &str, parents: &[Oid]) -> Oid {
            let odb = self.repository.odb().unwrap();
            odb.write(ObjectType::Commit, Self::text(name, parents).as_bytes()).unwrap()
        }

        /// One that others name and nobody has.
        fn withheld(name: &str, parents: &[Oid]) -> Oid {
            let text = Self::text(name, parents);
            Oid::hash_object(ObjectType::Commit, text.as_bytes()).unwrap()
        }

        fn told(&self, head: Oid, accepted: Oid) -> Result<HashSet<Oid>, Oid> {
            assert!(self.folder.path().exists());
            match new(&self.repository.odb().unwrap(), head, accepted).unwrap() {
                New::Exactly(commits) => Ok(commits.into_iter().map(oid).collect()),
                New::Unclear(missing) => Err(missing),
                New::TooMany(max) => panic!("more than {max}"),
            }
        }
    }

    #[test]
    fn a_line_of_commits_is_told_without_what_was_before() {
        let all = Commits::none();
        let before = Commits::withheld("before", &[]);
        let accepted = all.add("accepted", &[before]);
        let one = all.add("one", &[accepted]);
        let two = all.add("two", &[one]);
        assert_eq!(all.told(two, accepted), Ok(HashSet::from([one])));
        assert_eq!(all.told(one, accepted), Ok(HashSet::new()));
    }

    #[test]
    fn a_joined_branch_is_new_as_far_as_the_accepted_commit_does_not_have_it() {
        let all = Commits::none();
        let root = all.add("root", &[]);
        let fork = all.add("fork", &[root]);
        let accepted = all.add("accepted", &[fork]);
        let side = all.add("side", &[fork]);
        let other_root = all.add("other root", &[]);
        let merge = all.add("merge", &[accepted, side, other_root]);
        assert_eq!(all.told(merge, accepted), Ok(HashSet::from([side, other_root])));
    }

    #[test]
    fn a_commit_that_was_left_out_is_not_taken_for_an_old_one() {
        let all = Commits::none();
        let root = all.add("root", &[]);
        let accepted = all.add("accepted", &[root]);
        let hidden = Commits::withheld("hidden", &[accepted]);
        let merge = all.add("merge", &[accepted, hidden]);
        assert_eq!(all.told(merge, accepted), Err(hidden));
        // nor is one for which it is not seen, as the old ones are not here either
        let cut = all.add("cut", &[Commits::withheld("older", &[])]);
        let fork = all.add("fork", &[root]);
        let merge = all.add("merge", &[cut, fork]);
        assert!(all.told(merge, cut).is_err());
    }
}
