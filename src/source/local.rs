use std::path::{Path, PathBuf};

use git2::{ObjectType, Repository, RepositoryInitOptions};

use super::descent;
use super::reference::{Shown, choose, in_words, prefixes};
use super::{Fetched, Head, SourceError};
use crate::config::Reference;
use crate::model::Revision;
use crate::objects::Mirror;

/// A repository on this machine: by path, or the embedded one. No process is started.
pub(super) struct Local {
    path: PathBuf,
    reference: Reference,
}

impl Local {
    /// A repository in a folder of somebody.
    pub(super) const fn at(path: PathBuf, reference: Reference) -> Self {
        Self { path, reference }
    }

    /// The embedded repository, made on first use. Its HEAD names the branch that is followed, so
    /// that a clone of it begins there.
    pub(super) fn embedded(path: PathBuf, reference: Reference) -> Result<Self, SourceError> {
        if !path.join("HEAD").exists() {
            let branch = match &reference {
                Reference::Branch(name) => name.as_str(),
                _ => "main",
            };
            let mut options = RepositoryInitOptions::new();
            options.bare(true).external_template(false).initial_head(branch).mkpath(true);
            let place = path.display().to_string();
            Repository::init_opts(&path, &options)
                .map_err(|error| SourceError::Damaged { place, detail: error.message().into() })?;
        }
        Ok(Self { path, reference })
    }

    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn open(&self) -> Result<Repository, SourceError> {
        let unreachable = |detail: String| SourceError::Unreachable {
            place: self.place(),
            detail,
            retry_after: None,
        };
        if !self.path.exists() {
            return Err(unreachable("there is no such folder".to_owned()));
        }
        Repository::open(&self.path).map_err(|error| match error.code() {
            git2::ErrorCode::NotFound => self.damaged(&error),
            _ => unreachable(error.message().to_owned()),
        })
    }

    fn damaged(&self, error: &git2::Error) -> SourceError {
        SourceError::Damaged { place: self.place(), detail: error.message().to_owned() }
    }

    fn not_found(&self) -> SourceError {
        let wanted = in_words(&self.reference);
        SourceError::NotFound { place: self.place(), wanted, hint: None }
    }

    /// Looks the reference up.
    pub(super) fn ask(&mut self) -> Result<Head, SourceError> {
        if let Reference::Commit(revision) = &self.reference {
            return Ok(Head::of(revision.clone()));
        }
        let repository = self.open()?;
        let shown = self.shown(&repository)?;
        match choose(&self.reference, &shown) {
            Some(shown) => {
                Ok(Head { revision: shown.commit.clone(), reference: shown.name.clone() })
            }
            None if repository.is_empty().unwrap_or(false) => {
                Err(SourceError::Empty { place: self.place() })
            }
            None => Err(self.not_found()),
        }
    }

    fn shown(&self, repository: &Repository) -> Result<Vec<Shown>, SourceError> {
        let mut shown = Vec::new();
        for prefix in prefixes(&self.reference) {
            if prefix.ends_with('/') {
                let glob = format!("{prefix}*");
                let found =
                    repository.references_glob(&glob).map_err(|error| self.damaged(&error))?;
                shown.extend(found.flatten().filter_map(|reference| commit_of(&reference)));
            } else if let Ok(reference) = repository.find_reference(&prefix) {
                let found = commit_of(&reference);
                shown.extend(found.map(|found| Shown { name: prefix, ..found }));
            }
        }
        Ok(shown)
    }

    /// Copies what is missing, by libgit2's own local transport.
    pub(super) fn fetch(
        &mut self,
        head: &Head,
        since: Option<&Revision>,
        mirror: &Mirror,
    ) -> Result<Fetched, SourceError> {
        let repository = self.open()?;
        let wanted = descent::oid(&head.revision).map_err(|error| self.damaged(&error))?;
        if repository.find_commit(wanted).is_err() {
            let wanted = format!("commit {}", head.revision);
            return Err(SourceError::NotFound { place: self.place(), wanted, hint: None });
        }
        let mut bytes = 0;
        if mirror.repository().find_commit(wanted).is_err() {
            bytes = self.copy(&repository, wanted, mirror)?;
        }
        let descent = descent::of(mirror.repository(), &head.revision, since)
            .map_err(|error| self.damaged(&error))?;
        let submodules = std::collections::BTreeMap::new();
        Ok(Fetched { revision: head.revision.clone(), descent, bytes, submodules })
    }

    /// Packs what the mirror lacks and writes it there.
    fn copy(
        &self,
        from: &Repository,
        wanted: git2::Oid,
        mirror: &Mirror,
    ) -> Result<u64, SourceError> {
        let damaged = |error: git2::Error| self.damaged(&error);
        let mut walk = from.revwalk().map_err(damaged)?;
        walk.push(wanted).map_err(damaged)?;
        let known = mirror.repository().references().map_err(damaged)?;
        for reference in known.flatten() {
            if let Some(id) = reference.target().filter(|id| from.find_commit(*id).is_ok()) {
                walk.hide(id).map_err(damaged)?;
            }
        }
        let mut builder = from.packbuilder().map_err(damaged)?;
        builder.insert_walk(&mut walk).map_err(damaged)?;
        let odb = mirror.repository().odb().map_err(damaged)?;
        let mut writer = odb.packwriter().map_err(damaged)?;
        let mut bytes = 0;
        let mut written = Ok(());
        builder
            .foreach(|chunk| {
                bytes += chunk.len() as u64;
                written = std::io::Write::write_all(&mut writer, chunk);
                written.is_ok()
            })
            .map_err(damaged)?;
        written.map_err(|error| self.damaged(&git2::Error::from_str(&error.to_string())))?;
        writer.commit().map_err(damaged)?;
        let name = "refs/kconfigd/head";
        mirror.repository().reference(name, wanted, true, "fetched").map_err(damaged)?;
        Ok(bytes)
    }
}

fn commit_of(reference: &git2::Reference<'_>) -> Option<Shown> {
    let name = reference.name().ok()?.to_owned();
    let commit = reference.peel(ObjectType::Commit).ok()?;
    let commit = Revision::parse(&commit.id().to_string()).ok()?;
    Some(Shown { name, commit })
}

/// The embedded repository of a state folder.
pub(super) fn embedded_path(state_dir: &Path) -> PathBuf {
    state_dir.join("embedded.git")
}
