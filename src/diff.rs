//! Plans told in full: keys, text and sizes of each file, read from the object store.
//!
//! A bounded, read-only view: what a plan has beyond its bounds is counted, not told.

use crate::config::Mask;
use crate::document::{Detail, Masker, detail};
use crate::model::{Change, Entry, FileMode, Limits, Plan};
use crate::objects::{Mirror, ObjectsError};

/// Files whose details are told.
pub const DETAILS_MAX: usize = 500;
/// Bytes that are read for them in all.
const BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The details of a plan's first files, in the plan's order. A mask that is none hides everything.
///
/// # Errors
/// When the mirror is damaged.
pub fn details(
    mirror: &Mirror,
    plan: &Plan,
    mask: &Mask,
    limits: &Limits,
) -> Result<Vec<Detail>, ObjectsError> {
    let Ok(masker) = Masker::new(&mask.files, &mask.keys) else { return Ok(Vec::new()) };
    let mut left = BYTES_MAX;
    let mut details = Vec::new();
    for change in plan.changes.iter().take(DETAILS_MAX) {
        let Some((old, new)) = both(mirror, change, &mut left)? else { break };
        let old = old.as_ref().map(|(mode, bytes)| (*mode, &bytes[..]));
        let new = new.as_ref().map(|(mode, bytes)| (*mode, &bytes[..]));
        details.push(detail(&change.path, old, new, &masker, limits));
    }
    Ok(details)
}

type Side = Option<(FileMode, Vec<u8>)>;

fn both(
    mirror: &Mirror,
    change: &Change,
    left: &mut u64,
) -> Result<Option<(Side, Side)>, ObjectsError> {
    let mut read = |entry: Option<Entry>| -> Result<Option<Side>, ObjectsError> {
        let Some(entry) = entry else { return Ok(Some(None)) };
        let size = mirror.blob_size(entry.id)?;
        if size > *left {
            return Ok(None);
        }
        *left -= size;
        Ok(Some(Some((entry.mode, mirror.blob(entry.id)?))))
    };
    let (Some(old), Some(new)) = (read(change.old)?, read(change.new)?) else { return Ok(None) };
    Ok(Some((old, new)))
}
