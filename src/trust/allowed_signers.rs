//! The SSH keys that may sign: ssh-keygen(1), section ALLOWED SIGNERS.
//!
//! One line a key: principals, options, kind, key, comment. What ssh-keygen would not take is an
//! error here too, with its place; so is what it takes and we do not (certificate authorities).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{NaiveDate, NaiveDateTime, NaiveTime};

use super::ssh::{SshKey, is_kind};
use super::time::Span;
use crate::model::Finding;

/// Lines with a key.
const SIGNERS_MAX: usize = 10_000;

/// Errors that are told of one file.
const FINDINGS_MAX: usize = 20;

/// Characters of what is shown of a line.
const SHOWN_CHARS_MAX: usize = 60;

/// One line: who may sign with which key, for what and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Signer {
    /// Whose key it is, as the line says.
    pub(super) principals: String,
    pub(super) key: SshKey,
    /// When it may sign.
    pub(super) valid: Span,
    /// What it may sign for; `None`: everything.
    namespaces: Option<String>,
    /// The line, from 1.
    pub(super) line: u32,
}

impl Signer {
    /// Whether it may sign for this.
    pub(super) fn signs_for(&self, namespace: &str) -> bool {
        self.namespaces.as_deref().is_none_or(|patterns| is_in(patterns, namespace))
    }
}

/// The second at which a local time was or will be; `None`: the clocks pass over it.
pub(super) type LocalTime = fn(NaiveDateTime) -> Option<i64>;

/// A complaint: the byte of the line that it is about, what is wrong, and what to do.
type Complaint = (usize, String, &'static str);

const FORM: &str =
    "write `principal namespaces=\"git\" ssh-ed25519 AAAA…`, as in ssh-keygen(1), ALLOWED SIGNERS";

/// Reads a file, whose times without a zone are of `local`. Findings have line and column.
pub(super) fn read(bytes: &[u8], local: LocalTime) -> Result<Vec<Signer>, Vec<Finding>> {
    let (mut signers, mut findings) = (Vec::new(), Vec::new());
    for (number, line) in (1_u32..).zip(bytes.split(|byte| *byte == b'\n')) {
        let wrong = |at: usize, message: &str, hint: &str| {
            let before = line.get(..at).unwrap_or(line);
            let column = String::from_utf8_lossy(before).chars().count() + 1;
            let column = u32::try_from(column).unwrap_or(u32::MAX);
            Finding::error("trust.allowed_signers", message).at(number, column).hint(hint)
        };
        let text = match std::str::from_utf8(line) {
            Ok(text) => text,
            Err(error) => {
                let hint = "write the file as UTF-8";
                findings.push(wrong(error.valid_up_to(), "is not UTF-8", hint));
                continue;
            }
        };
        let is_empty = text.trim().is_empty() || text.trim_start().starts_with('#');
        match (!is_empty).then(|| signer(text, number, local)) {
            None => {}
            Some(Ok(signer)) => signers.push(signer),
            Some(Err((at, message, hint))) => findings.push(wrong(at, &message, hint)),
        }
        if signers.len() > SIGNERS_MAX {
            let message = format!("has more than {SIGNERS_MAX} keys");
            findings.push(wrong(0, &message, "keep the keys of those who sign for this node only"));
        }
        if findings.len() >= FINDINGS_MAX || signers.len() > SIGNERS_MAX {
            break;
        }
    }
    if findings.is_empty() { Ok(signers) } else { Err(findings) }
}

fn signer(text: &str, line: u32, local: LocalTime) -> Result<Signer, Complaint> {
    let mut words = Words { text, at: 0 };
    let (at, principals) = words.next_word().map_err(|at| unclosed(at, "the principals"))?;
    let principals = unquoted(principals);
    if principals.split(',').any(str::is_empty) {
        return Err((at, "an empty principal".to_owned(), FORM));
    }
    let mut given = Options::default();
    let (mut at, mut kind) = words.next_word().map_err(|at| unclosed(at, "the options"))?;
    if !is_kind(kind) {
        if kind.is_empty() {
            return Err((at, "there is no key behind the principals".to_owned(), FORM));
        }
        let (behind, next) = words.next_word().map_err(|at| unclosed(at, "the kind"))?;
        if !is_kind(next) && !kind.contains('=') && !is_option(kind) {
            let what = format!("{} is neither an option nor a kind of key", shown(kind));
            return Err((at, what, FORM));
        }
        given = options(at, kind, local)?;
        (at, kind) = (behind, next);
        if !is_kind(kind) {
            return Err((at, format!("{} is not a kind of key", shown(kind)), FORM));
        }
    }
    let (behind, base64) = words.next_word().map_err(|at| unclosed(at, "the key"))?;
    let read = STANDARD.decode(base64).ok().and_then(SshKey::read);
    match read.filter(|key| key.kind() == kind) {
        Some(key) => {
            let Options { valid, namespaces } = given;
            Ok(Signer { principals: principals.to_owned(), key, valid, namespaces, line })
        }
        None if base64.is_empty() => Err((behind, format!("no key follows {kind}"), FORM)),
        None => {
            let what = format!("{} is not a key of the kind {kind}", shown(base64));
            Err((behind, what, "copy the line of the `.pub` file whole"))
        }
    }
}

fn unclosed(at: usize, what: &str) -> Complaint {
    (at, format!("the quotes of {what} are not closed"), "close them with `\"`")
}

fn is_option(word: &str) -> bool {
    word.eq_ignore_ascii_case("cert-authority")
}

/// What a line says of its key.
#[derive(Default)]
struct Options {
    valid: Span,
    namespaces: Option<String>,
}

/// Reads `namespaces="git",valid-after="20260101Z"`, which begins at byte `at`.
fn options(at: usize, text: &str, local: LocalTime) -> Result<Options, Complaint> {
    let (mut at, mut given) = (at, Options::default());
    for option in split_outside_quotes(text) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let (inner, start) = (unquoted(value), at + name.len() + 2);
        let is_quoted = value.len() >= 2 && inner.len() + 2 == value.len();
        let twice = || {
            let what = format!("{} is there twice", shown(name));
            Err((at, what, "keep one of them"))
        };
        match name.to_ascii_lowercase().as_str() {
            "cert-authority" => {
                let hint = "list the keys that sign themselves, one a line";
                return Err((at, "certificate authorities are not supported".to_owned(), hint));
            }
            "namespaces" | "valid-after" | "valid-before" if !is_quoted => {
                let what = format!("the value of {name} has no quotes");
                return Err((at, what, "write it as namespaces=\"git\""));
            }
            "namespaces" if given.namespaces.is_some() => return twice(),
            "namespaces" => given.namespaces = Some(inner.to_owned()),
            "valid-after" if given.valid.from.is_some() => return twice(),
            "valid-after" => given.valid.from = Some(time(start, inner, local)?),
            "valid-before" if given.valid.until.is_some() => return twice(),
            "valid-before" => given.valid.until = Some(time(start, inner, local)?),
            _ => {
                let what = format!("{} is not an option", shown(name));
                return Err((at, what, "the options are namespaces, valid-after, valid-before"));
            }
        }
        at += option.len() + 1;
    }
    if let Span { from: Some(from), until: Some(until) } = given.valid
        && until <= from
    {
        let what = "valid-before is not behind valid-after".to_owned();
        return Err((at.saturating_sub(1), what, "no time is left in which the key may sign"));
    }
    Ok(given)
}

