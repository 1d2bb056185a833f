use super::Leak;

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

/// Lines that private keys begin with.
const KEYS: &[&str] = &["PRIVATE KEY-----", "PRIVATE KEY BLOCK-----", "PuTTY-User-Key-File-"];

/// Credentials of known shapes.
pub(super) fn find(text: &str) -> Vec<Leak> {
    let mut found = Vec::new();
    for shape in SHAPES {
        for (at, begins) in text.match_indices(shape.begins) {
            let before = text[..at].chars().next_back();
            let rest = &text[at + begins.len()..];
            let length = rest.chars().take_while(|c| (shape.goes_on)(*c)).count();
            let whole = &text[at..at + begins.len() + length];
            if length >= shape.least && !before.is_some_and(word) && !is_example(whole) {
                found.push(leak(text, at, shape.rule, shape.what));
            }
        }
    }
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
    found.extend(text.match_indices("eyJ").filter_map(|(at, _)| signed_token(text, at)));
    found
}

/// What documentation shows.
pub(super) fn is_example(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    [
        "example",
        "placeholder",
        "changeme",
        "change-me",
        "change_me",
        "xxxx",
        "your-",
        "your_",
        "0000000000",
    ]
    .iter()
    .any(|word| lower.contains(word))
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

/// A JSON Web Token (RFC 7519): three parts, of which the first two are JSON.
fn signed_token(text: &str, at: usize) -> Option<Leak> {
    const PART_LEAST: usize = 16;
    if text[..at].chars().next_back().is_some_and(dotted) {
        return None;
    }
    let rest = &text[at..];
    let length = rest.find(|c| !dotted(c)).unwrap_or(rest.len());
    let mut parts = rest[..length].split('.');
    let (head, body, signature) = (parts.next()?, parts.next()?, parts.next()?);
    let long = [head, body, signature].iter().all(|part| part.len() >= PART_LEAST);
    (long && body.starts_with("eyJ")).then(|| leak(text, at, "jwt", "a JSON Web Token"))
}

fn leak(text: &str, at: usize, rule: &'static str, what: &'static str) -> Leak {
    let before = &text[..at];
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before[before.rfind('\n').map_or(0, |end| end + 1)..].chars().count() + 1;
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Leak { rule, what, line: number(line), column: number(column) }
}
