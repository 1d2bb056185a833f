use std::path::{Path, PathBuf};

use super::compare::Drift;
use super::disk::Kind;
use super::{Found, Trees};
use crate::model::{DriftKind, Timestamp};

/// Bytes that are kept of one repair.
const BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Repairs whose findings are kept.
const FOLDERS_MAX: usize = 10;

impl Trees {
    /// Copies what was found edited or added in the live tree to a folder below `aside`, so that
    /// a repair loses nobody's work. Best effort: a full disk must not stop a repair.
    #[must_use]
    pub fn keep_aside(&self, drift: &Drift, aside: &Path, now: Timestamp) -> Option<PathBuf> {
        let Ok(Found::Tree(live)) = self.found() else { return None };
        let from = self.folder_of(live.name()).ok()?;
        let folder = aside.join(now.to_utc().format("%Y%m%dT%H%M%S%.3fZ").to_string());
        let mut left = BYTES_MAX;
        let mut kept = false;
        let seals = self.manifests.get(live.name()).map(|it| std::sync::Arc::clone(&it.seals));
        let is_secret = |path: &str| seals.as_ref().is_some_and(|it| it.holds(path));
        // What was decrypted is nowhere but in a tree, whoever edited it.
        for drifted in drift.paths.iter().filter(|it| !is_secret(&it.path)) {
            if matches!(drifted.kind, DriftKind::Edited | DriftKind::Added | DriftKind::Replaced) {
                let place = from.join(&drifted.path);
                kept |= self.keep(&place, &folder.join(&drifted.path), &mut left).is_some();
            }
        }
        drop_oldest(aside);
        kept.then_some(folder)
    }

    fn keep(&self, from: &Path, to: &Path, left: &mut u64) -> Option<()> {
        let stat = self.disk.stat(from).ok()??;
        match stat.kind {
            Kind::File if stat.size <= *left => {
                *left -= stat.size;
                let bytes = self.disk.read(from, stat.size).ok()?;
                std::fs::create_dir_all(to.parent()?).ok()?;
                std::fs::write(to, bytes).ok()
            }
            Kind::Link => {
                use std::os::unix::ffi::OsStrExt as _;
                let target = self.disk.read_link(from).ok()?;
                std::fs::create_dir_all(to.parent()?).ok()?;
                std::os::unix::fs::symlink(std::ffi::OsStr::from_bytes(&target), to).ok()
            }
            Kind::Folder => {
                let entries = self.disk.list(from).ok()?;
                entries
                    .into_iter()
                    .filter_map(|(name, _)| self.keep(&from.join(&name), &to.join(&name), left))
                    .last()
            }
            Kind::File | Kind::Other => None,
        }
    }
}

fn drop_oldest(aside: &Path) {
    let Ok(entries) = std::fs::read_dir(aside) else { return };
    let mut folders: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    folders.sort();
    let excess = folders.len().saturating_sub(FOLDERS_MAX);
    for folder in folders.into_iter().take(excess) {
        if let Err(error) = std::fs::remove_dir_all(&folder) {
            tracing::warn!(folder = %folder.display(), error = %error, "cannot remove what an old repair kept");
        }
    }
}
