use super::super::{Format, parse};
use super::*;
use crate::model::Limits;

fn masker() -> Masker {
    Masker::new(&["private/".to_owned()], &["S-S-N".to_owned()]).unwrap()
}

#[test]
fn keys_are_known_in_every_spelling() {
    let masker = masker();
    for key in [
        "password",
        "DB_PASSWORD",
        "apiKey",
        "api-key",
        "API Key",
        "privateKeyFile",
        "passwd",
        "clientSecret",
        "credentials",
        "user_ssn",
        "auth.token",
    ] {
        assert!(masker.hides_key(key), "{key}");
    }
    for key in ["name", "path", "max_tokens", "tokenizer", "keyboard", "public_key", "interval"] {
        assert!(!masker.hides_key(key), "{key}");
    }
}

#[test]
fn files_are_known_by_path() {
    let masker = masker();
    let hides = |path: &str| masker.hides_file(&TreePath::parse(path).unwrap());
    assert!(hides("secrets.env") && hides("a/b/secrets.env") && hides("k/x.yaml.age"));
    assert!(hides("private/x.yaml") && !hides("system.env") && !hides("age.yaml"));
}

#[test]
fn a_pattern_that_cannot_be_read_is_named() {
    let error = Masker::new(&["[z-a]".to_owned()], &[]).unwrap_err();
    assert_eq!(error.to_string(), "`[z-a]` is not a gitignore-style pattern");
}

#[test]
fn texts_are_shown_without_secrets() {
    let text = "\
listening on 127.0.0.1:8080
PASSWORD=hunter2
export API_KEY=\"abc\" OTHER=1
token: abc def
password:
  - one
- same
name: x
secret: |
  first

  second
other: y
{\"user\": \"u\", \"password\": \"p\", \"more\": 1}
curl --token abc https://x.example/
machine h login u password p
cloning https://user:pw@git.example.com/x and ssh://git@host/y, https://ghp_abc@host/
Authorization: Bearer abc.def
got Bearer abc.def back
-----BEGIN OPENSSH PRIVATE KEY-----
aaaa
-----END OPENSSH PRIVATE KEY-----
after
secret_text = '''
one
two'''
end
token=a\\
b
end whsec_abc
<password>x</password>
https://x.example/?a=1&access_token=abc&b=2";
    insta::assert_snapshot!(masker().text(text));
}

#[test]
fn lines_stay_lines() {
    let text = "a\n\npassword: |\n  x\n\n  y\nb\n";
    assert_eq!(masker().lines(text).len(), text.split('\n').count());
    assert_eq!(masker().text("plain text\r\nstays\n"), "plain text\r\nstays\n");
}

#[test]
fn secrets_of_a_document_are_found_in_every_place() {
    let text = "a: 1\nenv:\n  - {name: DB_PASSWORD, value: v1}\n  - {name: HOME, value: v2}\n\
                tokens: {k1: [t1, {t2: t3}]}\n";
    let documents = parse(text.as_bytes(), Format::Yaml, &Limits::default()).unwrap();
    assert_eq!(masker().secrets(&documents), ["v1", "k1", "t1", "t2", "t3"]);
}

#[test]
fn no_text_makes_masking_fail_or_slow() {
    for part in [
        "://",
        "://a@",
        "password: '",
        "a=",
        "-----BEGIN PRIVATE KEY",
        "\"\"\"",
        "--token ",
        "AKIA",
        "glpat-",
        "SG.",
        "eyJ",
        "eyJ.",
        "/whsec_",
    ] {
        let masked = masker().text(&part.repeat(100_000));
        assert!(!masked.is_empty());
    }
}

#[test]
fn credentials_of_known_shapes_are_hidden_under_any_key() {
    let masker = Masker::new(&[], &[]).unwrap();
    let key = format!("AKIA{}", "Q7".repeat(8));
    let token = format!("ghp_{}", "a1B2".repeat(9));
    let text = format!("id: {key}\nuses: [{token}, {key}] # both\nplain: AKIA\n");
    assert_eq!(
        masker.text(&text),
        "id: (hidden)\nuses: [(hidden), (hidden)] # both\nplain: AKIA\n"
    );
}

#[test]
fn a_credential_that_could_be_an_example_is_hidden_all_the_same() {
    let token = format!("ghp_xxxx{}", "a1B2".repeat(8));
    assert_eq!(masker().text(&format!("id: {token}")), "id: (hidden)");
}
