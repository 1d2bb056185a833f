//! What a plan is expected to cost: by how it is made live, and by what earlier ones took.

use std::collections::BTreeSet;

use crate::model::{Change, ChangeKind};

/// Deployments that are looked at.
pub const PAST_MAX: usize = 50;

/// From this many files and folders on, one sync of the volume is cheaper than one of each.
pub const SYNC_EACH_MAX: usize = 300;

/// What is made durable beside the tree's own files and folders: the new head, the list of the
/// tree's files, the folder of trees, the intent, the live path's own folder and the deployment.
const SYNCS_BESIDE: u64 = 6;

/// How often the disks are asked to make something durable until the changes are live and recorded,
/// where there is a tree of ours to begin with.
#[must_use]
pub fn fsyncs(changes: &[Change]) -> u64 {
    if changes.is_empty() {
        return 0;
    }
    let written = changes.iter().filter(|c| c.kind() != ChangeKind::Removed).count();
    let folder = |c: &Change| c.path.as_str().rsplit_once('/').map_or("", |(f, _)| f).to_owned();
    let folders: BTreeSet<String> = changes.iter().map(folder).take(SYNC_EACH_MAX).collect();
    let each = written + folders.len();
    let synced = if each >= SYNC_EACH_MAX { 1 } else { each as u64 };
    synced + SYNCS_BESIDE
}

/// Milliseconds that changing `files` files is expected to take: the median of what earlier
/// deployments took for a file beyond the least that any took, on top of that least. `past` holds
/// files and milliseconds; without any there is nothing to expect.
#[must_use]
pub fn expected_ms(past: &[(u64, u64)], files: u64) -> Option<u64> {
    let least = past.iter().map(|(_, ms)| *ms).min()?;
    let mut each: Vec<u64> = past
        .iter()
        .filter(|(files, _)| *files > 0)
        .map(|(files, ms)| (ms - least) * 1000 / files)
        .collect();
    each.sort_unstable();
    let each = each.get(each.len() / 2).copied().unwrap_or(0);
    Some(least + each.saturating_mul(files) / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Entry, FileMode, ObjectId, TreePath};

    fn changes(paths: impl Iterator<Item = String>, new: bool) -> Vec<Change> {
        let entry = Entry { mode: FileMode::Regular, id: ObjectId([1; 20]) };
        let (old, new) = (Some(entry), new.then_some(entry));
        paths.map(|path| Change { path: TreePath::parse(&path).unwrap(), old, new }).collect()
    }

    #[test]
    fn each_file_and_folder_is_made_durable_once_or_the_volume_is() {
        let some = ["a/1", "a/2", "b/1"].map(str::to_owned);
        assert_eq!(fsyncs(&changes(some.clone().into_iter(), true)), 5 + SYNCS_BESIDE);
        assert_eq!(fsyncs(&changes(some.into_iter(), false)), 2 + SYNCS_BESIDE);
        let many = (0..1000).map(|n| format!("f{n}"));
        assert_eq!(fsyncs(&changes(many, true)), 1 + SYNCS_BESIDE);
        assert_eq!(fsyncs(&[]), 0);
    }

    #[test]
    fn what_earlier_ones_took_is_expected_again() {
        assert_eq!(expected_ms(&[], 1), None);
        assert_eq!(expected_ms(&[(1, 8)], 1), Some(8));
        let past = [(1, 10), (1, 12), (10_000, 1_010), (1_000, 110)];
        assert_eq!(expected_ms(&past, 1_000), Some(110));
        assert_eq!(expected_ms(&past, 1), Some(10));
    }

    #[test]
    fn one_that_changed_no_file_tells_the_least_and_nothing_of_a_file() {
        assert_eq!(expected_ms(&[(0, 5), (1, 8)], 2), Some(11));
    }
}
