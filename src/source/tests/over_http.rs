use std::cell::Cell;

use super::backend::Backend;
use super::*;
use crate::config::HttpAuth;
use crate::model::Reason;
use crate::source::{Descent, SourceError};

fn start(place: &Place, reference: Reference) -> (Backend, Remote) {
    let backend = Backend::start(&place.folder.path().join("served"));
    let url = Location::Http(format!("{}/config.git", backend.url));
    let remote = place.remote(url, reference);
    (backend, remote)
}

fn branch(name: &str) -> Reference {
    Reference::Branch(name.to_owned())
}

#[test]
fn a_poll_is_one_small_request_on_a_kept_connection_whatever_the_number_of_references() {
    let place = Place::new();
    let first = place.commit("a.yaml", "a: 1\n");
    place.push();
    let mut packed = String::from("# pack-refs with: peeled fully-peeled sorted \n");
    for number in 0..20_000 {
        packed += &format!("{first} refs/tags/release-{number:05}\n");
    }
    std::fs::write(place.bare.join("packed-refs"), packed).unwrap();
    for reference in [branch("main"), Reference::Head, Reference::Ref("refs/heads/main".into())] {
        let (backend, mut remote) = start(&place, reference);
        assert_eq!(ask(&mut remote).revision, first);
        assert_eq!(backend.taken().len(), 2, "the first one also asks what the server can do");
        for _ in 0..3 {
            let head = ask(&mut remote);
            assert_eq!(
                (head.revision, head.reference.as_str()),
                (first.clone(), "refs/heads/main")
            );
            let taken = backend.taken();
            assert_eq!(taken.len(), 1);
            assert_eq!(taken[0].connection, 0);
            eprintln!("{} bytes", taken[0].bytes);
            assert!(taken[0].bytes <= 650, "{} bytes", taken[0].bytes);
        }
    }
}

#[test]
fn one_commit_more_is_one_request_and_its_differences() {
    let place = Place::new();
    for number in 0..200 {
        std::fs::create_dir_all(place.work.join("many")).unwrap();
        let text = format!("{number}\n").repeat(50);
        std::fs::write(place.work.join(format!("many/{number}")), text).unwrap();
    }
    let first = place.commit("a.yaml", "a: 1\n");
    place.push();
    let (backend, mut remote) = start(&place, branch("main"));
    let mirror = place.mirror();
    let head = ask(&mut remote);
    let fetched = remote.fetch(&head, None, &mirror, &|| {}).unwrap();
    assert_eq!((fetched.revision, fetched.descent), (first.clone(), Descent::First));
    assert_eq!(remote.fetch(&head, None, &mirror, &|| {}).unwrap().bytes, 0);
    let second = place.commit("a.yaml", "a: 2\n");
    place.push();
    let head = ask(&mut remote);
    assert_eq!(head.revision, second);
    backend.taken();
    mirror.expect(mirror.commit_tree(&first).unwrap());
    let done = Cell::new(false);
    let fetched = remote.fetch(&head, Some(&first), &mirror, &|| done.set(true)).unwrap();
    assert!(done.get() && !mirror.expects(), "it is done and read while the server works");
    assert_eq!(fetched.descent, Descent::Descends);
    assert_eq!(backend.taken().len(), 1);
    assert!(fetched.bytes < 700, "{} bytes", fetched.bytes);
    assert_eq!(remote.fetch(&head, Some(&second), &mirror, &|| {}).unwrap().descent, Descent::Same);
}

