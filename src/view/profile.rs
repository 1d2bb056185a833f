use super::{Point, View, ViewError};
use crate::document::Masker;
use crate::model::ObjectId;
use crate::objects::{Mirror, ObjectsError};
use crate::profiles::{self, FOLDER, Profile};

/// Profiles of a tree that are told.
const NAMES_MAX: usize = 1000;

/// A profile's own file, as it stands in the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileFile {
    /// Its name.
    pub id: String,
    /// Its path.
    pub path: String,
    /// The blob: it differs whenever the file does.
    pub blob: ObjectId,
    /// Its bytes.
    pub bytes: u64,
}

/// The profiles of a tree, in its order: at most a thousand.
///
/// # Errors
/// When the mirror is damaged.
pub fn names(mirror: &Mirror, tree: ObjectId) -> Result<Vec<ProfileFile>, ObjectsError> {
    let Some(folder) = mirror.find(tree, FOLDER)? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for item in mirror.items(folder.id)? {
        let name = std::str::from_utf8(&item.name).ok().and_then(|n| n.strip_suffix(".yaml"));
        let Some(id) = name.filter(|name| profiles::is_name(name)) else { continue };
        found.push(ProfileFile {
            id: id.to_owned(),
            path: profiles::file_of(id),
            blob: item.id,
            bytes: mirror.blob_size(item.id)?,
        });
        if found.len() == NAMES_MAX {
            break;
        }
    }
    Ok(found)
}

impl View {
    /// The profiles of a tree.
    ///
    /// # Errors
    /// See [`ViewError`].
    pub fn profiles(&self, at: &Point) -> Result<Vec<ProfileFile>, ViewError> {
        Ok(names(&self.mirror, at.tree)?)
    }

    /// A profile with all that it extends in it; secrets are masked.
    ///
    /// # Errors
    /// [`ViewError::Profile`] when it is not there or cannot be resolved.
    pub fn profile(&self, at: &Point, name: &str) -> Result<Profile, ViewError> {
        let resolved =
            profiles::resolve(name, &self.settings.limits, |path| self.file(at.tree, path))?;
        Ok(resolved?.masked(&self.masker()?))
    }

    /// The bytes of a file; `None` where there is none, or it is larger than a file may be.
    ///
    /// # Errors
    /// When the mirror is damaged.
    pub fn file(&self, tree: ObjectId, path: &str) -> Result<Option<Vec<u8>>, ObjectsError> {
        self.mirror.read_file(tree, path, self.settings.limits.file_bytes_max)
    }

    /// What hides secrets.
    ///
    /// # Errors
    /// When a pattern of the settings is none.
    pub fn masker(&self) -> Result<Masker, ViewError> {
        let masker = Masker::new(&self.mask().files, &self.mask().keys);
        Ok(masker.map_err(crate::gates::GateError::from)?)
    }
}
