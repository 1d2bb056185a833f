//! `api.jwt`: JSON Web Tokens that are taken at the API, and where their issuer's keys are.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::location::http_url;
use super::reader::Reader;
use super::table::nearest;
use super::values::{self, Read, shown};
use crate::model::JwtAlgorithm;

/// JSON Web Tokens: who issues them, and how their signatures are verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtSettings {
    /// `iss`, exactly.
    pub issuer: String,
    /// What `aud` has to hold.
    pub audience: String,
    /// Where the keys are.
    pub keys: JwtKeys,
    /// How tokens may be signed.
    pub algorithms: Vec<JwtAlgorithm>,
    /// The claim that names the role, or a list of which one names it.
    pub role_claim: String,
    /// Who signs the issuer's certificate; `None`: those whom the machine trusts.
    pub ca_file: Option<PathBuf>,
    /// How long keys count that could not be asked for again.
    pub keep_keys: Duration,
}

/// Where the keys of an issuer are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JwtKeys {
    /// A key set at an address.
    Url(String),
    /// A key set found by the issuer's own description (OpenID Connect Discovery).
    Discovered,
    /// A public key in PEM, or a key set, in a file.
    File(PathBuf),
}

const JWKS_URL: &str = "api.jwt.jwks_url";
const KEY_FILE: &str = "api.jwt.key_file";

/// Reads the group; `None`: no tokens are taken, or it had findings.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<JwtSettings> {
    let issuer = reader.text("api.jwt.issuer");
    let audience = reader.text("api.jwt.audience");
    let keys = keys(reader);
    let algorithms = algorithms(reader);
    let role_claim = reader.text("api.jwt.role_claim").unwrap_or_default();
    let ca_file = reader.path("api.jwt.ca_file");
    let keep_keys = reader.duration("api.jwt.keep_keys");
    let (issuer, audience) = match (issuer, audience) {
        (Some(issuer), Some(audience)) => (issuer, audience),
        (None, None) => {
            let others = [JWKS_URL, KEY_FILE, "api.jwt.ca_file"];
            if let Some(key) = others.into_iter().find(|key| reader.setting(key).is_some()) {
                reader.wrong(key, "needs `issuer` and `audience` beside it");
            }
            return None;
        }
        (Some(_), None) => {
            reader.wrong("api.jwt.issuer", "needs `audience` beside it: a token that was issued for another service is refused");
            return None;
        }
        (None, Some(_)) => {
            reader.wrong("api.jwt.audience", "needs `issuer` beside it");
            return None;
        }
    };
    if keys == Some(JwtKeys::Discovered)
        && let Err(message) = trusted(&issuer)
    {
        let hint =
            "name the keys with `jwks_url` or `key_file`, or the issuer by its https address";
        reader.advise("api.jwt.issuer", &message, hint);
        return None;
    }
    Some(JwtSettings { issuer, audience, keys: keys?, algorithms, role_claim, ca_file, keep_keys })
}

fn keys(reader: &mut Reader<'_>) -> Option<JwtKeys> {
    match reader.only_one(&[JWKS_URL, KEY_FILE]) {
        Some(KEY_FILE) => reader.path(KEY_FILE).map(JwtKeys::File),
        Some(_) => reader
            .optional(JWKS_URL, |node| {
                let written = values::text(node)?;
                trusted(&written).map(|()| written)
            })
            .map(JwtKeys::Url),
        None => Some(JwtKeys::Discovered),
    }
}

fn algorithms(reader: &mut Reader<'_>) -> Vec<JwtAlgorithm> {
    let named = reader.optional("api.jwt.algorithms", |node| {
        values::texts(node)?.iter().map(|word| algorithm(word)).collect::<Read<Vec<_>>>()
    });
    match named.unwrap_or_default() {
        none if none.is_empty() => JwtAlgorithm::ALL.to_vec(),
        some => some,
    }
}

fn algorithm(word: &str) -> Read<JwtAlgorithm> {
    JwtAlgorithm::from_word(word).ok_or_else(|| {
        let words: Vec<&str> = JwtAlgorithm::ALL.iter().map(|one| one.as_str()).collect();
        if word == "none" || word.starts_with("HS") {
            return format!(
                "{} is not taken: whoever can verify such a token could make one",
                shown(word)
            );
        }
        match nearest(word, words.iter().copied()) {
            Some(meant) => format!("{} is not taken; did you mean `{meant}`?", shown(word)),
            None => format!("{} is not taken; there are {}", shown(word), words.join(", ")),
        }
    })
}

/// Whether keys from an address can be believed: over TLS, or from this machine.
///
/// # Errors
/// Why not, in one sentence.
pub fn trusted(address: &str) -> Result<(), String> {
    let url = http_url(address)?;
    if url.scheme() == "https" || url.host_str().is_some_and(is_loopback) {
        return Ok(());
    }
    Err("keys that anybody on the way could exchange prove nothing: it has to be https, or an \
         address of this machine"
        .to_owned())
}

/// Whether a URL's host is this machine.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}
