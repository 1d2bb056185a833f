//! Trees that git itself would not make, and files that cost more than they look.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{outside, sample};
use crate::support::{Agent, GitServer, Ran, Repo};

/// One attack: its name, what the refusal has to name, and the tree.
struct Attack {
    name: String,
    /// Texts of which each is in what is said.
    told: Vec<String>,
    tree: Box<dyn Fn(&Repo) -> String>,
}

fn attack(name: &str, told: &[&str], tree: impl Fn(&Repo) -> String + 'static) -> Attack {
    let told = told.iter().map(|text| (*text).to_owned()).collect();
    Attack { name: name.to_owned(), told, tree: Box::new(tree) }
}

/// A folder `sub` beside a good file, which holds one entry of this mode and name.
fn with_entry(repo: &Repo, mode: &str, name: &[u8], content: &[u8]) -> String {
    let blob = repo.blob(content);
    let id = match mode {
        "40000" => repo.raw_tree(&[("100644", b"inner", &blob)]),
        _ => blob.clone(),
    };
    let sub = repo.raw_tree(&[(mode, name, &id)]);
    let good = repo.blob(b"a: evil\n");
    repo.raw_tree(&[("100644", b"a.yaml", &good), ("40000", b"sub", &sub)])
}

fn file(path: &'static str, bytes: impl Into<Vec<u8>>) -> impl Fn(&Repo) -> String {
    let bytes = bytes.into();
    move |repo| repo.raw_tree(&[("100644", path.as_bytes(), &repo.blob(&bytes))])
}

/// Names that reach out of a folder, mean `.git`, or cannot be shown.
fn names() -> Vec<Attack> {
    let mut attacks = Vec::new();
    let mut add = |mode: &'static str, name: &[u8]| {
        let bytes = name.to_vec();
        let shown = format!("a name of mode {mode}: {}", name.escape_ascii());
        let tree = move |repo: &Repo| with_entry(repo, mode, &bytes, b"evil\n");
        attacks.push(attack(&shown, &["sub/"], tree));
    };
    for name in [&b".."[..], b".", b""] {
        add("40000", name);
        add("100644", name);
    }
    for name in ["../../outside.txt", "/etc/outside.txt", "a/b", "../x", "a/../../../outside.txt"] {
        add("100644", name.as_bytes());
    }
    for name in [
        ".git",
        ".GIT",
        ".Git",
        ".gIT",
        ".git ",
        ".git.",
        ".git...",
        ".git . .",
        "git~1",
        "GIT~1",
        "Git~1",
        ".g\u{200c}it",
        "\u{feff}.git",
        ".git\u{200d}",
        ".\u{202e}git",
        ".g\u{206a}it",
        ".git::$INDEX_ALLOCATION",
        ".git:x",
        ".git\\config",
    ] {
        let modes = ["40000", "100644", "120000"].map(|mode| (mode, name)).to_vec();
        for (mode, name) in sample(modes, 3, name.len()) {
            add(mode, name.as_bytes());
        }
    }
    for name in [&b"a\nb"[..], b"a\tb", b"a\rb", b"\x1b[2Jx", b"\x7f", b"\x01", b"caf\xe9", b"\xff"]
    {
        add("100644", name);
        add("40000", name);
    }
    add("100644", &[b'n'; 256]);
    add("40000", &[b'n'; 300]);
    attacks
}

/// Links that leave the tree, go in circles or cannot be read.
fn links() -> Vec<Attack> {
    let long = "x/".repeat(2500);
    let targets: Vec<(&str, &str, &[u8])> = vec![
        ("an absolute link", "links.absolute", b"/etc/passwd"),
        ("a link to the root", "links.absolute", b"/"),
        ("a link out", "links.escape", b"../../outside.txt"),
        ("a link far out", "links.escape", b"../../../../../../../../../../etc/passwd"),
        ("a link out by way of a folder", "links.escape", b"../sub/../../outside.txt"),
        ("a link out by way of what is missing", "links.escape", b"../missing/../../outside.txt"),
        ("a link to itself", "links.loop", b"evil"),
        ("a link through a file", "links.file", b"../a.yaml/x"),
        ("an empty link", "links.target", b""),
        ("a link with a NUL", "links.target", b"a\0b"),
        ("a link that is too long", "links.target", long.as_bytes()),
        ("a link that is not UTF-8", "links.target", b"\xff\xfe"),
    ];
    let mut attacks = Vec::new();
    for (name, rule, target) in targets {
        let target = target.to_vec();
        attacks.push(attack(name, &["sub/evil", rule], move |repo| {
            with_entry(repo, "120000", b"evil", &target)
        }));
    }
    attacks.push(attack("two links to each other", &["links.loop", "one", "two"], |repo| {
        let (one, two) = (repo.blob(b"two"), repo.blob(b"one"));
        repo.raw_tree(&[("120000", b"one", &one), ("120000", b"two", &two)])
    }));
    attacks.push(attack(
        "a link to a folder above, and out through it",
        &["links.escape"],
        |repo| {
            let (up, out) = (repo.blob(b"."), repo.blob(b"a/../../outside.txt"));
            repo.raw_tree(&[("120000", b"a", &up), ("120000", b"b", &out)])
        },
    ));
    attacks
}

