//! How `ssh` gets the passphrase of a key: it starts a program and reads what that prints.
//!
//! The program is two lines of shell in the state folder. It holds no secret; the name of the
//! passphrase file is in its environment, and only `ssh` and what it starts see that.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::SourceError;

/// The variable that names the passphrase file.
pub(super) const FILE: &str = "KCONFIGD_PASSPHRASE_FILE";

const PROGRAM: &str = "#!/bin/sh\nexec cat -- \"$KCONFIGD_PASSPHRASE_FILE\"\n";

/// The program's path; it is made where it is not as it should be.
pub(super) fn program(state_dir: &Path) -> Result<PathBuf, SourceError> {
    let path = state_dir.join("ssh-askpass");
    let is_ours = fs::symlink_metadata(&path)
        .is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o777 == 0o700)
        && fs::read(&path).is_ok_and(|text| text == PROGRAM.as_bytes());
    if !is_ours {
        make(state_dir, &path).map_err(|source| SourceError::File {
            operation: "make the program that hands ssh the passphrase,",
            path: path.clone(),
            source,
        })?;
    }
    Ok(path)
}

fn make(state_dir: &Path, path: &Path) -> std::io::Result<()> {
    fs::create_dir_all(state_dir)?;
    let mut file = tempfile::NamedTempFile::new_in(state_dir)?;
    file.write_all(PROGRAM.as_bytes())?;
    file.as_file().set_permissions(Permissions::from_mode(0o700))?;
    // closed before it is used: a program that is open for writing cannot be started
    file.into_temp_path().persist(path).map_err(|error| error.error)
}
