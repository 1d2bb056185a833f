//! Writing a commit to the source: `git-receive-pack` (gitprotocol-pack, "Pushing Data To a
//! Server") over HTTP and SSH, and libgit2 for a repository on this machine.
//!
//! A push names the commit that the branch is thought to show: the repository itself sees to it that
//! nothing is overwritten that came meanwhile.

use std::io::Read;

use git2::{ErrorCode, ObjectType, Oid, Repository as Git};

use crate::model::{ObjectId, Revision};
use crate::objects::Mirror;

use super::advertisement;
use super::descent::oid;
use super::error::words;
use super::local::Local;
use super::packets::{self, Packet, Packets};
use super::patience::Patience;
use super::repository::{Repository, damage};
use super::wire::Wire;
use super::{Pushed, SourceError};

/// Bytes in what a server says first, and in what it says of a push.
const TALK_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Bytes of a report that are kept.
const REPORT_BYTES_MAX: usize = 64 * 1024;
/// Characters of what a server's hooks say that are told.
const WORDS_CHARS_MAX: usize = 400;
/// What stands for a branch that is not there.
const NOTHING: &str = "0000000000000000000000000000000000000000";

/// A branch, the commit it is thought to show, and the one that it is to show.
pub(super) struct Update<'a> {
    pub(super) commit: &'a Revision,
    pub(super) old: Option<&'a Revision>,
    pub(super) reference: &'a str,
}

/// Writes it.
pub(super) fn push(
    to: Repository,
    update: &Update<'_>,
    mirror: &Mirror,
    patience: Patience,
) -> Result<Pushed, SourceError> {
    match to {
        Repository::Local(local) => to_folder(&local, update, mirror),
        Repository::Peer(peer) => {
            let (mut wire, place) = peer.into_wire();
            let pushed = to_server(&mut wire, &place, update, mirror, patience);
            wire.close();
            pushed
        }
    }
}

/// The objects that a commit adds to its parent.
fn added(mirror: &Mirror, commit: Oid) -> Result<Vec<(Oid, ObjectType)>, git2::Error> {
    let git = mirror.repository();
    let new = git.find_commit(commit)?;
    let parent = new.parent(0).ok().map(|parent| parent.tree_id());
    let mut added = vec![(commit, ObjectType::Commit)];
    let mut next = vec![(new.tree_id(), parent)];
    while let Some((id, before)) = next.pop() {
        if Some(id) == before {
            continue;
        }
        added.push((id, ObjectType::Tree));
        let before = before.and_then(|id| git.find_tree(id).ok());
        for entry in &git.find_tree(id)? {
            let same = before.as_ref().and_then(|tree| tree.get_name_bytes(entry.name_bytes()));
            let same = same.map(|same| same.id());
            match entry.kind() {
                Some(ObjectType::Tree) => next.push((entry.id(), same)),
                Some(ObjectType::Blob) if same != Some(entry.id()) => {
                    added.push((entry.id(), ObjectType::Blob));
                }
                // What a submodule names is elsewhere.
                _ => {}
            }
        }
    }
    Ok(added)
}

fn to_folder(local: &Local, update: &Update<'_>, mirror: &Mirror) -> Result<Pushed, SourceError> {
    let repository = local.open()?;
    let unreadable = |source| local.unreadable(source);
    if is_checked_out(&repository, update.reference) {
        return Ok(Pushed::Refused(format!(
            "{} is checked out in {}, whose files would not be those of its branch any more: follow a bare repository, or set receive.denyCurrentBranch to ignore there",
            update.reference,
            local.place()
        )));
    }
    let commit = oid(update.commit.id());
    let objects = added(mirror, commit).map_err(|source| damage(mirror, source))?;
    let from = mirror.repository().odb().map_err(|source| damage(mirror, source))?;
    let into = repository.odb().map_err(unreadable)?;
    // What refers to others comes after them.
    for (id, kind) in objects.iter().rev() {
        let object = from.read(*id).map_err(|source| damage(mirror, source))?;
        into.write(*kind, object.data()).map_err(unreadable)?;
    }
    let file = |source| SourceError::File {
        operation: "make durable",
        path: repository.path().to_owned(),
        source,
    };
    let folder = std::fs::File::open(repository.path()).map_err(file)?;
    rustix::fs::syncfs(&folder).map_err(|error| file(error.into()))?;
    let log = "kconfigd: written over the API";
    let moved = match update.old {
        Some(old) => {
            repository.reference_matching(update.reference, commit, true, oid(old.id()), log)
        }
        None => repository.reference(update.reference, commit, false, log),
    };
    match moved {
        Ok(_) => {
            rustix::fs::syncfs(&folder).map_err(|error| file(error.into()))?;
            Ok(Pushed::Done)
        }
        Err(error)
            if matches!(
                error.code(),
                ErrorCode::Modified | ErrorCode::Exists | ErrorCode::NotFound | ErrorCode::Locked
            ) =>
        {
            Ok(Pushed::Moved(Some(words(error.message().as_bytes()))))
        }
        Err(error) => Err(unreadable(error)),
    }
}

