//! Settings become parts, parts become tasks, and tasks end with a grace period.
//!
//! This is the one place that starts tasks and reads the machine's time and chance. What a pass
//! does is in [`crate::sync`]; what the outside asks for is in [`crate::http`].

mod beside;
mod error;
mod once;
mod open;
mod run;
mod secret_files;
mod signals;
mod systemd;
mod waiting;
mod witness;
mod worker;

pub use error::AppError;
pub use once::{Deliveries, Once, once};
pub use open::{Engine, open, open_journal};
pub use run::{Mode, run};
pub use secret_files::{ADMIN_TOKEN, audit_public_key};
pub use signals::Reloads;

use std::path::{Path, PathBuf};

/// The control socket of a state folder.
#[must_use]
pub fn control_socket(state_dir: &Path) -> PathBuf {
    state_dir.join("control.sock")
}

/// The journal of a state folder.
#[must_use]
pub fn journal_file(state_dir: &Path) -> PathBuf {
    state_dir.join("kconfigd.db")
}

/// Files that a process may have open, if the system lets it: for connections, and what the agent opens.
const FILES_WANTED: u64 = 16_384;

/// Raises the number of files that this process may have open, within what the system allows. Many
/// systems begin at 1,024 for the sake of programs that could not have more.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(FILES_WANTED, |most| most.min(FILES_WANTED));
    if limit.current.is_some_and(|current| current < wanted) {
        let raised = Rlimit { current: Some(wanted), maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::debug!(%error, "the limit of open files stays");
        }
    }
}

/// Starts what all of the program needs once: TLS's cryptography.
pub fn set_up_process() {
    // A second call finds it installed already, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
}
