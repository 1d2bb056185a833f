use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// A lock file that is held as long as this lives; the kernel lets go of it when the process ends,
/// however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Why a lock could not be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error(
        "another kconfigd holds {path}: {holder}; stop it first, or let this verb talk to it with the same --state-dir"
    )]
    Held {
        /// The lock file.
        path: PathBuf,
        /// What the holder wrote of itself.
        holder: String,
    },
    /// The file cannot be used.
    #[error("cannot take the lock {path}")]
    File {
        /// The lock file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

/// Longest description of a holder that is read back.
const HOLDER_BYTES_MAX: u64 = 200;

impl Lock {
    /// Takes the lock at `path`, or says at once who holds it. `holder` describes us to others.
    ///
    /// # Errors
    /// See [`LockError`].
    pub fn take(path: &Path, holder: &str) -> Result<Self, LockError> {
        let error = |source| LockError::File { path: path.to_owned(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or(0))
            .open(path)
            .map_err(error)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(LockError::Held { path: path.to_owned(), holder: read_holder(&file) });
            }
            Err(errno) => return Err(error(errno.into())),
        }
        file.set_len(0).map_err(error)?;
        file.rewind().map_err(error)?;
        file.write_all(holder.as_bytes()).map_err(error)?;
        Ok(Self { _file: file })
    }
}

fn read_holder(file: &File) -> String {
    let mut text = String::new();
    match file.take(HOLDER_BYTES_MAX).read_to_string(&mut text) {
        Ok(_) if !text.trim().is_empty() => {
            text.trim().chars().filter(|c| !c.is_control()).collect()
        }
        _ => "a process that says nothing of itself".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_agent_is_told_who_holds_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = Lock::take(&path, "kconfigd sync, process 42").unwrap();
        let second = Lock::take(&path, "kconfigd serve, process 43").unwrap_err();
        assert!(second.to_string().contains("kconfigd sync, process 42"), "{second}");
        drop(first);
        Lock::take(&path, "kconfigd serve, process 43").unwrap();
    }
}
