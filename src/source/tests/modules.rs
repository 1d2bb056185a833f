//! Submodules, over HTTP and by path.

use super::backend::Backend;
use super::*;
use crate::config::HttpAuth;
use crate::source::SourceError;

/// A repository with a submodule that has one itself. Their addresses are relative.
fn nested() -> (Place, Vec<Revision>) {
    let place = Place::new();
    let served = place.folder.path().join("served");
    let mut commits = Vec::new();
    let mut inner: Option<String> = None;
    for name in ["inner", "outer"] {
        let bare = served.join(format!("{name}.git"));
        run(&served, &["init", "-q", "--bare", "-b", "main", &format!("{name}.git")]);
        let work = place.folder.path().join(name);
        run(place.folder.path(), &["clone", "-q", bare.to_str().unwrap(), name]);
        std::fs::write(work.join("file"), name).unwrap();
        if let Some(inner) = inner.replace(format!("../{name}.git")) {
            run(&work, &["submodule", "--quiet", "add", &inner, "deep/inner"]);
        }
        run(&work, &["add", "-A"]);
        run(&work, &["commit", "-q", "-m", name]);
        run(&work, &["push", "-q", "origin", "HEAD:main"]);
        commits.push(Revision::parse(run(&work, &["rev-parse", "HEAD"]).trim()).unwrap());
    }
    let bare = place.bare.to_str().unwrap().to_owned();
    place.git(&["remote", "add", "origin", &bare]);
    place.git(&["submodule", "--quiet", "add", "../outer.git", "shared/outer"]);
    place.commit("a.yaml", "a: 1\n");
    place.push();
    (place, commits)
}

fn with_submodules(location: Location) -> SourceSettings {
    SourceSettings { submodules: true, ..settings(location, Reference::Head) }
}

#[test]
fn nested_submodules_are_brought_by_their_paths() {
    let (place, commits) = nested();
    let backend = Backend::start(&place.folder.path().join("served"));
    let web = Location::Http(format!("{}/config.git", backend.url));
    for (number, location) in [web, Location::Path(place.bare.clone())].into_iter().enumerate() {
        let mirror = place.folder.path().join(format!("mirror-{number}"));
        let mirror = Mirror::open_or_create(&mirror).unwrap();
        let mut remote = place.remote_with(&with_submodules(location));
        let head = ask(&mut remote);
        let fetched = remote.fetch(&head, None, &mirror, &|| {}).unwrap();
        let brought = remote.submodules(&fetched.revision, &mirror).unwrap();
        let expected = [
            ("shared/outer".to_owned(), mirror.commit_tree(&commits[1]).unwrap()),
            ("shared/outer/deep/inner".to_owned(), mirror.commit_tree(&commits[0]).unwrap()),
        ];
        assert_eq!(brought, BTreeMap::from(expected));
        backend.taken();
        remote.fetch(&head, None, &mirror, &|| {}).unwrap();
        assert_eq!(remote.submodules(&head.revision, &mirror).unwrap().len(), 2);
        assert!(backend.taken().is_empty(), "what is there is not asked for again");
    }
}

#[test]
fn a_submodule_elsewhere_does_not_get_the_credentials_of_the_main_host() {
    let (place, _) = nested();
    let served = place.folder.path().join("served");
    let (main, other) = (Backend::start(&served), Backend::start(&served));
    let elsewhere = format!("{}/outer.git", other.url);
    place.git(&["config", "-f", ".gitmodules", "submodule.shared/outer.url", &elsewhere]);
    place.commit("a.yaml", "a: 2\n");
    place.push();
    let token = place.folder.path().join("token");
    std::fs::write(&token, "hunter2").unwrap();
    let mut with = with_submodules(Location::Http(format!("{}/config.git", main.url)));
    with.auth.http = HttpAuth::Token { username: "ada".to_owned(), file: token };
    let mut remote = place.remote_with(&with);
    let head = ask(&mut remote);
    let mirror = place.mirror();
    remote.fetch(&head, None, &mirror, &|| {}).unwrap();
    assert!(other.taken().is_empty(), "nothing in the files is looked at before it is trusted");
    remote.submodules(&head.revision, &mirror).unwrap();
    assert!(main.taken().iter().all(|one| one.authorization.is_some()));
    let asked = other.taken();
    assert!(!asked.is_empty());
    assert!(asked.iter().all(|one| one.authorization.is_none()));
}

#[test]
fn a_submodule_that_names_a_program_is_refused_and_nothing_runs() {
    let (place, _) = nested();
    let trap = place.folder.path().join("trap");
    let url = format!("ext::sh -c touch% {}", trap.display());
    place.git(&["config", "-f", ".gitmodules", "submodule.shared/outer.url", &url]);
    place.commit("a.yaml", "a: 2\n");
    place.push();
    let mut remote = place.remote_with(&with_submodules(Location::Path(place.bare.clone())));
    let head = ask(&mut remote);
    let mirror = place.mirror();
    remote.fetch(&head, None, &mirror, &|| {}).unwrap();
    let error = remote.submodules(&head.revision, &mirror).unwrap_err();
    assert!(matches!(error, SourceError::Submodule { .. }), "{error}");
    assert!(!trap.exists());
}