#[test]
fn a_branch_that_is_set_back_to_what_is_here_costs_one_small_request() {
    let place = Place::new();
    let first = place.commit("a.yaml", &"a: 1\n".repeat(500));
    place.push();
    let (backend, mut remote) = start(&place, branch("main"));
    let mirror = place.mirror();
    let head = ask(&mut remote);
    remote.fetch(&head, None, &mirror, &|| {}).unwrap();
    let second = place.commit("a.yaml", "a: 2\n");
    place.push();
    let head = ask(&mut remote);
    remote.fetch(&head, Some(&first), &mirror, &|| {}).unwrap();
    place.git(&["reset", "-q", "--hard", &first.to_string()]);
    place.push();
    let head = ask(&mut remote);
    assert_eq!(head.revision, first);
    backend.taken();
    for requests in [1, 0] {
        let fetched = remote.fetch(&head, Some(&second), &mirror, &|| {}).unwrap();
        assert_eq!(fetched.descent, Descent::Rewritten);
        assert!(fetched.bytes < 100, "{} bytes", fetched.bytes);
        // The second time it is known to be here.
        assert_eq!(backend.taken().len(), requests);
    }
    // As it is for who looks for the first time.
    let location = Location::Http(format!("{}/config.git", backend.url));
    let mut another = place.remote(location, branch("main"));
    let head = ask(&mut another);
    backend.taken();
    assert_eq!(another.fetch(&head, Some(&second), &mirror, &|| {}).unwrap().bytes, 0);
    assert_eq!(backend.taken().len(), 0);
}

#[test]
fn a_reference_that_is_not_there_is_told_with_the_nearest_one() {
    let place = Place::new();
    let (_backend, mut remote) = start(&place, branch("production"));
    assert!(matches!(remote.ask(), Err(SourceError::Empty { .. })));
    place.commit("a", "1");
    place.git(&["branch", "-m", "productoin"]);
    place.push();
    let error = remote.ask().unwrap_err().to_string();
    assert!(error.ends_with("has no branch `production`; did you mean `productoin`?"), "{error}");
}

#[test]
fn tags_and_versions_are_followed_to_their_commits() {
    let place = Place::new();
    let first = place.commit("a", "1");
    place.git(&["tag", "v1.9.0"]);
    place.git(&["tag", "-a", "-m", "release", "stable"]);
    let second = place.commit("a", "2");
    place.git(&["tag", "-a", "-m", "release", "1.10.0"]);
    place.git(&["tag", "-a", "-m", "tag of a tag", "nested", "1.10.0"]);
    place.commit("a", "3");
    for odd in ["v2.0.0-rc.1", "v3", "latest"] {
        place.git(&["tag", odd]);
    }
    place.push();
    let semver = |range: &str| Reference::Semver(semver::VersionReq::parse(range).unwrap());
    for old in [false, true] {
        for (reference, revision, name) in [
            (Reference::Tag("v1.9.0".into()), &first, "refs/tags/v1.9.0"),
            (Reference::Tag("stable".into()), &first, "refs/tags/stable"),
            (Reference::Tag("nested".into()), &second, "refs/tags/nested"),
            (semver(">=1.2, <3"), &second, "refs/tags/1.10.0"),
        ] {
            let (backend, mut remote) = start(&place, reference);
            backend.manner.lock().unwrap().old = old;
            let head = ask(&mut remote);
            assert_eq!((&head.revision, head.reference.as_str()), (revision, name));
            let mirror = Mirror::open_or_create(&place.folder.path().join(name)).unwrap();
            let fetched = remote.fetch(&head, None, &mirror, &|| {}).unwrap();
            assert_eq!(&fetched.revision, revision);
            assert!(mirror.commit_tree(revision).is_ok());
        }
    }
    let (_backend, mut remote) = start(&place, semver(">=4"));
    assert!(matches!(remote.ask(), Err(SourceError::ReferenceNotFound { .. })));
}

#[test]
fn one_commit_is_asked_for_by_its_id_and_not_again() {
    let place = Place::new();
    let first = place.commit("a", "1");
    place.commit("a", "2");
    place.push();
    for old in [false, true] {
        let (backend, mut remote) = start(&place, Reference::Commit(first.clone()));
        backend.manner.lock().unwrap().old = old;
        let head = ask(&mut remote);
        assert!(backend.taken().is_empty());
        let mirror = Mirror::open_or_create(&place.folder.path().join(old.to_string())).unwrap();
        remote.fetch(&head, None, &mirror, &|| {}).unwrap();
        assert!(mirror.commit_tree(&first).is_ok());
        backend.taken();
        assert_eq!(remote.fetch(&head, None, &mirror, &|| {}).unwrap().bytes, 0);
        assert!(backend.taken().is_empty());
        let nowhere = Revision::parse(&"ab".repeat(20)).unwrap();
        let (backend, mut remote) = start(&place, Reference::Commit(nowhere));
        backend.manner.lock().unwrap().old = old;
        let head = ask(&mut remote);
        let error = remote.fetch(&head, None, &mirror, &|| {}).unwrap_err();
        assert!(matches!(error, SourceError::ReferenceNotFound { .. }), "{error}");
    }
}

