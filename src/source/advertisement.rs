//! What a server says of itself and of its references: protocol v2 (gitprotocol-v2), and v0
//! (gitprotocol-pack) for servers that have no other.

use std::io::Read;

use crate::model::ObjectId;

use super::SourceError;
use super::packets::{self, Packet, Packets};

/// One reference of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    /// Its full name.
    pub name: String,
    /// What it points at: a commit, or an annotated tag.
    pub id: ObjectId,
    /// What the tag points at in the end.
    pub peeled: Option<ObjectId>,
    /// The reference that it stands for.
    pub symref: Option<String>,
}

/// What a server can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Abilities {
    /// Protocol v2; else v0.
    pub v2: bool,
    /// It tells where HEAD points in an empty repository.
    pub unborn: bool,
    /// It can leave out what is old.
    pub shallow: bool,
    /// It can leave out files.
    pub filter: bool,
    /// v0: it can send errors beside the pack.
    pub sideband: bool,
}

/// What a server says first: what it can do and, with v0, its references.
pub(super) fn read<R: Read>(
    packets: &mut Packets<R>,
) -> Result<(Abilities, Vec<Shown>), SourceError> {
    let mut first = owned(packets)?;
    if first.as_deref().is_some_and(|text| text.starts_with("# service=")) {
        owned(packets)?;
        first = owned(packets)?;
    }
    match first.as_deref() {
        Some("version 2") => read_v2(packets).map(|abilities| (abilities, Vec::new())),
        Some("version 1") => {
            let first = owned(packets)?;
            read_v0(packets, first)
        }
        _ => read_v0(packets, first),
    }
}

fn owned<R: Read>(packets: &mut Packets<R>) -> Result<Option<String>, SourceError> {
    Ok(packets.text()?.map(str::to_owned))
}

fn read_v2<R: Read>(packets: &mut Packets<R>) -> Result<Abilities, SourceError> {
    let mut abilities = Abilities { v2: true, sideband: true, ..Abilities::default() };
    let (mut refs, mut fetch) = (false, false);
    while let Some(line) = owned(packets)? {
        let (key, values) = line.split_once('=').unwrap_or((&line, ""));
        match key {
            "ls-refs" => {
                refs = true;
                abilities.unborn = values.split(' ').any(|v| v == "unborn");
            }
            "fetch" => {
                fetch = true;
                abilities.shallow = values.split(' ').any(|v| v == "shallow");
                abilities.filter = values.split(' ').any(|v| v == "filter");
            }
            "object-format" if values != "sha1" => return Err(other_format(packets, values)),
            _ => {}
        }
    }
    if refs && fetch { Ok(abilities) } else { Err(packets.damaged("it lacks ls-refs or fetch")) }
}

fn read_v0<R: Read>(
    packets: &mut Packets<R>,
    first: Option<String>,
) -> Result<(Abilities, Vec<Shown>), SourceError> {
    let mut abilities = Abilities::default();
    let mut shown: Vec<Shown> = Vec::new();
    let Some(first) = first else { return Ok((abilities, shown)) };
    let Some((first, words)) = first.split_once('\0') else {
        return Err(packets.damaged("it does not say what it can do"));
    };
    let mut head = None;
    for word in words.split(' ') {
        match word.split_once('=').unwrap_or((word, "")) {
            ("shallow", "") => abilities.shallow = true,
            ("filter", "") => abilities.filter = true,
            ("side-band-64k", "") => abilities.sideband = true,
            ("object-format", format) if format != "sha1" => {
                return Err(other_format(packets, format));
            }
            ("symref", pair) => {
                let target = pair.strip_prefix("HEAD:").filter(|target| is_name(target));
                head = target.map(str::to_owned).or(head);
            }
            _ => {}
        }
    }
    let mut line = Some(first.to_owned());
    while let Some(text) = line {
        // the server's own cut, where it is a shallow clone itself
        if !text.starts_with("shallow ") {
            let (id, name) = pair(packets, &text)?;
            if let Some(tag) = name.strip_suffix("^{}") {
                if let Some(last) = shown.last_mut().filter(|last| last.name == tag) {
                    last.peeled = Some(id);
                }
            } else if is_name(name) {
                let symref = if name == "HEAD" { head.clone() } else { None };
                shown.push(Shown { name: name.to_owned(), id, peeled: None, symref });
            }
        }
        line = owned(packets)?;
    }
    Ok((abilities, shown))
}

