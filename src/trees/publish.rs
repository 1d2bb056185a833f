use super::disk::Kind;
use super::{Staged, Trees, TreesError};
use crate::config::LiveMode;
use crate::model::Digest;

/// The proof that a tree is what the live path shows: only publishing and looking make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    pub(super) name: String,
    pub(super) digest: Digest,
    pub(super) durable: bool,
}

impl Live {
    /// The tree's folder name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its digest.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// A proof of nothing, for tests that get the order wrong on purpose.
    #[cfg(test)]
    pub(crate) fn claimed(name: &str, digest: Digest) -> Self {
        Self { name: name.to_owned(), digest, durable: true }
    }

    /// Whether the disk said that the rename will survive a power cut. Where it did not, the tree
    /// is live all the same, and the link decides at the next start.
    #[must_use]
    pub const fn is_durable(&self) -> bool {
        self.durable
    }
}

/// A tree that could not be published; the live tree is as it was.
#[derive(Debug, thiserror::Error)]
#[error("cannot make the tree {name} live")]
pub struct PublishError {
    /// The tree's folder name.
    pub name: String,
    /// Why.
    #[source]
    pub source: TreesError,
}

impl Trees {
    /// Makes a staged tree the live one: one rename, the commit point.
    ///
    /// # Errors
    /// [`PublishError`]: then the live path shows what it showed before.
    pub fn publish(&mut self, staged: Staged) -> Result<Live, PublishError> {
        let name = staged.name.clone();
        self.swap_in(&staged).map_err(|source| PublishError { name: name.clone(), source })?;
        self.published += 1;
        let digest = staged.manifest.digest;
        self.manifests.insert(name.clone(), staged.manifest);
        // From here on the tree is live: what fails now cannot be undone without a second rename,
        // and must not pretend that the old tree stayed.
        let durable = self.disk.sync_folder(self.layout.parent());
        if let Err(error) = &durable {
            tracing::error!(error = %error, "the new tree is live, but the disk does not say that it will be after a power cut");
        }
        if let Err(error) = self.put_away_previous() {
            tracing::warn!(error = %error, "the tree before could not be put away; the next start tidies it up");
        }
        Ok(Live { name, digest, durable: durable.is_ok() })
    }

    /// The one step, for each of what can be at the live path.
    fn swap_in(&mut self, staged: &Staged) -> Result<(), TreesError> {
        let live = self.layout.live().to_owned();
        let found = self.disk.stat(&live)?;
        let foreign = found.is_some() && self.live_name()?.is_none();
        if foreign && !staged.over_anything {
            self.may_move_aside()?;
        }
        match (self.layout.mode(), found.map(|s| s.kind)) {
            (LiveMode::Symlink, kind) => {
                let next = self.layout.next_link();
                // What an earlier try left there may be somebody's: it is put away, never removed.
                self.put_away_previous()?;
                let target = self.layout.link_target(&staged.name);
                self.disk.make_link(&next, target.as_bytes())?;
                if kind.is_none() || (kind == Some(Kind::Link) && !foreign) {
                    self.disk.rename(&next, &live)?;
                } else {
                    self.exchange(&next)?;
                }
            }
            (LiveMode::Exchange, None) => {
                self.disk.rename(&self.layout.tree(&staged.name), &live)?;
            }
            (LiveMode::Exchange, Some(_)) => self.exchange(&self.layout.tree(&staged.name))?,
        }
        Ok(())
    }

    fn exchange(&self, with: &std::path::Path) -> Result<(), TreesError> {
        let live = self.layout.live();
        self.disk.exchange(with, live).map_err(|error| match error.source.kind() {
            std::io::ErrorKind::InvalidInput | std::io::ErrorKind::Unsupported => {
                TreesError::NoExchange { path: live.to_owned(), source: error.source }
            }
            _ => error.into(),
        })
    }

    /// A free name to move something to that is not ours.
    pub(super) fn free_aside(&self) -> Result<std::path::PathBuf, TreesError> {
        const NAMES_MAX: u32 = 100;
        for number in 0..NAMES_MAX {
            let aside = self.layout.aside(number);
            if self.disk.stat(&aside)?.is_none() {
                return Ok(aside);
            }
        }
        let from = self.layout.live().to_owned();
        Err(TreesError::AsideTaken { from, to: self.layout.aside(0) })
    }

    /// Whether something that is not ours may be moved away from the live path.
    ///
    /// # Errors
    /// [`TreesError::Foreign`] without `live.adopt`, [`TreesError::AsideTaken`] when the name is.
    pub fn may_move_aside(&self) -> Result<(), TreesError> {
        if !self.settings.adopt {
            return Err(TreesError::Foreign(self.layout.live().to_owned()));
        }
        self.free_aside().map(drop)
    }
}
