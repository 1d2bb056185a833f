//! A repository on this machine, read with libgit2: no process, no network.
//!
//! Nothing of the repository is run: libgit2 knows no hooks and no filters here, so its owner does
//! not matter, and libgit2's refusal of other people's repositories is switched off.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Once;

use git2::{ErrorCode, ObjectType, Oid, Reference, Repository, RepositoryOpenFlags};

use crate::model::{ObjectId, Revision};

use super::advertisement::Shown;
use super::descent::{object_id, oid};
use super::intake::Intake;
use super::repository::Into;
use super::{SourceError, embedded};
use crate::objects::prepare_libgit2;

/// A repository in a folder.
pub(super) struct Local {
    path: PathBuf,
    /// The branch that HEAD names, where the repository is ours to make.
    embedded: Option<String>,
}

/// Has libgit2 open repositories whoever owns them, as [`Local`] needs and explains.
pub(super) fn trust_any_owner() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        #[expect(unsafe_code, reason = "libgit2 has no other way to be told")]
        // SAFETY: it sets one global flag, which is only read when a repository is opened. `Once`
        // keeps two of us from setting it at a time, and it is always set to the same value.
        let set = unsafe { git2::opts::set_verify_owner_validation(false) };
        if let Err(error) = set {
            tracing::warn!(%error, "libgit2 goes on refusing repositories of other owners");
        }
    });
}

impl Local {
    /// The repository in the folder `path`.
    pub(super) const fn at(path: PathBuf) -> Self {
        Self { path, embedded: None }
    }

    /// Our own repository in the state folder, made when it is first used.
    pub(super) fn embedded(state_dir: &Path, branch: &str) -> Self {
        Self { path: state_dir.join("embedded.git"), embedded: Some(branch.to_owned()) }
    }

    /// How it is shown to people.
    pub(super) fn place(&self) -> String {
        self.path.display().to_string()
    }

    pub(super) fn open(&self) -> Result<Repository, SourceError> {
        trust_any_owner();
        prepare_libgit2();
        if let Some(branch) = &self.embedded {
            embedded::make(&self.path, branch)?;
        }
        let none: [&Path; 0] = [];
        Repository::open_ext(&self.path, RepositoryOpenFlags::NO_SEARCH, none)
            .map_err(|source| self.unreadable(source))
    }

    pub(super) fn unreadable(&self, source: git2::Error) -> SourceError {
        SourceError::Local { path: self.path.clone(), source }
    }

    /// The references whose names start with `prefix`, or the one of that name.
    pub(super) fn references(&self, prefix: &str) -> Result<Vec<Shown>, SourceError> {
        let repository = self.open()?;
        let unreadable = |source| self.unreadable(source);
        if !prefix.ends_with('/') {
            return match repository.find_reference(prefix) {
                Ok(one) => Ok(show(&one).into_iter().collect()),
                Err(error) if error.code() == ErrorCode::NotFound => Ok(Vec::new()),
                Err(error) => Err(unreadable(error)),
            };
        }
        let found = repository.references_glob(&format!("{prefix}*")).map_err(unreadable)?;
        Ok(found.filter_map(Result::ok).filter_map(|one| show(&one)).collect())
    }

    /// Copies what the commit has and `known`, a tree that the mirror has whole, has not. Gives the
    /// pack's bytes.
    pub(super) fn copy(
        &self,
        head: &Revision,
        known: Option<ObjectId>,
        into: Into<'_>,
    ) -> Result<u64, SourceError> {
        let Into { mirror, odb, limits, meanwhile, .. } = into;
        // Nobody else works on it: what it is for comes first.
        meanwhile();
        let repository = self.open()?;
        let unreadable = |source| self.unreadable(source);
        let commit = match repository.find_commit(oid(head.id())) {
            Ok(commit) => commit,
            Err(error) if error.code() == ErrorCode::NotFound => {
                return Err(SourceError::Incomplete { place: self.place(), id: head.id() });
            }
            Err(error) => return Err(unreadable(error)),
        };
        let mut builder = repository.packbuilder().map_err(unreadable)?;
        builder.insert_object(commit.id(), None).map_err(unreadable)?;
        let mut seen = HashSet::new();
        let mut next = vec![(commit.tree_id(), known.map(oid))];
        while let Some((id, known)) = next.pop() {
            if Some(id) == known || !seen.insert(id) {
                continue;
            }
            let tree = repository.find_tree(id).map_err(unreadable)?;
            if !odb.exists(id) {
                builder.insert_object(id, None).map_err(unreadable)?;
            }
            let known = known.and_then(|id| mirror.repository().find_tree(id).ok());
            for entry in &tree {
                let same = known.as_ref().and_then(|tree| tree.get_name_bytes(entry.name_bytes()));
                let same = same.map(|same| same.id());
                match entry.kind() {
                    Some(ObjectType::Tree) => next.push((entry.id(), same)),
                    Some(ObjectType::Commit) => {}
                    _ if same == Some(entry.id()) || odb.exists(entry.id()) => {}
                    _ => builder.insert_object(entry.id(), None).map_err(unreadable)?,
                }
            }
        }
        let mut intake = Intake::start(mirror, limits, &self.place())?;
        let mut failure = None;
        let built = builder.foreach(|bytes| {
            failure = intake.take(bytes).err();
            failure.is_none()
        });
        match (failure, built) {
            (Some(error), _) => Err(error),
            (None, Err(error)) => Err(unreadable(error)),
            (None, Ok(())) => intake.finish(),
        }
    }

    /// Whether `since` is an ancestor of `head`.
    pub(super) fn descends(&self, head: &Revision, since: &Revision) -> Result<bool, SourceError> {
        let repository = self.open()?;
        match repository.graph_descendant_of(oid(head.id()), oid(since.id())) {
            Ok(descends) => Ok(descends),
            // the repository does not have it any more
            Err(_) if repository.find_commit(oid(since.id())).is_err() => Ok(false),
            Err(error) => Err(self.unreadable(error)),
        }
    }
}

fn show(reference: &Reference<'_>) -> Option<Shown> {
    let resolved = reference.resolve().ok()?;
    let id: Oid = resolved.target()?;
    let peeled = resolved.peel(ObjectType::Any).ok().map(|object| object.id());
    Some(Shown {
        name: reference.name().ok()?.to_owned(),
        id: object_id(id),
        peeled: peeled.filter(|peeled| *peeled != id).map(object_id),
        symref: reference.symbolic_target().ok().flatten().map(str::to_owned),
    })
}