/// `YYYYMMDD`, `YYYYMMDDHHMM` or `YYYYMMDDHHMMSS`, with a `Z` behind it for UTC.
fn time(at: usize, text: &str, local: LocalTime) -> Result<i64, Complaint> {
    let (digits, is_utc) = text.strip_suffix(['Z', 'z']).map_or((text, false), |it| (it, true));
    let second = moment(digits).and_then(|moment| match is_utc {
        true => Some(moment.and_utc().timestamp()),
        false => local(moment),
    });
    let what = || format!("{} is not a time", shown(text));
    let hint = "write YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, with a Z behind it for UTC";
    second.ok_or_else(|| (at, what(), hint))
}

fn moment(digits: &str) -> Option<NaiveDateTime> {
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| digits.get(from..to)?.parse::<u32>().ok();
    let date = NaiveDate::from_ymd_opt(part(0, 4)?.try_into().ok()?, part(4, 6)?, part(6, 8)?)?;
    let time = match digits.len() {
        8 => NaiveTime::from_hms_opt(0, 0, 0),
        12 => NaiveTime::from_hms_opt(part(8, 10)?, part(10, 12)?, 0),
        14 => NaiveTime::from_hms_opt(part(8, 10)?, part(10, 12)?, part(12, 14)?),
        _ => None,
    };
    Some(date.and_time(time?))
}

/// The words of a line; quotes hold spaces together.
struct Words<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Words<'a> {
    /// The next word and its first byte; an empty one at the end. An error is the byte of a quote
    /// that is not closed.
    fn next_word(&mut self) -> Result<(usize, &'a str), usize> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let start = self.at + (rest.len() - rest.trim_start().len());
        let word = self.text.get(start..).unwrap_or_default();
        let mut quote = None;
        let end = word.char_indices().find(|(at, c)| {
            match (c, quote) {
                ('"', None) => quote = Some(start + at),
                ('"', Some(_)) => quote = None,
                _ => {}
            }
            quote.is_none() && c.is_whitespace()
        });
        if let Some(at) = quote {
            return Err(at);
        }
        let word = end.and_then(|(end, _)| word.get(..end)).unwrap_or(word);
        self.at = start + word.len();
        Ok((start, word))
    }
}

/// The parts between commas that are in no quotes.
fn split_outside_quotes(text: &str) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    text.split(move |c| {
        is_quoted ^= c == '"';
        c == ',' && !is_quoted
    })
}

fn unquoted(text: &str) -> &str {
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text)
}

fn shown(text: &str) -> String {
    let cut: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    let dots = if cut.len() < text.len() { "…" } else { "" };
    format!("`{}{dots}`", cut.escape_debug())
}

/// Whether a name is in a list of patterns (ssh_config(5), PATTERNS): one of them matches, and none
/// with a `!` before it does.
fn is_in(patterns: &str, name: &str) -> bool {
    let mut found = false;
    for pattern in patterns.split(',') {
        match pattern.strip_prefix('!') {
            Some(pattern) if matches(pattern, name) => return false,
            Some(_) => {}
            None => found |= matches(pattern, name),
        }
    }
    found
}

/// `*` is any characters, `?` is one. Costs at most the product of the lengths.
fn matches(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    // which beginnings of the name the pattern so far matches
    let mut reached = vec![false; name.len() + 1];
    reached[0] = true;
    for wanted in pattern {
        let mut next = vec![false; name.len() + 1];
        for at in 0..=name.len() {
            let before = at > 0 && (reached[at - 1] || (wanted == '*' && next[at - 1]));
            next[at] = match wanted {
                '*' => reached[at] || before,
                '?' => before,
                c => before && name.get(at - 1) == Some(&c),
            };
        }
        reached = next;
    }
    reached.last() == Some(&true)
}

#[cfg(test)]
mod tests;
