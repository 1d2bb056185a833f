//! Which of the references that a server shows is the one that is followed. Pure.

use semver::Version;

use crate::config::Reference;
use crate::model::{ObjectId, Revision};

use super::Head;
use super::advertisement::Shown;

/// The head, and the id under which the server shows it: a tag's own, where there is one. Some
/// servers give out only what they show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    pub head: Head,
    pub shown: ObjectId,
}

/// The prefix of the references to ask for; `None` when the name is none that git allows.
pub(super) fn prefix(reference: &Reference) -> Option<String> {
    let name = match reference {
        Reference::Head | Reference::Commit(_) => return Some("HEAD".to_owned()),
        Reference::Semver(_) => return Some("refs/tags/".to_owned()),
        Reference::Branch(name) => format!("refs/heads/{name}"),
        Reference::Tag(name) => format!("refs/tags/{name}"),
        Reference::Ref(name) => name.clone(),
    };
    git2::Reference::is_valid_name(&name).then_some(name)
}

/// The one that is followed, among those shown.
pub(super) fn choose(reference: &Reference, shown: &[Shown]) -> Option<Chosen> {
    let found = match reference {
        Reference::Semver(range) => shown
            .iter()
            .filter_map(|one| Some((version(&one.name)?, one)))
            .filter(|(version, _)| range.matches(version))
            .max_by(|(a, one), (b, other)| {
                a.cmp_precedence(b).then_with(|| one.name.cmp(&other.name))
            })
            .map(|(_, one)| one),
        other => {
            let name = prefix(other)?;
            shown.iter().find(|one| one.name == name)
        }
    }?;
    let name = found.symref.as_ref().unwrap_or(&found.name);
    Some(Chosen {
        head: Head {
            revision: Revision::from(found.peeled.unwrap_or(found.id)),
            reference: name.clone(),
            tag: found.peeled.map(|_| found.id),
        },
        shown: found.id,
    })
}

/// What a person may mean by a name, the likeliest first.
pub(super) fn meanings(name: &str) -> Vec<Reference> {
    if name.starts_with("refs/") {
        return vec![Reference::Ref(name.to_owned())];
    }
    // As a clone calls the branches of the repository that it came from.
    let there = name.strip_prefix("origin/").map(|name| Reference::Branch(name.to_owned()));
    let here = [Reference::Branch(name.to_owned()), Reference::Tag(name.to_owned())];
    there.into_iter().chain(here).collect()
}

/// The version that a tag names: `v1.2.3` or `1.2.3`.
fn version(name: &str) -> Option<Version> {
    let tag = name.strip_prefix("refs/tags/")?;
    Version::parse(tag.strip_prefix('v').unwrap_or(tag)).ok()
}

/// The reference in words, for messages.
pub(super) fn spoken(reference: &Reference) -> String {
    match reference {
        Reference::Head => "default branch (HEAD)".to_owned(),
        Reference::Branch(name) => format!("branch `{name}`"),
        Reference::Tag(name) => format!("tag `{name}`"),
        Reference::Semver(range) => format!("tag in the range `{range}`"),
        Reference::Commit(revision) => format!("commit {revision}"),
        Reference::Ref(name) => format!("reference `{name}`"),
    }
}

/// What the repository has instead, for messages: the nearest name, else the first few.
pub(super) fn instead(reference: &Reference, shown: &[Shown]) -> String {
    const NAMES_MAX: usize = 5;
    let (root, wanted) = match reference {
        Reference::Branch(name) => ("refs/heads/", name.as_str()),
        Reference::Tag(name) => ("refs/tags/", name.as_str()),
        Reference::Semver(_) => ("refs/tags/", ""),
        Reference::Head => ("refs/heads/", ""),
        Reference::Commit(_) | Reference::Ref(_) => return String::new(),
    };
    let names: Vec<&str> = shown.iter().filter_map(|one| one.name.strip_prefix(root)).collect();
    let nearest = names
        .iter()
        .map(|name| (strsim::jaro_winkler(wanted, name), name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    match nearest {
        Some((_, name)) => format!("; did you mean `{name}`?"),
        None if names.is_empty() => String::new(),
        None => {
            let some = names.iter().take(NAMES_MAX).copied().collect::<Vec<_>>().join("`, `");
            let more = if names.len() > NAMES_MAX { " and others" } else { "" };
            format!("; it has `{some}`{more}")
        }
    }
}
