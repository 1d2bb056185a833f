use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::memory;

/// What libgit2 calls a pack that is not whole yet: this, and something by chance.
const UNFINISHED: &str = "pack_git2_";

static ALONE: Mutex<()> = Mutex::new(());

/// The right to have libgit2 write and index a pack: one at a time in this process.
pub(crate) struct Indexing(#[expect(dead_code, reason = "it is held")] MutexGuard<'static, ()>);

impl Indexing {
    /// Waits until nobody else does.
    pub(crate) fn begin() -> Self {
        // Nothing is behind it that could be half done.
        Self(ALONE.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets go of what is mapped of the unfinished pack in this folder, whose path is without links.
    /// For what libgit2 calls while it is at work on that pack, on the same thread.
    pub(crate) fn let_go(&self, folder: &Path) {
        #[expect(
            unsafe_code,
            reason = "libgit2 has a bound for what it maps, but not of such a pack"
        )]
        // SAFETY: nobody unmaps it meanwhile. An unfinished pack is mapped by what writes it alone, of
        // which there is one, `self`, and that waits for us. Windows into packs may be closed by any
        // thread that opens another, but only those of files on a list of libgit2's. This one is not on
        // it: it is taken off with each piece that is added (`git_mwindow_free_all`). The test
        // below fails once that is no longer so.
        unsafe {
            memory::let_go_of_files(folder, UNFINISHED);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::{Arc, Mutex};

    use git2::{Indexer, Repository};

    use super::*;
    use crate::objects::mirror::{PACK_WINDOWS_BYTES_MAX, prepare_libgit2};

    const FILES: usize = 8;
    const FILE_BYTES: usize = 640 << 10;

    /// A pack of files that cannot be compressed, and of two texts for each that differ little.
    fn pack(repository: &Repository) -> Vec<u8> {
        let mut builder = repository.packbuilder().unwrap();
        let mut state = 1_u64;
        for number in 0..FILES {
            // Texts of about the same size are compared: these two alone have this one.
            let noise = (0..FILE_BYTES + number).map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                state.to_be_bytes()[0]
            });
            let mut bytes: Vec<u8> = noise.collect();
            for end in [1, 2] {
                bytes[0] = end;
                builder.insert_object(repository.blob(&bytes).unwrap(), None).unwrap();
            }
        }
        let mut pack = Vec::new();
        let written = builder.foreach(|bytes| {
            pack.extend_from_slice(bytes);
            true
        });
        written.unwrap();
        assert!(pack.len() < (FILES + 1) * FILE_BYTES, "no differences are in it");
        pack
    }

    /// What is mapped of unfinished packs in a folder, and what of that is in memory, in bytes.
    fn mapped(folder: &Path) -> (usize, usize) {
        let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let begin = format!("{}/{UNFINISHED}", folder.display());
        let (mut sum, mut is_one) = ((0, 0), false);
        for line in smaps.lines() {
            let mut words = line.split_ascii_whitespace();
            let (first, second) = (words.next().unwrap(), words.next().unwrap_or_default());
            match first {
                "Size:" if is_one => sum.0 += second.parse::<usize>().unwrap() << 10,
                "Rss:" if is_one => sum.1 += second.parse::<usize>().unwrap() << 10,
                _ if first.ends_with(':') => {}
                _ => is_one = line.contains(&begin),
            }
        }
        sum
    }

    #[test]
    fn libgit2_keeps_all_of_an_unfinished_pack_and_it_is_let_go_of() {
        prepare_libgit2();
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        let pack = pack(&Repository::init_bare(folder.join("from.git")).unwrap());
        let to = Repository::init_bare(folder.join("to.git")).unwrap();
        let packs = folder.join("to.git/objects/pack");

        let (seen, most) = (Arc::new(Mutex::new((0, 0))), FILE_BYTES * 4);
        let (alone, noted, place) = (Indexing::begin(), seen.clone(), packs.clone());
        let mut indexer = Indexer::new(None, &packs, 0, false).unwrap();
        for piece in pack.chunks(64 << 10) {
            indexer.write_all(piece).unwrap();
        }
        indexer.progress(move |_| {
            let (size, before) = mapped(&place);
            alone.let_go(&place);
            assert_eq!(mapped(&place), (size, 0));
            let mut seen = noted.lock().unwrap();
            *seen = (seen.0.max(size), seen.1.max(before));
            true
        });
        indexer.commit().unwrap();

        let (size, resident) = *seen.lock().unwrap();
        let why = "libgit2 closes windows of unfinished packs: letting go of them is not sound";
        assert!(size > PACK_WINDOWS_BYTES_MAX + (1 << 20), "{why} ({size})");
        assert!((1..most).contains(&resident), "{resident} of {size}");
        let known = to.odb().unwrap();
        let mut count = 0;
        known.foreach(|_| (count += 1, true).1).unwrap();
        assert_eq!(count, FILES * 2);
    }
}
