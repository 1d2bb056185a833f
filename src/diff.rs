//! Plans told in full: keys, text and sizes of each file, read from the object store.
//!
//! A bounded, read-only view: what a plan has beyond its bounds is counted, not told.

use crate::config::Mask;
use crate::decide::cost;
use crate::document::{Detail, Masker, detail, text_difference};
use crate::model::{Change, Entry, FileMode, Impact, Limits, Plan};
use crate::objects::{Mirror, ObjectsError};

/// Files whose details are told.
pub const DETAILS_MAX: usize = 500;
/// Bytes that are read for them in all.
const BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A plan told in full.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// What changes in the first files, in the plan's order.
    pub details: Vec<Detail>,
    /// Bytes that the files after have, of those that change.
    pub bytes: u64,
    /// How often the disks are asked to make something durable.
    pub fsyncs: u64,
    /// Milliseconds that making it live is expected to take.
    pub expected_ms: Option<u64>,
    /// What it touches, and what that needs.
    pub impact: Impact,
}

/// Tells a plan, but for its impact. `past` are files and milliseconds of earlier deployments. A mask that is none
/// hides everything.
///
/// # Errors
/// When the mirror is damaged.
pub fn tell(
    mirror: &Mirror,
    plan: &Plan,
    past: &[(u64, u64)],
    mask: &Mask,
    limits: &Limits,
) -> Result<Told, ObjectsError> {
    let mut told = Told {
        fsyncs: cost::fsyncs(&plan.changes),
        expected_ms: cost::expected_ms(past, plan.changes.len() as u64),
        ..Told::default()
    };
    for entry in plan.changes.iter().filter_map(|change| change.new) {
        told.bytes += mirror.blob_size(entry.id)?;
    }
    let Ok(masker) = Masker::new(&mask.files, &mask.keys) else { return Ok(told) };
    let mut left = BYTES_MAX;
    for change in plan.changes.iter().take(DETAILS_MAX) {
        let Some((old, new)) = both(mirror, change, &mut left)? else { break };
        let old = old.as_ref().map(|(mode, bytes)| (*mode, &bytes[..]));
        let new = new.as_ref().map(|(mode, bytes)| (*mode, &bytes[..]));
        told.details.push(detail(&change.path, old, new, &masker, limits));
    }
    Ok(told)
}

/// The texts of a plan's first `files` files, line by line: `None` where there is none to be shown.
///
/// # Errors
/// When the mirror is damaged.
pub fn texts(
    mirror: &Mirror,
    plan: &Plan,
    mask: &Mask,
    limits: &Limits,
    files: usize,
) -> Result<Vec<Option<String>>, ObjectsError> {
    let Ok(masker) = Masker::new(&mask.files, &mask.keys) else { return Ok(Vec::new()) };
    let mut left = BYTES_MAX;
    let mut texts = Vec::new();
    for change in plan.changes.iter().take(files) {
        let Some((old, new)) = both(mirror, change, &mut left)? else { break };
        let old = old.as_ref().map(|(mode, bytes)| (*mode, &bytes[..]));
        let new = new.as_ref().map(|(mode, bytes)| (*mode, &bytes[..]));
        texts.push(text_difference(&change.path, old, new, &masker, limits));
    }
    Ok(texts)
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
