use super::disk::{Attributes, Kind, Stat};
use crate::config::LiveSettings;
use crate::decide::patterns::Patterns;
use crate::model::{Entry, FileMode, ObjectId, Timestamp, TreePath};

/// What an entry of a tree becomes on disk, beside its bytes: mode, owner, and the mark by which
/// its content is known again from a `stat` alone.
#[derive(Clone, Debug)]
pub struct Materialisation {
    uid: Option<u32>,
    gid: Option<u32>,
    modes: Vec<(Patterns, u32)>,
    key: String,
}

impl Materialisation {
    /// From the settings of the live tree. A pattern that is none is left out: the settings' own
    /// check has refused it before.
    #[must_use]
    pub fn new(settings: &LiveSettings) -> Self {
        let mut key = format!("1;{:?}", settings.owner);
        let mut modes = Vec::new();
        for rule in &settings.file_modes {
            if let Ok(patterns) = Patterns::new([rule.pattern.as_str()]) {
                modes.push((patterns, rule.mode));
            }
            key.push_str(&format!(";{}={:o}", rule.pattern, rule.mode));
        }
        let owner = settings.owner;
        Self { uid: owner.and_then(|o| o.uid), gid: owner.and_then(|o| o.gid), modes, key }
    }

    /// Equal keys mean that equal content is equal on disk too.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Whether files may be shared between trees by hard links: not where they belong to somebody
    /// who could then write through one tree into all.
    pub(super) const fn may_share(&self) -> bool {
        self.uid.is_none() && self.gid.is_none()
    }

    /// What a folder of a tree is given.
    pub(super) const fn folder(&self) -> Attributes {
        Attributes { mode: 0o755, uid: self.uid, gid: self.gid, mtime: None }
    }

    /// What a regular file of a tree is given.
    pub(super) fn file(&self, path: &TreePath, entry: Entry, now: Timestamp) -> Attributes {
        Attributes {
            mode: self.mode(path, entry.mode),
            uid: self.uid,
            gid: self.gid,
            mtime: Some((now.seconds(), stamp(entry.id))),
        }
    }

    fn mode(&self, path: &TreePath, mode: FileMode) -> u32 {
        let path = path.as_str();
        let ruled = self.modes.iter().rev().find(|(patterns, _)| patterns.mean_file(path));
        match (ruled, mode) {
            (Some((_, bits)), _) => *bits,
            (None, FileMode::Executable) => 0o755,
            (None, _) => 0o644,
        }
    }

    /// Whether mode and owner of a file are as they should be.
    pub(super) fn file_fits(&self, path: &TreePath, entry: Entry, found: &Stat) -> bool {
        found.mode == self.mode(path, entry.mode) && self.owner_fits(found)
    }

    /// Whether mode and owner of a folder are as they should be.
    pub(super) fn folder_fits(&self, found: &Stat) -> bool {
        found.mode == self.folder().mode && self.owner_fits(found)
    }

    fn owner_fits(&self, found: &Stat) -> bool {
        self.uid.is_none_or(|uid| uid == found.uid) && self.gid.is_none_or(|gid| gid == found.gid)
    }
}

/// The nanoseconds that a file's modification time is given: made from its blob's id, so that one
/// `stat` tells whether the content is still the one that was written, with no list kept of it.
pub(super) fn stamp(id: ObjectId) -> u32 {
    let [a, b, c, d, ..] = id.0;
    u32::from_be_bytes([a, b, c, d]) % 1_000_000_000
}

/// What an entry is on disk.
pub(super) const fn kind_of(mode: FileMode) -> Kind {
    match mode {
        FileMode::Regular | FileMode::Executable => Kind::File,
        FileMode::Link => Kind::Link,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{DriftPolicy, LiveMode, MaxDeletions};

    #[test]
    fn modes_for_folders_are_not_given_to_files_at_the_root() {
        let rule = crate::config::FileModeRule { pattern: "*/".to_owned(), mode: 0o600 };
        let settings = LiveSettings {
            path: "/etc/config".into(),
            mode: LiveMode::Symlink,
            drift: DriftPolicy::Repair,
            drift_interval: std::time::Duration::from_secs(60),
            adopt: false,
            max_deletions: MaxDeletions::Part(0.5),
            reuse_after: std::time::Duration::ZERO,
            owner: None,
            file_modes: vec![rule],
        };
        let material = Materialisation::new(&settings);
        let mode = |path: &str| material.mode(&TreePath::parse(path).unwrap(), FileMode::Regular);
        assert_eq!(mode("a.yaml"), 0o644);
        assert_eq!(mode("folder/a.yaml"), 0o600);
    }
}
