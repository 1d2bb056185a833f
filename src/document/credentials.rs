//! Credentials that are known by their shape, wherever they stand.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

/// A credential that is known by how it begins and what follows.
struct Shape {
    rule: &'static str,
    what: &'static str,
    begins: &'static str,
    /// What it goes on with.
    goes_on: fn(char) -> bool,
    /// Characters that follow the beginning, at least.
    least: usize,
}

const fn shape(
    rule: &'static str,
    what: &'static str,
    begins: &'static str,
    goes_on: fn(char) -> bool,
    least: usize,
) -> Shape {
    Shape { rule, what, begins, goes_on, least }
}

fn alphanumeric(c: char) -> bool {
    c.is_ascii_alphanumeric()
}

fn word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn token(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

fn dotted(c: char) -> bool {
    token(c) || c == '.'
}

fn capital(c: char) -> bool {
    c.is_ascii_uppercase() || c.is_ascii_digit()
}

fn hex(c: char) -> bool {
    c.is_ascii_hexdigit()
}

/// As those who issue them describe them.
const SHAPES: &[Shape] = &[
    shape("aws_access_key", "an access key of AWS", "AKIA", capital, 16),
    shape("aws_access_key", "an access key of AWS", "ASIA", capital, 16),
    shape("github_token", "a token of GitHub", "ghp_", alphanumeric, 36),
    shape("github_token", "a token of GitHub", "gho_", alphanumeric, 36),
    shape("github_token", "a token of GitHub", "ghu_", alphanumeric, 36),
    shape("github_token", "a token of GitHub", "ghs_", alphanumeric, 36),
    shape("github_token", "a token of GitHub", "ghr_", alphanumeric, 36),
    shape("github_token", "a token of GitHub", "github_pat_", word, 36),
    shape("gitlab_token", "a token of GitLab", "glpat-", token, 20),
    shape("gitlab_token", "a token of GitLab", "glrt-", token, 20),
    shape("gitlab_token", "a token of GitLab", "gldt-", token, 20),
    shape("slack_token", "a token of Slack", "xoxb-", token, 20),
    shape("slack_token", "a token of Slack", "xoxp-", token, 20),
    shape("slack_token", "a token of Slack", "xoxa-", token, 20),
    shape("slack_token", "a token of Slack", "xoxs-", token, 20),
    shape("slack_token", "a token of Slack", "xapp-", token, 20),
    shape("google_api_key", "an API key of Google", "AIza", token, 35),
    shape("stripe_key", "a live key of Stripe", "sk_live_", alphanumeric, 16),
    shape("stripe_key", "a live key of Stripe", "rk_live_", alphanumeric, 16),
    shape("npm_token", "a token of npm", "npm_", alphanumeric, 36),
    shape("pypi_token", "a token of PyPI", "pypi-AgEI", token, 40),
    shape("sendgrid_key", "a key of SendGrid", "SG.", dotted, 60),
    shape("digitalocean_token", "a token of DigitalOcean", "dop_v1_", hex, 64),
    shape("openai_key", "a key of OpenAI", "sk-proj-", token, 32),
    shape("anthropic_key", "a key of Anthropic", "sk-ant-", token, 32),
    shape("huggingface_token", "a token of Hugging Face", "hf_", alphanumeric, 30),
    shape("vault_token", "a token of Vault", "hvs.", token, 24),
    shape("age_key", "a secret key of age", "AGE-SECRET-KEY-1", capital, 50),
    shape("webhook_secret", "a secret of webhooks", "whsec_", base64, 24),
    shape("webhook_secret", "a key of webhooks", "whsk_", base64, 32),
];

fn base64(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '-' | '_')
}

/// A credential in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// What findings about it are called.
    pub rule: &'static str,
    /// What it is, in words.
    pub what: &'static str,
    /// Which bytes of the text it is.
    pub at: Range<usize>,
}

