//! Gives memory back after work: an agent that waits for the next commit should be small.
//!
//! The C library and the kernel offer these calls in no other way than with `unsafe`.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

/// The parts of files that were mapped when the program began, itself and the libraries that it is
/// linked with: these never go away.
static MAPPED: OnceLock<Vec<Range<usize>>> = OnceLock::new();

/// How long a runtime keeps a thread for what blocks without work. The C library keeps for each some of
/// the memory that it freed, small pieces all over the heap: as a rule they end before memory is given back.
pub const THREADS_KEPT: Duration = Duration::from_millis(200);

/// Says how memory is to be laid out. For the beginning of the program: no other thread is there yet,
/// and no library but those that it was started with.
pub fn prepare() {
    share_heap();
    MAPPED.get_or_init(mapped);
}

fn mapped() -> Vec<Range<usize>> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    // Memory that only looks like a file is one that is deleted.
    maps.lines().filter(|line| !line.ends_with(" (deleted)")).filter_map(fixed).collect()
}

/// Has all threads take memory from one heap, from now on: what one of them frees, the next uses, and
/// it can be given back. The C library would give each thread a heap of its own, of which a few
/// long-lived pieces keep most.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "glibc offers this as a C function alone")]
fn share_heap() {
    use std::ffi::c_int;
    /// `M_ARENA_MAX` of malloc.h.
    const ARENA_MAX: c_int = -8;
    unsafe extern "C" {
        fn mallopt(parameter: c_int, value: c_int) -> c_int;
    }
    // SAFETY: mallopt(3) is called before there are other threads; it changes how memory is laid
    // out, and nothing that was given out before.
    unsafe {
        mallopt(ARENA_MAX, 1);
    }
}

/// Other C libraries have no such setting.
#[cfg(not(target_env = "gnu"))]
const fn share_heap() {}

/// Lets go of what the work until now needed: what the allocator holds free, and the pages of the
/// program and its libraries that are mapped though the page cache has them. For who waits, and before
/// a step of large work, so that it does not come on top of the last one.
pub fn give_back() {
    let ranges = MAPPED.get().and_then(|mapped| unchanged_of(mapped).ok()).unwrap_or_default();
    trim();
    // As little as can be comes behind this: what runs next is mapped anew, and what is near it.
    let failed = ranges.iter().map(unmap).fold(None, |failed, done| failed.or(done.err()));
    if let Some(error) = failed {
        tracing::trace!(error = %error, "what is mapped of a file stays resident");
    }
}

/// Which of these parts of files have no page that is our own.
fn unchanged_of(mapped: &[Range<usize>]) -> io::Result<Vec<Range<usize>>> {
    let mut found = Vec::with_capacity(mapped.len());
    let mut smaps = BufReader::new(File::open("/proc/self/smaps")?);
    let (mut parts, mut line) = (Parts::default(), String::new());
    while smaps.read_line(&mut line)? > 0 {
        found.extend(parts.take(line.trim_end()).filter(|range| mapped.contains(range)));
        line.clear();
    }
    Ok(found)
}

/// Lets go of the pages that are mapped of files, to be read and shared with the page cache, which has
/// them anyway: of all in `folder` whose names begin with `name`. The path has to be without links.
///
/// # Safety
/// Nobody may unmap such a file meanwhile: something else could be in its place.
#[expect(unsafe_code, reason = "the caller alone knows who maps these files")]
pub unsafe fn let_go_of_files(folder: &Path, name: &str) {
    let Ok(maps) = std::fs::read_to_string("/proc/self/maps") else { return };
    let prefix = [folder.as_os_str().as_bytes(), b"/", name.as_bytes()].concat();
    for range in maps.lines().filter_map(|line| shared(line, &prefix)) {
        if let Err(error) = unmap(&range) {
            tracing::trace!(error = %error, "what is mapped of a file stays resident");
        }
    }
}

/// Lets go of what the allocator holds free.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "glibc offers this as a C function alone")]
fn trim() {
    unsafe extern "C" {
        fn malloc_trim(pad: usize) -> std::ffi::c_int;
    }
    // SAFETY: malloc_trim(3) may be called at any time from any thread; it touches free memory only.
    unsafe {
        malloc_trim(0);
    }
}

/// Other C libraries give it back by themselves.
#[cfg(not(target_env = "gnu"))]
const fn trim() {}

#[expect(unsafe_code, reason = "madvise(2) can take memory away, so rustix leaves the proof to us")]
fn unmap(range: &Range<usize>) -> rustix::io::Result<()> {
    let start = std::ptr::with_exposed_provenance_mut(range.start);
    // SAFETY: the range is a mapping of a file which stays there meanwhile: it was there when the
    // program began, or that is the caller's promise (see `let_go_of_files`). It is shared, or private
    // and not writable, with no page that was changed (see `Parts`): whatever is touched there
    // next is read from the file again, with the same bytes. After a failure it stays mapped.
    unsafe { rustix::mm::madvise(start, range.len(), rustix::mm::Advice::LinuxDontNeed) }
}

/// Finds the parts of files in which no page is our own, be it in memory or swapped out, in the lines of
/// /proc/self/smaps (proc(5)).
#[derive(Default)]
struct Parts(Option<Range<usize>>);

