//! `limits`: how many files, how large.

use super::{Candidate, GateError, Rules};
use crate::model::{Finding, Findings, TreePath};

/// Holds a tree against the limits on files and bytes.
pub(super) fn check(candidate: &Candidate<'_>, findings: &mut Findings) -> Result<(), GateError> {
    let limits = &candidate.rules.limits;
    let summary = candidate.mirror.summary(candidate.tree, None)?;
    let whole = [
        ("limits.files_max", "files", summary.files, limits.files_max),
        ("limits.tree_bytes_max", "bytes", summary.bytes, limits.tree_bytes_max),
    ];
    for (limit, what, found, allowed) in whole {
        if found > allowed {
            let what = format!("the tree has {found} {what}");
            findings.push(Finding::over_limit(limit, what, allowed));
        }
    }
    Ok(())
}

/// Holds one file against the limit on its size.
pub(super) fn check_size(path: &TreePath, bytes: u64, rules: &Rules) -> Option<Finding> {
    let allowed = rules.limits.file_bytes_max;
    (bytes > allowed).then(|| {
        Finding::over_limit("limits.file_bytes_max", format!("it has {bytes} bytes"), allowed)
            .in_file(path.as_str())
    })
}
