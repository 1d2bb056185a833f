use super::*;

fn verify(folder: &std::path::Path) -> Verify {
    Verify {
        mode: VerifyMode::Require,
        allowed_signers_file: Some(folder.join("signers")),
        ..Verify::default()
    }
}

#[test]
fn what_was_refused_is_looked_at_again_when_the_keys_are_others_and_not_when_a_file_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let verify = verify(folder.path());
    let file = folder.path().join("signers");
    let mut watch = Watch::default();
    let mut word = |verify: &Verify| {
        watch.look(verify);
        watch.word().to_owned()
    };
    let missing = word(&verify);
    std::fs::write(&file, "# one\n").unwrap();
    let one = word(&verify);
    assert_ne!(one, missing);
    std::fs::write(&file, "# one\n").unwrap();
    assert_eq!(word(&verify), one);
    std::fs::write(&file, "# two\n").unwrap();
    assert_ne!(word(&verify), one);
    std::fs::write(&file, "# one\n").unwrap();
    assert_eq!(word(&verify), one);
    assert_ne!(word(&Verify { what: VerifyWhat::All, ..verify.clone() }), one);
    assert_eq!(word(&Verify::default()), "");
    // the same after a restart
    let mut again = Watch::default();
    again.look(&verify);
    assert_eq!(again.word(), one);
}

#[test]
fn a_file_of_keys_has_a_bound() {
    let folder = tempfile::tempdir().unwrap();
    let verify = verify(folder.path());
    let file = std::fs::File::create(folder.path().join("signers")).unwrap();
    file.set_len(5 * 1024 * 1024).unwrap();
    let error = Keys::read(&verify).unwrap_err();
    assert!(matches!(error, TrustError::Size { .. }), "{error}");
    assert!(!error.mirror_damaged());
}
