use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// What differs whenever a file does, or who may read it: its place, its size, and when it and its
/// rights were changed last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    place: (u64, u64),
    size: u64,
    changed: [(i64, i64); 2],
}

impl Stamp {
    /// The one of a file; `None` where there is none that could be looked at.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let m = std::fs::metadata(path).ok()?;
        let changed = [(m.mtime(), m.mtime_nsec()), (m.ctime(), m.ctime_nsec())];
        Some(Self { place: (m.dev(), m.ino()), size: m.size(), changed })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_whose_rights_are_mended_is_another_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x");
        std::fs::write(&file, "x").unwrap();
        let before = Stamp::of(&file);
        assert_eq!(before, Stamp::of(&file));
        // The clock of the file system may be coarse.
        while Stamp::of(&file) == before {
            for mode in [0o000, 0o600] {
                std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            }
        }
        assert_eq!(Stamp::of(&folder.path().join("y")), None);
    }
}
