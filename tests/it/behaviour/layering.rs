//! Which files of a revision become the tree, and how they lie on disk.

use std::os::unix::fs::PermissionsExt as _;

use super::{done, machine, pass, set};
use crate::support::{Agent, Repo};

fn paths(agent: &Agent) -> Vec<String> {
    agent.live_files().into_keys().collect()
}

fn mode(agent: &Agent, path: &str) -> u32 {
    let file = std::fs::metadata(agent.live_path().join(path)).expect("a live file");
    file.permissions().mode() & 0o7777
}

#[test]
fn include_and_exclude_choose_the_files() {
    let repo = Repo::new();
    repo.commit(&[
        ("conf/a.yaml", "a: 1\n"),
        ("conf/sub/b.yaml", "b: 1\n"),
        ("conf/sub/notes.md", "n\n"),
        ("conf/private/c.yaml", "c: 1\n"),
        ("docs/d.yaml", "d: 1\n"),
    ]);
    let agent = machine(&repo, "path: conf\ninclude: [\"*.yaml\"]\nexclude: [private/]\n", "");
    assert_eq!(pass(&agent), done());
    assert_eq!(paths(&agent), ["a.yaml", "sub/b.yaml"]);
    set(&agent, &repo, "path: conf\nexclude: [\"*.md\", \"/a.yaml\"]\n", "");
    assert_eq!(pass(&agent), done());
    assert_eq!(paths(&agent), ["private/c.yaml", "sub/b.yaml"]);
    // What is excluded does not change the digest.
    let before = super::digest(&agent);
    repo.commit(&[("conf/more.md", "m\n"), ("docs/e.yaml", "e: 1\n")]);
    assert_eq!(pass(&agent), done());
    assert_eq!(super::digest(&agent), before);
}

#[test]
fn layers_are_merged_deep_in_order_and_null_deletes() {
    let repo = Repo::new();
    repo.commit(&[
        ("base/app.yaml", "server:\n  port: 0x1F\n  host: a\n  tls: {on: true}\nlist: [1, 2]\n"),
        ("base/only.txt", "base\n"),
        ("base/many.yaml", "a: 1\n---\nb: 1\n"),
        ("site/app.yaml", "server:\n  host: b\n  tls: null\nlist: [3]\nnew: 1.10\n"),
        ("site/many.yaml", "c: 1\n---\nd: 1\n"),
        ("site/only.txt", "site\n"),
        ("host/app.yaml", "server: {port: 9}\n"),
        ("other/x.yaml", "x: 1\n"),
    ]);
    let agent = machine(&repo, "layers: [base, site]\n", "");
    assert_eq!(pass(&agent), done());
    assert_eq!(paths(&agent), ["app.yaml", "many.yaml", "only.txt"]);
    assert_eq!(agent.live("only.txt").as_deref(), Some("site\n"));
    assert_eq!(agent.live("many.yaml").as_deref(), Some("c: 1\n---\nd: 1\n"));
    let text = agent.live("app.yaml").expect("the merged file");
    // Scalars keep their text.
    assert!(text.contains("0x1F") && text.contains("1.10"), "{text}");
    assert!(text.contains("host: b") && !text.contains("tls"), "{text}");
    assert!(text.contains('3') && !text.contains("2"), "{text}");
    set(&agent, &repo, "layers: [base, site, host]\n", "");
    assert_eq!(pass(&agent), done());
    let text = agent.live("app.yaml").expect("the merged file");
    assert!(text.contains("port: 9") && text.contains("host: b"), "{text}");
}

#[test]
fn layers_that_cannot_be_merged_are_a_finding_that_names_both_files_and_lines() {
    let repo = Repo::new();
    repo.commit(&[("base/app.yaml", "a: 1\n"), ("site/app.yaml", "a: 2\n")]);
    let agent = machine(&repo, "layers: [base, site]\n", "");
    assert_eq!(pass(&agent), done());
    repo.commit(&[
        ("base/app.yaml", "a: 1\nserver:\n  port: 1\n"),
        ("site/app.yaml", "# ours\nserver: [1]\n"),
    ]);
    let ran = agent.once();
    assert_eq!(ran.code, 13, "{ran:#?}");
    assert!(ran.stdout.contains("site/app.yaml:2"), "{ran:#?}");
    assert!(ran.stdout.contains("base/app.yaml:3"), "{ran:#?}");
    assert!(agent.live("app.yaml").is_some_and(|text| text.contains("a: 2")));
}

#[test]
fn executable_bits_links_and_file_modes_are_kept() {
    let repo = Repo::new();
    repo.change()
        .executable("bin/run", "#!/bin/sh\n")
        .write("a.yaml", "a: 1\n")
        .write("keys/secrets.env", "K=1\n")
        .link("current", "keys/secrets.env")
        .commit("modes");
    let modes = "file_modes: [{match: secrets.env, mode: \"0600\"}]\n";
    let agent = machine(&repo, "", modes);
    assert_eq!(pass(&agent), done());
    assert_eq!(mode(&agent, "bin/run") & 0o111, 0o111);
    assert_eq!(mode(&agent, "a.yaml") & 0o111, 0);
    assert_eq!(mode(&agent, "keys/secrets.env"), 0o600);
    assert_eq!(agent.live_files()["current"], b"-> keys/secrets.env");
    // A mode that changes is a change, and the file's text stays.
    repo.change().executable("a.yaml", "a: 1\n").write("bin/run", "#!/bin/sh\n").commit("bits");
    assert_eq!(pass(&agent), done());
    assert_eq!(mode(&agent, "bin/run") & 0o111, 0);
    assert_eq!(mode(&agent, "a.yaml") & 0o111, 0o111);
    assert_eq!(mode(&agent, "keys/secrets.env"), 0o600);
}

#[test]
fn file_modes_are_not_in_the_digest_and_count_from_the_next_pass() {
    let repo = Repo::new();
    repo.commit(&[("own.conf", "k\n"), ("a", "a\n")]);
    let agent = machine(&repo, "", "");
    assert_eq!(pass(&agent), done());
    let before = super::digest(&agent);
    assert_ne!(mode(&agent, "own.conf"), 0o600);
    set(&agent, &repo, "", "file_modes: [{match: own.conf, mode: \"0600\"}]\n");
    pass(&agent);
    assert_eq!(mode(&agent, "own.conf"), 0o600);
    assert_eq!(super::digest(&agent), before);
    assert_eq!(pass(&agent), done());
}

#[test]
fn a_file_and_a_folder_of_one_name_replace_each_other_and_a_layer_must_be_there() {
    let repo = Repo::new();
    repo.commit(&[("base/conf", "f\n"), ("base/b", "b\n"), ("site/conf/a.yaml", "a: 1\n")]);
    let agent = machine(&repo, "layers: [base, site]\n", "");
    assert_eq!(pass(&agent), done());
    assert_eq!(paths(&agent), ["b", "conf/a.yaml"]);
    set(&agent, &repo, "layers: [site, base]\n", "");
    assert_eq!(pass(&agent), done());
    assert_eq!(paths(&agent), ["b", "conf"]);
    set(&agent, &repo, "layers: [base, nowhere]\n", "");
    let ran = agent.once();
    assert_eq!(ran.code, 13, "{ran:#?}");
    assert!(ran.stdout.contains("nowhere") && ran.stdout.contains("site"), "{ran:#?}");
    assert_eq!(paths(&agent), ["b", "conf"]);
    // The same commit by other settings is looked at again.
    set(&agent, &repo, "layers: [base]\ninclude: [conf]\n", "");
    assert_eq!(pass(&agent), done());
    assert_eq!(paths(&agent), ["conf"]);
}
