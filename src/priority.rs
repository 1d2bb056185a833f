//! Has who answers get a processor before who works.
//!
//! The kernel offers this in no other way than with `unsafe`.

/// How long a thread that answers may keep a processor once it has one, in nanoseconds: what it asks
/// for is short, so that it is given one at once. 0.1 ms is the least that Linux takes.
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
const SLICE: u64 = 100_000;

/// Has this thread run soon after it is woken, also while all processors work: a shorter slice is
/// given earlier (Linux 6.12 and later: Documentation/scheduler/sched-eevdf.rst), and no more of it. Without it, an
/// answer waits for the end of a slice of a pass, some 4 ms, each time that it waited for anything.
/// Threads and programs that this one starts are as all others. Where the system refuses, nothing
/// changes.
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#[expect(unsafe_code, reason = "rustix has no such call, nor have most C libraries")]
pub fn answer_soon() {
    use std::ffi::{c_int, c_long, c_uint};

    /// `struct sched_attr` of linux/sched/types.h, in its first version.
    #[repr(C)]
    #[derive(Default)]
    struct Attributes {
        size: u32,
        policy: u32,
        flags: u64,
        nice: i32,
        priority: u32,
        runtime: u64,
        deadline: u64,
        period: u64,
    }
    #[cfg(target_arch = "x86_64")]
    const CALLS: (c_long, c_long) = (315, 314);
    #[cfg(target_arch = "aarch64")]
    const CALLS: (c_long, c_long) = (275, 274);
    const SCHED_OTHER: u32 = 0;
    /// `SCHED_FLAG_RESET_ON_FORK`.
    const NOT_INHERITED: u64 = 1;
    unsafe extern "C" {
        fn syscall(number: c_long, ...) -> c_long;
    }

    let (get, set) = CALLS;
    let (this_thread, no_flags): (c_int, c_uint) = (0, 0);
    let mut attributes = Attributes::default();
    let size = size_of::<Attributes>() as c_uint;
    // SAFETY: the kernel writes at most `size` bytes of a structure that lives until it returns.
    let known = unsafe { syscall(get, this_thread, &raw mut attributes, size, no_flags) } == 0;
    // Whoever gave us another policy knows better, or a precedence, which threads and programs that we
    // start would not get.
    if !known || attributes.policy != SCHED_OTHER || attributes.nice < 0 {
        return;
    }
    attributes.flags |= NOT_INHERITED;
    attributes.runtime = SLICE;
    // SAFETY: the kernel reads `attributes.size` bytes, which it wrote itself, and changes no memory.
    let refused = unsafe { syscall(set, this_thread, &raw const attributes, no_flags) } != 0;
    if refused {
        let error = std::io::Error::last_os_error();
        tracing::debug!(%error, "answers may wait for passes");
    }
}

/// Other systems have no such call.
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
pub const fn answer_soon() {}
