//! Gives memory back after work: an agent that waits for the next commit should be small.
//!
//! The C library and the kernel offer these calls in no other way than with `unsafe`.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::OnceLock;

/// Has all threads take memory from so many heaps, from now on: what one of them frees, the next
/// uses, and it can be given back. The C library would give each thread a heap of its own, of which a
/// few long-lived pieces keep most. With a single one, many that answer may wait for it while a sync
/// runs; with two, an agent that rests is twice as large.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "glibc offers this as a C function alone")]
pub fn share_heaps(heaps: std::ffi::c_int) {
    use std::ffi::c_int;
    /// `M_ARENA_MAX` of malloc.h.
    const ARENA_MAX: c_int = -8;
    unsafe extern "C" {
        fn mallopt(parameter: c_int, value: c_int) -> c_int;
    }
    // SAFETY: mallopt(3) is called before there are other threads; it changes how memory is laid
    // out, and nothing that was given out before.
    unsafe {
        mallopt(ARENA_MAX, heaps);
    }
}

/// Other C libraries have no such setting.
#[cfg(not(target_env = "gnu"))]
pub const fn share_heaps(_heaps: std::ffi::c_int) {}

/// Lets go of what the work needed and waiting does not: what the allocator holds free, and the
/// pages of program code that are mapped though the page cache has them.
pub fn give_back() {
    trim();
    CODE.get_or_init(|| {
        let maps = std::fs::read_to_string("/proc/self/smaps");
        maps.map_or_else(|_| Vec::new(), |maps| code(&maps))
    })
    .iter()
    .for_each(unmap);
}

/// Where the program's code and that of its libraries is: read once, since the kernel counts pages
/// for it, and since neither is taken out of a program that runs.
static CODE: OnceLock<Vec<Range<usize>>> = OnceLock::new();

/// Lets go of what the allocator holds free: after a step of large work, so that the next step's
/// does not come on top of it.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "glibc offers this as a C function alone")]
pub fn trim() {
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
pub const fn trim() {}

#[expect(unsafe_code, reason = "madvise(2) can take memory away, so rustix leaves the proof to us")]
fn unmap(range: &Range<usize>) {
    let start = std::ptr::with_exposed_provenance_mut(range.start);
    // SAFETY: the range is a private mapping of a file, not writable, of which no page was ever
    // changed (see `code`): whatever is touched there next is read from the file again, with the
    // same bytes. A failure means that it stays mapped.
    let done =
        unsafe { rustix::mm::madvise(start, range.len(), rustix::mm::Advice::LinuxDontNeed) };
    if let Err(error) = done {
        tracing::trace!(error = %error, "program code stays resident");
    }
}

/// The mappings of programs that may be let go of: readable, not writable, private, and without a
/// page of our own in them (proc(5), `smaps`). A file is a program where a part of it may be
/// executed; others are mapped for a while only.
fn code(smaps: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut programs = HashSet::new();
    let mut current: Option<Mapping<'_>> = None;
    for line in smaps.lines() {
        if let Some(kib) = line.strip_prefix("Anonymous:") {
            found.extend(current.take().filter(|_| kib.trim() == "0 kB"));
        } else if let Some(mapping) = Mapping::parse(line) {
            if mapping.rights == "r-xp" {
                programs.insert(mapping.path);
            }
            let stays =
                !mapping.path.starts_with('/') || !matches!(mapping.rights, "r-xp" | "r--p");
            current = (!stays).then_some(mapping);
        }
    }
    found.retain(|mapping| programs.contains(mapping.path));
    found.into_iter().map(|mapping| mapping.range).collect()
}

/// The first line of what is told of a mapping.
struct Mapping<'a> {
    range: Range<usize>,
    rights: &'a str,
    /// Empty: no file.
    path: &'a str,
}

impl<'a> Mapping<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let range = usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?;
        let rights = words.next()?;
        let path = words.nth(3).unwrap_or_default();
        Some(Self { range, rights, path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unchanged_mappings_of_programs_are_let_go_of() {
        let smaps = "\
55d0-55e0 r-xp 00001000 fe:00 42   /usr/bin/kconfigd
Rss:                  64 kB
Anonymous:             0 kB
55e0-55f0 r--p 00002000 fe:00 42   /usr/bin/kconfigd
Anonymous:             8 kB
55f0-5600 rw-p 00003000 fe:00 42   /usr/bin/kconfigd
Anonymous:             0 kB
7f00-7f10 r--p 00000000 00:00 0    [vvar]
Anonymous:             0 kB
7f10-7f20 r--p 00000000 00:00 0
Anonymous:             0 kB
7f20-7f30 r--p 00000000 fe:00 43   /usr/lib/libc.so.6
Anonymous:             0 kB
7f30-7f40 r-xp 00000000 fe:00 43   /usr/lib/libc.so.6
Anonymous:             0 kB
7f50-7f60 r--p 00000000 fe:00 44   /var/lib/kconfigd/some.pack
Anonymous:             0 kB
";
        assert_eq!(code(smaps), [0x55d0..0x55e0, 0x7f20..0x7f30, 0x7f30..0x7f40]);
    }

    #[test]
    fn the_program_goes_on_after_giving_back() {
        give_back();
        assert_eq!("code that was let go of".to_uppercase(), "CODE THAT WAS LET GO OF");
    }
}
