use std::path::{Path, PathBuf};

use super::bring::{Bringing, Donor};
use super::compare::Comparison;
use super::disk::Disk;
use super::{Materialisation, Seals, TreesError};
use crate::model::{Timestamp, TreePath};
use crate::objects::{Item, Mirror};
use crate::progress::Progress;

/// From this many folders on, threads are started for them.
const FOLDERS_SHARED_FROM: usize = 16;
/// From this many files on, threads are started for them.
const FILES_SHARED_FROM: usize = 100;
/// So many files wait at most. What the kernel tells of files in as many places has room in its queue
/// (`fs.inotify.max_queued_events`, 16,384); where more is told, all is compared.
const PENDING_MAX: usize = 500;

/// A file or link that is to be put in its place.
pub(super) struct Pending {
    folder: PathBuf,
    at: Option<TreePath>,
    item: Item,
}

impl Pending {
    fn put(&self, bringing: &mut Bringing<'_>) -> Result<(), TreesError> {
        let Self { folder, at, item } = self;
        let place = folder.join(bringing.comparison.name_of(at.as_ref(), item));
        let found = bringing.comparison.disk.stat(&place)?;
        bringing.item(folder, item, at.as_ref(), found)
    }
}

/// What all threads work with that bring parts of one tree.
#[derive(Clone, Copy)]
struct Common<'a> {
    disk: &'a dyn Disk,
    material: &'a Materialisation,
    seals: &'a Seals,
    stamps: bool,
    sealed_at: i128,
    donor: Option<&'a Donor>,
    now: Timestamp,
    progress: &'a Progress,
}

impl<'a> Common<'a> {
    /// One thread's own. Nobody is told in it of what happens.
    fn part(self, mirror: &'a Mirror) -> Bringing<'a> {
        let Self { disk, material, seals, stamps, sealed_at, donor, now, progress } = self;
        let watching = None;
        let comparison = Comparison { disk, mirror, material, seals, stamps, sealed_at, watching };
        Bringing::new(comparison, donor.cloned(), now, progress)
    }
}

impl Bringing<'_> {
    fn common(&self) -> Common<'_> {
        let Comparison { disk, material, seals, stamps, sealed_at, .. } = self.comparison;
        let donor = self.donor.as_ref();
        let (now, progress) = (self.now, self.progress);
        Common { disk, material, seals, stamps, sealed_at, donor, now, progress }
    }

    /// Puts a file in its place soon, with others.
    pub(super) fn later(
        &mut self,
        folder: &Path,
        item: &Item,
        at: Option<&TreePath>,
    ) -> Result<(), TreesError> {
        let (folder, at, item) = (folder.to_owned(), at.cloned(), item.clone());
        self.pending.push(Pending { folder, at, item });
        if self.pending.len() < PENDING_MAX { Ok(()) } else { self.put_pending() }
    }

    /// Puts the files in their places that wait for it, shared among threads where there are many.
    pub(super) fn put_pending(&mut self) -> Result<(), TreesError> {
        let pending = std::mem::take(&mut self.pending);
        self.share_work(&pending, FILES_SHARED_FROM, |bringing, pending| pending.put(bringing))
    }

    /// Makes the folders of a tree from nothing, shared among threads where there are many.
    pub(super) fn new_folders(&mut self, folder: &Path, items: &[Item]) -> Result<(), TreesError> {
        self.share_work(items, FOLDERS_SHARED_FROM, |bringing, item| {
            bringing.item(folder, item, None, None)
        })
    }

    fn share_work<T: Sync>(
        &mut self,
        items: &[T],
        worth_it: usize,
        one: impl Fn(&mut Bringing<'_>, &T) -> Result<(), TreesError> + Sync,
    ) -> Result<(), TreesError> {
        let common = self.common();
        let work = |mirror: &Mirror, part: &[T]| {
            let mut bringing = common.part(mirror);
            part.iter().try_for_each(|item| one(&mut bringing, item))?;
            Ok::<_, TreesError>((bringing.touched, bringing.steps))
        };
        let parts = match self.comparison.mirror.share_out(items, worth_it, work) {
            Ok(parts) => parts,
            // What was touched until then is known to nobody.
            Err(error) => {
                self.touched.everything();
                return Err(error);
            }
        };
        for (touched, steps) in parts {
            self.touched.append(touched);
            self.listen(steps);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ObjectId;
    use crate::trees::RealDisk;
    use crate::trees::place::tests::settings;

    #[test]
    fn after_an_error_all_counts_as_touched() {
        let folder = tempfile::tempdir().unwrap();
        let mirror = Mirror::open_or_create(&folder.path().join("repo.git")).unwrap();
        let (material, seals) = (Materialisation::new(&settings()), Seals::default());
        let (disk, progress) = (RealDisk::default(), Progress::default());
        for fails in [false, true] {
            let comparison = Comparison {
                disk: &disk,
                mirror: &mirror,
                material: &material,
                seals: &seals,
                stamps: true,
                sealed_at: 0,
                watching: None,
            };
            let mut bringing = Bringing::new(comparison, None, Timestamp(0), &progress);
            let numbers: Vec<usize> = (0..FILES_SHARED_FROM).collect();
            let done = bringing.share_work(&numbers, FILES_SHARED_FROM, |part, number| {
                if fails && *number == 0 {
                    part.comparison.mirror.items(ObjectId([7; 20]))?;
                }
                part.touched.folder(Path::new(&number.to_string()));
                Ok(())
            });
            assert_eq!(done.is_err(), fails);
            assert!(bringing.touched.any);
            assert_eq!(bringing.touched.is_full(), fails);
        }
    }
}
