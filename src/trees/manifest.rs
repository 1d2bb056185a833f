use std::io::ErrorKind::{FileTooLarge, InvalidInput};
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::disk::{Attributes, Disk, DiskError};
use super::layout::Layout;
use super::seals::{Seals, WireSeals};
use crate::model::{DeploymentId, Digest, ObjectId, Origin, Revision, Timestamp};

/// What is known of a tree on disk without the journal: beside it as `<name>.json`.
///
/// The format is in `docs/on-disk-format.md`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The tree's folder name.
    pub name: String,
    /// The content.
    pub digest: Digest,
    /// The same content as a git tree of the mirror.
    pub tree: ObjectId,
    /// How many files it has.
    pub files: u64,
    /// What it became on disk beside its content: owner, modes, format.
    pub materialisation: String,
    /// The files of it that were encrypted.
    pub seals: Arc<Seals>,
    /// Volume and inode of its folder: how it is known where no link names it.
    pub folder: (u64, u64),
    /// Whether the volume keeps the nanoseconds that mark each file's content.
    pub stamps: bool,
    /// Up to when changes of its inodes are our own, in nanoseconds since the epoch.
    pub sealed_at: i128,
    /// The deployments that made it live, oldest first.
    pub uses: Vec<Use>,
}

/// A deployment that made a tree live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// Its number.
    pub deployment: DeploymentId,
    /// The commit it stood for.
    pub revision: Revision,
    /// Why.
    pub origin: Origin,
    /// When.
    pub at: Timestamp,
}

/// Uses that a manifest keeps; older ones are dropped.
const USES_MAX: usize = 32;
/// Largest manifest that is read.
const MANIFEST_BYTES_MAX: u64 = 16 * 1024 * 1024;

impl Manifest {
    /// The newest deployment that made it live.
    #[must_use]
    pub fn last_use(&self) -> Option<&Use> {
        self.uses.last()
    }

    /// Adds a deployment.
    pub(super) fn used(&mut self, used: Use) {
        self.uses.push(used);
        if self.uses.len() > USES_MAX {
            self.uses.remove(0);
        }
    }

    /// Reads the manifest of the tree `name`; `None` when there is none that can be understood,
    /// in which case the tree counts for nothing.
    ///
    /// # Errors
    /// What the disk says.
    pub fn read(disk: &dyn Disk, layout: &Layout, name: &str) -> Result<Option<Self>, DiskError> {
        let path = layout.manifest(name);
        if disk.stat(&path)?.is_none() {
            return Ok(None);
        }
        let bytes = match disk.read(&path, MANIFEST_BYTES_MAX) {
            Ok(bytes) => bytes,
            // Something else has its name; that must not keep an agent from starting.
            Err(error) if matches!(error.source.kind(), FileTooLarge | InvalidInput) => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let wire = serde_json::from_slice::<Wire>(&bytes).ok();
        Ok(wire.and_then(|wire| wire.into_manifest(name)))
    }

    /// Writes it beside its tree, whole or not at all. The name is durable once the trees folder
    /// is synced.
    pub(super) fn write(&self, disk: &dyn Disk, layout: &Layout) -> Result<(), DiskError> {
        let path = layout.manifest(&self.name);
        let fresh = layout.manifest(&format!("{}.next", self.name));
        remove_leftover(disk, &fresh)?;
        // The key that its decrypted files are known by is nobody else's.
        let mode = if self.seals.is_empty() { FILE.mode } else { 0o600 };
        disk.write_file(&fresh, &self.to_bytes(), &Attributes { mode, ..FILE })?;
        disk.sync_file(&fresh)?;
        disk.rename(&fresh, &path)
    }

    fn to_bytes(&self) -> Vec<u8> {
        let wire = Wire {
            format_version: FORMAT_VERSION,
            digest: self.digest.to_string(),
            git_tree: self.tree.to_string(),
            files: self.files,
            materialisation: self.materialisation.clone(),
            secrets: WireSeals::of(&self.seals),
            device: self.folder.0,
            inode: self.folder.1,
            stamps: self.stamps,
            sealed_at: self.sealed_at.to_string(),
            deployments: self
                .uses
                .iter()
                .map(|used| WireUse {
                    deployment: used.deployment.0,
                    revision: used.revision.to_string(),
                    origin: used.origin.as_str().to_owned(),
                    at: used.at.to_string(),
                })
                .collect(),
        };
        let mut bytes = serde_json::to_vec_pretty(&wire).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }
}

const FORMAT_VERSION: u32 = 1;

const FILE: Attributes = Attributes { mode: 0o644, uid: None, gid: None, mtime: None };

fn remove_leftover(disk: &dyn Disk, path: &Path) -> Result<(), DiskError> {
    if disk.stat(path)?.is_some() { disk.remove_file(path) } else { Ok(()) }
}

#[derive(Serialize, Deserialize)]
struct Wire {
    format_version: u32,
    digest: String,
    git_tree: String,
    files: u64,
    materialisation: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secrets: Option<WireSeals>,
    device: u64,
    inode: u64,
    stamps: bool,
    sealed_at: String,
    deployments: Vec<WireUse>,
}

#[derive(Serialize, Deserialize)]
struct WireUse {
    deployment: u64,
    revision: String,
    origin: String,
    at: String,
}

impl Wire {
    fn into_manifest(self, name: &str) -> Option<Manifest> {
        if self.format_version != FORMAT_VERSION {
            return None;
        }
        Some(Manifest {
            name: name.to_owned(),
            digest: Digest::parse(&self.digest).ok()?,
            tree: ObjectId::parse(&self.git_tree).ok()?,
            files: self.files,
            materialisation: self.materialisation,
            seals: match self.secrets {
                Some(seals) => Arc::new(seals.into_seals()?),
                None => Arc::default(),
            },
            folder: (self.device, self.inode),
            stamps: self.stamps,
            sealed_at: self.sealed_at.parse().ok()?,
            uses: self.deployments.into_iter().map(WireUse::into_use).collect::<Option<_>>()?,
        })
    }
}

impl WireUse {
    fn into_use(self) -> Option<Use> {
        Some(Use {
            deployment: DeploymentId(self.deployment),
            revision: Revision::parse(&self.revision).ok()?,
            origin: Origin::from_word(&self.origin)?,
            at: Timestamp::parse(&self.at).ok()?,
        })
    }
}
