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
mod witness;

pub use error::AppError;
pub use once::{Deliveries, Once, once};
pub use open::{Engine, open, open_journal};
pub use run::{Mode, run};
pub use secret_files::{ADMIN_TOKEN, audit_public_key};

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

/// Starts what all of the program needs once: TLS's cryptography.
pub fn set_up_process() {
    // A second call finds it installed already, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
}
