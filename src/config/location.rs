//! What `gitops.repository` and other URLs may look like. No message shows a credential.

use std::path::Path;

use super::paths::resolve;
use super::settings::Location;
use super::values::{Read, shown};

const NO_CREDENTIALS: &str = "has credentials in it; take them out";

/// A repository: a URL, `user@host:path`, a path relative to `folder`, or `embedded`.
pub(crate) fn location(folder: &Path, text: &str) -> Read<Location> {
    if text == "embedded" {
        return Ok(Location::Embedded);
    }
    if let Some((scheme, rest)) = text.split_once("://") {
        return match scheme.to_ascii_lowercase().as_str() {
            "http" | "https" => http_repository(text),
            "ssh" | "git+ssh" | "ssh+git" => ssh_url(rest),
            "file" => file_url(rest),
            other => Err(format!(
                "{} is no way to a repository; use https, http, ssh, file, user@host:path, a path or embedded",
                shown(&format!("{other}://"))
            )),
        };
    }
    // as git reads it: a colon before the first slash makes it host:path
    match text.find(':') {
        Some(colon) if !text.get(..colon).unwrap_or_default().contains('/') => scp_like(text),
        _ => resolve(folder, text).map(Location::Path),
    }
}

/// An `http` or `https` URL without credentials.
pub(super) fn http_url(text: &str) -> Read<reqwest::Url> {
    let url = reqwest::Url::parse(text).map_err(|error| format!("it is not a URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err("only http:// and https:// URLs are taken".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!("the URL {NO_CREDENTIALS}"));
    }
    Ok(url)
}

fn http_repository(text: &str) -> Read<Location> {
    let url = http_url(text).map_err(|wrong| {
        if !wrong.ends_with(NO_CREDENTIALS) {
            return wrong;
        }
        let keys = "gitops.auth.token_file, or gitops.auth.username and password_file";
        format!("{wrong} and name a file that holds them: {keys}")
    })?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err("the URL of a repository has no `?` and no `#`".to_owned());
    }
    Ok(Location::Http(url.into()))
}

fn ssh_url(rest: &str) -> Read<Location> {
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, place) = match authority.rsplit_once('@') {
        Some((user, place)) => (Some(decoded(user)?), place),
        None => (None, authority),
    };
    if user.as_ref().is_some_and(|user| user.contains(':')) {
        return Err(format!(
            "the URL {NO_CREDENTIALS} and use a key: gitops.auth.ssh_key_file, or the agent's"
        ));
    }
    let (host, port) = host_and_port(place)?;
    let path = decoded(path)?;
    // `~user` is for the server to expand; anything else starts at its root
    let path = if path.starts_with('~') { path } else { format!("/{path}") };
    ssh(user, host, port, path)
}

fn host_and_port(place: &str) -> Read<(String, Option<u16>)> {
    let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    let port = port.filter(|port| !port.is_empty()).map(|port| match port.parse::<u16>() {
        Ok(number) if number > 0 && port.bytes().all(|b| b.is_ascii_digit()) => Ok(number),
        _ => Err(format!("{} is not a port", shown(port))),
    });
    Ok((host.to_owned(), port.transpose()?))
}

fn scp_like(text: &str) -> Read<Location> {
    let (user, rest) = match text.split_once('@') {
        Some((user, rest)) if !user.contains(':') => (Some(user.to_owned()), rest),
        Some(_) => return Err(format!("the address {NO_CREDENTIALS} and use a key")),
        None => (None, text),
    };
    let (host, path) = match rest.strip_prefix('[').and_then(|rest| rest.split_once("]:")) {
        Some(parts) => parts,
        None => rest.split_once(':').unwrap_or((rest, "")),
    };
    if matches!(host, "http" | "https" | "ssh" | "file") {
        return Err(format!("a URL has two slashes: {host}://"));
    }
    ssh(user, host.to_owned(), None, path.to_owned())
}

/// Nothing here may look like an option to ssh or to the program on the server.
fn ssh(user: Option<String>, host: String, port: Option<u16>, path: String) -> Read<Location> {
    let bad = |c: char| c.is_control() || c.is_whitespace();
    let names = [user.as_deref().unwrap_or("git"), &host];
    if names.iter().any(|name| name.is_empty() || name.starts_with('-') || name.contains(bad)) {
        return Err("the user or the host cannot be such a name".to_owned());
    }
    if path.starts_with('-')
        || path.chars().any(char::is_control)
        || path.trim_matches('/').is_empty()
    {
        return Err("the path on the server is missing, or cannot be such a path".to_owned());
    }
    Ok(Location::Ssh { user, host, port, path })
}

fn file_url(rest: &str) -> Read<Location> {
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    if !path.starts_with('/') {
        return Err(
            "a file:// URL has three slashes and the whole path: file:///srv/repo.git".to_owned()
        );
    }
    resolve(Path::new("/"), &decoded(path)?).map(Location::Path)
}

/// `text` with its `%41` decoded.
fn decoded(text: &str) -> Read<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let pair = after.get(..2).filter(|_| *first == b'%');
        let hex = pair.and_then(|pair| std::str::from_utf8(pair).ok());
        let byte = hex
            .filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8(bytes)
        .ok()
        .filter(|text| !text.contains('\0'))
        .ok_or_else(|| "the URL is not UTF-8 behind its percent signs".to_owned())
}

#[cfg(test)]
mod tests;
