use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::model::Finding;

/// `include` and `exclude`, by the rules of .gitignore: the last pattern that matches decides.
pub(super) struct Filter {
    /// `None`: everything is in.
    include: Option<Gitignore>,
    /// `None`: nothing is out.
    exclude: Option<Gitignore>,
}

impl Filter {
    /// Compiles the patterns. `**` alone stands for everything.
    pub(super) fn new(include: &[String], exclude: &[String]) -> Result<Self, Box<Finding>> {
        let everything = include.is_empty() || include.iter().all(|p| p == "**" || p == "*");
        let include = if everything { None } else { Some(compile("include", include)?) };
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
        let excluded = self
            .exclude
            .as_ref()
            .is_some_and(|e| e.matched_path_or_any_parents(path, false).is_ignore());
        let included = self
            .include
            .as_ref()
            .is_none_or(|i| i.matched_path_or_any_parents(path, false).is_ignore());
        included && !excluded
    }
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
        let but = filter(&["**"], &["*.md", "!README.md"]);
        assert!(but.takes_file("README.md"));
        assert!(!but.takes_file("docs/x.md"));
    }
}
