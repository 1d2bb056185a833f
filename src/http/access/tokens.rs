use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::Caller;
use crate::config::ApiSettings;
use crate::http::stamp::Stamp;
use crate::model::{By, Known, Role};

/// Bytes of a token's file.
const FILE_BYTES_MAX: u64 = 4096;
/// Bytes of the shortest token that is believed: what is shorter can be guessed.
const TOKEN_BYTES_MIN: usize = 16;
/// What a file begins with that holds the hash of a token.
const HASHED: &str = "sha256:";
/// The name of whoever has the first admin token.
const ADMIN: &str = "admin";

/// The tokens, by the hash of each: no token itself is kept. A file is read again when it changed.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    admin_token: Option<PathBuf>,
    /// The settings that `known` was made from.
    of: Option<ApiSettings>,
    known: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    file: PathBuf,
    caller: Caller,
    /// Of the file that was read; `None`: it has to be.
    stamp: Option<Stamp>,
    hash: Option<[u8; 32]>,
    /// Of the file that was complained of last.
    complained: Option<Stamp>,
}

impl Tokens {
    pub(super) fn new(admin_token: Option<PathBuf>) -> Self {
        Self { admin_token, ..Self::default() }
    }

    /// Who shows this token. Each known hash is looked at, whole, so the time tells nothing.
    pub(super) fn holder(&mut self, settings: &ApiSettings, token: &str) -> Option<Caller> {
        self.holder_of(settings, &hash_of(token)).filter(|_| token.len() >= TOKEN_BYTES_MIN)
    }

    /// The same, by the token's hash.
    pub(super) fn holder_of(&mut self, settings: &ApiSettings, shown: &[u8; 32]) -> Option<Caller> {
        if self.of.as_ref() != Some(settings) {
            self.known = entries(self.admin_token.as_deref(), settings);
            self.of = Some(settings.clone());
        }
        let mut holder = None;
        for entry in &mut self.known {
            entry.refresh();
            if entry.hash.is_some_and(|hash| are_equal(&hash, shown)) {
                holder = Some(entry.caller.clone());
            }
        }
        holder
    }
}

/// What is kept of a token.
pub(in crate::http) fn hash_of(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

fn entries(admin_token: Option<&Path>, settings: &ApiSettings) -> Vec<Entry> {
    let entry = |name: &str, file: &Path, role: &Role| Entry {
        file: file.to_owned(),
        caller: Caller::new(
            By { name: name.to_owned(), known: Known::Token, from: None },
            role.clone(),
        ),
        stamp: None,
        hash: None,
        complained: None,
    };
    let admin = admin_token.zip(settings.role(ADMIN)).map(|(file, role)| entry(ADMIN, file, role));
    let others = settings.tokens.iter().filter_map(|token| {
        Some(entry(&token.name, &token.token_file, settings.role(&token.role)?))
    });
    admin.into_iter().chain(others).collect()
}

impl Entry {
    fn refresh(&mut self) {
        let stamp = Stamp::of(&self.file);
        if stamp.is_some() && stamp == self.stamp {
            return;
        }
        let was_there = self.stamp.is_some();
        let read = read(&self.file);
        // What could not be read is read again: nothing of the file has to change for that.
        self.stamp = stamp.filter(|_| read.is_ok());
        self.hash = read.ok().flatten();
        let is_new = was_there || stamp.is_some() && stamp != self.complained;
        if self.hash.is_none() && is_new {
            tracing::warn!(file = %self.file.display(), name = self.caller.by.name, "this token's file cannot be read, is too short or holds no token: nobody is let in by it");
            self.complained = stamp;
        }
    }
}

/// The hash that a file is for; `None`: it holds no token.
fn read(file: &Path) -> io::Result<Option<[u8; 32]>> {
    let mut text = Zeroizing::new(String::new());
    std::fs::File::open(file)?.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    let text = text.trim();
    Ok(match text.strip_prefix(HASHED) {
        Some(hash) => from_hex(hash.trim()),
        None if text.len() >= TOKEN_BYTES_MIN => Some(Sha256::digest(text).into()),
        None => None,
    })
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

fn are_equal(one: &[u8; 32], other: &[u8; 32]) -> bool {
    one.iter().zip(other).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}
