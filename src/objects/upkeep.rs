use std::path::Path;

use super::{Mirror, ObjectsError};
use crate::model::{ObjectId, Revision};

impl Mirror {
    /// Packs in the mirror.
    pub fn pack_count(&self) -> Result<u64, ObjectsError> {
        Ok(0)
    }
    /// r
    pub fn repack(&self, _c: &[Revision], _t: &[ObjectId]) -> Result<(), ObjectsError> {
        Ok(())
    }
    /// r
    pub fn rebuild_beside(_p: &Path) -> Result<(), ObjectsError> {
        Ok(())
    }
}
