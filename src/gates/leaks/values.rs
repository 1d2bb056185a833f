use super::{AtHand, Leak};
use crate::document::is_example;
use crate::document::{Masker, Node, Value};

/// Shorter ones are words.
const CHARS_LEAST: usize = 10;
/// Bits that each character of a made-up value carries at least (Shannon, over its own characters).
const BITS_LEAST: f64 = 3.0;
/// Ends of keys that say where a secret is, or how it is used, and not what it is.
const ABOUT_SECRETS: [&str; 18] = [
    "file",
    "path",
    "name",
    "ref",
    "url",
    "uri",
    "id",
    "ttl",
    "lifetime",
    "expiry",
    "type",
    "provider",
    "store",
    "algorithm",
    "header",
    "env",
    "key_id",
    "endpoint",
];

/// Values that look made up, under keys that say that they are secret.
pub(super) fn find(file: &AtHand<'_>, text: &str) -> Vec<Leak> {
    let mut found = Vec::new();
    let standard;
    let masker = match &file.rules.masker {
        Some(masker) => masker,
        None => match Masker::new(&[], &[]) {
            Ok(masker) => {
                standard = masker;
                &standard
            }
            Err(_) => return found,
        },
    };
    for document in file.readable() {
        // What SOPS encrypted has its own authenticity, and keys in plain text beside it.
        if document.root.get("sops").is_none() {
            walk(&document.root, masker, &mut found);
        }
    }
    if file.format.is_none() && is_environment(file.path.as_str()) {
        assignments(text, masker, &mut found);
    }
    found
}

fn is_environment(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    name == ".env" || name.ends_with(".env") || name.starts_with(".env.")
}

fn walk(node: &Node, masker: &Masker, found: &mut Vec<Leak>) {
    match &node.value {
        Value::Scalar(_) => {}
        Value::Sequence(items) => items.iter().for_each(|item| walk(item, masker, found)),
        Value::Mapping(pairs) => {
            for (key, value) in pairs {
                let name = key.text().unwrap_or_default();
                match value.text() {
                    Some(text) if value.tag.is_none() => {
                        if is_secret(name, text, masker) {
                            found.push(leak(value.line, value.column));
                        }
                    }
                    _ => walk(value, masker, found),
                }
            }
        }
    }
}

fn assignments(text: &str, masker: &Masker, found: &mut Vec<Leak>) {
    for (number, line) in (1..).zip(text.lines()) {
        let bare = line.trim_start();
        let Some((name, value)) = bare.strip_prefix("export ").unwrap_or(bare).split_once('=')
        else {
            continue;
        };
        let value = value.split(" #").next().unwrap_or_default().trim().trim_matches(['"', '\'']);
        if !bare.starts_with('#') && is_secret(name.trim(), value, masker) {
            let column = line.find('=').map_or(1, |at| line[..at].chars().count() + 2);
            found.push(leak(number, u32::try_from(column).unwrap_or(u32::MAX)));
        }
    }
}

fn leak(line: u32, column: u32) -> Leak {
    Leak {
        rule: "value",
        what: "what looks like a secret, under a key that says so,",
        line,
        column,
    }
}

fn is_secret(key: &str, value: &str, masker: &Masker) -> bool {
    masker.hides_key(key)
        && !is_about_secrets(&key.to_ascii_lowercase())
        && !is_said_elsewhere(value)
        && looks_made_up(value)
}

fn is_about_secrets(key: &str) -> bool {
    ABOUT_SECRETS.iter().any(|end| key.ends_with(end))
}

/// A name, a path, a variable or what was encrypted: the secret itself is elsewhere.
fn is_said_elsewhere(value: &str) -> bool {
    value.starts_with(['/', '.', '~', '$', '<', '{', '%', '*', '@'])
        || ["ENC[", "vault:", "env:", "file:", "op://", "arn:", "sha256:", "age1", "ssh-", "http"]
            .iter()
            .any(|begins| value.starts_with(begins))
        || value.contains(' ')
        || value.as_bytes().windows(2).any(|pair| matches!(pair, b"${" | b"{{"))
        || is_example(value)
}

/// Whether a machine may have made it up: long, with many different characters, and not made of
/// words and small numbers, as names are.
fn looks_made_up(value: &str) -> bool {
    let chars = value.chars().count();
    chars >= CHARS_LEAST && bits_per_char(value) >= BITS_LEAST && !is_a_name(value)
}

/// `my-service-v2`, `db.internal.example`, `2026-11-23`: parts that are a word, a number, or a word
/// with a small number behind it.
fn is_a_name(value: &str) -> bool {
    const NUMBER_DIGITS_MAX: usize = 4;
    const WORD_CHARS_MAX: usize = 16;
    value.split(['-', '_', '.', ':', '/']).all(|part| {
        let word = part.trim_end_matches(|c: char| c.is_ascii_digit());
        let digits = part.len() - word.len();
        let is_word = word.chars().all(char::is_alphabetic)
            && word.chars().count() <= WORD_CHARS_MAX
            && !has_mixed_case(word);
        is_word && digits <= NUMBER_DIGITS_MAX
    })
}

/// Capitals behind small letters more than twice, as no `camelCase` word of usual length has.
fn has_mixed_case(word: &str) -> bool {
    const HUMPS_MAX: usize = 2;
    let pairs = word.chars().zip(word.chars().skip(1));
    pairs.filter(|(a, b)| a.is_lowercase() && b.is_uppercase()).count() > HUMPS_MAX
}

/// Bits that each character carries, by how often each of them is there.
fn bits_per_char(value: &str) -> f64 {
    let mut of_ascii = [0_u32; 128];
    let mut of_others = std::collections::BTreeMap::new();
    for c in value.chars() {
        match of_ascii.get_mut(c as usize) {
            Some(count) => *count += 1,
            None => *of_others.entry(c).or_insert(0) += 1,
        }
    }
    let counts = || of_ascii.iter().chain(of_others.values()).copied().filter(|count| *count > 0);
    let all: f64 = counts().map(f64::from).sum();
    counts().map(|count| f64::from(count) / all).map(|part| -part * part.log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_counted_over_all_characters() {
        for (value, bits) in [("", 0.0), ("aaaa", 0.0), ("abab", 1.0), ("aäaä", 1.0), ("abäö", 2.0)]
        {
            assert!((bits_per_char(value) - bits).abs() < 1e-9, "{value}");
        }
    }
}
