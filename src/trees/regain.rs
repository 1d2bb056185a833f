use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::disk::Kind;
use super::layout::is_tree_name;
use super::{Found, Manifest, Seals, Trees, TreesError, Use};
use crate::model::{FileMode, LiveState, ObjectId};
use crate::objects::{Item, ItemKind, Mirror};

/// Largest file that is read; what is larger than any limit is no file of ours.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;

impl Trees {
    /// Gives a mirror that lost it what a tree on disk holds, and says which git tree that is: the
    /// one of its manifest, unless somebody changed a file of it (or a rule of `live.file_modes`
    /// hides whether it is executable).
    ///
    /// # Errors
    /// What the disk or the mirror says.
    pub fn give_objects(&self, name: &str, mirror: &Mirror) -> Result<ObjectId, TreesError> {
        if let Some(manifest) = self.manifests.get(name).filter(|it| !it.seals.is_empty()) {
            // What was decrypted never goes into the mirror, and the encrypted files are not here.
            return Err(TreesError::Gone(manifest.digest));
        }
        self.objects_of(&self.folder_of(name)?, mirror)
    }

    fn objects_of(&self, folder: &Path, mirror: &Mirror) -> Result<ObjectId, TreesError> {
        let mut items = Vec::new();
        for (name, stat) in self.disk.list(folder)? {
            let place = folder.join(&name);
            let (kind, id) = match stat.kind {
                Kind::Folder => (ItemKind::Folder, self.objects_of(&place, mirror)?),
                Kind::Link => {
                    let target = self.disk.read_link(&place)?;
                    (ItemKind::File(FileMode::Link), mirror.write_blob(&target)?)
                }
                Kind::File => {
                    let bytes = self.disk.read(&place, FILE_BYTES_MAX)?;
                    let executable = stat.mode & 0o100 != 0;
                    let mode = if executable { FileMode::Executable } else { FileMode::Regular };
                    (ItemKind::File(mode), mirror.write_blob(&bytes)?)
                }
                // In no repository, so in no tree of ours.
                Kind::Other => continue,
            };
            items.push(Item { name: name.as_bytes().to_vec(), id, kind });
        }
        Ok(mirror.write_tree(&items)?)
    }

    /// Takes what the live path shows, and what no manifest tells of any more, for the tree that is
    /// recorded as live, when its content is that. Gives whether it is.
    ///
    /// # Errors
    /// What the disk or the mirror says.
    pub fn know_again(&mut self, mirror: &Mirror, live: &LiveState) -> Result<bool, TreesError> {
        let Some((name, folder)) = self.unknown_live(live)? else { return Ok(false) };
        let Some(stat) = self.disk.stat(&folder)?.filter(|stat| stat.kind == Kind::Folder) else {
            return Ok(false);
        };
        // Before anything is written: what is another content may hold decrypted files, and these
        // never go into the mirror.
        if self.digest_on_disk(&folder, &Seals::default())? != live.digest {
            return Ok(false);
        }
        let tree = self.objects_of(&folder, mirror)?;
        let summary = mirror.summary(tree, None)?;
        if summary.digest != live.digest {
            return Ok(false);
        }
        let used = Use {
            deployment: live.deployment,
            revision: live.revision.clone(),
            origin: live.origin,
            at: live.since,
        };
        let manifest = Manifest {
            name: name.clone(),
            digest: live.digest,
            tree,
            files: summary.files,
            // What differs from that is drift, and is found as such.
            materialisation: self.material.key().to_owned(),
            seals: std::sync::Arc::default(),
            folder: (stat.device, stat.inode),
            stamps: self.keeps_stamps()?,
            // Nobody knows when it was changed last: it is compared by content once.
            sealed_at: i128::MIN,
            uses: vec![used],
        };
        manifest.write(&*self.disk, &self.layout)?;
        self.disk.sync_folder(&self.layout.trees())?;
        self.manifests.insert(name, manifest);
        Ok(true)
    }

    /// The name and the folder of what the live path shows and nothing is known of.
    fn unknown_live(&self, live: &LiveState) -> Result<Option<(String, PathBuf)>, TreesError> {
        Ok(match self.found()? {
            Found::Unrecorded(name) => {
                let folder = self.layout.tree(&name);
                Some((name, folder))
            }
            Found::Foreign if is_tree_name(&live.tree) => {
                Some((live.tree.clone(), self.layout.live().to_owned()))
            }
            Found::Foreign | Found::Nothing | Found::Tree(_) => None,
        })
    }
}
