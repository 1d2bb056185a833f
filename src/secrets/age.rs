//! The age file format, version 1 (<https://age-encryption.org/v1>), with X25519 recipients.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::{hkdf, hmac};
use zeroize::Zeroizing;

use super::{Identities, Problem, SecretsError};

const ARMOR_BEGIN: &str = "-----BEGIN AGE ENCRYPTED FILE-----";
const ARMOR_END: &str = "-----END AGE ENCRYPTED FILE-----";
const VERSION: &str = "age-encryption.org/v1";
/// Characters of a whole line of base64.
const COLUMNS: usize = 64;
/// Recipients of one file.
const STANZAS_MAX: usize = 1_000;
/// Plain bytes of a chunk of the payload, and what its tag adds.
const CHUNK: usize = 64 * 1024;
const TAG: usize = 16;
const PAYLOAD_NONCE: usize = 16;
const FILE_KEY: usize = 16;

type Bytes = Zeroizing<Vec<u8>>;

struct Stanza<'a> {
    kind: &'a str,
    arguments: Vec<&'a str>,
    body: Vec<u8>,
}

struct Header<'a> {
    stanzas: Vec<Stanza<'a>>,
    /// What the MAC is over: all up to `---`, with that.
    signed: &'a [u8],
    mac: Vec<u8>,
}

/// Decrypts a whole file, armored or not.
pub(super) fn decrypt(bytes: &[u8], identities: &Identities) -> Result<Bytes, SecretsError> {
    let armored = std::str::from_utf8(bytes).ok().map(str::trim_start);
    match armored.filter(|text| text.starts_with(ARMOR_BEGIN)) {
        Some(text) => decrypt_binary(&dearmor(text)?, identities),
        None => decrypt_binary(bytes, identities),
    }
}

fn wrong(what: &'static str) -> Problem {
    Problem::Age(what)
}

fn dearmor(text: &str) -> Result<Vec<u8>, Problem> {
    let body = text.trim().strip_prefix(ARMOR_BEGIN).and_then(|t| t.strip_suffix(ARMOR_END));
    let body = body.ok_or_else(|| wrong("its armor has no end"))?;
    let joined: String = body.lines().map(str::trim).collect();
    STANDARD.decode(joined).map_err(|_| wrong("its armor is not base64"))
}

fn decrypt_binary(bytes: &[u8], identities: &Identities) -> Result<Bytes, SecretsError> {
    let (header, payload) = read_header(bytes)?;
    let file_key = header
        .stanzas
        .iter()
        .find_map(|stanza| unwrap(stanza, identities))
        .ok_or_else(|| SecretsError::NoIdentity { to: told(&header.stanzas) })?;
    let no_key = || wrong("no key comes of it");
    let mac_key = derive(&[], &*file_key, b"header").ok_or_else(no_key)?;
    let mac_key = hmac::Key::new(hmac::HMAC_SHA256, &*mac_key);
    hmac::verify(&mac_key, header.signed, &header.mac)
        .map_err(|_| wrong("its header was changed: the MAC is wrong"))?;
    Ok(read_payload(payload, &file_key)?)
}

