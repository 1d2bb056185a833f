use crate::config::Reference;
use crate::model::Revision;

/// A reference that a source shows: its name and the commit behind it (tags peeled).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) name: String,
    pub(super) commit: Revision,
}

/// The names that have to be asked for: prefixes, as protocol v2's `ref-prefix` takes them.
pub(super) fn prefixes(reference: &Reference) -> Vec<String> {
    match reference {
        Reference::Head => vec!["HEAD".to_owned()],
        Reference::Branch(name) => vec![format!("refs/heads/{name}")],
        Reference::Tag(name) => vec![format!("refs/tags/{name}")],
        Reference::Semver(_) => vec!["refs/tags/".to_owned()],
        Reference::Ref(name) => vec![name.clone()],
        Reference::Commit(_) => Vec::new(),
    }
}

/// The one that is meant among those that were shown (a prefix shows more than was asked for).
pub(super) fn choose<'a>(reference: &Reference, shown: &'a [Shown]) -> Option<&'a Shown> {
    let named = |name: String| shown.iter().find(|s| s.name == name);
    match reference {
        Reference::Head => named("HEAD".to_owned()),
        Reference::Branch(name) => named(format!("refs/heads/{name}")),
        Reference::Tag(name) => named(format!("refs/tags/{name}")),
        Reference::Ref(name) => named(name.clone()),
        Reference::Commit(_) => None,
        Reference::Semver(range) => shown
            .iter()
            .filter_map(|s| Some((version(&s.name)?, s)))
            .filter(|(version, _)| range.matches(version))
            .max_by(|(a, _), (b, _)| a.cmp(b))
            .map(|(_, s)| s),
    }
}

/// The version that a tag names; a leading `v` does not count.
fn version(reference: &str) -> Option<semver::Version> {
    let tag = reference.strip_prefix("refs/tags/")?;
    semver::Version::parse(tag.strip_prefix('v').unwrap_or(tag)).ok()
}

/// What was looked for, in words.
pub(super) fn in_words(reference: &Reference) -> String {
    match reference {
        Reference::Head => "HEAD".to_owned(),
        Reference::Branch(name) => format!("branch `{name}`"),
        Reference::Tag(name) => format!("tag `{name}`"),
        Reference::Semver(range) => format!("tag in the range `{range}`"),
        Reference::Ref(name) => format!("reference `{name}`"),
        Reference::Commit(revision) => format!("commit {revision}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &str, n: u8) -> Shown {
        let commit = Revision::parse(&format!("{n:02x}").repeat(20)).unwrap();
        Shown { name: name.to_owned(), commit }
    }

    #[test]
    fn a_prefix_shows_more_than_is_meant() {
        let refs = [shown("refs/heads/main-old", 1), shown("refs/heads/main", 2)];
        let branch = Reference::Branch("main".to_owned());
        assert_eq!(choose(&branch, &refs), Some(&refs[1]));
        assert_eq!(choose(&Reference::Branch("mai".to_owned()), &refs), None);
    }

    #[test]
    fn the_highest_version_in_the_range_is_meant() {
        let tags = ["v1.2.0", "1.10.1", "v2.0.0", "v1.11.0-rc.1", "nightly", "v1.9"];
        let refs: Vec<_> =
            (1..).zip(tags).map(|(n, t)| shown(&format!("refs/tags/{t}"), n)).collect();
        let range = |r: &str| Reference::Semver(semver::VersionReq::parse(r).unwrap());
        assert_eq!(choose(&range(">=1.2, <2"), &refs).unwrap().name, "refs/tags/1.10.1");
        assert_eq!(choose(&range(">=3"), &refs), None);
    }
}
