use super::Leak;
use crate::document::{credentials, is_example};

/// The rule about private keys.
const PRIVATE_KEY: &str = "private_key";
/// Lines that private keys begin with.
const KEYS: &[&str] = &["PRIVATE KEY-----", "PRIVATE KEY BLOCK-----", "PuTTY-User-Key-File-"];

/// Bytes of a line before a key's name that are looked at: the longest name is much shorter.
const BEFORE_BYTES_MAX: usize = 64;

/// Where something is, in bytes, by which rule, and what it is.
type Found = (usize, &'static str, &'static str);

/// Credentials of known shapes, in the order of their places. Whatever a text holds, the time that this
/// takes grows with its length alone.
pub(super) fn find(text: &str) -> Vec<Leak> {
    let known = credentials(text).into_iter();
    let mut found: Vec<Found> = known.map(|one| (one.at.start, one.rule, one.what)).collect();
    for key in KEYS {
        let ours = text.match_indices(key).filter(|(at, _)| {
            let before = line_before(text, *at);
            let begins = before.trim_start_matches([' ', '\t', '"', '\'', '|', '-', '>']);
            key.starts_with("PuTTY")
                || begins.starts_with("BEGIN ")
                || before.contains("-----BEGIN ")
        });
        found.extend(ours.map(|(at, _)| (at, PRIVATE_KEY, "a private key")));
    }
    let urls = text.match_indices("://").filter(|(at, _)| has_password(text, *at));
    found.extend(urls.map(|(at, _)| (at, "url_password", "a password in a URL")));
    found.sort_unstable();
    placed(text, found)
}

/// What stands before a byte in its line, as far as it matters.
fn line_before(text: &str, at: usize) -> &str {
    let mut from = at.saturating_sub(BEFORE_BYTES_MAX);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let before = text.get(from..at).unwrap_or_default();
    before.rsplit('\n').next().unwrap_or_default()
}

/// The lines and columns of what was found, in one pass. A key is told at the begin of its line.
fn placed(text: &str, found: Vec<Found>) -> Vec<Leak> {
    let (mut line, mut column, mut seen) = (1_u32, 1_u32, 0);
    let place = |(at, rule, what): Found| {
        for byte in text.as_bytes().get(seen..at).unwrap_or_default() {
            match byte {
                b'\n' => (line, column) = (line.saturating_add(1), 1),
                // All bytes of a character but the first.
                0x80..0xC0 => {}
                _ => column = column.saturating_add(1),
            }
        }
        seen = at;
        Leak { rule, what, line, column: if rule == PRIVATE_KEY { 1 } else { column } }
    };
    found.into_iter().map(place).collect()
}

/// `scheme://user:password@host`.
fn has_password(text: &str, at: usize) -> bool {
    const URL_CHARS_MAX: usize = 400;
    let rest = text.get(at + 3..).unwrap_or_default();
    let ends = |c: char| {
        c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'' | '<' | '>' | '`' | ')' | ',')
    };
    let end = rest.char_indices().nth(URL_CHARS_MAX).map_or(rest.len(), |(end, _)| end);
    let authority = rest.get(..end).unwrap_or_default().split(ends).next().unwrap_or_default();
    let login = authority.rsplit_once('@');
    let Some((user, password, host)) = login.and_then(|(login, host)| {
        let (user, password) = login.split_once(':')?;
        Some((user, password, host))
    }) else {
        return false;
    };
    let is_word = |text: &str| text.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    let is_said_elsewhere = password.starts_with(['$', '{', '%', '*', '<', '['])
        || is_word(password)
        || is_example(password)
        || password == user
        || ["password", "pass", "pwd", "secret", "token"].contains(&password);
    password.len() >= 3 && !host.is_empty() && !is_said_elsewhere
}
