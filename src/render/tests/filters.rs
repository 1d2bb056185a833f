use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::*;

const FILES: &[&str] = &[
    "a.md",
    "a.yaml",
    "README.md",
    "docs/a.md",
    "docs/a.yaml",
    "docs/README.md",
    "docs/old/a.yaml",
    "agents/docs/a.yaml",
    "agents/a.yaml",
    "agents/old/a.md",
    "agents/old/README.md",
    "old",
    "link",
];

const PATTERNS: &[&str] = &[
    "*.md",
    "!*.md",
    "README.md",
    "!README.md",
    "/README.md",
    "docs",
    "docs/",
    "/docs/*",
    "!docs/a.yaml",
    "**/docs/",
    "agents/**",
    "!agents/old/",
    "agents/*/a.*",
    "old/",
    "!old",
    "[!a]*",
    "# not a pattern",
    "link/",
    "*",
    "*/",
    "!*/",
    "docs/**/a.*",
    "a?md",
    "\\!x",
    "!a.yaml",
];

/// What git takes for ignored under these patterns.
fn ignored_by_git(folder: &Path, patterns: &[String]) -> BTreeSet<String> {
    std::fs::write(folder.join(".git/info/exclude"), patterns.join("\n") + "\n").unwrap();
    let mut git = Command::new("git")
        .args(["-c", "core.excludesFile=/dev/null", "check-ignore", "--no-index", "--stdin"])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    git.stdin.take().unwrap().write_all(FILES.join("\n").as_bytes()).unwrap();
    let output = git.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// A working tree of `FILES`, in which `link` leads to a folder.
fn working_tree() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    git2::Repository::init(folder.path()).unwrap();
    std::fs::create_dir_all(folder.path().join(".git/info")).unwrap();
    for file in FILES.iter().filter(|file| **file != "link") {
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "x").unwrap();
    }
    std::os::unix::fs::symlink("docs", folder.path().join("link")).unwrap();
    folder
}

#[test]
fn patterns_name_what_they_name_to_git() {
    let bench = Bench::new();
    let working = working_tree();
    let files: Vec<_> = FILES.iter().map(|file| (*file, *file)).collect();
    let tree = bench.tree(&files);
    let names = |rendered: Rendered| -> BTreeSet<String> {
        bench.files(rendered.tree.unwrap()).into_keys().collect()
    };
    let all = names(bench.render(tree, &settings()));
    let property = |patterns: Vec<String>| {
        let ignored = ignored_by_git(working.path(), &patterns);
        let excluded = RenderSettings { exclude: patterns.clone(), ..settings() };
        let expected: BTreeSet<String> = all.difference(&ignored).cloned().collect();
        prop_assert_eq!(names(bench.render(tree, &excluded)), expected.clone(), "exclude");
        // What is remembered of it gives the same.
        prop_assert_eq!(names(bench.render(tree, &excluded)), expected, "again");
        let mut named = BTreeSet::new();
        for pattern in &patterns {
            let plain = pattern.trim_start_matches('!').to_owned();
            let of_this = ignored_by_git(working.path(), &[plain]);
            if pattern.starts_with('!') {
                named.retain(|file| !of_this.contains(file));
            } else {
                named.extend(of_this);
            }
        }
        let included = RenderSettings { include: patterns, ..settings() };
        prop_assert_eq!(names(bench.render(tree, &included)), named, "include");
        Ok(())
    };
    let pattern = proptest::sample::select(PATTERNS).prop_map(str::to_owned);
    let patterns = proptest::collection::vec(pattern, 1..5);
    TestRunner::new(ProptestConfig::with_cases(60)).run(&patterns, property).unwrap();
}
