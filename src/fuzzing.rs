//! What comes from outside, tried with any bytes: one function for each place where the program
//! reads what it did not write.
//!
//! For the fuzz targets in `fuzz/` and for `tests/it/fuzz.rs`, which replays their corpora: both
//! need a way to code that is nobody else's business. Nothing of the program calls it, and it
//! promises nothing to who uses the library. Each function takes its input as the first part says,
//! gives how far it came, and panics when a promise is broken: that is what it is for.

mod repository;

pub use repository::tree;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use ring::hmac;

use crate::config::{self, ConfigError, Reference};
use crate::document::{self, Format, Masker};
use crate::http;
use crate::model::{FileMode, Limits, TreePath};
use crate::secrets::{self as encrypted, Identities};
use crate::source;
use crate::trust;

/// How far an input came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// It was told to be wrong.
    Refused,
    /// It was taken.
    Taken,
}

impl Reached {
    const fn taken(taken: bool) -> Self {
        if taken { Self::Taken } else { Self::Refused }
    }
}

/// A fuzz target.
pub type Target = fn(&[u8]) -> Reached;

/// All of them, by the names of their corpora.
pub const TARGETS: [(&str, Target); 9] = [
    ("allowed_signers", allowed_signers),
    ("documents", documents),
    ("gitmodules", gitmodules),
    ("hooks", hooks),
    ("packets", packets),
    ("secrets", secrets),
    ("settings", settings),
    ("signatures", signatures),
    ("tree", tree),
];

/// Characters of one message, whatever name from outside is in it.
const MESSAGE_CHARS_MAX: usize = 2_000;

/// A settings file; after a NUL, lines `NAME=value` of the environment.
#[must_use]
pub fn settings(bytes: &[u8]) -> Reached {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let file = parts.next().unwrap_or_default();
    let environment = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let pair = |line: &str| line.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned()));
    let environment: Vec<_> = environment.lines().filter_map(pair).collect();
    match config::load_bytes(file, environment) {
        Ok(loaded) => {
            assert!(!loaded.keys.is_empty(), "settings without keys");
            Reached::Taken
        }
        Err(ConfigError::Invalid { findings, .. }) => {
            assert!(!findings.is_empty(), "refused without a finding");
            for finding in &findings {
                let length = finding.message.chars().count();
                assert!(length <= MESSAGE_CHARS_MAX, "{length} characters in a message");
                let control = finding.message.contains(|c: char| c.is_control());
                assert!(!control, "a control character in {:?}", finding.message);
                let file = finding.file.as_deref().unwrap_or_default();
                assert!(!file.contains(|c: char| c.is_control()), "{file:?} is named");
            }
            Reached::Refused
        }
        Err(_) => Reached::Refused,
    }
}

/// Two files, divided by a NUL, after a byte that says whether they are YAML or JSON.
#[must_use]
pub fn documents(bytes: &[u8]) -> Reached {
    let Some((first, rest)) = bytes.split_first() else { return Reached::Refused };
    let (format, name) =
        if first & 1 == 0 { (Format::Yaml, "a.yaml") } else { (Format::Json, "a.json") };
    let limits = Limits::default();
    let mut parts = rest.splitn(2, |byte| *byte == 0);
    let [one, other] = [parts.next(), parts.next()].map(Option::unwrap_or_default);
    let sides = [one, other].map(|side| document::parse(side, format, &limits));
    for findings in sides.iter().filter_map(|side| side.as_ref().err()) {
        assert!(!findings.is_empty(), "refused without a finding");
        assert!(findings.len() <= 1_000, "{} findings", findings.len());
    }
    for document in sides.iter().flatten().flatten() {
        let text = document::emit(document);
        let again = document::parse(text.as_bytes(), Format::Yaml, &limits);
        let same = again.as_ref().is_ok_and(|again| match again.as_slice() {
            [again] => again.root.means_the_same(&document.root),
            [] => document.root.is_null(),
            _ => false,
        });
        assert!(same, "written and read again it is another: {document:?} {text:?} {again:?}");
    }
    if let (Ok(path), Ok(mask)) = (TreePath::parse(name), Masker::new(&[], &[])) {
        let side = |bytes| Some((FileMode::Regular, bytes));
        let _: document::Detail = document::detail(&path, side(one), side(other), &mask, &limits);
    }
    let [Ok(one), Ok(other)] = sides else { return Reached::Refused };
    assert!(document::key_changes(&one, &one).is_empty(), "a file differs from itself");
    let _: Vec<_> = document::key_changes(&one, &other);
    if let ([base], [over]) = (one.as_slice(), other.as_slice())
        && let Ok(merged) = document::merge(base, over)
    {
        assert!(document::merge(&merged, over).is_ok(), "laid over twice it does not fit");
    }
    Reached::Taken
}

