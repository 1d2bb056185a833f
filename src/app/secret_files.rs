//! Secrets that this machine makes for itself, each in a file of the state folder that is its
//! owner's alone: what the audit trail is signed with, and the first admin token.

use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::journal::{SEED_BYTES, Sealer};
use crate::model::Secret;

/// What the audit trail is signed with.
const AUDIT_KEY: &str = "audit.key";
/// The first admin token.
pub const ADMIN_TOKEN: &str = "admin.token";
/// What a token begins with, so that it is known for one wherever it turns up.
const TOKEN_PREFIX: &str = "kct_";
/// Bytes of chance in a token.
const TOKEN_BYTES: usize = 32;
/// Bytes that such a file may have.
const FILE_BYTES_MAX: u64 = 4096;

/// The key of the audit trail, made where there is none.
///
/// # Errors
/// What the system says; a file that holds no key is `InvalidData`.
pub(super) fn audit_key(state_dir: &Path) -> io::Result<Sealer> {
    let text =
        read_or_make(&state_dir.join(AUDIT_KEY), || Ok(STANDARD.encode(random::<SEED_BYTES>()?)))?;
    Sealer::from_seed(&text).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, format!("{AUDIT_KEY} holds no key"))
    })
}

/// The public half of that key, in base64.
///
/// # Errors
/// As above; none is made.
pub fn audit_public_key(state_dir: &Path) -> io::Result<String> {
    let no_key = || io::Error::new(io::ErrorKind::InvalidData, format!("{AUDIT_KEY} holds no key"));
    let seed = read(&state_dir.join(AUDIT_KEY))?;
    Sealer::from_seed(&seed).map(|key| key.public_key()).ok_or_else(no_key)
}

/// The first admin token's file, made where there is none.
///
/// # Errors
/// What the system says.
pub(super) fn admin_token(state_dir: &Path) -> io::Result<PathBuf> {
    let path = state_dir.join(ADMIN_TOKEN);
    read_or_make(&path, || {
        Ok(format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(random::<TOKEN_BYTES>()?)))
    })?;
    Ok(path)
}

fn read_or_make(path: &Path, make: impl FnOnce() -> io::Result<String>) -> io::Result<Secret> {
    match read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Ok(found) => return restrict(path).map(|()| found),
        Err(error) => return Err(error),
    }
    let value = Secret::new(make()?);
    // Written beside and renamed: a crash in between leaves no half of a secret.
    let aside = path.with_extension("new");
    match std::fs::remove_file(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
    writeln!(file, "{}", value.expose())?;
    file.sync_all()?;
    std::fs::rename(&aside, path)?;
    Ok(value)
}

/// A file that others may read, such as one that came out of a backup, is its owner's alone again.
fn restrict(path: &Path) -> io::Result<()> {
    let mode = std::fs::metadata(path)?.permissions().mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    tracing::warn!(file = %path.display(), mode = format!("{:o}", mode & 0o777), "others could read this secret: it is its owner's alone again; if somebody may have, remove it, and the next start makes another");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
}

fn read(path: &Path) -> io::Result<Secret> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    let secret = Secret::new(text.trim().to_owned());
    zeroize::Zeroize::zeroize(&mut text);
    Ok(secret)
}

fn random<const BYTES: usize>() -> io::Result<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        filled += rustix::rand::getrandom(rest, rustix::rand::GetRandomFlags::empty())?;
    }
    Ok(bytes)
}