#[test]
fn any_commit_can_be_asked_for_while_a_branch_is_followed() {
    let place = Place::new();
    let first = place.commit("a", "1");
    place.commit("a", "2");
    place.push();
    for old in [false, true] {
        let (backend, mut remote) = start(&place, branch("main"));
        backend.manner.lock().unwrap().old = old;
        let mirror = Mirror::open_or_create(&place.folder.path().join(old.to_string())).unwrap();
        let head = ask(&mut remote);
        remote.fetch(&head, None, &mirror, &|| {}).unwrap();
        let earlier = Head::of(first.clone());
        let fetched = remote.fetch(&earlier, Some(&head.revision), &mirror, &|| {}).unwrap();
        assert_eq!(fetched.descent, Descent::Rewritten);
        assert!(mirror.commit_tree(&first).is_ok());
        let nowhere = Head::of(Revision::parse(&"ab".repeat(20)).unwrap());
        let error = remote.fetch(&nowhere, None, &mirror, &|| {}).unwrap_err();
        assert_eq!(error.reason(), Reason::ReferenceNotFound, "{error}");
    }
}

#[test]
fn credentials_are_read_at_each_use_and_stay_with_their_host() {
    let place = Place::new();
    place.commit("a", "1");
    place.push();
    let backend = Backend::start(&place.folder.path().join("served"));
    backend.manner.lock().unwrap().authorization = Some("Basic YWRhOmh1bnRlcjI=".to_owned());
    let file = place.folder.path().join("token");
    let mut with = settings(Location::Http(format!("{}/config.git", backend.url)), branch("main"));
    with.auth.http = HttpAuth::Token { username: "ada".to_owned(), file: file.clone() };
    let mut remote = place.remote_with(&with);
    let error = remote.ask().unwrap_err();
    assert_eq!(error.reason(), Reason::CredentialsRefused);
    assert!(error.to_string().contains("token file"), "{error}");
    std::fs::write(&file, "wrong\n").unwrap();
    assert_eq!(remote.ask().unwrap_err().reason(), Reason::CredentialsRefused);
    std::fs::write(&file, "hunter2\r\n").unwrap();
    remote.ask().unwrap();
    backend.taken();

    let other = Backend::start(&place.folder.path().join("served"));
    let elsewhere = format!("307 Temporary Redirect\r\nlocation: {}/config.git", other.url);
    let instead = Some(("/config.git".to_owned(), format!("{elsewhere}/git-upload-pack")));
    backend.manner.lock().unwrap().instead = instead;
    let error = remote.ask().unwrap_err();
    assert!(matches!(error, SourceError::RedirectRefused { .. }), "{error}");
    assert!(other.taken().is_empty());
}

#[test]
fn a_redirect_on_the_same_host_is_followed_and_remembered() {
    let place = Place::new();
    let first = place.commit("a", "1");
    place.push();
    let backend = Backend::start(&place.folder.path().join("served"));
    let moved = "301 Moved\r\nlocation: /config.git/info/refs?service=git-upload-pack";
    backend.manner.lock().unwrap().instead = Some(("/old".to_owned(), moved.to_owned()));
    let url = Location::Http(format!("{}/old.git", backend.url));
    let mut remote = place.remote(url, branch("main"));
    assert_eq!(ask(&mut remote).revision, first);
    backend.taken();
    assert_eq!(ask(&mut remote).revision, first);
    let lines: Vec<_> = backend.taken().into_iter().map(|one| one.line).collect();
    assert_eq!(lines, ["POST /config.git/git-upload-pack HTTP/1.1"]);
    let circle = "301 Moved\r\nlocation: /old.git/info/refs?service=git-upload-pack";
    backend.manner.lock().unwrap().instead = Some(("/".to_owned(), circle.to_owned()));
    let url = Location::Http(format!("{}/old.git", backend.url));
    let error = place.remote(url, branch("main")).ask().unwrap_err();
    assert!(matches!(error, SourceError::NotGit { .. }), "{error}");
}

