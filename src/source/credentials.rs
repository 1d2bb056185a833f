//! Credentials for HTTP, read from their files at each use.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;

use super::SourceError;
use super::netrc;
use crate::config::HttpAuth;
use crate::model::Secret;

/// Bytes in a credential file.
const CREDENTIAL_BYTES_MAX: u64 = 1024 * 1024;

/// A credential file's text without the line's end after it.
pub(super) fn read(what: &'static str, path: &Path) -> Result<Secret, SourceError> {
    let failed = |source| SourceError::CredentialFile { what, path: path.to_owned(), source };
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(CREDENTIAL_BYTES_MAX + 1).read_to_string(&mut text))
        .map_err(failed)?;
    if text.len() as u64 > CREDENTIAL_BYTES_MAX {
        return Err(failed(io::Error::other("it is larger than 1 MiB")));
    }
    let length = text.trim_end_matches(['\r', '\n']).len();
    text.truncate(length);
    if text.is_empty() {
        return Err(SourceError::CredentialShape {
            what,
            path: path.to_owned(),
            problem: "is empty",
        });
    }
    Ok(Secret::new(text))
}

/// Whether a file that another program will read can be read by this user.
pub(super) fn readable(what: &'static str, path: &Path) -> Result<(), SourceError> {
    File::open(path).map(drop).map_err(|source| SourceError::CredentialFile {
        what,
        path: path.to_owned(),
        source,
    })
}

/// The `Authorization` header for `host`, which is the one that `auth` is for.
pub(super) fn authorization(
    auth: &HttpAuth,
    host: &str,
) -> Result<Option<HeaderValue>, SourceError> {
    let (what, path, header) = match auth {
        HttpAuth::None => return Ok(None),
        HttpAuth::Token { username, file } => {
            let token = read("the token file", file)?;
            ("the token file", file, basic(username, token.expose()))
        }
        HttpAuth::Password { username, file } => {
            let password = read("the password file", file)?;
            ("the password file", file, basic(username, password.expose()))
        }
        HttpAuth::Bearer(file) => {
            let token = read("the bearer token file", file)?;
            ("the bearer token file", file, Secret::new(format!("Bearer {}", token.expose())))
        }
        HttpAuth::Netrc(file) => {
            let text = read("the netrc file", file)?;
            // a host that it does not name is asked without; if that is refused, so it is told
            let Some((login, password)) = netrc::login(text.expose(), host) else {
                return Ok(None);
            };
            ("the netrc file", file, basic(&login, password.expose()))
        }
    };
    let mut value =
        HeaderValue::from_str(header.expose()).map_err(|_| SourceError::CredentialShape {
            what,
            path: path.clone(),
            problem: "holds more than one line, or characters that HTTP cannot carry",
        })?;
    value.set_sensitive(true);
    Ok(Some(value))
}

fn basic(username: &str, password: &str) -> Secret {
    let pair = Secret::new(format!("{username}:{password}"));
    Secret::new(format!("Basic {}", STANDARD.encode(pair.expose())))
}
