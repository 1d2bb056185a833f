//! `limits`: how many files, how large.

use super::{GateError, Rules};
use crate::model::{Change, Finding, ObjectId};
use crate::objects::Mirror;

/// Holds a tree against the limits on files and bytes.
pub(super) fn check(
    mirror: &Mirror,
    tree: ObjectId,
    changes: &[Change],
    rules: &Rules,
) -> Result<Vec<Finding>, GateError> {
    let limits = &rules.limits;
    let summary = mirror.summary(tree, None)?;
    let mut findings = Vec::new();
    let mut whole = |rule: &str, what: &str, found: u64, allowed: u64| {
        if found > allowed {
            let text = format!("the tree has {found} {what}, and {allowed} are allowed");
            findings.push(Finding::error(rule, text).hint(advice(rule)));
        }
    };
    whole("limits.files_max", "files", summary.files, limits.files_max);
    whole("limits.tree_bytes_max", "bytes", summary.bytes, limits.tree_bytes_max);
    for change in changes {
        let Some(entry) = change.new else { continue };
        let bytes = mirror.blob_size(entry.id)?;
        if bytes > limits.file_bytes_max {
            let allowed = limits.file_bytes_max;
            let rule = "limits.file_bytes_max";
            let text = format!("it has {bytes} bytes, and {allowed} are allowed");
            findings
                .push(Finding::error(rule, text).in_file(change.path.as_str()).hint(advice(rule)));
        }
    }
    Ok(findings)
}

fn advice(rule: &str) -> String {
    format!("leave out what this node does not need (gitops.exclude), or raise {rule}")
}
