//! What is known of history afterwards, over every wire: each history here is one that a team makes.

use super::backend::Backend;
use super::*;
use crate::source::Descent;

/// Fetches what `main` is, accepts it, has `change` made, and tells how the new head stands to it.
fn after(change: impl Fn(&Place)) -> Vec<Descent> {
    ["http", "http v0", "path"].map(|wire| descent(wire, &change)).to_vec()
}

fn descent(wire: &str, change: &impl Fn(&Place)) -> Descent {
    let place = Place::new();
    let backend = Backend::start(&place.folder.path().join("served"));
    backend.manner.lock().unwrap().old = wire == "http v0";
    let location = match wire {
        "path" => Location::Path(place.bare.clone()),
        _ => Location::Http(format!("{}/config.git", backend.url)),
    };
    for number in 0..5 {
        place.commit("a.yaml", &format!("a: {number}\n"));
    }
    place.git(&["branch", "side", "HEAD~2"]);
    place.push();
    let mut remote = place.remote(location, Reference::Branch("main".to_owned()));
    let mirror = place.mirror();
    let accepted = ask(&mut remote);
    remote.fetch(&accepted, None, &mirror, &|| {}).unwrap();
    change(&place);
    place.push();
    let head = ask(&mut remote);
    assert_ne!(accepted, head);
    let fetched = remote.fetch(&head, Some(&accepted.revision), &mirror, &|| {}).unwrap();
    // the files are whole: a second mirror that gets them alone has the same tree
    let tree = mirror.commit_tree(&head.revision).unwrap();
    let missing = crate::source::descent::missing(
        mirror.repository(),
        crate::source::descent::oid(tree),
        None,
    );
    assert_eq!(missing.unwrap(), None, "{wire}");
    let other = Mirror::open_or_create(&place.folder.path().join("other.git")).unwrap();
    let again = remote.fetch(&head, Some(&accepted.revision), &other, &|| {}).unwrap();
    assert_eq!(again.descent, fetched.descent, "{wire}, without the accepted commit in the mirror");
    assert_eq!(other.commit_tree(&head.revision).unwrap(), tree);
    fetched.descent
}

#[test]
fn a_commit_more_descends() {
    let got = after(|place| {
        place.commit("a.yaml", "a: 5\n");
    });
    assert_eq!(got, [Descent::Descends; 3]);
}

#[test]
fn many_commits_at_once_descend() {
    let got = after(|place| {
        for number in 5..40 {
            place.commit("b.yaml", &format!("b: {number}\n"));
        }
    });
    assert_eq!(got, [Descent::Descends; 3]);
}

#[test]
fn a_branch_from_before_merged_in_descends() {
    let got = after(|place| {
        place.git(&["checkout", "-q", "side"]);
        place.commit("side.yaml", "s: 1\n");
        place.commit("side.yaml", "s: 2\n");
        place.git(&["checkout", "-q", "main"]);
        place.git(&["merge", "-q", "--no-ff", "-m", "merge", "side"]);
        place.commit("c.yaml", "c: 1\n");
    });
    assert_eq!(got, [Descent::Descends; 3]);
}

#[test]
fn being_merged_into_another_branch_that_becomes_ours_descends() {
    let got = after(|place| {
        place.git(&["checkout", "-q", "side"]);
        place.commit("side.yaml", "s: 1\n");
        place.git(&["merge", "-q", "--no-ff", "-m", "merge", "main"]);
        place.git(&["branch", "-f", "main", "side"]);
    });
    assert_eq!(got, [Descent::Descends; 3]);
}

#[test]
fn a_revert_brings_back_old_files_and_descends() {
    let got = after(|place| {
        place.commit("a.yaml", "a: 0\n");
        place.commit("a.yaml", "a: 3\n");
    });
    assert_eq!(got, [Descent::Descends; 3]);
}

#[test]
fn a_push_back_to_an_older_commit_is_a_rewrite() {
    let got = after(|place| {
        place.git(&["reset", "-q", "--hard", "HEAD~2"]);
    });
    assert_eq!(got, [Descent::Rewritten; 3]);
}

#[test]
fn an_amended_commit_is_a_rewrite() {
    let got = after(|place| {
        place.git(&["commit", "-q", "--amend", "-m", "amended"]);
    });
    assert_eq!(got, [Descent::Rewritten; 3]);
}

#[test]
fn another_branch_that_becomes_ours_is_a_rewrite() {
    let got = after(|place| {
        place.git(&["checkout", "-q", "-B", "main", "side"]);
        place.commit("side.yaml", "s: 1\n");
        place.commit("side.yaml", "s: 2\n");
    });
    assert_eq!(got, [Descent::Rewritten; 3]);
}

#[test]
fn an_unrelated_history_is_a_rewrite_also_while_the_old_one_is_still_there() {
    for keep in [true, false] {
        let got = after(|place| {
            if keep {
                place.git(&["branch", "old", "main"]);
            }
            place.git(&["checkout", "-q", "--orphan", "new"]);
            place.commit("new.yaml", "n: 1\n");
            place.commit("new.yaml", "n: 2\n");
            place.git(&["branch", "-M", "main"]);
        });
        assert_eq!(got, [Descent::Rewritten; 3], "old branch kept: {keep}");
    }
}

#[test]
fn a_commit_that_the_server_has_forgotten_is_a_rewrite() {
    let got = after(|place| {
        place.git(&["checkout", "-q", "-B", "main", "HEAD~3"]);
        place.commit("a.yaml", "another\n");
        place.commit("a.yaml", "way\n");
        place.push();
        run(&place.bare, &["reflog", "expire", "--expire=now", "--all"]);
        run(&place.bare, &["gc", "-q", "--prune=now"]);
    });
    assert_eq!(got, [Descent::Rewritten; 3]);
}
