pub(crate) mod writer;

use proptest::prelude::*;

use super::*;
use writer::{ALICE, BOB, Pair, age, armored, dotenv, json, mac, section, value, yaml};

fn path(text: &str) -> TreePath {
    TreePath::parse(text).unwrap()
}

fn identities(pairs: &[Pair]) -> Identities {
    let text: String = pairs.iter().map(|pair| format!("{}\n", pair.identity)).collect();
    Identities::parse(&text).unwrap()
}

fn open(name: &str, bytes: &[u8], ours: &[Pair]) -> Result<Option<String>, SecretsError> {
    let plain = decrypt(&path(name), bytes, &identities(ours), &Limits::default())?;
    Ok(plain.map(|plain| String::from_utf8(plain.expose().to_vec()).unwrap()))
}

fn refusal(name: &str, text: &str) -> String {
    let error = open(name, text.as_bytes(), &[ALICE]).unwrap_err();
    let kind = if error.finding(&path(name)).is_some() { "refused" } else { "held" };
    format!("{kind}: {error}")
}

fn fixture(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/secrets").join(name);
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn a_file_of_the_original_sops_is_decrypted_and_its_mac_is_right() {
    let ours = Identities::parse(&fixture("key.txt")).unwrap();
    let bytes = fixture("secrets.yaml");
    let plain =
        decrypt(&path("secrets.yaml"), bytes.as_bytes(), &ours, &Limits::default()).unwrap();
    let plain = String::from_utf8(plain.unwrap().expose().to_vec()).unwrap();
    assert_eq!(
        plain,
        "test_key: \"test_value\"\na_list:\n  - \"e1\"\n  - \"e3\"\nnested:\n  test:\n    file: \"another value\"\n"
    );
}

#[test]
fn a_file_of_the_original_age_is_decrypted() {
    let bytes = fixture("datakey.age");
    for (keys, opened) in [("mock.txt", true), ("other.txt", false)] {
        let ours = Identities::parse(&fixture(keys)).unwrap();
        let plain = decrypt(&path("x.age"), bytes.as_bytes(), &ours, &Limits::default());
        match plain {
            Ok(plain) => assert!(opened && plain.unwrap().expose() == b"data"),
            Err(error) => assert!(!opened && error.finding(&path("x.age")).is_none()),
        }
    }
}

#[test]
fn recipients_are_what_age_keygen_says() {
    assert_eq!(identities(&[ALICE]).recipients(), [ALICE.recipient]);
    assert_eq!(identities(&[BOB]).recipients(), [BOB.recipient]);
    let both = identities(&[ALICE, BOB]);
    assert_eq!(both.fingerprint(), identities(&[BOB, ALICE, BOB]).fingerprint());
    assert_ne!(both.fingerprint(), identities(&[ALICE]).fingerprint());
    assert!(!format!("{both:?}").contains("SECRET"));
}

#[test]
fn all_formats_give_their_values_to_any_of_their_recipients() {
    let pairs = [("user", "admin"), ("password", "hunter2: # \"x\"\nline 2")];
    let both = [BOB, ALICE];
    for ours in [ALICE, BOB] {
        let yaml = open("a.yaml", yaml(&pairs, &both).as_bytes(), &[ours]).unwrap().unwrap();
        assert_eq!(yaml, "user: \"admin\"\npassword: \"hunter2: # \\\"x\\\"\\nline 2\"\n");
        let json = open("a.json", json(&pairs, &both).as_bytes(), &[ours]).unwrap().unwrap();
        let expected =
            "{\n\t\"user\": \"admin\",\n\t\"password\": \"hunter2: # \\\"x\\\"\\nline 2\"\n}\n";
        assert_eq!(json, expected);
        let env = open("prod.env", dotenv(&pairs, &both).as_bytes(), &[ours]).unwrap().unwrap();
        assert_eq!(env, "user=admin\npassword=hunter2: # \"x\"\\nline 2\n");
        let whole = age(b"anything", &both);
        assert_eq!(open("a/b.age", &whole, &[ours]).unwrap().unwrap(), "anything");
        let armored = armored(&whole);
        assert_eq!(open("b.age", armored.as_bytes(), &[ours]).unwrap().unwrap(), "anything");
    }
}

#[test]
fn types_plain_values_and_nesting_count_as_sops_counts_them() {
    let enc = |plain: &str, kind: &str, place: &str| value(plain, kind, place);
    let body = format!(
        "port: {}\nratio: {}\non: {}\nempty: \"\"\nnone: null\nlist:\n  - {}\n  - deep: {}\n\
         note_unencrypted: plain\nnumber_unencrypted: 0012\nflag_unencrypted: true\n",
        enc("5432", "int", "port:"),
        enc("0.5", "float", "ratio:"),
        enc("True", "bool", "on:"),
        enc("one", "str", "list:"),
        enc("two", "str", "list:deep:"),
    );
    let all = ["5432", "0.5", "True", "one", "two", "plain", "12", "True"];
    let text = body.clone() + &section(&[ALICE], &mac(&all), "unencrypted_suffix: _unencrypted");
    let plain = open("a.yaml", text.as_bytes(), &[ALICE]).unwrap().unwrap();
    assert_eq!(
        plain,
        "port: 5432\nratio: 0.5\non: true\nempty: \"\"\nnone: null\nlist:\n  - \"one\"\n  - deep: \"two\"\n\
         note_unencrypted: plain\nnumber_unencrypted: 0012\nflag_unencrypted: true\n"
    );
    let wrong = body.replace("plain", "other")
        + &section(&[ALICE], &mac(&all), "unencrypted_suffix: _unencrypted");
    assert!(refusal("a.yaml", &wrong).contains("the MAC is wrong"));
}

#[test]
fn rules_say_which_values_are_encrypted() {
    let sealed = value("s", "str", "data:key:");
    let body = format!("kind: Secret\ndata:\n  key: {sealed}\n");
    let rule = "encrypted_regex: ^(data|stringData)$";
    let text = body.clone() + &section(&[ALICE], &mac(&["Secret", "s"]), rule);
    assert_eq!(
        open("a.yaml", text.as_bytes(), &[ALICE]).unwrap().unwrap(),
        "kind: Secret\ndata:\n  key: \"s\"\n"
    );
    let plain = "kind: Secret\ndata:\n  key: plain\n".to_owned()
        + &section(&[ALICE], &mac(&["Secret", "plain"]), rule);
    insta::assert_snapshot!(refusal("a.yaml", &plain), @"refused: the value of `data.key` is not encrypted, and by the file's own rules it should be");
    let only = [std::str::from_utf8(b"").unwrap(), "s"];
    let without =
        body + &section(&[ALICE], &mac(&only), &format!("{rule}\nmac_only_encrypted: true"));
    assert!(refusal("a.yaml", &without).contains("MAC is wrong"), "it begins with a constant");
}

#[test]
fn what_is_wrong_is_said_with_the_key_and_never_the_value() {
    let good = yaml(&[("a", "first"), ("b", "second")], &[ALICE]);
    let lines: Vec<&str> = good.lines().collect();
    let swapped = good.replacen(lines[0], &lines[1].replacen("b:", "a:", 1), 1);
    insta::assert_snapshot!(refusal("x.yaml", &swapped), @"refused: the value of `a` cannot be decrypted: it was changed, or moved from another key");
    let left_out = good.replacen(&format!("{}\n", lines[1]), "", 1);
    insta::assert_snapshot!(refusal("x.yaml", &left_out), @"refused: the MAC is wrong: values were changed, moved or left out since SOPS wrote the file");
    let torn = format!("{}\n", lines[0]);
    insta::assert_snapshot!(refusal("x.yaml", &torn), @"refused: the value of `a` is encrypted by SOPS, and the file has no `sops` section");
    let no_mac = good.replace("    mac: ", "    muck: ");
    insta::assert_snapshot!(refusal("x.yaml", &no_mac), @"refused: the `sops` section cannot be used: it has no `mac`");
    let split = good.replace("sops:\n", "sops:\n    key_groups: [{age: []}, {age: []}]\n");
    insta::assert_snapshot!(refusal("x.yaml", &split), @"refused: its key is split among several key groups (Shamir), which kconfigd does not put together");
    insta::assert_snapshot!(refusal("x.ini", &format!("a = {}\n[sops]\n", value("x", "str", "a:"))), @"refused: INI files of SOPS are not decrypted; YAML, JSON and dotenv files are");
    insta::assert_snapshot!(refusal("x.age", "hello"), @"refused: the age file cannot be used: its header has no end");
}

#[test]
fn who_cannot_decrypt_it_waits() {
    let pairs = [("a", "first")];
    insta::assert_snapshot!(refusal("x.yaml", &yaml(&pairs, &[BOB])), @"held: none of our identities can decrypt it: it is encrypted to age1afnrdrkyvy0sl5e08t9ffs4c7g5e5npc8luf7hjc77syewg5gajsls4r90");
    let by_pgp =
        yaml(&pairs, &[]).replace("    age: []\n", "    pgp:\n        - fp: AB\n    kms: []\n");
    insta::assert_snapshot!(refusal("x.yaml", &by_pgp), @"held: none of our identities can decrypt it: it is encrypted to PGP keys");
    let whole = armored(&age(b"x", &[BOB]));
    insta::assert_snapshot!(refusal("x.age", &whole), @"held: none of our identities can decrypt it: it is encrypted to 1 X25519 recipient");
}

#[test]
fn what_is_not_encrypted_is_left_alone() {
    for (name, text) in [
        ("a.yaml", "a: 1\n"),
        ("a.yaml", "# ENC[AES256_GCM,data:x] is how SOPS writes\na: 1\n"),
        ("a.txt", "ENC[AES256_GCM,data:x]"),
        ("a.env", "sops_version=1\nA=1\n"),
        ("a.ini", "x = 1\n"),
        (".age", "x"),
        ("a/.age", "x"),
    ] {
        assert_eq!(open(name, text.as_bytes(), &[ALICE]).unwrap(), None, "{name}: {text}");
    }
}

#[test]
fn files_of_identities_say_which_line_is_wrong_and_not_what_is_in_it() {
    assert_eq!(Identities::parse(&format!("# x\n\n{}\nage1abc\n", ALICE.identity)).err(), Some(4));
    let settings = crate::config::Secrets {
        age_identities_file: Some("/does/not/exist".into()),
        ..crate::config::Secrets::default()
    };
    let error = Identities::read(&settings).unwrap_err().to_string();
    assert_eq!(error, "cannot read the identities in /does/not/exist");
    let unset = Identities::read(&crate::config::Secrets::default()).unwrap_err();
    assert!(matches!(unset, SecretsError::Unset));
}

#[test]
fn large_files_are_cut_into_chunks_and_no_chunk_can_be_left_out() {
    for len in [0, 1, 65_535, 65_536, 65_537, 131_072, 200_000] {
        let plain = vec![b'x'; len];
        let sealed = age(&plain, &[ALICE]);
        let opened = decrypt(&path("x.age"), &sealed, &identities(&[ALICE]), &Limits::default());
        assert_eq!(opened.unwrap().unwrap().expose(), plain, "{len}");
        let cut = sealed.len().saturating_sub(if len > 65_536 { 65_552 } else { 1 });
        assert!(open("x.age", &sealed[..cut], &[ALICE]).is_err(), "{len}");
    }
}

/// Where each kind of file begins to be something that a bit can be flipped in.
fn flipped(bytes: &[u8], at: usize, bit: u8) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = at % bytes.len();
    bytes[at] ^= 1 << bit;
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_encrypted_comes_back(
        values in proptest::collection::vec("[^\u{0}]{0,40}", 1..6),
    ) {
        // SOPS does not encrypt empty texts; its dotenv files cannot hold a backslash before `n`.
        let values: Vec<String> = values.into_iter().map(|v| format!("v{v}")).collect();
        let keys: Vec<String> = (0..values.len()).map(|n| format!("key{n}")).collect();
        let pairs: Vec<(&str, &str)> =
            keys.iter().zip(&values).map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let written = json(&pairs, &[ALICE]);
        let plain = open("a.json", written.as_bytes(), &[ALICE]).unwrap().unwrap();
        let read: serde_json::Value = serde_json::from_str(&plain).unwrap();
        for (key, value) in &pairs {
            prop_assert_eq!(read[*key].as_str(), Some(*value));
        }
        let written = yaml(&pairs, &[ALICE]);
        let plain = open("a.yaml", written.as_bytes(), &[ALICE]).unwrap().unwrap();
        let read = crate::document::parse(plain.as_bytes(), Format::Yaml, &Limits::default());
        let read = read.unwrap();
        for (key, value) in &pairs {
            prop_assert_eq!(read[0].root.get(key).and_then(|it| it.text()), Some(*value));
        }
    }

    #[test]
    fn a_flipped_bit_never_gives_other_bytes(
        at: usize, bit in 0_u8..8, text in "[a-z]{1,80}",
    ) {
        let whole = age(text.as_bytes(), &[ALICE]);
        let changed = flipped(&whole, at, bit);
        if let Ok(Some(plain)) = open("x.age", &changed, &[ALICE]) {
            prop_assert!(false, "a changed age file was taken: {plain}");
        }
        let written = yaml(&[("a", &text), ("b", "second")], &[ALICE]);
        let expected = open("x.yaml", written.as_bytes(), &[ALICE]).unwrap();
        // In what the section says beside the MAC, a bit may mean nothing.
        let changed = flipped(written.as_bytes(), at, bit);
        if let Ok(Some(plain)) = open("x.yaml", &changed, &[ALICE]) {
            prop_assert_eq!(Some(plain), expected);
        }
    }
}
