use super::*;

const SIGNATURE: &str = "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n";

fn a_commit(more: &str) -> String {
    let tree = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n";
    format!(
        "{tree}parent {0}\nparent {0}\nauthor A <a@b> 1 +0000\ncommitter C\u{1b}[1m D <c@d> 1767225600 +0100\n{more}\nsubject\n\ntree x\n",
        "1".repeat(40)
    )
}

fn header() -> String {
    format!("gpgsig {}\n", SIGNATURE.trim_end().replace('\n', "\n "))
}

#[test]
fn a_commit_is_taken_apart_as_git_does() {
    let plain = a_commit("");
    let signed = commit(a_commit(&header()).as_bytes()).unwrap();
    assert_eq!(signed.signature.as_deref(), Some(SIGNATURE));
    assert_eq!(signed.payload, plain.as_bytes());
    assert_eq!((signed.who.as_str(), signed.made), ("C[1m D <c@d>", Some(1_767_225_600)));
    assert_eq!(commit(plain.as_bytes()).unwrap().signature, None);
    // signatures for another format of objects are no part of what is signed
    let both = format!("gpgsig-sha256 x\n y\n{}encoding UTF-8\n", header());
    let signed = commit(a_commit(&both).as_bytes()).unwrap();
    assert_eq!(signed.payload, a_commit("encoding UTF-8\n").as_bytes());
    // a tag that was joined has a signature of its own, which is none of the commit
    let tagged = "mergetag object 1\n gpgsig x\n";
    let signed = commit(a_commit(tagged).as_bytes()).unwrap();
    assert_eq!((signed.signature, signed.payload), (None, a_commit(tagged).into_bytes()));
}

#[test]
fn what_two_readers_could_take_for_different_things_is_refused() {
    let cases = [
        (a_commit(&format!("{}{}", header(), header())), "it has two signatures"),
        (a_commit("tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n"), "it names two trees"),
        (a_commit("parent 1\n"), "a parent is not where git writes it"),
        (a_commit("committer E <e@f> 1 +0000\n"), "it has two committers"),
        (a_commit("x \0\n"), "there is a NUL byte in its header"),
        (format!("{}{}", header(), a_commit("")), "a parent is not where git writes it"),
        ("tree 1\n".to_owned(), "its header has no end"),
        ("tree 1\n\n".to_owned(), "it has no committer"),
        ("committer x\n\n".to_owned(), "it does not begin with its tree"),
    ];
    for (text, why) in cases {
        let told = commit(text.as_bytes()).unwrap_err();
        // either of two reasons is as good where a tree is out of its place
        assert!(told == why || told == "it names two trees", "{text}: {told}");
    }
}

#[test]
fn a_tag_ends_with_the_last_signature_in_it() {
    let object = "1".repeat(40);
    let text = format!(
        "object {object}\ntype commit\ntag v1\ntagger T <t@u> 7 +0000\n\nquotes\n{SIGNATURE}more\n"
    );
    let found = tag(format!("{text}{SIGNATURE}").as_bytes()).unwrap();
    assert_eq!(found.signed.payload, text.as_bytes());
    assert_eq!(found.signed.signature.as_deref(), Some(SIGNATURE));
    assert_eq!((found.name.as_str(), found.is_of_commit), ("v1", true));
    assert_eq!(found.object, ObjectId::parse(&object).unwrap());
    assert_eq!((found.signed.who.as_str(), found.signed.made), ("T <t@u>", Some(7)));
    let other = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let unsigned =
        tag(format!("object {object}\ntype commit\ntag v1\n\n{other}").as_bytes()).unwrap();
    assert_eq!(unsigned.signed.signature, None);
    let behind = tag(format!("{text}{SIGNATURE}{other}").as_bytes()).unwrap();
    assert_eq!(behind.signed.payload, text.as_bytes(), "what follows belongs to the signature");
    let old = tag(format!("object {object}\ntype tree\ntag v1\n\nno tagger\n").as_bytes()).unwrap();
    assert_eq!((old.signed.made, old.signed.signature, old.is_of_commit), (None, None, false));
    assert!(tag(b"object 1\ntype commit\ntag v1\n\nx").is_err());
    assert!(tag(format!("type commit\nobject {object}\ntag v1\n\nx").as_bytes()).is_err());
}
