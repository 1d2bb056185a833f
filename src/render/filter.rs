use super::needed::Unused;
use crate::decide::patterns::Patterns;
use crate::model::Finding;

/// `include` and `exclude`, in the patterns of .gitignore: the last one that matches decides.
///
/// A folder that is excluded is not looked into, as in git, so nothing below it comes back with `!`.
/// A folder that is included stands for what is below it, and a later `!` takes from that: otherwise
/// `include: ["agents/", "!*.md"]` could not be said.
pub(super) struct Filter {
    /// `None`: everything is in.
    include: Option<Patterns>,
    /// `None`: nothing is out.
    exclude: Option<Patterns>,
    /// What the profile does not use.
    unused: Unused,
}

impl Filter {
    /// Compiles the patterns. `**` alone stands for everything.
    pub(super) fn new(include: &[String], exclude: &[String]) -> Result<Self, Box<Finding>> {
        let everything = include.is_empty() || include.iter().all(|p| p == "**" || p == "*");
        let include = if everything { None } else { Some(compile("include", include)?) };
        let exclude = if exclude.is_empty() { None } else { Some(compile("exclude", exclude)?) };
        Ok(Self { include, exclude, unused: Unused::new() })
    }

    /// The same without what a profile does not use.
    pub(super) fn without(self, unused: Unused) -> Self {
        Self { unused, ..self }
    }

    /// Whether something in a folder, or below it, is left out that a profile does not use.
    pub(super) fn narrows(&self, folder: &str) -> bool {
        if folder.is_empty() { !self.unused.is_empty() } else { self.unused.contains_key(folder) }
    }

    /// The names in a folder that are left out since a profile does not use them.
    pub(super) fn unused_in(&self, folder: &str) -> impl Iterator<Item = &str> {
        self.unused.get(folder).into_iter().flatten().map(String::as_str)
    }

    fn is_unused(&self, path: &str) -> bool {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        self.unused.get(folder).is_some_and(|names| names.contains(name))
    }

    /// Whether everything is in.
    pub(super) fn is_everything(&self) -> bool {
        self.include.is_none() && self.exclude.is_none() && self.unused.is_empty()
    }

    /// Whether a folder is not even looked into.
    pub(super) fn leaves_out_folder(&self, path: &str) -> bool {
        self.is_unused(path)
            || self.exclude.as_ref().is_some_and(|exclude| exclude.mean(path, true))
    }

    /// Whether a file is in. Folders above it that are out have been left out before.
    pub(super) fn takes_file(&self, path: &str) -> bool {
        !self.is_unused(path)
            && !self.exclude.as_ref().is_some_and(|exclude| exclude.mean(path, false))
            && self.include.as_ref().is_none_or(|include| include.mean_file(path))
    }
}

fn compile(key: &str, patterns: &[String]) -> Result<Patterns, Box<Finding>> {
    Patterns::new(patterns.iter().map(String::as_str)).map_err(|error| {
        let cause =
            std::error::Error::source(&error).map_or_else(String::new, |e| format!(": {e}"));
        let text = format!("gitops.{key} has a pattern that is none: {error}{cause}");
        Box::new(Finding::error("render.patterns", text))
    })
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