fn pair<'t, R: Read>(
    packets: &Packets<R>,
    text: &'t str,
) -> Result<(ObjectId, &'t str), SourceError> {
    let (id, rest) =
        text.split_once(' ').ok_or_else(|| packets.damaged("a reference has no name"))?;
    let id = ObjectId::parse(id).map_err(|_| packets.damaged("a reference has no object id"))?;
    Ok((id, rest))
}

/// Whether git allows such a name. Names are shown to people: a hostile one could move the cursor.
fn is_name(name: &str) -> bool {
    git2::Reference::is_valid_name(name)
}

fn other_format<R: Read>(packets: &Packets<R>, format: &str) -> SourceError {
    packets.unsupported(&format!(
        "keeps its objects in the format `{}`; only sha1 is supported",
        super::error::words(format.as_bytes())
    ))
}

/// The v2 request for the references that start with `prefix`.
pub(super) fn request(prefix: &str, abilities: Abilities) -> Vec<u8> {
    let mut out = Vec::new();
    packets::line(&mut out, "command=ls-refs");
    packets::delimiter(&mut out);
    if prefix.starts_with("refs/") {
        packets::line(&mut out, "peel");
    } else {
        packets::line(&mut out, "symrefs");
        if abilities.unborn {
            packets::line(&mut out, "unborn");
        }
    }
    packets::line(&mut out, &format!("ref-prefix {prefix}"));
    packets::flush(&mut out);
    out
}

/// The v2 answer. `Err(Empty)` is left to the caller: an unborn HEAD is not a reference.
pub(super) fn references<R: Read>(packets: &mut Packets<R>) -> Result<Vec<Shown>, SourceError> {
    let mut shown = Vec::new();
    loop {
        let text = match packets.next()? {
            Packet::Flush => return Ok(shown),
            Packet::Delimiter => return Err(packets.damaged("a section where none belongs")),
            Packet::Data(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        };
        let text = text.trim_end_matches('\n');
        if text.starts_with("unborn ") {
            continue;
        }
        let (id, rest) = pair(packets, text)?;
        let mut words = rest.split(' ');
        let name = words.next().unwrap_or_default().to_owned();
        let mut one = Shown { name, id, peeled: None, symref: None };
        for word in words {
            if let Some(peeled) = word.strip_prefix("peeled:") {
                one.peeled = ObjectId::parse(peeled).ok();
            } else if let Some(target) = word.strip_prefix("symref-target:") {
                one.symref = Some(target.to_owned()).filter(|target| is_name(target));
            }
        }
        if is_name(&one.name) {
            shown.push(one);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "00ff1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b";

    fn packets(lines: &[String]) -> Vec<u8> {
        let mut out = Vec::new();
        lines.iter().for_each(|line| packets::line(&mut out, line));
        packets::flush(&mut out);
        out
    }

    fn over(bytes: &[u8]) -> Packets<&[u8]> {
        Packets::new(bytes, "here", "test_max", 1 << 20)
    }

    #[test]
    fn names_that_git_does_not_allow_are_not_listened_to() {
        let bytes = packets(&[
            format!("{ID} HEAD symref-target:refs/heads/\x1b[31m"),
            format!("{ID} refs/heads/\x1b[31mred"),
            format!("{ID} refs/heads/good"),
        ]);
        let shown = references(&mut over(&bytes)).unwrap();
        let names: Vec<_> = shown.iter().map(|one| (one.name.as_str(), &one.symref)).collect();
        assert_eq!(names, [("HEAD", &None), ("refs/heads/good", &None)]);
    }

    #[test]
    fn a_sha256_repository_is_told_in_words() {
        let bytes = packets(&[
            "version 2".to_owned(),
            "ls-refs".to_owned(),
            "fetch=shallow".to_owned(),
            "object-format=sha256".to_owned(),
        ]);
        let error = read(&mut over(&bytes)).unwrap_err().to_string();
        assert_eq!(error, "here keeps its objects in the format `sha256`; only sha1 is supported");
    }

    #[test]
    fn answers_that_are_none_are_damaged_and_break_nothing() {
        for lines in [vec!["x".to_owned()], vec![format!("{ID}")], vec!["zz HEAD".to_owned()]] {
            let bytes = packets(&lines);
            assert!(references(&mut over(&bytes)).is_err(), "{lines:?}");
            assert!(read(&mut over(&bytes)).is_err(), "{lines:?}");
        }
        assert!(read(&mut over(b"0000")).unwrap().1.is_empty());
    }
}