/// Whether the files of a branch lie beside the repository, and it minds.
fn is_checked_out(repository: &Git, reference: &str) -> bool {
    let minds = || {
        let answer = repository.config().and_then(|config| {
            config.get_string("receive.denyCurrentBranch").map(|text| text.to_ascii_lowercase())
        });
        !answer.is_ok_and(|answer| matches!(answer.as_str(), "ignore" | "warn" | "false"))
    };
    let head = repository.find_reference("HEAD");
    let head = head.as_ref().ok().and_then(|head| head.symbolic_target().ok().flatten());
    !repository.is_bare() && head == Some(reference) && minds()
}

fn to_server(
    wire: &mut Wire,
    place: &str,
    update: &Update<'_>,
    mirror: &Mirror,
    patience: Patience,
) -> Result<Pushed, SourceError> {
    let mut greeting = wire.greet(patience)?;
    let shown = shown(&mut greeting, place, update.reference)?;
    greeting.rest();
    if shown.at != update.old.map(Revision::id) {
        return Ok(Pushed::Moved(None));
    }
    let request =
        request(update, shown.has_sideband, mirror).map_err(|source| damage(mirror, source))?;
    let mut answer = wire.say(&request, false, patience, None)?;
    let pushed = report(&mut answer, place, update.reference, shown.has_sideband);
    answer.rest();
    pushed
}

/// What a server shows of a branch, and how it answers.
struct ShownBranch {
    at: Option<ObjectId>,
    has_sideband: bool,
}

fn shown(from: impl Read, place: &str, reference: &str) -> Result<ShownBranch, SourceError> {
    let mut packets = Packets::new(from, place, "references_bytes_max", TALK_BYTES_MAX);
    let (abilities, shown) = advertisement::read(&mut packets)?;
    let at = shown.iter().find(|one| one.name == reference).map(|one| one.id);
    Ok(ShownBranch { at, has_sideband: abilities.sideband })
}

fn request(
    update: &Update<'_>,
    has_sideband: bool,
    mirror: &Mirror,
) -> Result<Vec<u8>, git2::Error> {
    let git = mirror.repository();
    let commit = oid(update.commit.id());
    let mut builder = git.packbuilder()?;
    for (id, _) in added(mirror, commit)? {
        builder.insert_object(id, None)?;
    }
    let mut pack = git2::Buf::new();
    builder.write_buf(&mut pack)?;
    let old = update.old.map_or(NOTHING.to_owned(), ToString::to_string);
    let beside = if has_sideband { " side-band-64k" } else { "" };
    let mut out = Vec::new();
    let (commit, reference) = (update.commit, update.reference);
    packets::line(&mut out, &format!("{old} {commit} {reference}\0report-status{beside}"));
    packets::flush(&mut out);
    out.extend_from_slice(&pack);
    Ok(out)
}

/// Reads what a server says of a push.
fn report(
    from: impl Read,
    place: &str,
    reference: &str,
    has_sideband: bool,
) -> Result<Pushed, SourceError> {
    let mut packets = Packets::new(from, place, "report_bytes_max", TALK_BYTES_MAX);
    if !has_sideband {
        return verdict(&mut packets, reference, "");
    }
    let (mut status, mut said) = (Vec::new(), String::new());
    loop {
        match packets.next()? {
            Packet::Flush | Packet::Delimiter => break,
            Packet::Data([1, bytes @ ..]) if status.len() + bytes.len() <= REPORT_BYTES_MAX => {
                status.extend_from_slice(bytes);
            }
            Packet::Data([2 | 3, bytes @ ..]) if said.len() < REPORT_BYTES_MAX => {
                said.push_str(&words(bytes));
                said.push(' ');
            }
            Packet::Data(_) => {}
        }
    }
    let mut packets = Packets::new(status.as_slice(), place, "report_bytes_max", TALK_BYTES_MAX);
    verdict(&mut packets, reference, said.trim())
}