/// A delivery: its event and its content type, each a line, then the body. It is signed well, as
/// what is not is looked at no further.
#[must_use]
pub fn hooks(bytes: &[u8]) -> Reached {
    const SECRET: &[u8] = b"secret";
    let mut parts = bytes.splitn(3, |byte| *byte == b'\n');
    let [event, kind, body] =
        [parts.next(), parts.next(), parts.next()].map(Option::unwrap_or_default);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), body);
    let digits: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("x-github-event", event),
        ("content-type", kind),
        ("x-hub-signature-256", kind),
        ("x-gitea-signature", digits.as_bytes()),
    ] {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(HeaderName::from_static(name), value);
        }
    }
    let mut reached = Reached::Refused;
    for followed in [
        Reference::Head,
        Reference::Branch("main".to_owned()),
        Reference::Tag("v1".to_owned()),
        Reference::Semver(semver::VersionReq::STAR),
        Reference::Ref("refs/pull/7/head".to_owned()),
    ] {
        let ask = http::judge(&headers, body, SECRET, &followed);
        assert!(http::judge(&headers, body, b"another", &followed).is_none(), "a wrong secret");
        match ask {
            None => panic!("signed well, and not believed"),
            Some(http::Ask::Look(reason)) => {
                assert!(reason.len() < MESSAGE_CHARS_MAX, "{reason}");
                reached = Reached::Taken;
            }
            Some(http::Ask::Nothing(reason)) => {
                assert!(reason.len() < MESSAGE_CHARS_MAX, "{reason}");
                assert!(!reason.contains(|c: char| c.is_control()), "{reason:?}");
            }
        }
    }
    reached
}

/// A `.gitmodules`.
#[must_use]
pub fn gitmodules(bytes: &[u8]) -> Reached {
    Reached::taken(source::fuzzing::gitmodules(bytes))
}

/// A file of the SSH keys that may sign.
#[must_use]
pub fn allowed_signers(bytes: &[u8]) -> Reached {
    Reached::taken(trust::fuzzing::signers(bytes))
}

/// A signed commit or tag; behind a `K`, an OpenPGP keyring.
#[must_use]
pub fn signatures(bytes: &[u8]) -> Reached {
    Reached::taken(trust::fuzzing::signatures(bytes))
}

/// What a git server answers, after a byte that says to what.
#[must_use]
pub fn packets(bytes: &[u8]) -> Reached {
    Reached::taken(source::fuzzing::packets(bytes))
}

/// The identities of `fixtures/secrets`, which protect nothing.
const IDENTITIES: &str =
    "AGE-SECRET-KEY-1DR8T3T22862F5SWX0V7M7CG9Q5T9FA90CCN9NVLJRCQATZ3WGA3QEPUFJN
AGE-SECRET-KEY-1G0Q5K9TV4REQ3ZSQRMTMG8NSWQGYT0T7TZ33RAZEE0GZYVZN0APSU24RK7";

/// An encrypted file, behind a letter for its kind: `y`, `j`, `e`, or `a` for age.
#[must_use]
pub fn secrets(bytes: &[u8]) -> Reached {
    let Some((kind, bytes)) = bytes.split_first() else { return Reached::Refused };
    let name = match kind {
        b'y' => "x.yaml",
        b'j' => "x.json",
        b'e' => "x.env",
        _ => "x.age",
    };
    let (Ok(path), Ok(identities)) = (TreePath::parse(name), Identities::parse(IDENTITIES)) else {
        return Reached::Refused;
    };
    match encrypted::decrypt(&path, bytes, &identities, &Limits::default()) {
        Ok(plain) => Reached::taken(plain.is_some()),
        Err(error) => {
            let length = error.to_string().chars().count();
            assert!(length <= MESSAGE_CHARS_MAX, "{length} characters in a message");
            let control = error.to_string().contains(|c: char| c.is_control());
            assert!(!control, "a control character in {error:?}");
            Reached::Refused
        }
    }
}
