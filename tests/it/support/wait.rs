use std::time::{Duration, Instant};

/// How long a test waits for anything before it fails: long enough for a busy machine, short
/// enough to be told what was awaited instead of being ended by the runner.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `holds` gives true; fails with `what` after [`PATIENCE`].
#[track_caller]
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    wait_for(what, || holds().then_some(()));
}

/// Waits until `found` gives something; fails with `what` after [`PATIENCE`].
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = found() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain until {what}");
        pause();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that sleeps, between two looks at a condition of another process"
)]
fn pause() {
    std::thread::sleep(Duration::from_millis(10));
}

/// Lets some time pass. Only for the moment at which a program is killed: nothing may depend on
/// which one it is.
#[expect(clippy::disallowed_methods, reason = "the time itself is what is tried")]
pub(super) fn pass(time: Duration) {
    std::thread::sleep(time);
}
