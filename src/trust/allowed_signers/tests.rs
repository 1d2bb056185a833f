use proptest::prelude::*;

use super::*;

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDGqDE73aBPj+kGZ74e1j1p4KqtxeLnK2FHa0jEIPC6i";

fn utc(time: NaiveDateTime) -> Option<i64> {
    Some(time.and_utc().timestamp())
}

/// An hour ahead of UTC; one hour of a day is passed over.
fn ahead(time: NaiveDateTime) -> Option<i64> {
    let skipped = NaiveDate::from_ymd_opt(2026, 3, 29)?.and_hms_opt(2, 0, 0)?;
    (time != skipped).then(|| time.and_utc().timestamp() - 3600)
}

fn one(options: &str) -> Result<Signer, String> {
    let line = format!("a@b,*@c {options} {KEY} a comment\r\n");
    match read(line.as_bytes(), utc) {
        Ok(mut signers) => Ok(signers.remove(0)),
        Err(findings) => Err(findings[0].message.clone()),
    }
}

#[test]
fn a_line_as_ssh_keygen_takes_it_is_read() {
    let signer =
        one("namespaces=\"git,file\",valid-after=\"20260102Z\",Valid-Before=\"202601030405Z\"");
    let signer = signer.unwrap();
    assert_eq!(signer.principals, "a@b,*@c");
    assert_eq!(signer.key.kind(), "ssh-ed25519");
    let valid = Span { from: Some(1_767_312_000), until: Some(1_767_413_100) };
    assert_eq!(signer.valid, valid);
    assert!(signer.signs_for("git") && signer.signs_for("file") && !signer.signs_for("email"));
    let plain = read(format!("# c\n\n  \"a@b\" {KEY}").as_bytes(), utc).unwrap();
    assert_eq!((plain[0].principals.as_str(), plain[0].line), ("a@b", 3));
    assert!(plain[0].signs_for("anything"));
}

#[test]
fn times_without_a_zone_are_of_this_machine() {
    let at = |text, local: LocalTime| time(0, text, local).ok();
    assert_eq!(at("20260101", utc), Some(1_767_225_600));
    assert_eq!(at("20260101", ahead), Some(1_767_222_000));
    assert_eq!(at("20260101Z", ahead), Some(1_767_225_600));
    assert_eq!(at("20260101000001Z", ahead), Some(1_767_225_601));
    assert_eq!(at("202603290200", ahead), None);
    for wrong in ["", "Z", "2026", "20261301", "20260230", "2026010124", "+2026010", "2026010１"] {
        assert_eq!(at(wrong, utc), None, "{wrong}");
    }
}

#[test]
fn what_ssh_keygen_would_not_take_is_told_with_its_place() {
    let told = |text: &[u8]| {
        let findings = read(text, utc).unwrap_err();
        let first = &findings[0];
        format!("{}:{}: {}", first.line.unwrap(), first.column.unwrap(), first.message)
    };
    assert_eq!(told(b"\n\xff"), "2:1: is not UTF-8");
    assert_eq!(told("é,, x".as_bytes()), "1:1: an empty principal");
    assert_eq!(told(b"a b c"), "1:3: `b` is neither an option nor a kind of key");
    assert_eq!(told(b"a \"b"), "1:3: the quotes of the options are not closed");
    let twice = one("namespaces=\"git\",namespaces=\"file\"").unwrap_err();
    assert_eq!(twice, "`namespaces` is there twice");
    let kinds = KEY.replace("ssh-ed25519 ", "ssh-rsa ");
    assert!(told(format!("a {kinds}").as_bytes()).contains("is not a key of the kind ssh-rsa"));
    let many = "x\n".repeat(1000);
    assert_eq!(read(many.as_bytes(), utc).unwrap_err().len(), FINDINGS_MAX);
    let keys = format!("a {KEY}\n").repeat(SIGNERS_MAX + 1);
    assert!(told(keys.as_bytes()).contains("more than 10000 keys"));
}

