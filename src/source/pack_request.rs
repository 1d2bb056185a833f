//! Asking for a pack and reading the answer: protocol v2, and v0 for servers that have no other.
//!
//! Four questions are asked, and they tell the server different things of what we have:
//! - *Since*: all that is new since the accepted commit, which is declared known with all before it.
//!   For a step ahead this is the least work for the server, and it tells the history too. A file
//!   that returns from before the accepted commit may be left out: then *Files* is asked next, as
//!   it is where much is new.
//! - *Files*: the new commit alone (`deepen 1`), without the files that one has which we have. That
//!   one is declared cut off (`shallow`), so the server counts on nothing but its files.
//! - *Commits*: every commit there is, as signatures are on them; without files where the server can.
//! - *History*: every commit that the accepted one does not reach. Here the accepted one is
//!   declared known with all before it, so that what the server leaves out is its ancestors: then
//!   it is among the commits of the answer's parents, or it is not an ancestor. See `descent`.
//!
//! Differences to objects that are not in the pack (`thin-pack`) are not asked for: see `intake`.

use std::io::Read;

use crate::model::ObjectId;

use super::SourceError;
use super::advertisement::Abilities;
use super::intake::Intake;
use super::packets::{self, Packet, Packets};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// All that is new since `known`, as long as that is little.
    Since { known: ObjectId },
    /// One commit's files; those of `have` are here already.
    Files { have: Option<ObjectId> },
    /// The commits that `known` does not reach. `insist`: even if the server sees no connection.
    History { known: ObjectId, insist: bool },
    /// Every commit from this one on, without files where the server can leave them out.
    Commits,
    /// All that the commit has and all before it.
    Everything,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answered {
    /// A pack of so many bytes, which is in the mirror.
    Pack(u64),
    /// The server does not have the known commit, so nothing there descends from it.
    Unknown,
    /// It has it, and wants to hear more before it sends: ask again, insisting.
    Undecided,
}

/// The request's bytes.
pub(super) fn request(want: ObjectId, asked: Asked, abilities: Abilities) -> Vec<u8> {
    if abilities.v2 {
        request_v2(want, asked, abilities)
    } else {
        request_v0(want, asked, abilities)
    }
}

fn request_v2(want: ObjectId, asked: Asked, abilities: Abilities) -> Vec<u8> {
    let mut out = Vec::new();
    packets::line(&mut out, "command=fetch");
    packets::delimiter(&mut out);
    packets::line(&mut out, "no-progress");
    packets::line(&mut out, "ofs-delta");
    packets::line(&mut out, &format!("want {want}"));
    cut(&mut out, asked, abilities);
    match asked {
        Asked::Files { have: None } | Asked::Commits | Asked::Everything => {}
        Asked::Files { have: Some(known) }
        | Asked::Since { known }
        | Asked::History { known, .. } => {
            packets::line(&mut out, &format!("have {known}"));
        }
    }
    if !matches!(asked, Asked::Since { .. } | Asked::History { insist: false, .. }) {
        packets::line(&mut out, "done");
    }
    packets::flush(&mut out);
    out
}

fn request_v0(want: ObjectId, asked: Asked, abilities: Abilities) -> Vec<u8> {
    let mut out = Vec::new();
    let filter = if is_filtered(asked, abilities) { " filter" } else { "" };
    packets::line(&mut out, &format!("want {want} side-band-64k ofs-delta no-progress{filter}"));
    cut(&mut out, asked, abilities);
    packets::flush(&mut out);
    match asked {
        Asked::Files { have: None } | Asked::Commits | Asked::Everything => {}
        Asked::Files { have: Some(known) }
        | Asked::Since { known }
        | Asked::History { known, .. } => {
            packets::line(&mut out, &format!("have {known}"));
        }
    }
    packets::line(&mut out, "done");
    out
}

/// The lines that say what is to be left out.
fn cut(out: &mut Vec<u8>, asked: Asked, abilities: Abilities) {
    match asked {
        Asked::Files { have } if abilities.shallow => {
            if let Some(have) = have {
                packets::line(out, &format!("shallow {have}"));
            }
            packets::line(out, "deepen 1");
        }
        Asked::History { .. } | Asked::Commits if abilities.filter => {
            packets::line(out, "filter tree:0");
        }
        _ => {}
    }
}

const fn is_filtered(asked: Asked, abilities: Abilities) -> bool {
    matches!(asked, Asked::History { .. } | Asked::Commits) && abilities.filter
}

/// Reads the answer; a pack goes into `intake`.
pub(super) fn answer<R: Read>(
    packets: &mut Packets<R>,
    asked: Asked,
    abilities: Abilities,
    intake: Intake<'_>,
) -> Result<Answered, SourceError> {
    if abilities.v2 {
        answer_v2(packets, intake)
    } else {
        answer_v0(packets, asked, abilities, intake)
    }
}

fn answer_v2<R: Read>(
    packets: &mut Packets<R>,
    intake: Intake<'_>,
) -> Result<Answered, SourceError> {
    let mut known = false;
    loop {
        let section = packets.text()?.map(str::to_owned);
        match section.as_deref() {
            Some("packfile") => return pack(packets, intake),
            Some("acknowledgments" | "shallow-info" | "wanted-refs" | "packfile-uris") => {}
            Some(_) => return Err(packets.damaged("a section of an unknown kind")),
            None => return Err(packets.damaged("there is no pack in it")),
        }
        loop {
            match packets.next()? {
                Packet::Delimiter => break,
                Packet::Flush if known => return Ok(Answered::Undecided),
                Packet::Flush => return Ok(Answered::Unknown),
                Packet::Data(line) => known |= line.starts_with(b"ACK "),
            }
        }
    }
}

fn answer_v0<R: Read>(
    packets: &mut Packets<R>,
    asked: Asked,
    abilities: Abilities,
    intake: Intake<'_>,
) -> Result<Answered, SourceError> {
    if !abilities.sideband {
        return Err(packets.unsupported("speaks a git protocol from before 2007"));
    }
    if abilities.shallow && matches!(asked, Asked::Files { .. }) {
        while packets.text()?.is_some() {}
    }
    let known = packets.text()?.is_some_and(|line| line.starts_with("ACK "));
    if !known && matches!(asked, Asked::History { .. }) {
        return Ok(Answered::Unknown);
    }
    pack(packets, intake)
}

/// The pack itself: band 1 is data, 2 is talk, 3 is why it failed.
fn pack<R: Read>(
    packets: &mut Packets<R>,
    mut intake: Intake<'_>,
) -> Result<Answered, SourceError> {
    loop {
        let failure = match packets.next()? {
            Packet::Flush => return intake.finish().map(Answered::Pack),
            Packet::Data([1, data @ ..]) => {
                intake.take(data)?;
                continue;
            }
            Packet::Data([2, ..]) => continue,
            Packet::Data([3, message @ ..]) => Some(message.to_vec()),
            Packet::Data(_) | Packet::Delimiter => None,
        };
        return Err(match failure {
            Some(message) => packets.said(&message),
            None => packets.damaged("the pack is interrupted"),
        });
    }
}