/// More than the limits allow, or less than it seems.
fn sizes() -> Vec<Attack> {
    let mut laughs = "a0: &a0 [x, x]\n".to_owned();
    for number in 1..40 {
        let below = number - 1;
        writeln!(laughs, "a{number}: &a{number} [*a{below}, *a{below}]").expect("a text");
    }
    let aliases = format!("a: &a x\nb: [{}]\n", "*a, ".repeat(20_000));
    vec![
        attack("a tree of trees without end", &["files_max"], |repo| {
            let blob = repo.blob(b"x\n");
            let mut tree = repo.raw_tree(&[("100644", b"f", &blob)]);
            for _ in 0..15 {
                let names: Vec<String> = (0..10).map(|number| format!("d{number}")).collect();
                let entries: Vec<_> =
                    names.iter().map(|name| ("40000", name.as_bytes(), tree.as_str())).collect();
                tree = repo.raw_tree(&entries);
            }
            tree
        }),
        attack("folders too deep", &["depth_max"], |repo| {
            let blob = repo.blob(b"x\n");
            let mut tree = repo.raw_tree(&[("100644", b"f", &blob)]);
            for _ in 0..70 {
                tree = repo.raw_tree(&[("40000", b"d", &tree)]);
            }
            tree
        }),
        attack("folders very deep", &["depth_max"], |repo| {
            let blob = repo.blob(b"x\n");
            let mut tree = repo.raw_tree(&[("100644", b"f", &blob)]);
            for _ in 0..2000 {
                tree = repo.raw_tree(&[("40000", b"d", &tree)]);
            }
            tree
        }),
        attack("too many files", &["files_max"], |repo| {
            let blob = repo.blob(b"x\n");
            let names: Vec<String> = (0..5_001).map(|number| format!("f{number:05}")).collect();
            let entries: Vec<_> =
                names.iter().map(|name| ("100644", name.as_bytes(), blob.as_str())).collect();
            repo.raw_tree(&entries)
        }),
        attack("too large a file", &["file_bytes_max", "big"], file("big", vec![b'x'; 3 << 20])),
        attack("too large a tree", &["tree_bytes_max"], |repo| {
            let blob = repo.blob(&vec![b'y'; 1 << 20]);
            let names: Vec<String> = (0..10).map(|number| format!("f{number}")).collect();
            let entries: Vec<_> =
                names.iter().map(|name| ("100644", name.as_bytes(), blob.as_str())).collect();
            repo.raw_tree(&entries)
        }),
        attack("a billion laughs", &["bomb.yaml"], file("bomb.yaml", laughs)),
        attack("aliases without end", &["bomb.yaml"], file("bomb.yaml", aliases)),
        attack("YAML too deep", &["deep.yaml"], file("deep.yaml", "[".repeat(100_000))),
        attack("YAML blocks too deep", &["deep.yaml"], file("deep.yaml", "- ".repeat(50_000))),
        attack("JSON too deep", &["deep.json"], file("deep.json", "[".repeat(100_000))),
        attack("too many documents", &["many.yaml"], file("many.yaml", "--- 1\n".repeat(5_000))),
        attack("keys twice", &["twice.yaml"], file("twice.yaml", "a: 1\na: 2\n")),
        attack(
            "YAML that is no text",
            &["text.yaml"],
            file("text.yaml", b"a: \xff\xfe\n".to_vec()),
        ),
        attack("YAML that loops", &["loop.yaml"], file("loop.yaml", "a: &a [*a]\n")),
    ]
}

/// Entries that no checkout makes.
fn entries() -> Vec<Attack> {
    vec![
        attack("a name twice", &["f"], |repo| {
            let (one, two) = (repo.blob(b"1\n"), repo.blob(b"2\n"));
            repo.raw_tree(&[("100644", b"f", &one), ("100644", b"f", &two)])
        }),
        attack("a file and a folder of one name", &["f"], |repo| {
            let blob = repo.blob(b"1\n");
            let tree = repo.raw_tree(&[("100644", b"x", &blob)]);
            repo.raw_tree(&[("100644", b"f", &blob), ("40000", b"f", &tree)])
        }),
        attack("a link and a folder of one name", &["f"], |repo| {
            let (blob, link) = (repo.blob(b"1\n"), repo.blob(b"../.."));
            let tree = repo.raw_tree(&[("100644", b"outside.txt", &blob)]);
            repo.raw_tree(&[("120000", b"f", &link), ("40000", b"f", &tree)])
        }),
        attack("names out of order", &[], |repo| {
            let blob = repo.blob(b"1\n");
            repo.raw_tree(&[("100644", b"z", &blob), ("100644", b"a", &blob)])
        }),
    ]
}

