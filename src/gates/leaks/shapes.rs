use super::Leak;
use crate::document::{credentials, is_example};

/// What the first lines of private keys have behind `BEGIN`.
const PEM_KEYS: [&str; 2] = ["PRIVATE KEY-----", "PRIVATE KEY BLOCK-----"];
/// What a private key of PuTTY begins with.
const PUTTY_KEY: &str = "PuTTY-User-Key-File-";

/// Something of a known shape, by the byte that it begins at.
struct Known {
    at: usize,
    rule: &'static str,
    what: &'static str,
}

/// Credentials of known shapes, in the order of the text, which is walked through a fixed number of
/// times.
pub(super) fn find(text: &str) -> Vec<Leak> {
    let mut known: Vec<Known> = credentials(text)
        .into_iter()
        .filter(|one| !is_example(&text[one.at.clone()]))
        .map(|one| Known { at: one.at.start, rule: one.rule, what: one.what })
        .collect();
    known.extend(private_keys(text));
    known.extend(text.match_indices("://").filter_map(|(at, _)| password_in_url(text, at)));
    known.sort_by_key(|one| one.at);
    let mut place = Place { text, at: 0, line: 1, column: 1 };
    known.iter().map(|one| place.of(one)).collect()
}

/// The lines that a private key begins in.
fn private_keys(text: &str) -> impl Iterator<Item = Known> {
    let mut at = 0;
    text.split_inclusive('\n').filter_map(move |line| {
        let start = at;
        at += line.len();
        begins_key(line).then_some(Known { at: start, rule: "private_key", what: "a private key" })
    })
}

fn begins_key(line: &str) -> bool {
    if line.contains(PUTTY_KEY) {
        return true;
    }
    let bare = line.trim_start_matches([' ', '\t', '"', '\'', '|', '-', '>']);
    let rest = bare.strip_prefix("BEGIN ").or_else(|| Some(line.split_once("-----BEGIN ")?.1));
    rest.is_some_and(|rest| PEM_KEYS.iter().any(|key| rest.contains(key)))
}

/// `scheme://user:password@host`.
fn password_in_url(text: &str, at: usize) -> Option<Known> {
    const URL_CHARS_MAX: usize = 400;
    let rest = &text[at + 3..];
    let ends = |c: char| {
        c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'' | '<' | '>' | '`' | ')' | ',')
    };
    let mut letters = rest.char_indices().enumerate();
    let end = letters.find(|(n, (_, c))| *n == URL_CHARS_MAX || ends(*c));
    let authority = end.map_or(rest, |(_, (end, _))| &rest[..end]);
    let (login, host) = authority.rsplit_once('@')?;
    let (user, password) = login.split_once(':')?;
    let is_word = |text: &str| text.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    let is_said_elsewhere = password.starts_with(['$', '{', '%', '*', '<', '['])
        || is_word(password)
        || is_example(password)
        || password == user
        || ["password", "pass", "pwd", "secret", "token"].contains(&password);
    (password.len() >= 3 && !host.is_empty() && !is_said_elsewhere).then_some(Known {
        at,
        rule: "url_password",
        what: "a password in a URL",
    })
}

/// A place in a text, which only goes on: what stands before it is counted once.
struct Place<'t> {
    text: &'t str,
    at: usize,
    line: u32,
    column: u32,
}

impl Place<'_> {
    /// Goes on to what is found, which is not before what was found last.
    fn of(&mut self, one: &Known) -> Leak {
        for c in self.text[self.at..one.at].chars() {
            if c == '\n' {
                self.line = self.line.saturating_add(1);
                self.column = 1;
            } else {
                self.column = self.column.saturating_add(1);
            }
        }
        self.at = one.at;
        Leak { rule: one.rule, what: one.what, line: self.line, column: self.column }
    }
}
