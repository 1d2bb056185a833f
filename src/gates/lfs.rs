//! `lfs`: a pointer of Git LFS is not the file it stands for.

use super::AtHand;
use crate::model::Finding;

/// Larger files are no pointers (Git LFS specification, "The Pointer").
const POINTER_BYTES_MAX: usize = 1024;

/// Refuses a pointer: silent garbage otherwise.
pub(super) fn check(file: &AtHand<'_>) -> Vec<Finding> {
    let bytes = file.bytes;
    let pointer = bytes.len() < POINTER_BYTES_MAX
        && bytes.starts_with(b"version https://git-lfs.github.com/spec/")
        && bytes.windows(5).any(|w| w == b"\noid ");
    if !pointer {
        return Vec::new();
    }
    let text = "it is a pointer of Git LFS, and its content is not in the repository";
    let hint = "keep configuration in git itself (git lfs migrate export), or leave the file out with gitops.exclude";
    vec![Finding::error("lfs.pointer", text).hint(hint)]
}
