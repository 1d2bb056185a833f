//! See `fixtures/fuzz/signatures` and `kconfigd::fuzzing`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = kconfigd::fuzzing::signatures(bytes);
});