fn verdict<R: Read>(
    packets: &mut Packets<R>,
    reference: &str,
    said: &str,
) -> Result<Pushed, SourceError> {
    let told = |why: &str| -> String {
        let more = if said.is_empty() { String::new() } else { format!(": {said}") };
        format!("{why}{more}").chars().take(WORDS_CHARS_MAX).collect()
    };
    while let Some(line) = packets.text()? {
        if let Some(problem) = line.strip_prefix("unpack ").filter(|problem| *problem != "ok") {
            return Ok(Pushed::Refused(told(&words(problem.as_bytes()))));
        }
        if line.strip_prefix("ok ") == Some(reference) {
            return Ok(Pushed::Done);
        }
        if let Some(why) = line.strip_prefix("ng ").and_then(|rest| rest.strip_prefix(reference)) {
            let why = words(why.trim().as_bytes());
            // In the words of git, and of those who wrote it anew.
            let moved = [
                "failed to update ref",
                "fetch first",
                "non-fast-forward",
                "stale",
                "cannot lock ref",
                "reference already exists",
                "reference does not exist",
                "incorrect old value provided",
            ];
            return Ok(match moved.iter().any(|words| why.contains(words)) {
                true => Pushed::Moved(Some(told(&why))),
                false => Pushed::Refused(told(&why)),
            });
        }
    }
    Err(packets.damaged("it does not say what became of the push"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BRANCH: &str = "refs/heads/main";

    fn lines(lines: &[&str]) -> Vec<u8> {
        let mut out = Vec::new();
        lines.iter().for_each(|line| packets::line(&mut out, line));
        packets::flush(&mut out);
        out
    }

    /// The same bytes beside what hooks say, in git's bands.
    fn beside(status: &[u8], said: &str) -> Vec<u8> {
        let mut out = Vec::new();
        for (band, bytes) in [(2, said.as_bytes()), (1, status)] {
            out.extend_from_slice(format!("{:04x}", bytes.len() + 5).as_bytes());
            out.push(band);
            out.extend_from_slice(bytes);
        }
        packets::flush(&mut out);
        out
    }

    fn told(lines_of_report: &[&str], said: &str) -> Pushed {
        let status = lines(lines_of_report);
        let plain = report(status.as_slice(), "here", BRANCH, false).unwrap();
        let banded = report(beside(&status, said).as_slice(), "here", BRANCH, true).unwrap();
        assert_eq!(matches!(plain, Pushed::Refused(_)), matches!(banded, Pushed::Refused(_)));
        banded
    }

    #[test]
    fn what_a_server_says_of_a_push_is_understood() {
        assert_eq!(told(&["unpack ok", "ok refs/heads/main"], "thanks\n"), Pushed::Done);
        for moved in [
            "failed to update ref",
            "stale info",
            "non-fast-forward",
            "incorrect old value provided",
            "reference does not exist",
        ] {
            let line = format!("ng refs/heads/main {moved}");
            assert_eq!(told(&["unpack ok", &line], ""), Pushed::Moved(Some(moved.to_owned())));
        }
        assert_eq!(
            told(&["unpack ok", "ng refs/heads/main pre-receive hook declined"], "frozen\n"),
            Pushed::Refused("pre-receive hook declined: frozen".to_owned())
        );
        assert!(matches!(told(&["unpack index-pack abnormal exit"], ""), Pushed::Refused(_)));
        let nothing = lines(&["unpack ok"]);
        assert!(report(nothing.as_slice(), "here", BRANCH, false).is_err());
    }

    proptest! {
        #[test]
        fn no_answer_of_a_server_is_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), banded in any::<bool>()) {
            drop(report(bytes.as_slice(), "here", BRANCH, banded));
            let mut framed = format!("{:04x}", bytes.len() + 4).into_bytes();
            framed.extend_from_slice(&bytes);
            framed.extend_from_slice(b"0000");
            drop(report(framed.as_slice(), "here", BRANCH, banded));
            drop(shown(framed.as_slice(), "here", BRANCH));
        }
    }
}
