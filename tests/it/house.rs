//! The rules of the house that a program can see, held against `src` and `tests`.

mod names;
mod proofs;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use names::{Map, named};

const LINES_MAX: usize = 500;

/// Names that say nothing of what is inside.
const FORBIDDEN_NAMES: &[&str] = &[
    "utils", "util", "helpers", "common", "types", "manager", "engine", "service", "handler",
    "misc",
];

/// Texts that must not be in a part of the code, and why.
const FORBIDDEN_TEXTS: &[(&str, &str, &str)] = &[
    ("src/model/", "serde::", "the nouns know no format"),
    ("src/model/", "#[derive(Serialize", "the nouns know no format"),
    ("src/decide/", "Instant::now", "time is an argument of a choice"),
    ("src/decide/", "std::env", "a choice reads nothing"),
    ("src/decide/", "std::fs", "a choice reads nothing"),
];

/// Who may name a room of the own floor or a higher one, and what of it.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("*", "config", "every room reads its settings"),
    ("notify", "journal", "the delivery loop works on the journal's outbox"),
    ("journal", "trees::Live", "the proof that a tree is live"),
];

/// Rooms that must not name others below them, and why.
const KEPT_APART: &[(&str, &[&str], &str)] = &[(
    "http",
    &["source", "trees", "render", "gates", "programs"],
    "a route writes a wish or looks through `view`",
)];

/// A file of the project: its path from the top, and its text.
struct SourceFile {
    path: String,
    text: String,
}

