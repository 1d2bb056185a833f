//! `audit`: how long the trail is kept, and who else sees its checkpoints.

use std::path::PathBuf;
use std::time::Duration;

use super::reader::Reader;
use super::values::{self, shown};

/// The audit trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditSettings {
    /// How long records are kept.
    pub kept_for: Duration,
    /// A file that gets checkpoints.
    pub checkpoint_file: Option<PathBuf>,
    /// A reference of the source that gets checkpoints.
    pub checkpoint_ref: Option<String>,
    /// How often, at most.
    pub checkpoint_every: Duration,
}

impl AuditSettings {
    /// Whether checkpoints go anywhere.
    #[must_use]
    pub const fn has_witness(&self) -> bool {
        self.checkpoint_file.is_some() || self.checkpoint_ref.is_some()
    }
}

/// Reads the group.
pub(super) fn read(reader: &mut Reader<'_>) -> AuditSettings {
    AuditSettings {
        kept_for: reader.duration("audit.keep_for"),
        checkpoint_file: reader.path("audit.checkpoint_file"),
        checkpoint_ref: reader.optional("audit.checkpoint_ref", |node| {
            let name = values::text(node)?;
            let is_branch = name.starts_with("refs/heads/") || name.starts_with("refs/tags/");
            if !name.starts_with("refs/") || !git2::Reference::is_valid_name(&name) {
                return Err(format!(
                    "{} is not the full name of a reference, such as refs/kconfigd/audit/edge-1",
                    shown(&name)
                ));
            }
            if is_branch {
                let why =
                    "is a branch or a tag, which people work with: take one below refs/kconfigd/";
                return Err(format!("{} {why}", shown(&name)));
            }
            Ok(name)
        }),
        checkpoint_every: reader.duration("audit.checkpoint_every"),
    }
}
