//! Gives memory back after work: an agent that waits for the next commit should be small.
//!
//! The C library and the kernel offer these calls in no other way than with `unsafe`.

use std::ops::Range;

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
    let (Ok(program), Ok(maps)) =
        (std::fs::read_link("/proc/self/exe"), std::fs::read_to_string("/proc/self/smaps"))
    else {
        return;
    };
    if let Some(program) = program.to_str() {
        code(&maps, program).iter().for_each(unmap);
    }
}

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
    // SAFETY: the range is a private mapping of a file, not writable, of which no page was
    // changed (see `code`): whatever is touched there next is read from the file again, with the
    // same bytes. A failure means that it stays mapped.
    let done =
        unsafe { rustix::mm::madvise(start, range.len(), rustix::mm::Advice::LinuxDontNeed) };
    if let Err(error) = done {
        tracing::trace!(error = %error, "program code stays resident");
    }
}

/// The mappings of the program's own file that may be let go of: readable, not writable, private, and
/// without a page of our own in them, be it in memory or swapped out (proc(5), `smaps`). Others
/// come and go: a library may be loaded right now.
fn code(smaps: &str, program: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut current: Option<Range<usize>> = None;
    for line in smaps.lines() {
        if let Some(kib) = line.strip_prefix("Anonymous:") {
            current = current.filter(|_| kib.trim() == "0 kB");
        } else if let Some(kib) = line.strip_prefix("Swap:") {
            // Behind it: a mapping of which the kernel does not tell both stays.
            found.extend(current.take().filter(|_| kib.trim() == "0 kB"));
        } else if let Some(mapping) = mapping(line, program) {
            current = mapping;
        }
    }
    found
}

/// The first line of what is told of a mapping; the inner `None` is one that has to stay.
fn mapping(line: &str, program: &str) -> Option<Option<Range<usize>>> {
    let (start, rest) = line.split_once('-')?;
    let (end, rest) = rest.split_once(' ')?;
    let range = usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?;
    let is_fixed = rest.starts_with("r-xp ") || rest.starts_with("r--p ");
    // Its path is the last, and may have spaces in it.
    let is_ours = rest.strip_suffix(program).is_some_and(|rest| rest.ends_with(' '));
    Some((is_fixed && is_ours).then_some(range))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unchanged_mappings_of_the_program_are_let_go_of() {
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
7f20-7f30 r--p 00000000 fe:00 43   /usr/lib/libc.so.6
Anonymous:             0 kB
Swap:                  0 kB
7f30-7f40 r--p 00000000 fe:00 44   /var/my tools/kconfigd
Anonymous:             0 kB
Swap:                  0 kB
7f40-7f50 r--p 00000000 fe:00 42   /opt/my tools/kconfigd
Anonymous:             0 kB
Swap:                  0 kB
";
        assert_eq!(code(smaps, "/opt/my tools/kconfigd"), [0x55d0..0x55e0, 0x7f40..0x7f50]);
    }

    #[test]
    fn the_program_goes_on_after_giving_back() {
        give_back();
        assert_eq!("code that was let go of".to_uppercase(), "CODE THAT WAS LET GO OF");
    }
}