#[test]
fn the_house_is_kept() {
    let findings = look(&Map::read(&read("ARCHITECTURE.md")), &sources());
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

#[test]
fn what_is_wrong_is_found() {
    let map = Map::read(
        "Who may name whom:\n```\nmain → cli → sync → {trees, journal, notify, http}\n\
         → decide → model\n```\n`clock` may be named by all. More text.\n```\nx → y\n```\n",
    );
    let file = |path: &str, text: &str| SourceFile { path: path.to_owned(), text: text.to_owned() };
    let files = [
        file("src/model/path.rs", "use crate::decide::next;\nuse serde::Serialize;\n"),
        file("src/decide.rs", "fn f() { let now = std::time::Instant::now(); }\n"),
        file(
            "src/trees/disk.rs",
            "use crate::{\n    clock::Clock,\n    journal::{Row, open},\n};\n",
        ),
        file("src/http/routes.rs", "// crate::sync is not named\nfn f() { crate::sync::look() }\n"),
        file("src/notify/mod.rs", "use crate::journal::Outbox;\nuse crate::config::Settings;\n"),
        file("src/journal/mod.rs", "use crate::trees::Live;\nuse crate::trees::Staged;\n"),
        file("src/journal/tests.rs", "use crate::sync;\nfn f() { std::thread::sleep(x); }\n"),
        file(
            "src/sync/mod.rs",
            "use crate::trees;\n#[cfg(test)]\nmod tests {\nuse crate::cli;\n}\n",
        ),
        file("src/attic/mod.rs", "use crate::model::Path;\n"),
        file("src/cli/utils.rs", "mod helpers;\n"),
        file("src/cli/long.rs", &"\n".repeat(LINES_MAX + 1)),
        file("tests/it/slow.rs", "fn f() { tokio::time::sleep(x).await; }\n"),
        file("tests/it/support/wait.rs", "fn f() { std::thread::sleep(x); }\n"),
    ];
    insta::assert_snapshot!(look(&map, &files).join("\n"), @"
    src/model/path.rs:1: `model` may not name `decide::next`
    src/model/path.rs: has `serde::`: the nouns know no format
    src/decide.rs: has `Instant::now`: time is an argument of a choice
    src/trees/disk.rs:1: `trees` may not name `journal::Row`
    src/trees/disk.rs:1: `trees` may not name `journal::open`
    src/http/routes.rs:2: `http` may not name `sync::look`
    src/journal/mod.rs:2: `journal` may not name `trees::Staged`
    src/journal/tests.rs: a test sleeps; await a condition
    src/attic/mod.rs: the room `attic` is not on the map in ARCHITECTURE.md
    src/cli/utils.rs: `helpers` says nothing of what is inside
    src/cli/utils.rs: `utils` says nothing of what is inside
    src/cli/long.rs: 501 lines, at most 500
    tests/it/slow.rs: a test sleeps; await a condition
    ");
}

#[test]
fn paths_in_groups_are_named_one_by_one() {
    let text = "use crate::{a, b::{C, d::E}, f::*};\npub(crate) fn f(g: crate::g::H) {}\n";
    let told: Vec<String> =
        named(text).into_iter().map(|(line, path)| format!("{line} {path}")).collect();
    assert_eq!(told, ["1 a", "1 b::C", "1 b::d", "1 f::*", "2 g::H"]);
}

fn look(map: &Map, files: &[SourceFile]) -> Vec<String> {
    let mut findings = Vec::new();
    for file in files {
        let (code, tests) = file.parts();
        findings.extend(file.length());
        findings.extend(file.names());
        findings.extend(sleeps(&file.path, tests));
        if let Some(room) = room(&file.path) {
            findings.extend(floors(map, room, &file.path, code));
        }
        for (folder, text, why) in FORBIDDEN_TEXTS {
            // A room is a folder or a file.
            let part = file.path.starts_with(folder)
                || file.path == format!("{}.rs", folder.trim_end_matches('/'));
            if part && code.contains(text) {
                findings.push(format!("{}: has `{text}`: {why}", file.path));
            }
        }
    }
    findings
}

impl SourceFile {
    /// What the program is made of, and the tests beside it.
    fn parts(&self) -> (&str, &str) {
        let path = Path::new(&self.path);
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let of_tests = stem.ends_with("tests")
            || path.iter().any(|part| part.to_str().is_some_and(|part| part.ends_with("tests")))
            || ["stubs", "arbitrary"].contains(&stem);
        if of_tests {
            return ("", &self.text);
        }
        let inline = self.text.match_indices("#[cfg(test)]\nmod ").find(|(at, _)| {
            let line = self.text.get(at + 13..).and_then(|rest| rest.lines().next());
            line.is_some_and(|line| line.ends_with('{'))
        });
        self.text.split_at(inline.map_or(self.text.len(), |(at, _)| at))
    }

    fn length(&self) -> Option<String> {
        let lines = self.text.lines().count();
        (lines > LINES_MAX).then(|| format!("{}: {lines} lines, at most {LINES_MAX}", self.path))
    }

    fn names(&self) -> Vec<String> {
        let parts = self.path.trim_end_matches(".rs").split('/').map(str::to_owned);
        let modules = self.text.lines().filter_map(|line| {
            let line = line.trim_start_matches("pub").trim_start_matches("(crate)").trim_start();
            let name = line.strip_prefix("mod ")?.trim_end_matches([';', '{', ' ']);
            Some(name.to_owned())
        });
        let names: BTreeSet<String> = parts.chain(modules).collect();
        names
            .iter()
            .filter(|name| FORBIDDEN_NAMES.contains(&name.as_str()))
            .map(|name| format!("{}: `{name}` says nothing of what is inside", self.path))
            .collect()
    }
}

fn sleeps(path: &str, tests: &str) -> Option<String> {
    // Written in two parts, or this file would find itself.
    let sleeping = [concat!("thread::", "sleep("), concat!("time::", "sleep(")];
    let found = sleeping.iter().any(|call| tests.contains(call));
    (found && path != "tests/it/support/wait.rs" && path != "tests/it/house.rs")
        .then(|| format!("{path}: a test sleeps; await a condition"))
}

/// The room that a file of `src` is in.
fn room(path: &str) -> Option<&str> {
    let first = path.strip_prefix("src/")?.split('/').next()?;
    let room = first.trim_end_matches(".rs");
    (room != "lib").then_some(room)
}

fn floors(map: &Map, room: &str, path: &str, code: &str) -> Vec<String> {
    if !map.knows(room) {
        return vec![format!("{path}: the room `{room}` is not on the map in ARCHITECTURE.md")];
    }
    let mut findings = Vec::new();
    for (line, target) in named(code) {
        let other = target.split("::").next().unwrap_or_default();
        let excepted = EXCEPTIONS.iter().any(|(who, what, _)| {
            (*who == "*" || *who == room)
                && (target == *what || target.starts_with(&format!("{what}::")))
        });
        if let Some((_, _, why)) =
            KEPT_APART.iter().find(|(who, apart, _)| *who == room && apart.contains(&other))
        {
            findings.push(format!("{path}:{line}: `{room}` may not name `{target}`: {why}"));
            continue;
        }
        if other != room && !excepted && !map.may_name(room, other) {
            findings.push(format!("{path}:{line}: `{room}` may not name `{target}`"));
        }
    }
    findings
}

fn sources() -> Vec<SourceFile> {
    let mut files = Vec::new();
    for folder in ["src", "tests"] {
        collect(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), folder, &mut files);
    }
    assert!(files.len() > 20, "the sources were not found");
    files.sort_by(|one, other| one.path.cmp(&other.path));
    files
}

fn collect(folder: PathBuf, name: &str, files: &mut Vec<SourceFile>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let (path, name) = (entry.path(), format!("{name}/{}", entry.file_name().display()));
        if path.is_dir() {
            collect(path, &name, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source file");
            files.push(SourceFile { path: name, text });
        }
    }
}

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