#[test]
fn what_a_server_answers_instead_is_told_apart() {
    let place = Place::new();
    let (backend, mut remote) = start(&place, branch("main"));
    let mut answer = |text: &str| {
        let instead = Some(("/".to_owned(), text.to_owned()));
        backend.manner.lock().unwrap().instead = instead;
        remote.ask().unwrap_err()
    };
    let busy = answer("503 Service Unavailable\r\nretry-after: 17");
    assert_eq!(busy.retry_after(), Some(Duration::from_secs(17)));
    assert!(matches!(answer("404 Not Found"), SourceError::NoRepository { .. }));
    assert_eq!(answer("403 Forbidden").reason(), Reason::CredentialsRefused);
    let dumb = answer("200 OK\r\ncontent-type: text/plain").to_string();
    assert!(dumb.contains("dumb HTTP"), "{dumb}");
    let cut = "200 OK\r\ncontent-type: application/x-git-upload-pack-advertisement";
    assert_eq!(answer(cut).reason(), Reason::SourceDamaged);
}

#[test]
fn a_server_that_is_not_there_or_says_nothing_is_given_up_in_time() {
    let place = Place::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/a.git", listener.local_addr().unwrap());
    let mut with = settings(Location::Http(url), branch("main"));
    with.timeout = Duration::from_millis(300);
    let error = place.remote_with(&with).ask().unwrap_err();
    assert!(matches!(error, SourceError::TimedOut { .. }), "{error}");
    drop(listener);
    let error = place.remote_with(&with).ask().unwrap_err();
    assert!(matches!(error, SourceError::Unreachable { .. }), "{error}");
}

#[test]
fn a_fetch_that_is_too_large_is_ended_and_names_the_limit() {
    let place = Place::new();
    place.commit("a", &"not very small\n".repeat(10_000));
    place.push();
    let (backend, _) = start(&place, branch("main"));
    let with = settings(Location::Http(format!("{}/config.git", backend.url)), branch("main"));
    for (fetch_bytes_max, files_max) in [(100, 1000), (1 << 20, 0)] {
        let limits = Limits { fetch_bytes_max, files_max, ..Limits::default() };
        let mut remote = Remote::new(&with, &limits, place.folder.path()).unwrap();
        let head = ask(&mut remote);
        let error = remote.fetch(&head, None, &place.mirror(), &|| {}).unwrap_err();
        assert!(matches!(error, SourceError::Limit { .. }), "{error}");
    }
}

#[test]
fn a_proxy_is_asked_instead_of_the_host() {
    let place = Place::new();
    let (proxy, _) = start(&place, branch("main"));
    let busy = ("http://nowhere.example.com".to_owned(), "503 Busy".to_owned());
    proxy.manner.lock().unwrap().instead = Some(busy);
    let url = "http://nowhere.example.com/config.git".to_owned();
    let mut with = settings(Location::Http(url), branch("main"));
    with.proxy = Some(proxy.url.clone());
    let error = place.remote_with(&with).ask().unwrap_err();
    assert!(matches!(error, SourceError::Busy { status: 503, .. }), "{error}");
}

#[test]
fn a_kept_connection_that_the_server_has_closed_is_no_error() {
    let place = Place::new();
    let first = place.commit("a", "1");
    place.push();
    let (backend, mut remote) = start(&place, branch("main"));
    backend.manner.lock().unwrap().hangs_up = true;
    for _ in 0..20 {
        assert_eq!(ask(&mut remote).revision, first);
    }
}
