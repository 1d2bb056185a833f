use super::*;
use crate::model::Reason;
use crate::source::{Descent, SourceError};

#[test]
fn the_embedded_repository_is_made_once_and_takes_pushes() {
    let place = Place::new();
    let mut remote = place.remote(Location::Embedded, Reference::Branch("live".to_owned()));
    let error = remote.ask().unwrap_err();
    assert_eq!(error.reason(), Reason::RepositoryEmpty, "{error}");
    let path = place.folder.path().join("state/embedded.git");
    assert_eq!(std::fs::read_to_string(path.join("HEAD")).unwrap().trim(), "ref: refs/heads/live");
    let first = place.commit("a", "1");
    let to = path.to_str().unwrap();
    place.git(&["push", "-q", to, "HEAD:live"]);
    let mirror = place.mirror();
    let head = ask(&mut remote);
    assert_eq!((&head.revision, head.reference.as_str()), (&first, "refs/heads/live"));
    remote.fetch(&head, None, &mirror, &|| {}).unwrap();
    let second = place.commit("a", "2");
    place.git(&["push", "-q", to, "HEAD:live"]);
    let head = ask(&mut place.remote(Location::Embedded, Reference::Head));
    assert_eq!((&head.revision, head.reference.as_str()), (&second, "refs/heads/live"));
    let done = std::cell::Cell::new(false);
    let fetched = remote.fetch(&head, Some(&first), &mirror, &|| done.set(true)).unwrap();
    assert!(done.get());
    assert_eq!(fetched.descent, Descent::Descends);
    assert!(fetched.bytes < 600, "{} bytes", fetched.bytes);
}

#[test]
fn a_working_copy_and_a_repository_of_another_owner_can_be_followed() {
    let place = Place::new();
    let first = place.commit("a", "1");
    place.git(&["tag", "-a", "-m", "x", "v1.0.0"]);
    let _ = std::os::unix::fs::chown(&place.work, Some(54_321), None);
    let _ = std::os::unix::fs::chown(place.work.join(".git"), Some(54_321), None);
    let range = semver::VersionReq::parse("1").unwrap();
    for reference in [Reference::Head, Reference::Semver(range), Reference::Tag("v1.0.0".into())] {
        let mut remote = place.remote(Location::Path(place.work.clone()), reference);
        assert_eq!(ask(&mut remote).revision, first);
    }
}

#[test]
fn a_branch_that_vanishes_is_told_and_found_again_when_it_returns() {
    let place = Place::new();
    let first = place.commit("a", "1");
    place.git(&["branch", "live"]);
    place.push();
    let live = Reference::Branch("live".to_owned());
    let mut remote = place.remote(Location::Path(place.bare.clone()), live);
    assert_eq!(ask(&mut remote).revision, first);
    place.git(&["branch", "-D", "live"]);
    place.push();
    let error = remote.ask().unwrap_err();
    assert_eq!(error.reason(), Reason::ReferenceNotFound, "{error}");
    place.git(&["branch", "live"]);
    place.push();
    assert_eq!(ask(&mut remote).revision, first);
}

#[test]
fn a_folder_that_is_no_repository_or_not_there_is_told() {
    let place = Place::new();
    for path in [place.folder.path().join("nowhere"), place.folder.path().to_owned()] {
        let error = place.remote(Location::Path(path), Reference::Head).ask().unwrap_err();
        assert!(matches!(error, SourceError::Local { .. }), "{error}");
    }
    for name in ["a..b", "-x\n", "a b", ""] {
        let location = Location::Path(place.bare.clone());
        let error = place.remote(location, Reference::Branch(name.to_owned())).ask().unwrap_err();
        assert_eq!(error.reason(), Reason::ReferenceNotFound, "{error}");
    }
}

#[test]
fn another_repository_under_the_same_mirror_is_a_new_line() {
    let (place, other) = (Place::new(), Place::new());
    let (first, second) = (place.commit("a", "1"), other.commit("b", "1"));
    place.push();
    other.push();
    let mirror = place.mirror();
    for (from, revision) in [(&place, first), (&other, second)] {
        let mut remote = from.remote(Location::Path(from.bare.clone()), Reference::Head);
        let head = ask(&mut remote);
        assert_eq!(remote.fetch(&head, None, &mirror, &|| {}).unwrap().descent, Descent::First);
        assert!(mirror.commit_tree(&revision).is_ok());
    }
}
