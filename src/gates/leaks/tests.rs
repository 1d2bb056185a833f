use proptest::prelude::*;

use super::super::files::Schemas;
use super::super::{AtHand, Rules};
use super::check;
use crate::config::{LeakAllowed, LeakPolicy, Mask, Validation};
use crate::model::{Finding, Limits, TreePath};

fn of_rules(path: &str, text: &str, validation: Validation) -> Vec<Finding> {
    let rules = Rules::new(&Limits::default()).with(&validation, &Mask::default()).unwrap();
    let schemas = Schemas::none();
    let path = TreePath::parse(path).unwrap();
    check(&AtHand::new(&path, text.as_bytes(), &rules, &schemas))
}

fn refusing() -> Validation {
    Validation { leaks: LeakPolicy::Refuse, ..Validation::default() }
}

fn found(path: &str, text: &str) -> Vec<String> {
    let told = of_rules(path, text, refusing());
    told.iter().map(|f| format!("{}:{} {}", f.line.unwrap(), f.column.unwrap(), f.rule)).collect()
}

/// Made up here; joined so that nobody takes this file for a leak.
fn made_up(begins: &str, length: usize) -> String {
    let alphabet = b"q7Rk2Zp9LmX4vTb8NcW3sHd6JfYg5aUeQ1";
    let rest = (0..length).map(|n| char::from(alphabet[(n * 7 + 3) % alphabet.len()]));
    format!("{begins}{}", rest.collect::<String>())
}

#[test]
fn credentials_of_known_shapes_are_found_wherever_they_stand() {
    let cases = [
        (made_up("ghp_", 36), "github_token"),
        (made_up("glpat-", 20), "gitlab_token"),
        (made_up("xoxb-", 40), "slack_token"),
        (made_up("AIza", 35), "google_api_key"),
        (made_up("sk_live_", 24), "stripe_key"),
        (made_up("hvs.", 24), "vault_token"),
        (made_up("AKIA", 16).to_uppercase(), "aws_access_key"),
        (made_up("AGE-SECRET-KEY-1", 58).to_uppercase(), "age_key"),
        (format!("{}.{}.{}", made_up("eyJ", 20), made_up("eyJ", 20), made_up("s", 30)), "jwt"),
        (format!("postgres://app:{}@db/x", made_up("p", 9)), "url_password"),
    ];
    for (value, rule) in cases {
        let text = format!("# first\nnote: see {value} there\n");
        let told = found("a.yaml", &text);
        assert_eq!(told.len(), 1, "{rule}: {told:?}");
        assert!(
            told[0].starts_with("2:") && told[0].ends_with(&format!("leak.{rule}")),
            "{told:?}"
        );
        assert!(!found("README", &text).is_empty(), "{rule}");
    }
    let key = format!("key: |\n  -----{} OPENSSH PRIVATE KEY-----\n  b3Bl\n", "BEGIN");
    assert_eq!(found("a.yaml", &key), ["2:1 leak.private_key"]);
}

#[test]
fn places_are_told_in_lines_and_characters() {
    let (one, two) = (made_up("ghp_", 36), made_up("glpat-", 20));
    assert_eq!(
        found("a.yaml", &format!("ä: {one} # é {two}\n\nö: {two}\n")),
        ["1:4 leak.github_token", "1:49 leak.gitlab_token", "3:4 leak.gitlab_token"]
    );
}

#[test]
fn a_long_url_may_be_cut_anywhere() {
    for letters in ["é", "€", "😀", "a"] {
        for more in 0..4 {
            let host = format!("{}{}", "a".repeat(more), letters.repeat(500));
            assert_eq!(found("a.yaml", &format!("url: x://{host}@h\n")), Vec::<String>::new());
        }
    }
    let password = made_up("p", 9);
    assert_eq!(
        found("a.yaml", &format!("url: x://é:{password}@{}\n", "é".repeat(500))),
        ["1:7 leak.url_password"]
    );
}

/// A quadratic search takes minutes for this, or hours.
#[test]
fn no_text_makes_the_search_slow() {
    let parts = [
        "AKIA".to_owned(),
        "glpat-".to_owned(),
        "SG.".to_owned(),
        "eyJ.".to_owned(),
        "://".to_owned(),
        "://a:b@".to_owned(),
        "-----BEGIN ".to_owned(),
        "PRIVATE KEY-----".to_owned(),
        format!("{} ", made_up("ghp_", 36)),
        format!("{}\n", made_up("ghp_", 36)),
        format!("{} # kconfigd:allow-leak because\n", made_up("ghp_", 36)),
        format!("x://u:{}@h ", made_up("p", 9)),
        format!("TOKEN={}\n", made_up("", 24)),
    ];
    for part in parts {
        let text = part.repeat((1 << 20) / part.len());
        of_rules("x.env", &text, refusing());
    }
}

