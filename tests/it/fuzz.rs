//! Bytes from outside, by the fuzz targets of `fuzz/`: the corpora in `fixtures/fuzz`, and a number
//! of inputs made from them by chance. The long form is `cargo fuzz`; see `fuzz/README.md`.
//!
//! `KCONFIGD_TEST_ROUNDS` multiplies the number, `KCONFIGD_TEST_SEED` repeats what failed.

#![expect(clippy::print_stderr, reason = "what a run counted is told beside its result")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use kconfigd::fuzzing::{Reached, TARGETS, Target};

use crate::promises::{Chance, rounds};

/// Inputs made for each target.
const INPUTS: usize = 1_000;
/// Bytes of an input: larger ones are cargo-fuzz's matter.
const BYTES_MAX: usize = 4_096;
/// Changes made to an input, one after the other.
const CHANGES_MAX: usize = 8;
/// What the places that read these bytes know: chance alone would seldom find it.
const WORDS: [&[u8]; 38] = [
    b"\0",
    b"\n",
    b"\r\n",
    b": ",
    b"- ",
    b"\"",
    b"'",
    b"{",
    b"}",
    b"[",
    b"]",
    b"&a ",
    b"*a",
    b"!!",
    b"|\n",
    b"---\n",
    b"null",
    b"0000",
    b"0001",
    b"0004",
    b"fff0",
    b"refs/heads/",
    b" HEAD",
    b"\xff\xfe",
    b"\xe2\x80\x8b",
    b"\x1b[31m",
    b"\\u0000",
    b"../",
    b"gpgsig ",
    b"-----BEGIN SSH SIGNATURE-----",
    b"-----BEGIN PGP SIGNATURE-----",
    b" namespaces=\"git\" ",
    b"ENC[AES256_GCM,data:",
    b",type:int]",
    b"sops",
    b"-> X25519 ",
    b"age-encryption.org/v1\n",
    b"valid-after=\"20260101Z\",",
];

fn corpus(name: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/fuzz").join(name);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .flatten()
        .map(|entry| entry.path())
        .collect();
    files.sort();
    let read = |path: std::path::PathBuf| {
        let bytes = std::fs::read(&path).expect("a file of the corpus");
        (path.display().to_string(), bytes)
    };
    files.into_iter().map(read).collect()
}

/// Runs an input; says which one it was where a promise is broken.
fn run(target: Target, what: &str, bytes: &[u8]) -> Reached {
    catch_unwind(AssertUnwindSafe(|| target(bytes))).unwrap_or_else(|_| {
        panic!("{what}: {}", bytes.escape_ascii());
    })
}

/// An input, changed a few times by chance.
fn changed(chance: &mut Chance, corpus: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = corpus[chance.below(corpus.len())].1.clone();
    for _ in 0..=chance.below(CHANGES_MAX) {
        let at = chance.below(bytes.len() + 1);
        let end = (at + chance.below(16)).min(bytes.len());
        match chance.below(8) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let word = WORDS[chance.below(WORDS.len())];
                drop(bytes.splice(at..at, word.iter().copied()));
            }
            3 => {
                let other = &corpus[chance.below(corpus.len())].1;
                let from = chance.below(other.len() + 1);
                let to = (from + chance.below(64)).min(other.len());
                drop(bytes.splice(at..end, other[from..to].iter().copied()));
            }
            4 => {
                let part = bytes[at..end].repeat(chance.below(64) + 1);
                drop(bytes.splice(at..end, part));
            }
            5 => bytes.insert(at, u8::try_from(chance.below(256)).expect("a byte")),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << chance.below(8);
                }
            }
        }
        bytes.truncate(BYTES_MAX);
    }
    bytes
}

fn replay(name: &str) {
    let (_, target) = *TARGETS.iter().find(|(other, _)| *other == name).expect("a target");
    let corpus = corpus(name);
    let mut taken = 0;
    for (file, bytes) in &corpus {
        taken += usize::from(run(target, file, bytes) == Reached::Taken);
    }
    assert!(taken > 0, "nothing in fixtures/fuzz/{name} is taken: it tries the refusals only");
    assert!(taken < corpus.len(), "nothing in fixtures/fuzz/{name} is refused");
    let mut chance = Chance::new();
    let inputs = INPUTS * rounds(1);
    let mut taken_by_chance = 0;
    for number in 0..inputs {
        let bytes = changed(&mut chance, &corpus);
        let reached = run(target, &format!("{name}, input {number} made by chance"), &bytes);
        taken_by_chance += usize::from(reached == Reached::Taken);
    }
    eprintln!(
        "{name}: {} of the corpus ({taken} taken), {inputs} by chance ({taken_by_chance} taken)",
        corpus.len(),
    );
}

#[test]
fn allowed_signers() {
    replay("allowed_signers");
}

#[test]
fn documents() {
    replay("documents");
}

#[test]
fn gitmodules() {
    replay("gitmodules");
}

#[test]
fn hooks() {
    replay("hooks");
}

#[test]
fn packets() {
    replay("packets");
}

#[test]
fn secrets() {
    replay("secrets");
}

#[test]
fn settings() {
    replay("settings");
}

#[test]
fn signatures() {
    replay("signatures");
}

#[test]
fn tree() {
    replay("tree");
}

#[test]
fn every_target_has_its_corpus_its_program_and_its_test() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let here = std::fs::read_to_string(top.join("tests/it/fuzz.rs")).expect("this file");
    for (name, _) in TARGETS {
        assert!(!corpus(name).is_empty(), "{name} has no corpus");
        let program = top.join(format!("fuzz/fuzz_targets/{name}.rs"));
        assert!(program.is_file(), "{} is missing", program.display());
        assert!(here.contains(&format!("replay(\"{name}\")")), "{name} is not replayed here");
    }
    let folders = std::fs::read_dir(top.join("fixtures/fuzz")).expect("the corpora").flatten();
    let corpora = folders.filter(|entry| entry.path().is_dir()).count();
    assert_eq!(corpora, TARGETS.len(), "a corpus without a target");
}
