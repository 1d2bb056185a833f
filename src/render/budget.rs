use crate::model::{Finding, Findings, Limits};

/// Entries that may be looked at for each file that a tree may have: what `include` and `exclude`
/// leave out costs too.
const LOOKED_AT_PER_FILE: u64 = 10;

/// Bytes that the list of one folder may have for each file that a tree may have: as many entries as
/// may be looked at, with short names, or fewer with long ones.
const LIST_BYTES_PER_FILE: u64 = 400;

/// How much of a repository one rendering looks at and takes. A few objects that hold each other
/// over and over make a tree without end; what they would come to is not waited for.
pub(super) struct Budget<'a> {
    limits: &'a Limits,
    looked_at: u64,
    files: u64,
    bytes: u64,
    spent: bool,
}

impl<'a> Budget<'a> {
    pub(super) const fn new(limits: &'a Limits) -> Self {
        Self { limits, looked_at: 0, files: 0, bytes: 0, spent: false }
    }

    /// Whether more was found than is allowed; it was told.
    pub(super) const fn is_spent(&self) -> bool {
        self.spent
    }

    /// Whether a folder's list of entries may be read at all.
    pub(super) fn may_read(&mut self, bytes: u64, findings: &mut Findings) -> bool {
        let allowed = self.limits.files_max.saturating_mul(LIST_BYTES_PER_FILE);
        if bytes > allowed {
            let what = format!("the list of one folder has {bytes} bytes");
            let text = format!("{what}, and {allowed} are allowed");
            let hint = "spread its files over several folders, or raise limits.files_max";
            self.spend(Finding::error("limits.files_max", text).hint(hint), findings);
        }
        bytes <= allowed
    }

    /// Counts the entries of a folder.
    pub(super) fn look_at(&mut self, entries: usize, findings: &mut Findings) {
        self.looked_at = self.looked_at.saturating_add(entries as u64);
        let allowed = self.limits.files_max.saturating_mul(LOOKED_AT_PER_FILE);
        if self.looked_at > allowed {
            let what = format!("there are over {allowed} entries to look at");
            let text = format!("{what}, {LOOKED_AT_PER_FILE} for each file that a tree may have");
            let finding = Finding::error("limits.files_max", text);
            let hint = "name a smaller folder in gitops.path, or raise limits.files_max";
            self.spend(finding.hint(hint), findings);
        }
    }

    /// Counts a file that is taken; `bytes` are its size where it has to be known.
    pub(super) fn take(&mut self, bytes: u64, findings: &mut Findings) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.take_known(1, findings);
    }

    /// Counts files that are taken and whose sizes were counted before.
    pub(super) fn take_known(&mut self, files: usize, findings: &mut Findings) {
        self.files = self.files.saturating_add(files as u64);
        let Limits { files_max, tree_bytes_max, .. } = *self.limits;
        if self.files > files_max {
            let what = format!("the tree has over {files_max} files");
            self.spend(Finding::over_limit("limits.files_max", what, files_max), findings);
        } else if self.bytes > tree_bytes_max {
            let what = format!("the tree has over {tree_bytes_max} bytes");
            let finding = Finding::over_limit("limits.tree_bytes_max", what, tree_bytes_max);
            self.spend(finding, findings);
        }
    }

    fn spend(&mut self, finding: Finding, findings: &mut Findings) {
        if !self.spent {
            findings.push(finding);
        }
        self.spent = true;
    }
}
