//! Which paths a list of gitignore-style patterns means: the one matcher of all settings that
//! select paths.

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder, Glob};

/// Patterns, in the order in which they were written. The last one that matches decides, and `!`
/// takes back. A folder stands for all that is below it.
#[derive(Clone, Debug, Default)]
pub struct Patterns(Vec<Gitignore>);

/// A pattern that is none.
#[derive(Debug, thiserror::Error)]
#[error("`{pattern}` is not a gitignore-style pattern")]
pub struct InvalidPattern {
    /// The pattern as it was written.
    pub pattern: String,
    /// Why.
    #[source]
    source: ignore::Error,
}

impl Patterns {
    /// Compiles the patterns.
    ///
    /// # Errors
    /// [`InvalidPattern`], with the first that is none.
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidPattern> {
        patterns.into_iter().map(compile).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a file is meant: by a pattern for its own name, or for a folder above it.
    #[must_use]
    pub fn mean_file(&self, path: &str) -> bool {
        self.last(|one| one.of_file(path))
    }

    /// Whether this very path is meant, without regard to the folders above it: for whoever comes
    /// down through those folders and has asked about each.
    #[must_use]
    pub fn mean(&self, path: &str, is_folder: bool) -> bool {
        self.last(|one| one.0.matched(relative(path), is_folder))
    }

    fn last<'p>(&'p self, says: impl Fn(One<'p>) -> Match<&'p Glob>) -> bool {
        let mut from_the_last = self.0.iter().rev().map(|one| says(One(one)));
        from_the_last.find(|said| !said.is_none()).is_some_and(|said| said.is_ignore())
    }
}

/// One compiled pattern.
#[derive(Clone, Copy)]
struct One<'p>(&'p Gitignore);

impl<'p> One<'p> {
    /// What it says of a file by its own name, or else by the folders above it. (The crate's own
    /// way of doing that takes the root for a folder with a name: `*/` would mean every file.)
    fn of_file(self, path: &str) -> Match<&'p Glob> {
        let path = relative(path);
        let mut found = self.0.matched(path, false);
        let mut above = path;
        while let (true, Some((folder, _))) = (found.is_none(), above.rsplit_once('/')) {
            found = self.0.matched(folder, true);
            above = folder;
        }
        found
    }
}

/// Paths in a tree have no slash in front; one that has is meant from the root all the same.
fn relative(path: &str) -> &str {
    path.trim_start_matches('/')
}

fn compile(pattern: &str) -> Result<Gitignore, InvalidPattern> {
    let invalid = |source| InvalidPattern { pattern: pattern.to_owned(), source };
    let mut builder = GitignoreBuilder::new("");
    builder.add_line(None, pattern).map_err(invalid)?;
    builder.build().map_err(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn means(patterns: &[&str], path: &str) -> bool {
        Patterns::new(patterns.iter().copied()).unwrap().mean_file(path)
    }

    #[test]
    fn patterns_are_those_of_gitignore() {
        assert!(means(&["agents/", "*.env"], "agents/deep/a.yaml"));
        assert!(means(&["agents/", "*.env"], "deep/system.env"));
        assert!(!means(&["/agents/"], "old/agents/a.yaml"));
        assert!(!means(&[], "a"));
        assert!(!means(&["# agents"], "agents"));
    }

    #[test]
    fn a_pattern_for_folders_means_no_file_at_the_root() {
        for pattern in ["*/", "**/"] {
            assert!(!means(&[pattern], "a.yaml"), "{pattern}");
            assert!(means(&[pattern], "folder/a.yaml"), "{pattern}");
        }
    }

    #[test]
    fn the_last_pattern_that_matches_decides() {
        let but = ["agents/", "!*.md", "agents/README.md"];
        assert!(means(&but, "agents/a.yaml"));
        assert!(!means(&but, "agents/a.md"));
        assert!(means(&but, "agents/README.md"));
    }

    #[test]
    fn a_path_alone_is_asked_about_without_its_folders() {
        let patterns = Patterns::new(["agents/"]).unwrap();
        assert!(patterns.mean("agents", true));
        assert!(!patterns.mean("agents", false));
        assert!(!patterns.mean("agents/a", false));
    }

    #[test]
    fn a_bad_pattern_is_named() {
        let error = Patterns::new(["ok", "[z-a]"]).unwrap_err();
        assert!(error.to_string().contains("`[z-a]`"), "{error}");
    }
}
