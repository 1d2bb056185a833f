//! Moments around the journal's commits at which a test cuts the power or lets the disk fail.
//!
//! They are those of the thread that asked for them.

use std::cell::RefCell;

/// When, about one commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Everything is written, and not durable.
    Before,
    /// It is durable, and nobody was told yet.
    After,
}

/// What is done at a moment of an operation. An error is what SQLite would say.
type Act = Box<dyn FnMut(&'static str, Moment) -> rusqlite::Result<()>>;

thread_local! {
    static ACT: RefCell<Option<Act>> = const { RefCell::new(None) };
}

/// Has `act` called at each moment from now on.
pub(crate) fn plan(act: impl FnMut(&'static str, Moment) -> rusqlite::Result<()> + 'static) {
    ACT.with(|kept| *kept.borrow_mut() = Some(Box::new(act)));
}

/// Nothing is done any more.
pub(crate) fn clear() {
    ACT.with(|kept| *kept.borrow_mut() = None);
}

pub(super) fn pass(operation: &'static str, moment: Moment) -> rusqlite::Result<()> {
    // Taken out for the call: it may write to a journal itself.
    let Some(mut act) = ACT.with(|kept| kept.borrow_mut().take()) else { return Ok(()) };
    let done = act(operation, moment);
    ACT.with(|kept| *kept.borrow_mut() = Some(act));
    done
}

/// A full disk, as SQLite tells it.
pub(crate) fn full() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL), None)
}

/// A disk that fails, as SQLite tells it.
pub(crate) fn io_error() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR), None)
}
