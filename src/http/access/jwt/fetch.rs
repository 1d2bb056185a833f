//! Asking an issuer for its keys: bounded in time, bytes and keys, without following anybody elsewhere.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::{ACCEPT, CACHE_CONTROL};
use reqwest::{Certificate, Client, Response, redirect};
use serde::Deserialize;

use super::keys::{Keys, KeysError};
use crate::config::{self, JwtKeys, JwtSettings};

/// How long all of it may take.
pub(super) const TIME_MAX: Duration = Duration::from_secs(5);
/// Bytes of a description, a key set, or a file with one of them.
const BYTES_MAX: usize = 256 * 1024;

/// Where OpenID Connect Discovery 1.0 has an issuer's description, behind its name (section 4).
const DESCRIPTION: &str = "/.well-known/openid-configuration";

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("{address} does not answer: {cause}")]
    Unreachable { address: String, cause: String },
    #[error("{address} answered {status}; redirects are not followed")]
    Status { address: String, status: u16 },
    #[error("{address} answered with more than {BYTES_MAX} bytes")]
    TooLarge { address: String },
    #[error("{address} describes no issuer by OpenID Connect Discovery")]
    NoDescription { address: String },
    #[error("{address} describes another issuer than api.jwt.issuer")]
    OtherIssuer { address: String },
    #[error("{address} names an address of keys that cannot be used: {problem}")]
    Elsewhere { address: String, problem: String },
    #[error("{address} gives no keys: {problem}")]
    Keys { address: String, problem: KeysError },
    #[error("{path}, which api.jwt.{key} names: {problem}", path = path.display())]
    File { key: &'static str, path: PathBuf, problem: String },
    #[error("the issuer did not answer within {} s", TIME_MAX.as_secs())]
    Late,
}

#[derive(Deserialize)]
struct Description {
    issuer: String,
    jwks_uri: String,
}

/// The keys of an issuer now, and how long they are good for, where it says that.
pub(super) async fn keys(settings: &JwtSettings) -> Result<(Keys, Option<Duration>), FetchError> {
    match tokio::time::timeout(TIME_MAX, ask(settings)).await {
        Ok(asked) => asked,
        Err(_) => Err(FetchError::Late),
    }
}

async fn ask(settings: &JwtSettings) -> Result<(Keys, Option<Duration>), FetchError> {
    let described = format!("{}{DESCRIPTION}", settings.issuer.trim_end_matches('/'));
    let address = match &settings.keys {
        JwtKeys::Url(address) => address.clone(),
        JwtKeys::File(path) => return of_file(path).map(|keys| (keys, None)),
        JwtKeys::Discovered => {
            let (_, bytes) = get(settings, &described).await?;
            let description: Description = serde_json::from_slice(&bytes)
                .map_err(|_| FetchError::NoDescription { address: described.clone() })?;
            if description.issuer != settings.issuer {
                return Err(FetchError::OtherIssuer { address: described });
            }
            config::trusted(&description.jwks_uri)
                .map_err(|problem| FetchError::Elsewhere { address: described, problem })?;
            description.jwks_uri
        }
    };
    let (fresh_for, bytes) = get(settings, &address).await?;
    let keys = Keys::of_set(&bytes).map_err(|problem| FetchError::Keys { address, problem })?;
    Ok((keys, fresh_for))
}

/// The keys in a file.
pub(super) fn of_file(path: &Path) -> Result<Keys, FetchError> {
    let failed =
        |problem: String| FetchError::File { key: "key_file", path: path.to_owned(), problem };
    let bytes = read(path).map_err(|error| failed(error.to_string()))?;
    Keys::of_file(&bytes).map_err(|problem| failed(problem.to_string()))
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let limit = u64::try_from(BYTES_MAX).unwrap_or(u64::MAX);
    std::fs::File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What is at an address, and how long it is good for.
async fn get(
    settings: &JwtSettings,
    address: &str,
) -> Result<(Option<Duration>, Vec<u8>), FetchError> {
    let unreachable = |error: &dyn std::error::Error| FetchError::Unreachable {
        address: address.to_owned(),
        cause: innermost(error),
    };
    let client = client(settings, address).await?;
    let sent = client.get(address).header(ACCEPT, "application/json").send().await;
    let mut answer = sent.map_err(|error| unreachable(&error))?;
    let status = answer.status().as_u16();
    if status != 200 {
        return Err(FetchError::Status { address: address.to_owned(), status });
    }
    let fresh_for = fresh_for(&answer);
    let mut bytes = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(|error| unreachable(&error))? {
        if bytes.len() + part.len() > BYTES_MAX {
            return Err(FetchError::TooLarge { address: address.to_owned() });
        }
        bytes.extend_from_slice(&part);
    }
    Ok((fresh_for, bytes))
}

/// A client for an address. Made anew for each: it is needed some times an hour, and reads the
/// certificates of now.
async fn client(settings: &JwtSettings, address: &str) -> Result<Client, FetchError> {
    let host = reqwest::Url::parse(address).ok();
    let is_here = host.as_ref().and_then(|url| url.host_str()).is_some_and(config::is_loopback);
    let is_plain = address.starts_with("http:");
    let ca_file = settings.ca_file.clone();
    let made = tokio::task::spawn_blocking(move || {
        // Only the first of the process counts; that one is also ring's.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .user_agent(concat!("kconfigd/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .no_gzip()
            .connect_timeout(TIME_MAX)
            .pool_max_idle_per_host(0);
        if is_plain {
            builder = builder.tls_certs_only([]);
        } else if let Some(path) = ca_file {
            let failed =
                |problem: String| FetchError::File { key: "ca_file", path: path.clone(), problem };
            let bytes = read(&path).map_err(|error| failed(error.to_string()))?;
            let bundle =
                Certificate::from_pem_bundle(&bytes).map_err(|error| failed(innermost(&error)))?;
            builder = builder.tls_certs_only(bundle);
        }
        if is_here {
            builder = builder.no_proxy();
        }
        builder.build().map_err(|error| FetchError::Unreachable {
            address: "the issuer".to_owned(),
            cause: innermost(&error),
        })
    });
    made.await.map_err(|_| FetchError::Late)?
}

/// `Cache-Control` of an answer (RFC 9111, section 5.2.2).
fn fresh_for(answer: &Response) -> Option<Duration> {
    let text = answer.headers().get(CACHE_CONTROL)?.to_str().ok()?;
    let mut words = text.split(',').map(|word| word.trim().to_ascii_lowercase());
    if words.clone().any(|word| word == "no-store" || word == "no-cache") {
        return Some(Duration::ZERO);
    }
    let age = words.find_map(|word| word.strip_prefix("max-age=")?.parse().ok());
    age.map(Duration::from_secs)
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