/// Tokens and keys of known issuers, and JSON Web Tokens, in the order of their kinds. Whether one is
/// only shown as an example ([`is_example`]) is for whoever asks to say. Takes time by the length of
/// the text, whatever is in it.
#[must_use]
pub fn credentials(text: &str) -> Vec<Credential> {
    static BEGINNINGS: LazyLock<Option<AhoCorasick>> =
        LazyLock::new(|| words(SHAPES.iter().map(|shape| shape.begins), false));
    let mut found = Vec::new();
    // Most texts have none of them.
    let may_have = BEGINNINGS.as_ref().is_none_or(|beginnings| beginnings.is_match(text));
    let shapes = if may_have { SHAPES } else { &[] };
    for shape in shapes {
        // Most texts are too short to hold any.
        if text.len() < shape.begins.len() + shape.least {
            continue;
        }
        let mut from = 0;
        while let Some(at) = text[from..].find(shape.begins).map(|at| from + at) {
            let begun = at + shape.begins.len();
            if text[..at].chars().next_back().is_some_and(word) {
                from = begun;
                continue;
            }
            let length = text[begun..].find(|c| !(shape.goes_on)(c)).unwrap_or(text.len() - begun);
            // What begins inside of it is a part of it, and so is shorter.
            from = begun + length;
            if length >= shape.least {
                found.push(Credential { rule: shape.rule, what: shape.what, at: at..from });
            }
        }
    }
    found.extend(text.match_indices("eyJ").filter_map(|(at, _)| signed_token(text, at)));
    found
}

/// What documentation shows.
#[must_use]
pub fn is_example(text: &str) -> bool {
    static WORDS: LazyLock<Option<AhoCorasick>> =
        LazyLock::new(|| words(EXAMPLES.into_iter(), true));
    WORDS.as_ref().is_some_and(|words| words.is_match(text))
}

/// What examples hold, in whatever case.
const EXAMPLES: [&str; 9] = [
    "example",
    "placeholder",
    "changeme",
    "change-me",
    "change_me",
    "xxxx",
    "your-",
    "your_",
    "0000000000",
];

/// Words that are looked for all at once, in less time than one by one; `None`: they are too many for
/// that, which these are not.
fn words(words: impl Iterator<Item = &'static str>, in_any_case: bool) -> Option<AhoCorasick> {
    let mut builder = AhoCorasick::builder();
    builder.match_kind(MatchKind::LeftmostFirst).kind(Some(AhoCorasickKind::ContiguousNFA));
    builder.ascii_case_insensitive(in_any_case).build(words).ok()
}

/// A JSON Web Token (RFC 7519): three parts, of which the first two are JSON.
fn signed_token(text: &str, at: usize) -> Option<Credential> {
    const PART_LEAST: usize = 16;
    if text[..at].chars().next_back().is_some_and(dotted) {
        return None;
    }
    let rest = &text[at..];
    let length = rest.find(|c| !dotted(c)).unwrap_or(rest.len());
    let mut parts = rest[..length].split('.');
    let (head, body, signature) = (parts.next()?, parts.next()?, parts.next()?);
    let long = [head, body, signature].iter().all(|part| part.len() >= PART_LEAST);
    let at = at..at + length;
    (long && body.starts_with("eyJ")).then_some(Credential {
        rule: "jwt",
        what: "a JSON Web Token",
        at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_credential_is_found_and_nothing_beside_it() {
        let key = format!("AKIA{}", "A1".repeat(8));
        let text = format!("run with {key}, please");
        let found = credentials(&text);
        assert_eq!(found.len(), 1);
        assert_eq!(&text[found[0].at.clone()], key);
        assert_eq!(credentials("AKIA and no more, xAKIAA1A1A1A1A1A1A1A1A1"), []);
    }

    #[test]
    fn each_kind_is_found_in_a_text_that_holds_no_other() {
        for shape in SHAPES {
            let goes_on = ['A', 'a', '1'].into_iter().find(|c| (shape.goes_on)(*c)).unwrap();
            let rest = goes_on.to_string().repeat(shape.least);
            let text = format!("a text before {}{rest} and one behind", shape.begins);
            let found = credentials(&text);
            let rules: Vec<&str> = found.iter().map(|one| one.rule).collect();
            assert_eq!(rules, [shape.rule], "{text}");
        }
    }

    #[test]
    fn examples_are_known_by_each_word_in_whatever_case() {
        for word in EXAMPLES {
            for text in [word.to_owned(), word.to_uppercase(), format!("ä-{word}9")] {
                assert!(is_example(&text), "{text}");
            }
            assert!(!is_example(&word[1..word.len() - 1]), "{word}");
        }
    }

    #[test]
    fn what_begins_inside_of_a_credential_is_a_part_of_it() {
        let text = format!("glpat-short,glpat-{},end", "glpat-".repeat(4));
        let found = credentials(&text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(&text[found[0].at.clone()], format!("glpat-{}", "glpat-".repeat(4)));
    }
}