#[test]
fn namespaces_are_patterns() {
    for (patterns, takes) in [
        ("git", true),
        ("g?t", true),
        ("*", true),
        ("*t", true),
        ("file,git", true),
        ("*,!git", false),
        ("!git", false),
        ("", false),
        ("gitt", false),
        ("GIT", false),
    ] {
        assert_eq!(is_in(patterns, "git"), takes, "{patterns}");
    }
}

proptest! {
    #[test]
    fn any_text_is_taken_or_told_with_a_place(text in "[ -~\\n]{0,200}") {
        if let Err(findings) = read(text.as_bytes(), utc) {
            prop_assert!(findings.iter().all(|it| it.line.is_some() && it.hint.is_some()));
        }
    }

    #[test]
    fn a_pattern_without_wildcards_matches_itself_alone(one in "[a-c]{0,4}", other in "[a-c]{0,4}") {
        prop_assert_eq!(matches(&one, &other), one == other);
    }
}

#[test]
fn what_is_wrong_with_an_option_is_told_where_it_stands() {
    let told = |options: &str| {
        let findings = read(format!("alice {options} {KEY}").as_bytes(), utc).unwrap_err();
        (findings[0].column.unwrap(), findings[0].message.clone())
    };
    let at = |column, message: &str| (column, message.to_owned());
    assert_eq!(told("bogus"), at(7, "`bogus` is not an option"));
    assert_eq!(told("namespaces=git"), at(7, "the value of namespaces has no quotes"));
    assert_eq!(told("namespaces="), at(7, "the value of namespaces has no quotes"));
    assert_eq!(told("namespaces=\"git\",x"), at(24, "`x` is not an option"));
    assert_eq!(told("namespaces=\"a,b\",valid-after=\"20260101Z\",x").0, 48);
    let (column, message) = told("namespaces=\"git\",valid-after=\"never\"");
    assert_eq!(column, 37, "{message}");
    for name in ["valid-after", "valid-before"] {
        let twice = told(&format!("{name}=\"20260101Z\",{name}=\"20260102Z\""));
        assert_eq!(twice.1, format!("`{name}` is there twice"));
    }
    let certificates = "certificate authorities are not supported";
    assert_eq!(told("cert-authority"), at(7, certificates));
    let unknown = read(b"alice cert-authority ssh-new AAAA", utc).unwrap_err();
    assert_eq!(unknown[0].message, certificates);
    let (column, message) = told("valid-after=\"20260102Z\",valid-before=\"20260101Z\"");
    assert_eq!((column, message.as_str()), (55, "valid-before is not behind valid-after"));
}

#[test]
fn a_line_without_a_key_says_so_and_a_long_word_is_cut() {
    let told = |text: &str| read(text.as_bytes(), utc).unwrap_err()[0].message.clone();
    assert_eq!(told("alice ssh-ed25519"), "no key follows ssh-ed25519");
    let (fits, long) = ("x".repeat(SHOWN_CHARS_MAX), "x".repeat(SHOWN_CHARS_MAX + 1));
    assert!(told(&format!("alice {fits} b")).starts_with(&format!("`{fits}` is neither")));
    assert!(told(&format!("alice {long} b")).starts_with(&format!("`{fits}…` is neither")));
}

#[test]
fn as_many_keys_as_the_bound_are_taken() {
    let keys = format!("a {KEY}\n").repeat(SIGNERS_MAX);
    assert_eq!(read(keys.as_bytes(), utc).unwrap().len(), SIGNERS_MAX);
    let more = format!("{keys}a {KEY}\n").repeat(2);
    assert_eq!(read(more.as_bytes(), utc).unwrap_err().len(), 1, "the rest is not read");
}

#[test]
fn a_pattern_that_is_not_meant_takes_nothing_away() {
    assert!(is_in("!email,git", "git"));
    assert!(!is_in("git,!git", "git"));
}