fn machine(repo: &Repo) -> (GitServer, Agent) {
    let server = GitServer::start(repo.root());
    let limits = "limits:\n  files_max: 5000\n  file_bytes_max: 2MiB\n  tree_bytes_max: 8MiB\n";
    let agent = Agent::following(&server.url(), limits);
    std::fs::write(agent.folder().join("etc/outside.txt"), "outside\n").expect("a file");
    std::fs::write(agent.folder().join("outside.txt"), "outside\n").expect("a file");
    (server, agent)
}

fn said(ran: &Ran) -> String {
    format!("{}{}", ran.stdout, ran.stderr)
}

#[track_caller]
fn refused(attacks: Vec<Attack>) {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 0\n")]);
    let (_server, agent) = machine(&repo);
    let ran = agent.once();
    assert_eq!(ran.code, 0, "{ran:#?}");
    let before = (agent.live_files(), outside(&agent));
    let mut wrong = Vec::new();
    let count = attacks.len();
    for Attack { name, told, tree } in attacks {
        repo.branch("main", &first);
        repo.commit_raw("main", &tree(&repo));
        let ran = agent.once();
        let text = said(&ran);
        // Raw, a name could move the cursor, or make a line look like one of ours.
        let clean = text.chars().all(|c| c == '\n' || !c.is_control());
        let known = told.iter().all(|told| text.contains(told.as_str()));
        // What git itself does not send, or finds damaged, is the source's fault, and no finding.
        let refused = ran.code == 13 && known || ran.code == 11 && text.contains("127.0.0.1");
        if !refused || !clean {
            wrong.push(format!("{name}: {ran:#?}"));
        }
        assert_eq!((agent.live_files(), outside(&agent)), before, "{name}: {ran:#?}");
    }
    let status = agent.json(&["status"]);
    assert_eq!(status["live"]["revision"], first.as_str(), "{status:#}");
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    // What follows is taken as ever.
    repo.branch("main", &first);
    repo.commit(&[("a.yaml", "a: good\n")]);
    let ran = agent.once();
    assert_eq!(ran.code, 0, "{ran:#?}");
    assert_eq!(agent.live("a.yaml").as_deref(), Some("a: good\n"));
    eprintln!("{count} hostile trees refused");
}

#[test]
fn names_that_reach_out_or_cannot_be_shown_are_refused_with_their_place() {
    refused(names());
}

#[test]
fn links_that_leave_the_tree_are_refused_with_their_place() {
    refused(links());
}

#[test]
fn bombs_and_what_is_too_much_are_refused_with_the_limit_or_the_file() {
    refused(sizes());
}

#[test]
fn entries_that_git_would_not_write_are_refused_with_their_place() {
    refused(entries());
}

#[test]
fn names_that_differ_in_case_only_are_a_warning_and_each_has_its_own_bytes() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 0\n")]);
    let (_server, agent) = machine(&repo);
    repo.change()
        .write("File", "upper\n")
        .write("file", "lower\n")
        .write("FILE", "all\n")
        .commit("x");
    let ran = agent.once();
    assert_eq!(ran.code, 0, "{ran:#?}");
    assert!(said(&ran).contains("case"), "{ran:#?}");
    let files = [("File", "upper\n"), ("file", "lower\n"), ("FILE", "all\n"), ("a.yaml", "a: 0\n")];
    let files = files.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()));
    assert_eq!(agent.live_files(), BTreeMap::from(files));
    assert_ne!(agent.json(&["status"])["live"]["revision"], first.as_str());
}

#[test]
fn modes_that_are_no_file_become_no_device_and_no_privilege() {
    use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
    for mode in ["20000", "60000", "10000", "140000", "104755", "106755", "101777", "100000"] {
        let repo = Repo::new();
        repo.commit(&[("a.yaml", "a: 0\n")]);
        let (_server, agent) = machine(&repo);
        assert_eq!(agent.once().code, 0);
        let before = (agent.live_files(), outside(&agent));
        repo.commit_raw("main", &with_entry(&repo, mode, b"evil", b"#!/bin/sh\n"));
        let ran = agent.once();
        assert!([0, 11, 13].contains(&ran.code), "{mode}: {ran:#?}");
        assert_eq!(outside(&agent), before.1, "{mode}");
        if ran.code != 0 {
            assert_eq!(agent.live_files(), before.0, "{mode}: {ran:#?}");
            continue;
        }
        let Ok(made) = agent.live_path().join("sub/evil").symlink_metadata() else { continue };
        let kind = made.file_type();
        let special =
            kind.is_block_device() || kind.is_char_device() || kind.is_fifo() || kind.is_socket();
        assert!(!special && made.mode() & 0o7000 == 0, "{mode}: {made:?}");
    }
}
