use std::path::{Path, PathBuf};

use super::TreesError;
use crate::config::LiveMode;
use crate::model::{Digest, Revision};

/// Where everything is, worked out from the live path alone: a mount of its parent carries all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    live: PathBuf,
    parent: PathBuf,
    name: String,
    mode: LiveMode,
}

/// The prefix of folders that are being built; no reader is ever sent there.
const STAGING_PREFIX: &str = "staging-";

impl Layout {
    /// The layout around a live path.
    ///
    /// # Errors
    /// [`TreesError::LivePath`] when it has no name or no parent.
    pub fn new(live: &Path, mode: LiveMode) -> Result<Self, TreesError> {
        let bad = || TreesError::LivePath(live.to_owned());
        let parent = live.parent().filter(|p| p.is_absolute()).ok_or_else(bad)?;
        let name = live.file_name().and_then(|n| n.to_str()).ok_or_else(bad)?;
        Ok(Self { live: live.to_owned(), parent: parent.to_owned(), name: name.to_owned(), mode })
    }

    /// What consumers open.
    #[must_use]
    pub fn live(&self) -> &Path {
        &self.live
    }

    /// The folder that holds the live path.
    #[must_use]
    pub fn parent(&self) -> &Path {
        &self.parent
    }

    /// How the live path shows the tree.
    #[must_use]
    pub const fn mode(&self) -> LiveMode {
        self.mode
    }

    /// `.<name>.trees`, beside the live path.
    #[must_use]
    pub fn trees(&self) -> PathBuf {
        self.parent.join(self.trees_name())
    }

    fn trees_name(&self) -> String {
        format!(".{}.trees", self.name)
    }

    /// A tree's folder while it is not the live one in exchange mode.
    #[must_use]
    pub fn tree(&self, name: &str) -> PathBuf {
        self.trees().join(name)
    }

    /// A tree's manifest.
    #[must_use]
    pub fn manifest(&self, name: &str) -> PathBuf {
        self.trees().join(format!("{name}.json"))
    }

    /// The lock beside the trees.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.trees().join("lock")
    }

    /// The link that is about to be renamed to the live path.
    #[must_use]
    pub fn next_link(&self) -> PathBuf {
        self.trees().join("next")
    }

    /// A folder that is being built.
    #[must_use]
    pub fn staging(&self, number: u64) -> PathBuf {
        self.trees().join(format!("{STAGING_PREFIX}{number}"))
    }

    /// Where something that is not ours is moved to.
    #[must_use]
    pub fn aside(&self, number: u32) -> PathBuf {
        let name = format!("{}.before-kconfigd", self.name);
        self.parent.join(if number == 0 { name } else { format!("{name}.{number}") })
    }

    /// What the live link says when it shows a tree.
    #[must_use]
    pub fn link_target(&self, name: &str) -> String {
        format!("{}/{name}", self.trees_name())
    }

    /// The tree that a link's target names, when it is one of ours.
    #[must_use]
    pub fn tree_of_target(&self, target: &[u8]) -> Option<String> {
        let target = std::str::from_utf8(target).ok()?;
        let name = target.strip_prefix(&self.trees_name())?.strip_prefix('/')?;
        is_tree_name(name).then(|| name.to_owned())
    }
}

/// `<12 digits of the commit that first gave this content>-<8 digits of the digest>`, with `.<n>`
/// behind it when that folder is taken (by a damaged one of the same content).
#[must_use]
pub(super) fn tree_name(revision: &Revision, digest: &Digest, copy: u32) -> String {
    let name = format!("{}-{}", revision.short(), digest.short());
    if copy == 0 { name } else { format!("{name}.{copy}") }
}

/// Whether a name is one that [`tree_name`] gives.
#[must_use]
pub(super) fn is_tree_name(name: &str) -> bool {
    let (name, copy) = name.split_once('.').unwrap_or((name, "0"));
    let hex = |s: &str| s.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase());
    name.split_once('-').is_some_and(|(revision, digest)| {
        revision.len() == 12 && digest.len() == 8 && hex(revision) && hex(digest)
    }) && copy.parse::<u32>().is_ok()
}

/// Whether a name is one that [`Layout::staging`] gives.
#[must_use]
pub(super) fn is_staging_name(name: &str) -> bool {
    name.strip_prefix(STAGING_PREFIX).is_some_and(|n| n.parse::<u64>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_names_a_tree_of_ours_or_none() {
        let layout = Layout::new(Path::new("/etc/kos/config"), LiveMode::Symlink).unwrap();
        let name = "1a2b3c4d5e6f-9f86d081";
        assert_eq!(layout.link_target(name), ".config.trees/1a2b3c4d5e6f-9f86d081");
        let ours = |t: &str| layout.tree_of_target(t.as_bytes());
        assert_eq!(ours(".config.trees/1a2b3c4d5e6f-9f86d081").as_deref(), Some(name));
        assert!(ours(".config.trees/1a2b3c4d5e6f-9f86d081.2").is_some());
        for foreign in [
            "/etc/kos/.config.trees/1a2b3c4d5e6f-9f86d081",
            ".config.trees/../x",
            "elsewhere",
            ".config.trees/staging-1",
            ".config.trees/1a2b3c4d5e6f-9f86d081/x",
            ".config.trees/",
        ] {
            assert_eq!(ours(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn a_live_path_needs_a_name_and_a_folder() {
        assert!(Layout::new(Path::new("/"), LiveMode::Symlink).is_err());
        assert!(Layout::new(Path::new("config"), LiveMode::Symlink).is_err());
        assert!(Layout::new(Path::new("/config"), LiveMode::Symlink).is_ok());
    }
}