#[test]
fn values_that_look_made_up_are_found_under_keys_that_say_they_are_secret() {
    let value = made_up("", 24);
    assert_eq!(found("a.yaml", &format!("db:\n  password: {value}\n")), ["2:13 leak.value"]);
    assert_eq!(found("a.json", &format!("{{\"apiKey\": \"{value}\"}}")), ["1:12 leak.value"]);
    assert_eq!(
        found("system.env", &format!("A=1\nexport API_TOKEN=\"{value}\"\n")),
        ["2:18 leak.value"]
    );
    assert!(found("a.yaml", &format!("digest: {value}\n")).is_empty());
}

#[test]
fn what_is_no_credential_is_left_alone() {
    let value = made_up("", 24);
    for text in [
        "password: hunter2\n".to_owned(),
        "password: ${DB_PASSWORD}\n".to_owned(),
        "password: <from vault>\n".to_owned(),
        "password: my-service-credentials-v2\n".to_owned(),
        "secret_file: /run/secrets/q7Rk2Zp9LmX4vTb8\n".to_owned(),
        format!("token_url: {value}\n"),
        format!("secret_name: {value}\n"),
        "max_tokens: 1048576\n".to_owned(),
        "secret: ENC[AES256_GCM,data:q7Rk2Zp9LmX4vTb8,iv:x,tag:y,type:str]\n".to_owned(),
        format!("password: {value}\nsops:\n  version: 3.9.0\n"),
        "url: https://user@example.com/x\n".to_owned(),
        "url: redis://:${PASSWORD}@host\n".to_owned(),
        "key: AKIAIOSFODNN7EXAMPLE\n".to_owned(),
        "text: the keyword ghp_ begins a token\n".to_owned(),
        "-----BEGIN CERTIFICATE-----\nMIIB\n".to_owned(),
    ] {
        assert_eq!(found("a.yaml", &text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn who_says_why_may_keep_it() {
    let token = made_up("ghp_", 36);
    let here = |reason: &str| format!("token: {token} # kconfigd:allow-leak{reason}\n");
    assert!(found("a.yaml", &here(" opens nothing, for tests")).is_empty());
    assert_eq!(found("a.yaml", &here("")).len(), 1, "no reason is given");
    let allow = |rule: Option<&str>| Validation {
        leak_allow: vec![LeakAllowed {
            files: vec!["tests/**".to_owned()],
            rule: rule.map(str::to_owned),
            reason: "they open nothing".to_owned(),
        }],
        ..refusing()
    };
    let text = format!("a: {token}\n");
    assert!(of_rules("tests/a.yaml", &text, allow(None)).is_empty());
    assert!(of_rules("tests/a.yaml", &text, allow(Some("github_token"))).is_empty());
    assert_eq!(of_rules("tests/a.yaml", &text, allow(Some("private_key"))).len(), 1);
    assert_eq!(of_rules("a.yaml", &text, allow(None)).len(), 1);
}

#[test]
fn they_are_told_by_default_and_refuse_when_that_is_wanted() {
    let text = format!("a: {}\n", made_up("ghp_", 36));
    let severity = |leaks| {
        let told = of_rules("a.yaml", &text, Validation { leaks, ..Validation::default() });
        told.first().map(Finding::is_error)
    };
    assert_eq!(severity(LeakPolicy::Unsaid), Some(false));
    assert_eq!(severity(LeakPolicy::Warn), Some(false));
    assert_eq!(severity(LeakPolicy::Refuse), Some(true));
    assert_eq!(severity(LeakPolicy::Off), None);
}

/// What takes a time that grows with the square of a text's length does not end within a test.
#[test]
fn a_text_that_is_made_to_take_long_is_looked_at_once() {
    let token = made_up("ghp_", 36);
    let line = format!("a: {token} # kconfigd:allow-leak opens nothing\n");
    for part in
        ["-AIza", "://u:pass@h ", "://é", "-----BEGIN PRIVATE KEY-----", "eyJ.", &token, &line]
    {
        let long = part.repeat(300_000 / part.len());
        of_rules("a.txt", &long, refusing());
        of_rules("a.env", &long, refusing());
    }
    // A URL that ends nowhere, cut in the middle of a character.
    for length in 395..405 {
        of_rules("a.txt", &format!("x://{}{}", "a".repeat(length), "é".repeat(500)), refusing());
    }
    let two = format!("{}-{}", made_up("AIza", 35), made_up("AIza", 35));
    assert_eq!(
        found("a.txt", &format!("é {two}\nhttps://app:{}@db/x", made_up("", 9))),
        ["1:3 leak.google_api_key", "2:6 leak.url_password",]
    );
}

proptest! {
    #[test]
    fn no_finding_holds_a_part_of_what_it_found(secret in "[A-Za-z0-9]{36,60}") {
        let text = format!("a: ghp_{secret}\npassword: {secret}\nurl: x://u:{secret}@h/\n");
        for finding in of_rules("a.yaml", &text, refusing()) {
            let told = format!("{finding:?}");
            let parts = secret.as_bytes().windows(6);
            for part in parts.filter_map(|part| std::str::from_utf8(part).ok()) {
                prop_assert!(!told.contains(part), "{told} holds {part}");
            }
        }
    }

    #[test]
    fn any_text_is_looked_at(text in "(\\PC|://|@|\n){0,900}") {
        of_rules("a.yaml", &text, refusing());
        of_rules("x.env", &text, refusing());
    }
}
