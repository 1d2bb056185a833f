//! What a git server and a repository say, tried with any bytes. See `crate::fuzzing`.
//!
//! Each function says whether the bytes were taken.

use std::io::Read;

use super::SourceError;
use super::advertisement::{self, Abilities};
use super::gitmodules as modules;
use super::intake::Intake;
use super::pack_request::{self, Asked};
use super::packets::Packets;
use crate::model::{Limits, ObjectId};
use crate::objects::Mirror;

/// Bytes that a server may say before it is cut off.
const BYTES_MAX: u64 = 1 << 20;
/// Bytes of a message.
const MESSAGE_BYTES_MAX: usize = 2_000;

/// What a server answers, after a byte that says to what: an advertisement, a list of references,
/// or a pack in protocol v2 or v0.
pub(crate) fn packets(bytes: &[u8]) -> bool {
    let Some((first, rest)) = bytes.split_first() else { return false };
    let mut packets = Packets::new(Parts(rest), "here", "test_max", BYTES_MAX);
    let names = |shown: Vec<advertisement::Shown>| {
        assert!(shown.len() * 40 <= rest.len(), "{} references of nothing", shown.len());
        for one in &shown {
            assert!(git2::Reference::is_valid_name(&one.name), "{:?}", one.name);
        }
    };
    let answer = match first % 4 {
        0 => advertisement::read(&mut packets).map(|(_, shown)| names(shown)),
        1 => advertisement::references(&mut packets).map(names),
        version => pack(&mut packets, version == 2, *first),
    };
    told(answer)
}

fn pack(packets: &mut Packets<Parts<'_>>, v2: bool, choice: u8) -> Result<(), SourceError> {
    let known = ObjectId([1; 20]);
    let asked = match choice & 12 {
        0 => Asked::Everything,
        12 => Asked::Commits,
        4 => Asked::History { known, insist: false },
        _ => Asked::Files { have: (choice & 16 == 0).then_some(known) },
    };
    let shallow = choice & 32 == 0;
    let abilities = Abilities { v2, shallow, sideband: true, filter: true, unborn: true };
    let Ok(folder) = tempfile::tempdir() else { return Ok(()) };
    let Ok(mirror) = Mirror::open_or_create(&folder.path().join("repo.git")) else { return Ok(()) };
    let limits = Limits { fetch_bytes_max: BYTES_MAX, files_max: 1_000, ..Limits::default() };
    let intake = Intake::start(&mirror, &limits, "here")?;
    pack_request::answer(packets, asked, abilities, intake).map(drop)
}

/// A `.gitmodules`.
pub(crate) fn gitmodules(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    match modules::parse(text) {
        Ok(modules) => {
            assert!(modules.len() <= text.lines().count(), "{} of nothing", modules.len());
            true
        }
        Err(line) => {
            assert!((1..=text.lines().count()).contains(&line), "line {line} is not there");
            false
        }
    }
}

fn told(answer: Result<(), SourceError>) -> bool {
    let Err(error) = answer else { return true };
    let text = error.to_string();
    assert!(text.len() <= MESSAGE_BYTES_MAX, "{} bytes in a message", text.len());
    assert!(!text.contains(|c: char| c.is_control()), "a control character in {text:?}");
    false
}

/// Gives a few bytes at a time, as a network does.
struct Parts<'a>(&'a [u8]);

impl Read for Parts<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let end = buffer.len().min(7);
        self.0.read(buffer.get_mut(..end).unwrap_or_default())
    }
}
