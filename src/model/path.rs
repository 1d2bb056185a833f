use std::fmt;

/// A file's path in a tree: relative, `/` between names, safe to join to a folder of ours.
///
/// Holding one is the proof that its text has no empty, `.` or `..` part, no control character and
/// nothing that git or a file system reads as `.git`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreePath(Box<str>);

/// Why a text is not a [`TreePath`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPath {
    /// It has no name at all, starts with `/`, or has two `/` in a row.
    #[error("it is empty, absolute, or has an empty part")]
    Empty,
    /// `.` or `..` is one of its parts.
    #[error("`{0}` is one of its parts")]
    Dots(String),
    /// A part is `.git` as some file system or git spells it.
    #[error("`{0}` means `.git` to git or to some file system")]
    DotGit(String),
    /// A byte below 32, or 127.
    #[error("it has a control character")]
    Control,
    /// It is not UTF-8.
    #[error("it is not UTF-8")]
    NotUtf8,
}

impl TreePath {
    /// Checks a whole path.
    ///
    /// # Errors
    /// See [`InvalidPath`].
    pub fn parse(text: &str) -> Result<Self, InvalidPath> {
        for name in text.split('/') {
            check_name(name)?;
        }
        Ok(Self(text.into()))
    }

    /// This path with one more name behind it; `None` is the root.
    ///
    /// # Errors
    /// See [`InvalidPath`].
    pub fn join(parent: Option<&Self>, name: &[u8]) -> Result<Self, InvalidPath> {
        let name = std::str::from_utf8(name).map_err(|_| InvalidPath::NotUtf8)?;
        if name.contains('/') {
            return Err(InvalidPath::Empty);
        }
        check_name(name)?;
        // There are as many as there are files: none is larger than its text.
        Ok(Self(match parent {
            Some(parent) => [&*parent.0, "/", name].concat().into(),
            None => name.into(),
        }))
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folder that holds it; `None` when that is the root.
    #[must_use]
    pub fn parent(&self) -> Option<&str> {
        self.0.rsplit_once('/').map(|(parent, _)| parent)
    }
}

fn check_name(name: &str) -> Result<(), InvalidPath> {
    if name.is_empty() {
        return Err(InvalidPath::Empty);
    }
    if name == "." || name == ".." {
        return Err(InvalidPath::Dots(name.to_owned()));
    }
    if name.bytes().any(|b| b < 32 || b == 127) {
        return Err(InvalidPath::Control);
    }
    if is_dot_git(name) {
        return Err(InvalidPath::DotGit(name.to_owned()));
    }
    Ok(())
}

/// `.git` in every spelling that reaches it: case, NTFS short names and streams, trailing dots and
/// spaces, and the code points that HFS+ ignores (git's `is_hfs_dotgit` and `is_ntfs_dotgit`).
fn is_dot_git(name: &str) -> bool {
    let visible: String = name.chars().filter(|c| !is_ignored_by_hfs(*c)).collect();
    let stem = visible.split([':', '\\']).next().unwrap_or_default();
    let stem = stem.trim_end_matches(['.', ' ']).to_ascii_lowercase();
    stem == ".git" || stem == "git~1"
}

const fn is_ignored_by_hfs(c: char) -> bool {
    matches!(c,
        '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
}

impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_paths_pass() {
        for good in ["a", "a/b.yaml", ".gitignore", ".gitattributes", "git", "ä/ö", "a b", "..."]
        {
            assert!(TreePath::parse(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn nothing_leaves_the_tree() {
        for bad in ["", "/a", "a//b", "a/", "..", "a/../b", "./a", "a/."] {
            assert!(TreePath::parse(bad).is_err(), "{bad}");
        }
        assert!(TreePath::join(None, b"a/b").is_err());
        assert_eq!(TreePath::join(None, b"a\xff"), Err(InvalidPath::NotUtf8));
    }

    #[test]
    fn every_spelling_of_dot_git_is_refused() {
        for bad in [
            ".git",
            ".GIT",
            ".Git.",
            ".git ",
            ".git...",
            "git~1",
            "GIT~1",
            ".g\u{200c}it",
            "\u{feff}.git",
            ".git::$INDEX_ALLOCATION",
            ".git:x",
            "a/.gIt/config",
            ".git\\config",
        ] {
            assert!(matches!(TreePath::parse(bad), Err(InvalidPath::DotGit(_))), "{bad:?}");
        }
    }

    #[test]
    fn control_characters_are_refused() {
        for bad in ["a\nb", "a\tb", "\u{7f}", "a\0"] {
            assert_eq!(TreePath::parse(bad), Err(InvalidPath::Control), "{bad:?}");
        }
    }
}
