//! See `fixtures/fuzz/secrets` and `kconfigd::fuzzing`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = kconfigd::fuzzing::secrets(bytes);
});
