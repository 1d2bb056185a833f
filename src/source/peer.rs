//! A repository at the other end of a wire, and what is said to it.

use std::cell::OnceCell;
use std::io::Read;

use crate::model::ObjectId;

use super::SourceError;
use super::advertisement::{self, Abilities, Shown};
use super::intake::Intake;
use super::pack_request::{self, Answered, Asked};
use super::packets::Packets;
use super::patience::Patience;
use super::repository::Into;
use super::wire::Wire;

/// Bytes in a server's list of references.
const REFERENCES_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Bytes that a fetch may bring beside the pack: framing, and what the server tells.
const TALK_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A repository at the other end of a wire.
pub(super) struct Peer {
    wire: Wire,
    place: String,
    /// What the server can do: asked once, and remembered as long as it is true.
    abilities: Option<Abilities>,
}

impl Peer {
    /// A repository that is shown to people as `place`.
    pub(super) fn new(wire: Wire, place: String) -> Self {
        Self { wire, place, abilities: None }
    }

    /// How it is shown to people.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Ends what costs something while it is idle.
    pub(super) fn close(&mut self) {
        self.wire.close();
    }

    /// The references whose names start with `prefix` (with v0: all).
    pub(super) fn references(
        &mut self,
        prefix: &str,
        patience: Patience,
    ) -> Result<Vec<Shown>, SourceError> {
        let shown = self.try_references(prefix, patience);
        self.forget_after(&shown);
        shown
    }

    fn forget_after<T>(&mut self, result: &Result<T, SourceError>) {
        if result.is_err() {
            self.abilities = None;
            self.wire.forget();
        }
    }

    fn try_references(
        &mut self,
        prefix: &str,
        patience: Patience,
    ) -> Result<Vec<Shown>, SourceError> {
        let abilities = match self.known().filter(|abilities| abilities.v2) {
            Some(abilities) => abilities,
            None => {
                let (abilities, shown) = self.introduce(patience)?;
                if !abilities.v2 {
                    return Ok(shown);
                }
                abilities
            }
        };
        let request = advertisement::request(prefix, abilities);
        let mut answer = self.wire.say(&request, true, patience, None)?;
        let shown = advertisement::references(&mut listen(&mut answer, &self.place))?;
        answer.rest();
        Ok(shown)
    }

    /// What the server can do, if it need not be asked.
    fn known(&self) -> Option<Abilities> {
        self.abilities.filter(|_| !self.wire.is_closed())
    }

    /// Asks what the server can do.
    fn introduce(&mut self, patience: Patience) -> Result<(Abilities, Vec<Shown>), SourceError> {
        let mut answer = self.wire.greet(patience)?;
        let (abilities, shown) = advertisement::read(&mut listen(&mut answer, &self.place))?;
        answer.rest();
        self.abilities = Some(abilities);
        Ok((abilities, shown))
    }

    /// The wire, and how the repository is shown to people.
    pub(super) fn into_wire(self) -> (Wire, String) {
        (self.wire, self.place)
    }

    /// Fetches all that is new since `known` into the mirror, as long as that is little. Gives the
    /// bytes received; `None`: it has to be asked for in another way.
    pub(super) fn since(
        &mut self,
        want: ObjectId,
        known: ObjectId,
        into: Into<'_>,
    ) -> Result<Option<u64>, SourceError> {
        // only the newer protocol tells whether the server knows the one before it sends
        if !self.known().is_some_and(|abilities| abilities.v2) {
            return Ok(None);
        }
        match self.pack(want, Asked::Since { known }, into) {
            Ok(Answered::Pack(bytes)) => Ok(Some(bytes)),
            Ok(Answered::Unknown | Answered::Undecided) => Ok(None),
            // too much, or differences to something that is not here
            Err(SourceError::Limit { .. } | SourceError::Damaged { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Fetches into the mirror.
    pub(super) fn pack(
        &mut self,
        want: ObjectId,
        asked: Asked,
        into: Into<'_>,
    ) -> Result<Answered, SourceError> {
        let answered = self.try_pack(want, asked, into);
        self.forget_after(&answered);
        if let Ok(Answered::Pack(bytes)) = &answered {
            self.wire.end_after(*bytes);
        }
        // protocol v0 ends with its pack
        if !self.abilities.is_some_and(|abilities| abilities.v2) {
            self.wire.close();
        }
        answered
    }

    fn try_pack(
        &mut self,
        want: ObjectId,
        asked: Asked,
        into: Into<'_>,
    ) -> Result<Answered, SourceError> {
        let Into { mirror, limits, patience, progress, meanwhile, .. } = into;
        let abilities = match self.known() {
            Some(abilities) => abilities,
            None => self.introduce(patience)?.0,
        };
        let request = pack_request::request(want, asked, abilities);
        let intake = OnceCell::new();
        let begin = || {
            meanwhile();
            mirror.read_expected();
            Intake::start(mirror, limits, &self.place)
        };
        let meanwhile = || {
            intake.get_or_init(begin);
        };
        let mut answer = self.wire.say(&request, abilities.v2, patience, Some(&meanwhile))?;
        let max = limits.fetch_bytes_max.saturating_add(TALK_BYTES_MAX);
        let mut packets = Packets::new(&mut answer, &self.place, "limits.fetch_bytes_max", max);
        // The answer may have been here before anything could be done.
        let intake = intake.into_inner().unwrap_or_else(begin)?;
        let intake = intake.reporting_to(progress).within(patience.whole());
        let intake = if matches!(asked, Asked::Since { .. }) { intake.little() } else { intake };
        let answered = pack_request::answer(&mut packets, asked, abilities, intake)?;
        answer.rest();
        Ok(answered)
    }
}

fn listen<R: Read>(answer: R, place: &str) -> Packets<R> {
    Packets::new(answer, place, "references_bytes_max", REFERENCES_BYTES_MAX)
}
