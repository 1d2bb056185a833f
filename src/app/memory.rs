//! Gives memory back after work: an agent that waits for the next commit should be small.

/// Returns what the allocator holds free in all its arenas to the system. What a pass with work
/// took (packs, trees, documents) would otherwise stay resident until the next one.
pub(super) fn give_back() {
    #[cfg(target_env = "gnu")]
    trim();
}

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
