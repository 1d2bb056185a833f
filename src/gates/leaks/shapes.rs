use super::Leak;
use crate::document::{credentials, is_example};

/// Lines that private keys begin with.
const KEYS: &[&str] = &["PRIVATE KEY-----", "PRIVATE KEY BLOCK-----", "PuTTY-User-Key-File-"];

/// Credentials of known shapes.
pub(super) fn find(text: &str) -> Vec<Leak> {
    let known = credentials(text).into_iter();
    let mut found: Vec<Leak> =
        known.map(|one| leak(text, one.at.start, one.rule, one.what)).collect();
    for key in KEYS {
        for (at, _) in text.match_indices(key) {
            let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
            let is_pem = text[line..at]
                .trim_start_matches([' ', '\t', '"', '\'', '|', '-', '>'])
                .starts_with("BEGIN ")
                || text[line..at].contains("-----BEGIN ");
            if is_pem || key.starts_with("PuTTY") {
                found.push(leak(text, line, "private_key", "a private key"));
            }
        }
    }
    found.extend(text.match_indices("://").filter_map(|(at, _)| password_in_url(text, at)));
    found
}

/// `scheme://user:password@host`.
fn password_in_url(text: &str, at: usize) -> Option<Leak> {
    const URL_CHARS_MAX: usize = 400;
    let rest = &text[at + 3..];
    let ends = |c: char| {
        c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'' | '<' | '>' | '`' | ')' | ',')
    };
    let end = rest.char_indices().take(URL_CHARS_MAX).find(|(_, c)| ends(*c));
    let authority = &rest[..end.map_or(rest.len().min(URL_CHARS_MAX), |(end, _)| end)];
    let (login, host) = authority.rsplit_once('@')?;
    let (user, password) = login.split_once(':')?;
    let is_word = |text: &str| text.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    let is_said_elsewhere = password.starts_with(['$', '{', '%', '*', '<', '['])
        || is_word(password)
        || is_example(password)
        || password == user
        || ["password", "pass", "pwd", "secret", "token"].contains(&password);
    (password.len() >= 3 && !host.is_empty() && !is_said_elsewhere)
        .then(|| leak(text, at, "url_password", "a password in a URL"))
}

fn leak(text: &str, at: usize, rule: &'static str, what: &'static str) -> Leak {
    let before = &text[..at];
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before[before.rfind('\n').map_or(0, |end| end + 1)..].chars().count() + 1;
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Leak { rule, what, line: number(line), column: number(column) }
}