impl Parts {
    /// The part that ends with this line, if it is one.
    fn take(&mut self, line: &str) -> Option<Range<usize>> {
        if let Some(kib) = line.strip_prefix("Anonymous:") {
            self.0 = self.0.take().filter(|_| kib.trim() == "0 kB");
        } else if let Some(kib) = line.strip_prefix("Swap:") {
            // Behind it: a mapping of which the kernel does not tell both stays.
            return self.0.take().filter(|_| kib.trim() == "0 kB");
        } else if line.split(' ').next().is_some_and(|word| !word.ends_with(':')) {
            self.0 = fixed(line);
        }
        None
    }
}

/// The range that a line of /proc/self/maps is about, where it is a private mapping of a file that
/// cannot be written to.
fn fixed(line: &str) -> Option<Range<usize>> {
    let (range, rights, path) = mapping(line)?;
    (matches!(rights, "r-xp" | "r--p") && path.starts_with('/')).then_some(range)
}

/// The same, where it is a shared mapping that is only read, of a file whose path begins like this.
fn shared(line: &str, prefix: &[u8]) -> Option<Range<usize>> {
    let (range, rights, path) = mapping(line)?;
    (rights == "r--s" && path.as_bytes().starts_with(prefix)).then_some(range)
}

/// Where a mapping is, with which rights, and of which file: its path, which is not one for memory
/// of no file.
fn mapping(line: &str) -> Option<(Range<usize>, &str, &str)> {
    let (start, rest) = line.split_once('-')?;
    let (end, rest) = rest.split_once(' ')?;
    let range = usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?;
    let rights = rest.split(' ').next()?;
    // Before the path there are rights, an offset, a device and an inode; a path may have spaces.
    let mut path = rest;
    for _ in 0..4 {
        path = path.split_once(' ')?.1.trim_ascii_start();
    }
    Some((range, rights, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unchanged_parts_of_files_are_let_go_of() {
        let smaps = "\
55d0-55e0 r-xp 00001000 fe:00 42   /opt/my tools/kconfigd
Rss:                  64 kB
Anonymous:             0 kB
Swap:                  0 kB
55e0-55f0 r--p 00002000 fe:00 42   /opt/my tools/kconfigd
Anonymous:             8 kB
Swap:                  0 kB
55f0-5600 r--p 00002000 fe:00 42   /opt/my tools/kconfigd
Anonymous:             0 kB
Swap:                  4 kB
5600-5610 rw-p 00003000 fe:00 42   /opt/my tools/kconfigd
Anonymous:             0 kB
Swap:                  0 kB
5610-5620 r--p 00004000 fe:00 42   /opt/my tools/kconfigd
Anonymous:             0 kB
SwapPss:               0 kB
7f00-7f10 r--p 00000000 00:00 0    [vvar]
Anonymous:             0 kB
Swap:                  0 kB
7f10-7f18 r--p 00000000 00:00 0
Anonymous:             0 kB
Swap:                  0 kB
7f20-7f30 r--p 00000000 fe:00 43   /usr/lib/libc.so.6
Anonymous:             0 kB
Swap:                  0 kB
7f30-7f40 r--s 00000000 fe:00 44   /var/lib/kconfigd/kconfigd.db-shm
Anonymous:             0 kB
Swap:                  0 kB
";
        let mut parts = Parts::default();
        let found: Vec<_> = smaps.lines().filter_map(|line| parts.take(line)).collect();
        assert_eq!(found, [0x55d0..0x55e0, 0x7f20..0x7f30]);
    }

    #[test]
    fn the_program_goes_on_after_giving_back() {
        // No test loads a library.
        let mapped = MAPPED.get_or_init(mapped);
        let code = give_back as fn() as usize;
        assert!(mapped.iter().any(|range| range.contains(&code)), "{code:x}: {mapped:x?}");
        give_back();
        assert_eq!("code that was let go of".to_uppercase(), "CODE THAT WAS LET GO OF");
    }

    #[test]
    #[expect(unsafe_code, reason = "a file is mapped")]
    fn what_is_mapped_of_a_file_is_let_go_of_and_read_again() {
        const BYTES: usize = 1 << 20;
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        let resident = |path: &Path| {
            let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
            let mut lines = smaps.lines().skip_while(|l| !l.ends_with(path.to_str().unwrap()));
            lines.find_map(|line| line.strip_prefix("Rss:")).unwrap().trim().to_owned()
        };
        let map = |name: &str| {
            let path = folder.join(name);
            std::fs::write(&path, vec![7; BYTES]).unwrap();
            let file = std::fs::File::open(&path).unwrap();
            let (read, shared) = (rustix::mm::ProtFlags::READ, rustix::mm::MapFlags::SHARED);
            // SAFETY: a new mapping of a file that nobody changes.
            let mapped = unsafe {
                let at = rustix::mm::mmap(std::ptr::null_mut(), BYTES, read, shared, &file, 0);
                std::slice::from_raw_parts(at.unwrap().cast::<u8>(), BYTES)
            };
            assert!(mapped.iter().all(|byte| *byte == 7));
            (path, mapped)
        };
        let (pack, mapped) = map("some pack_1");
        let (other, _) = map("other_1");
        // SAFETY: nobody unmaps them.
        unsafe { let_go_of_files(&folder, "some pack_") };
        assert_eq!((resident(&pack), resident(&other)), ("0 kB".into(), "1024 kB".into()));
        assert!(mapped.iter().all(|byte| *byte == 7));
    }
}
