//! Commits and tags as git signs them: which bytes are signed, and what they say.

use crate::model::ObjectId;

/// Characters of a name that are shown.
const NAME_CHARS_MAX: usize = 120;

/// A commit or a tag, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Signed {
    /// The signature's text; `None`: it has none.
    pub(super) signature: Option<String>,
    /// What it is over.
    pub(super) payload: Vec<u8>,
    /// Who says to have made it: a name and an address, for people.
    pub(super) who: String,
    /// When that was, as they say: seconds since 1970.
    pub(super) made: Option<i64>,
}

/// Takes a commit apart as git does. `Err`: git does not build such a commit, and those who read it
/// could take it for different things.
pub(super) fn commit(bytes: &[u8]) -> Result<Signed, &'static str> {
    let (header, message) = header_of(bytes)?;
    let mut payload = Vec::with_capacity(bytes.len());
    let mut signature: Option<Vec<u8>> = None;
    let (mut who, mut field) = (None, Field::Other);
    for (number, line) in header.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let (name, value) = split(line);
        field = match (name, field) {
            // what belongs to the line before
            (b"", field) => field,
            (b"gpgsig", _) if signature.is_some() => return Err("it has two signatures"),
            (b"gpgsig", _) => Field::Signature,
            // signatures for other formats of objects
            (name, _) if name.starts_with(b"gpgsig") => Field::OtherSignature,
            (b"tree", _) if number > 0 => return Err("it names two trees"),
            (b"parent", Field::Tree | Field::Parent) => Field::Parent,
            (b"parent", _) => return Err("a parent is not where git writes it"),
            (b"tree", _) => Field::Tree,
            (b"committer", _) if who.is_some() => return Err("it has two committers"),
            (b"committer", _) => {
                who = Some(value);
                Field::Other
            }
            _ => Field::Other,
        };
        match field {
            Field::Signature => signature.get_or_insert_default().extend_from_slice(value),
            Field::OtherSignature => {}
            _ => payload.extend_from_slice(line),
        }
    }
    if !header.starts_with(b"tree ") {
        return Err("it does not begin with its tree");
    }
    payload.extend_from_slice(message);
    let (who, made) = person(who.ok_or("it has no committer")?);
    Ok(Signed { signature: signature.map(text).transpose()?, payload, who, made })
}

/// What a line of a commit's header is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Tree,
    Parent,
    Signature,
    OtherSignature,
    Other,
}

/// What a tag names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tag {
    pub(super) signed: Signed,
    /// The object.
    pub(super) object: ObjectId,
    /// Whether that is a commit.
    pub(super) is_of_commit: bool,
    /// Its own name, without `refs/tags/`.
    pub(super) name: String,
}

/// Takes a tag apart as git does: the signature is what follows the last line that begins one.
pub(super) fn tag(bytes: &[u8]) -> Result<Tag, &'static str> {
    let (header, _) = header_of(bytes)?;
    let mut lines = header.split(|byte| *byte == b'\n');
    let mut next = |wanted: &[u8]| {
        let line = lines.next()?;
        line.strip_prefix(wanted)?.strip_prefix(b" ")
    };
    let object = next(b"object").and_then(|id| std::str::from_utf8(id).ok());
    let object = object.and_then(|id| ObjectId::parse(id).ok());
    let object = object.ok_or("it does not begin with what it names")?;
    let kind = next(b"type").ok_or("it does not say what it names")?;
    let name = next(b"tag").ok_or("it has no name")?;
    let (who, made) = next(b"tagger").map_or_else(|| ("nobody".to_owned(), None), person);
    let mut at = 0;
    let mut begin = None;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if is_signature(line) {
            begin = Some(at);
        }
        at += line.len();
    }
    let (payload, signature) = bytes.split_at(begin.unwrap_or(bytes.len()));
    let signature = begin.map(|_| text(signature.to_vec())).transpose()?;
    Ok(Tag {
        object,
        is_of_commit: kind == b"commit",
        name: plain(name),
        signed: Signed { signature, payload: payload.to_vec(), who, made },
    })
}

fn is_signature(line: &[u8]) -> bool {
    let beginnings = [
        "-----BEGIN PGP SIGNATURE-----",
        "-----BEGIN PGP MESSAGE-----",
        "-----BEGIN SSH SIGNATURE-----",
        "-----BEGIN SIGNED MESSAGE-----",
    ];
    beginnings.iter().any(|begin| line.starts_with(begin.as_bytes()))
}

/// The lines up to the first empty one, and the rest from that on.
fn header_of(bytes: &[u8]) -> Result<(&[u8], &[u8]), &'static str> {
    let end = bytes.windows(2).position(|pair| pair == b"\n\n").ok_or("its header has no end")?;
    let (header, message) = bytes.split_at_checked(end + 1).ok_or("its header has no end")?;
    if header.contains(&0) {
        return Err("there is a NUL byte in its header");
    }
    Ok((header, message))
}

/// The name of a line and its value; what continues a line has no name.
fn split(line: &[u8]) -> (&[u8], &[u8]) {
    let space = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
    let (name, value) = line.split_at_checked(space).unwrap_or((line, &[]));
    (name, value.get(1..).unwrap_or_default())
}

/// `Name <address> seconds zone`.
fn person(value: &[u8]) -> (String, Option<i64>) {
    let end = value.iter().rposition(|byte| *byte == b'>').map_or(value.len(), |at| at + 1);
    let (who, when) = value.split_at_checked(end).unwrap_or((value, &[]));
    let made = String::from_utf8_lossy(when);
    (plain(who), made.split_whitespace().next().and_then(|seconds| seconds.parse().ok()))
}

/// Text of others as it is shown: never with a line break or what a terminal would obey.
pub(super) fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.trim().chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect()
}

fn text(bytes: Vec<u8>) -> Result<String, &'static str> {
    String::from_utf8(bytes).map_err(|_| "its signature is not text")
}

#[cfg(test)]
mod tests;