/// Whom a file is encrypted to, as far as it says: it does not name recipients.
fn told(stanzas: &[Stanza<'_>]) -> String {
    if stanzas.iter().any(|stanza| stanza.kind == "scrypt") {
        return "a passphrase, which kconfigd never asks for".to_owned();
    }
    let x25519 = stanzas.iter().filter(|stanza| stanza.kind == "X25519").count();
    let s = if x25519 == 1 { "" } else { "s" };
    let others = match stanzas.len() - x25519 {
        0 => String::new(),
        n => format!(" and {n} of a kind that is not supported"),
    };
    format!("{x25519} X25519 recipient{s}{others}")
}

fn read_header(bytes: &[u8]) -> Result<(Header<'_>, &[u8]), Problem> {
    let mut reader = Lines { bytes, at: 0 };
    if reader.next()? != VERSION {
        return Err(wrong("it does not begin as age files of version 1 do"));
    }
    let mut stanzas = Vec::new();
    loop {
        let start = reader.at;
        let line = reader.next()?;
        if let Some(mac) = line.strip_prefix("--- ") {
            let signed = bytes.get(..start + 3).unwrap_or_default();
            let mac = STANDARD_NO_PAD.decode(mac).map_err(|_| wrong("its header has no MAC"))?;
            let payload = bytes.get(reader.at..).unwrap_or_default();
            return Ok((Header { stanzas, signed, mac }, payload));
        }
        let line = line.strip_prefix("-> ").ok_or_else(|| wrong("its header is damaged"))?;
        let mut words = line.split(' ');
        let kind = words.next().unwrap_or_default();
        let arguments = words.collect();
        let body = read_body(&mut reader)?;
        stanzas.push(Stanza { kind, arguments, body });
        if stanzas.len() > STANZAS_MAX {
            return Err(wrong("it has more than 1000 recipients"));
        }
    }
}

/// Whole lines of base64, and one that is shorter, if need be empty.
fn read_body(reader: &mut Lines<'_>) -> Result<Vec<u8>, Problem> {
    let mut body = Vec::new();
    loop {
        let line = reader.next()?;
        let part = STANDARD_NO_PAD.decode(line).ok().filter(|_| line.len() <= COLUMNS);
        body.extend(part.ok_or_else(|| wrong("its header is damaged"))?);
        if line.len() < COLUMNS {
            return Ok(body);
        }
    }
}

struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Result<&'a str, Problem> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let end = rest.iter().position(|byte| *byte == b'\n');
        let line = end.and_then(|end| std::str::from_utf8(rest.get(..end)?).ok());
        let line = line.ok_or_else(|| wrong("its header has no end"))?;
        self.at += line.len() + 1;
        Ok(line)
    }
}

/// A key of 32 bytes, which is one block of the hash: nothing here fails.
fn derive(salt: &[u8], secret: &[u8], info: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0; 32]);
    let secret = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(secret);
    secret.expand(&[info], hkdf::HKDF_SHA256).ok()?.fill(&mut *key).ok()?;
    Some(key)
}

fn open<'a>(key: &[u8; 32], nonce: [u8; 12], sealed: &'a mut [u8]) -> Option<&'a [u8]> {
    let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).ok()?);
    let nonce = Nonce::assume_unique_for_key(nonce);
    key.open_in_place(nonce, Aad::empty(), sealed).ok().map(|plain| &*plain)
}

/// The file's key, where the stanza is for one of ours.
fn unwrap(stanza: &Stanza<'_>, identities: &Identities) -> Option<Zeroizing<[u8; FILE_KEY]>> {
    let [share] = stanza.arguments.as_slice() else { return None };
    if stanza.kind != "X25519" || stanza.body.len() != FILE_KEY + TAG {
        return None;
    }
    let share: [u8; 32] = STANDARD_NO_PAD.decode(share).ok()?.try_into().ok()?;
    identities.list.iter().find_map(|identity| {
        let common = identity.agree(share);
        if *common == [0; 32] {
            return None;
        }
        let salt = [share, identity.public].concat();
        let key = derive(&salt, &*common, b"age-encryption.org/v1/X25519")?;
        let mut sealed = Zeroizing::new(stanza.body.clone());
        let plain = open(&key, [0; 12], &mut sealed)?;
        plain.try_into().ok().map(Zeroizing::new)
    })
}

fn read_payload(payload: &[u8], file_key: &[u8; FILE_KEY]) -> Result<Bytes, Problem> {
    let cut = || wrong("it is cut off");
    let (nonce, sealed) = payload.split_at_checked(PAYLOAD_NONCE).ok_or_else(cut)?;
    let key = derive(nonce, file_key, b"payload").ok_or_else(|| wrong("no key comes of it"))?;
    let mut plain = Zeroizing::new(Vec::with_capacity(sealed.len()));
    let chunks = sealed.len().div_ceil(CHUNK + TAG);
    if chunks == 0 {
        return Err(cut());
    }
    let mut chunk = Zeroizing::new(Vec::with_capacity(CHUNK + TAG));
    for (n, part) in sealed.chunks(CHUNK + TAG).enumerate() {
        let last = n + 1 == chunks;
        let mut nonce = [0; 12];
        nonce[3..11].copy_from_slice(&(n as u64).to_be_bytes());
        nonce[11] = u8::from(last);
        chunk.clear();
        chunk.extend_from_slice(part);
        let part = open(&key, nonce, &mut chunk)
            .ok_or_else(|| wrong("its content was changed or cut off"))?;
        if part.is_empty() && n > 0 {
            return Err(wrong("its content has an empty end"));
        }
        plain.extend_from_slice(part);
    }
    Ok(plain)
}
