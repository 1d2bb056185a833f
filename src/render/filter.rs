use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder, Glob};

use crate::model::Finding;

/// `include` and `exclude`, in the patterns of .gitignore: the last one that matches decides.
///
/// A folder that is excluded is not looked into, as in git, so nothing below it comes back with `!`.
/// A folder that is included stands for what is below it, and a later `!` takes from that: otherwise
/// `include: ["agents/", "!*.md"]` could not be said.
pub(super) struct Filter {
    /// A matcher for each pattern, in order; `None`: everything is in.
    include: Option<Vec<Gitignore>>,
    /// `None`: nothing is out.
    exclude: Option<Gitignore>,
}

impl Filter {
    /// Compiles the patterns. `**` alone stands for everything.
    pub(super) fn new(include: &[String], exclude: &[String]) -> Result<Self, Box<Finding>> {
        let everything = include.is_empty() || include.iter().all(|p| p == "**" || p == "*");
        let each = || include.iter().map(|one| compile("include", std::slice::from_ref(one)));
        let include = if everything { None } else { Some(each().collect::<Result<_, _>>()?) };
        let exclude = if exclude.is_empty() { None } else { Some(compile("exclude", exclude)?) };
        Ok(Self { include, exclude })
    }

    /// Whether everything is in.
    pub(super) const fn is_everything(&self) -> bool {
        self.include.is_none() && self.exclude.is_none()
    }

    /// Whether a folder is not even looked into.
    pub(super) fn leaves_out_folder(&self, path: &str) -> bool {
        self.exclude.as_ref().is_some_and(|e| e.matched(path, true).is_ignore())
    }

    /// Whether a file is in. Folders above it that are out have been left out before.
    pub(super) fn takes_file(&self, path: &str) -> bool {
        let out = |exclude: &Gitignore| exclude.matched(path, false).is_ignore();
        !self.exclude.as_ref().is_some_and(out)
            && self.include.as_ref().is_none_or(|include| {
                let from_the_last = include.iter().rev();
                from_the_last
                    .map(|one| matched(one, path))
                    .find(|m| !m.is_none())
                    .is_some_and(|m| m.is_ignore())
            })
    }
}

/// What a pattern says of a file by its own name, or else by the folders above it. (The crate's
/// own way of doing that takes the root for a folder with a name: `*/` would mean every file.)
fn matched<'p>(pattern: &'p Gitignore, path: &str) -> Match<&'p Glob> {
    let mut found = pattern.matched(path, false);
    let mut above = path;
    while let (true, Some((folder, _))) = (found.is_none(), above.rsplit_once('/')) {
        found = pattern.matched(folder, true);
        above = folder;
    }
    found
}

fn compile(key: &str, patterns: &[String]) -> Result<Gitignore, Box<Finding>> {
    let bad = |error: ignore::Error| {
        let text = format!("gitops.{key} has a pattern that is none: {error}");
        Box::new(Finding::error("render.patterns", text))
    };
    let mut builder = GitignoreBuilder::new("");
    for pattern in patterns {
        builder.add_line(None, pattern).map_err(bad)?;
    }
    builder.build().map_err(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(include: &[&str], exclude: &[&str]) -> Filter {
        let own = |patterns: &[&str]| patterns.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>();
        Filter::new(&own(include), &own(exclude)).ok().unwrap()
    }

    #[test]
    fn patterns_are_those_of_gitignore() {
        let all = filter(&["**"], &[]);
        assert!(all.is_everything());
        let agents = filter(&["agents/", "*.env"], &["secrets.env", "/agents/old"]);
        assert!(agents.takes_file("agents/a.yaml"));
        assert!(agents.takes_file("deep/system.env"));
        assert!(!agents.takes_file("secrets.env"));
        assert!(!agents.takes_file("themes/x.yaml"));
        assert!(agents.leaves_out_folder("agents/old"));
        assert!(!agents.leaves_out_folder("agents"));
        let some = filter(&["agents/", "!*.md", "agents/README.md"], &[]);
        assert!(some.takes_file("agents/a.yaml"));
        assert!(!some.takes_file("agents/a.md"));
        assert!(some.takes_file("agents/README.md"));
        let but = filter(&["**"], &["*.md", "!README.md"]);
        assert!(but.takes_file("README.md"));
        assert!(!but.takes_file("docs/x.md"));
    }
}
