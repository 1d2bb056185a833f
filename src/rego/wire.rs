use std::io::{self, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Bytes of one frame: several times the largest file that the limits allow by default, since a
/// document with all its aliases is longer than its file.
const FRAME_BYTES_MAX: usize = 128 << 20;

/// A document that is asked about.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Held<D> {
    /// The path of its file in the tree.
    pub path: String,
    /// What is in it.
    pub content: D,
    /// The numbers of the sets that have nothing to do with it.
    pub not_for: Vec<usize>,
}

/// Rules that are evaluated together, and see nothing of other sets.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct SetText {
    /// The files with rules.
    pub files: Vec<SourceText>,
    /// What is under `data`, as JSON: an object.
    pub data: String,
}

/// A file with rules.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct SourceText {
    /// What it is called in messages.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// A place in a file with rules.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
}

/// A file with rules that cannot be used.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// The number of its set.
    pub set: usize,
    /// Where.
    pub place: Place,
    /// What is wrong.
    pub message: String,
}

/// A rule that is asked: all its definitions in one package of one set.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Unit {
    /// The number of its set.
    pub set: usize,
    /// Its package: `main`.
    pub package: String,
    /// Its name: `deny_root`.
    pub rule: String,
    /// Where it is defined first.
    pub place: Place,
    /// Whether it is asked about all files together.
    pub is_combined: bool,
    /// Whether what it says is a warning.
    pub warns: bool,
}

/// One result of a rule.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Said {
    /// Its message.
    pub message: String,
    /// The file that it names; of combined rules.
    pub file: Option<String>,
    /// The way to the value that it is about: keys, and numbers of items.
    pub path: Vec<String>,
}

/// What a rule came to.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Told {
    /// The document's number in what was asked; 0 for all of them together.
    pub document: usize,
    /// The rule's number.
    pub unit: usize,
    /// What it came to.
    pub verdict: Verdict,
}

/// What a rule came to on one document.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub enum Verdict {
    /// A result.
    Said(Said),
    /// So many more results.
    More(u64),
    /// It could not be evaluated.
    Failed {
        /// Where in the rules.
        place: Option<Place>,
        /// Why.
        message: String,
    },
    /// It took more than it may.
    Outran(Outrun),
}

/// What was taken too much of.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub enum Outrun {
    /// Time.
    Time,
    /// Memory, or calls inside each other; how the child ended.
    Space(String),
}

/// One test of rules.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Trial {
    /// Its package.
    pub package: String,
    /// Its name: `test_root_is_refused`.
    pub rule: String,
    /// Where it is.
    pub place: Place,
    /// Whether it holds.
    pub passed: bool,
    /// Why it does not, where there is more to say than that.
    pub message: Option<String>,
    /// What it printed.
    pub printed: Vec<String>,
}

/// What the child is asked; `D` is a document.
#[derive(Debug, Deserialize, Serialize)]
pub(super) enum Request<D> {
    /// Takes these rules, and says what they are.
    Load { sets: Vec<SetText> },
    /// Leaves a rule out from now on.
    Skip { unit: usize },
    /// Holds each of these against the rules that are not combined.
    Documents { documents: Vec<Held<D>>, announced: bool, budget_ms: u64 },
    /// Takes these as parts of what combined rules see.
    Part { documents: Vec<Held<D>> },
    /// Holds what came as parts against the combined rules.
    Combined { budget_ms: u64 },
    /// Runs the tests of the rules.
    Trials { budget_ms: u64 },
}

/// What the child says.
#[derive(Debug, Deserialize, Serialize)]
pub(super) enum Answer {
    /// It lives, and has its limits.
    Ready,
    /// It begins to read a file.
    Reads { set: usize, file: String },
    /// The rules, and which of them cannot be used.
    Loaded { units: Vec<Unit>, broken: Vec<Broken> },
    /// It begins to ask a rule.
    Begins { document: usize, unit: usize },
    /// It begins a test.
    Tries { trial: Trial },
    /// What a rule came to.
    Told(Told),
    /// What a test came to.
    Tried(Trial),
    /// That was all of it.
    Done,
}

/// A message as it is sent.
///
/// # Errors
/// When it has more than [`FRAME_BYTES_MAX`].
pub(super) fn frame(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, message)?;
    let length = bytes.len() - 4;
    if length > FRAME_BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let length = u32::try_from(length).map_err(io::Error::other)?.to_le_bytes();
    bytes.iter_mut().zip(length).for_each(|(to, from)| *to = from);
    Ok(bytes)
}

/// Sends one message.
///
/// # Errors
/// Those of the stream.
pub(super) fn send(to: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    to.write_all(&frame(message)?)
}

/// Receives one message; `None` at the end.
///
/// # Errors
/// Those of the stream, and when what comes is no message.
pub(super) fn receive<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    if from.read(&mut length[..1])? == 0 {
        return Ok(None);
    }
    from.read_exact(&mut length[1..])?;
    let length = u32::from_le_bytes(length);
    if usize::try_from(length).map_or(true, |length| length > FRAME_BYTES_MAX) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message is too long"));
    }
    let mut bytes = Vec::new();
    from.take(length.into()).read_to_end(&mut bytes)?;
    Ok(Some(serde_json::from_slice(&bytes)?))
}
