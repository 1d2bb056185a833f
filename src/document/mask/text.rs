use super::{HIDDEN, Masker};
use crate::document::credentials;

/// Credentials that are known by how they start.
const PREFIXES: [&str; 3] = ["whsec_", "whsk_", "AGE-SECRET-KEY-"];

/// What texts of several lines start and end with, the longer ones first.
const QUOTES: [&str; 5] = ["\"\"\"", "'''", "\"", "'", "`"];

/// What of the lines below belongs to a secret.
enum Below {
    Nothing,
    /// Lines that are indented deeper than this; list items at the same indentation as well.
    Deeper {
        indent: usize,
        items: bool,
    },
    /// Lines up to the one that holds this.
    Until(&'static str),
    /// The next line.
    Next,
}

/// The lines of a text without secrets; as many as there were. See [`Masker::text`].
pub(super) fn hide(masker: &Masker, text: &str) -> Vec<String> {
    let mut below = Below::Nothing;
    text.split('\n')
        .map(|line| {
            let hidden = match &below {
                Below::Nothing => None,
                Below::Deeper { indent, items } => belongs(line, *indent, *items),
                Below::Until(end) => {
                    if line.contains(end) {
                        below = Below::Nothing;
                    }
                    Some(HIDDEN.to_owned())
                }
                Below::Next => {
                    if !line.trim_end().ends_with('\\') {
                        below = Below::Nothing;
                    }
                    Some(HIDDEN.to_owned())
                }
            };
            hidden.unwrap_or_else(|| {
                let (shown, next) = hide_line(masker, line);
                below = next;
                without_credentials(shown)
            })
        })
        .collect()
}

/// A line without what is known as a credential by its shape, under whatever key.
fn without_credentials(line: String) -> String {
    let mut found = credentials(&line);
    if found.is_empty() {
        return line;
    }
    found.sort_by_key(|one| one.at.start);
    let mut shown = String::new();
    let mut rest = 0;
    for one in found {
        if one.at.start >= rest {
            shown.push_str(&line[rest..one.at.start]);
            shown.push_str(HIDDEN);
        }
        rest = rest.max(one.at.end);
    }
    shown + &line[rest..]
}

/// A line below a secret, hidden when it belongs to it.
fn belongs(line: &str, indent: usize, items: bool) -> Option<String> {
    let content = line.trim_start();
    if content.is_empty() {
        return Some(line.to_owned());
    }
    let here = line.len() - content.len();
    let item = items && here == indent && (content.starts_with("- ") || content == "-");
    (here > indent || item).then(|| format!("{}{HIDDEN}", line.get(..here).unwrap_or_default()))
}

fn hide_line(masker: &Masker, line: &str) -> (String, Below) {
    if line.contains("-----BEGIN") && line.contains("PRIVATE KEY") {
        let before = line.split("-----BEGIN").next().unwrap_or_default();
        let rest = line.get(before.len()..).unwrap_or_default();
        let below =
            if rest.contains("-----END") { Below::Nothing } else { Below::Until("-----END") };
        return (format!("{before}{HIDDEN}"), below);
    }
    if let Some(value) = secret_from(masker, line) {
        let (shown, secret) = line.split_at(value);
        if secret.trim().is_empty() {
            return (line.to_owned(), what_follows(shown, secret));
        }
        let space = secret.len() - secret.trim_start().len();
        let space = secret.get(..space).unwrap_or_default();
        return (format!("{shown}{space}{HIDDEN}"), what_follows(shown, secret));
    }
    (hide_words(line), Below::Nothing)
}

/// Where in the line a secret starts, behind its key; the rest of the line goes with it.
fn secret_from(masker: &Masker, line: &str) -> Option<usize> {
    let mut start = 0;
    for (at, c) in line.char_indices() {
        match c {
            ':' | '=' | '>' => {
                let key = line.get(start..at).unwrap_or_default();
                if masker.hides_key(key) {
                    let between = words(key).find(|(_, word)| masker.hides_key(word));
                    // `password of x: y`: what stands between may be the secret as well.
                    return Some(match between {
                        Some((word_at, word)) if !key.trim_end().ends_with(word) => {
                            start + word_at + word.len()
                        }
                        _ => at + c.len_utf8(),
                    });
                }
                start = at + c.len_utf8();
            }
            ',' | ';' | '{' | '}' | '[' | ']' | '&' | '|' | '(' | ')' => start = at + c.len_utf8(),
            _ => {}
        }
    }
    flag_value(masker, line)
}

/// `--password VALUE`, `password VALUE` alone on its line, and netrc's `login USER password VALUE`.
fn flag_value(masker: &Masker, line: &str) -> Option<usize> {
    let words: Vec<(usize, &str)> = words(line).collect();
    let netrc = words.iter().any(|(_, word)| matches!(*word, "login" | "machine"));
    words.iter().zip(words.iter().skip(1)).find_map(|((at, word), _)| {
        let alone = words.len() == 2;
        let key = word.trim_matches(['"', '\'']);
        let flag = key.starts_with('-') || alone || netrc;
        (flag && masker.hides_key(key)).then_some(at + word.len())
    })
}

fn words(line: &str) -> impl Iterator<Item = (usize, &str)> {
    line.split_whitespace().map(|word| (word.as_ptr().addr() - line.as_ptr().addr(), word))
}

/// What of the lines below belongs to the secret that starts in this one.
fn what_follows(shown: &str, secret: &str) -> Below {
    let value = secret.trim();
    for quote in QUOTES {
        if let Some(rest) = value.strip_prefix(quote) {
            if !closes(rest, quote) {
                return Below::Until(quote);
            }
            break;
        }
    }
    if value.ends_with('\\') {
        return Below::Next;
    }
    // A key in a list item is indented by where its text starts, not by where the dash is.
    let content = shown.trim_start_matches([' ', '\t', '-', '?']);
    let indent = shown.len() - content.len();
    Below::Deeper { indent, items: value.is_empty() }
}

fn closes(rest: &str, quote: &str) -> bool {
    let mut escaped = false;
    rest.char_indices().any(|(at, c)| {
        let here = !escaped && rest.get(at..).is_some_and(|rest| rest.starts_with(quote));
        escaped = c == '\\' && !escaped && quote.starts_with('"');
        here
    })
}

/// Hides credentials that are known without a key: in URLs, behind `Bearer` and `Basic`, by prefix.
fn hide_words(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut done = 0;
    let mut secret_next = false;
    for (at, word) in words(line) {
        out.push_str(line.get(done..at).unwrap_or_default());
        done = at + word.len();
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        if secret_next || PREFIXES.iter().any(|prefix| word.contains(prefix)) {
            out.push_str(HIDDEN);
        } else {
            hide_userinfo(word, &mut out);
        }
        secret_next = bare.eq_ignore_ascii_case("bearer") || bare.eq_ignore_ascii_case("basic");
    }
    out.push_str(line.get(done..).unwrap_or_default());
    out
}

/// `scheme://user:password@host` without the password; over HTTP without the user too, which may be
/// a token.
fn hide_userinfo(word: &str, out: &mut String) {
    let mut rest = word;
    while let Some((scheme, behind)) = rest.split_once("://") {
        let authority = behind.split(['/', '?', '#']).next().unwrap_or_default();
        rest = behind.get(authority.len()..).unwrap_or_default();
        out.push_str(scheme);
        out.push_str("://");
        let Some((user, host)) = authority.rsplit_once('@') else {
            out.push_str(authority);
            continue;
        };
        match user.split_once(':') {
            Some((user, _)) => out.push_str(&format!("{user}:{HIDDEN}")),
            None if scheme.ends_with("http") || scheme.ends_with("https") => out.push_str(HIDDEN),
            None => out.push_str(user),
        }
        out.push('@');
        out.push_str(host);
    }
    out.push_str(rest);
}
