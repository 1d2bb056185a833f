//! `gitops.verify`.

use super::{refusal, setup};
use crate::config::{Verify, VerifyMode, VerifyWhat};

fn file(reference: &str, verify: &str) -> String {
    format!("gitops:\n  repository: https://h/x\n  {reference}\n  verify: {{{verify}}}\n")
}

#[test]
fn what_is_verified_and_by_whose_keys_is_read() {
    let setup = setup(&file("branch: main", "mode: require, what: all, keyring_file: k.asc"));
    let expected = Verify {
        mode: VerifyMode::Require,
        what: VerifyWhat::All,
        allowed_signers_file: None,
        revoked_keys_file: None,
        keyring_file: Some(setup.folder.path().join("k.asc")),
    };
    assert_eq!(setup.settings().source.verify, expected);
    assert_eq!(setup.warnings(), "");
}

#[test]
fn signatures_cannot_be_asked_for_without_keys_nor_of_tags_on_a_branch() {
    insta::assert_snapshot!(refusal(&file("branch: main", "mode: require")));
    let tag = "mode: warn, what: tag, keyring_file: k";
    insta::assert_snapshot!(refusal(&file("branch: main", tag)));
    for reference in ["tag: v1", "semver: \"*\"", "ref: refs/tags/v1"] {
        setup(&file(reference, tag)).settings();
    }
}

#[test]
fn keys_that_nobody_asks_for_are_warned_of() {
    insta::assert_snapshot!(setup(&file("branch: main", "keyring_file: k")).warnings());
    assert_eq!(setup(&file("branch: main", "mode: off, keyring_file: k")).warnings(), "");
}

#[test]
fn a_history_that_may_be_rewritten_weakens_what_all_means() {
    let file = file("history_rewrite: allow", "mode: require, what: all, keyring_file: k");
    insta::assert_snapshot!(setup(&file).warnings());
}
