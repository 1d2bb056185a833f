//! Profiles: `profiles/<name>.yaml`, laid over the one that it extends, with the place that gave each
//! value.
//!
//! Pure over documents: who asks brings the files. Never decides which profile is active, and never
//! reads outside of what it is given.

mod error;
mod layout;
#[cfg(test)]
mod tests;
mod usage;

use std::fmt;
use std::sync::Arc;

use crate::document::{self, Document, Format, Masker, Node, Value, on_one_line};
use crate::model::{Limits, TreePath};

pub use error::ProfileError;
pub use layout::{FEDERATION, FOLDERS, Part, stem};
pub use usage::Usage;

/// The folder that profiles are in.
pub const FOLDER: &str = "profiles";
/// The key by which a profile names the one that it is laid over.
const EXTENDS: &str = "extends";
/// Profiles that one may be laid over, one over the other.
pub const CHAIN_MAX: usize = 16;

/// A profile with all that it extends in it.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// The files that it is made of, its own first, then the one it extends, and so on.
    pub files: Vec<String>,
    /// What it says, without `extends`.
    pub document: Document,
    pieces: Vec<Arc<Piece>>,
}

/// One file of a profile, read: what it says without `extends`, and what it extends.
#[derive(Clone, Debug)]
pub struct Piece {
    document: Document,
    next: Next,
}

/// A value that is no mapping with values, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The keys that lead to it.
    pub key: Vec<String>,
    /// The value on one line, as YAML.
    pub value: String,
    /// The file that gave it.
    pub file: String,
    /// The line in that file, from 1.
    pub line: u32,
}

/// Whether this can be the name of a profile: letters, digits, `_`, `-` and `.`, the last one not in
/// front.
#[must_use]
pub fn is_name(name: &str) -> bool {
    const NAME_BYTES_MAX: usize = 128;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && !name.starts_with('.')
        && name.chars().all(plain)
}

/// The file of a profile.
#[must_use]
pub fn file_of(name: &str) -> String {
    format!("{FOLDER}/{name}.yaml")
}

/// Reads a profile and what it extends. `read` gives the bytes of a file of the tree, `None` where
/// there is none.
///
/// A profile is laid over the one that it extends as layers are: mappings key by key, null deletes,
/// lists and single values replace.
///
/// # Errors
/// [`ProfileError`], with the place in the profile that led there.
pub fn resolve<E>(
    name: &str,
    limits: &Limits,
    mut read: impl FnMut(&str) -> Result<Option<Vec<u8>>, E>,
) -> Result<Result<Profile, ProfileError>, E> {
    assemble(name, |file| {
        Ok(read(file)?.map(|bytes| Piece::read(file, &bytes, limits).map(Arc::new)))
    })
}

/// The same of files that are read already. `piece` gives a file of the tree, `None` where there is
/// none.
///
/// # Errors
/// As [`resolve`].
pub fn assemble<E>(
    name: &str,
    mut piece: impl FnMut(&str) -> Result<Option<Result<Arc<Piece>, ProfileError>>, E>,
) -> Result<Result<Profile, ProfileError>, E> {
    let mut files = Vec::new();
    let mut pieces: Vec<Arc<Piece>> = Vec::new();
    let mut next = Some((name.to_owned(), Named::Asked));
    while let Some((name, named)) = next {
        let file = file_of(&name);
        if !is_name(&name) {
            return Ok(Err(ProfileError::NoName { name, named }));
        }
        if files.contains(&file) {
            files.push(file);
            return Ok(Err(ProfileError::Cycle { files, named }));
        }
        if files.len() == CHAIN_MAX {
            return Ok(Err(ProfileError::TooMany { named }));
        }
        let piece = match piece(&file)? {
            Some(Ok(piece)) => piece,
            Some(Err(error)) => return Ok(Err(error)),
            None => return Ok(Err(ProfileError::Missing { name, file, named })),
        };
        next = piece.next.clone();
        files.push(file);
        pieces.push(piece);
    }
    Ok(lay(name, files, pieces))
}

impl Piece {
    /// Reads one.
    ///
    /// # Errors
    /// [`ProfileError`]: it is no YAML, no one mapping, or does not name what it extends.
    pub fn read(file: &str, bytes: &[u8], limits: &Limits) -> Result<Self, ProfileError> {
        let mut document = parse(file, bytes, limits)?;
        let next = take_extends(file, &mut document)?;
        Ok(Self { document, next })
    }
}

/// Who named a profile: for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// Whoever asks, or the settings.
    Asked,
    /// Another profile, at this place.
    At {
        /// The file.
        file: String,
        /// The line, from 1.
        line: u32,
        /// The column in characters, from 1.
        column: u32,
    },
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked => Ok(()),
            Self::At { file, line, column } => write!(f, "{file}:{line}:{column}: "),
        }
    }
}

fn parse(file: &str, bytes: &[u8], limits: &Limits) -> Result<Document, ProfileError> {
    let file = file.to_owned();
    let mut documents = match document::parse(bytes, Format::Yaml, limits) {
        Ok(documents) => documents,
        Err(findings) => return Err(ProfileError::Unreadable { file, findings }),
    };
    let one = documents.pop().filter(|_| documents.is_empty());
    one.filter(|one| matches!(one.root.value, Value::Mapping(_)))
        .ok_or(ProfileError::NotOneMapping { file })
}

type Next = Option<(String, Named)>;

fn take_extends(file: &str, part: &mut Document) -> Result<Next, ProfileError> {
    let Value::Mapping(pairs) = &mut part.root.value else { return Ok(None) };
    let Some(at) = pairs.iter().position(|(key, _)| key.text() == Some(EXTENDS)) else {
        return Ok(None);
    };
    let (_, value) = pairs.remove(at);
    let named = Named::At { file: file.to_owned(), line: value.line, column: value.column };
    if value.is_null() {
        return Ok(None);
    }
    match value.text() {
        Some(name) => Ok(Some((name.to_owned(), named))),
        None => Err(ProfileError::NoName { name: value.kind().to_string(), named }),
    }
}

fn lay(name: &str, files: Vec<String>, pieces: Vec<Arc<Piece>>) -> Result<Profile, ProfileError> {
    let mut laid: Option<Document> = None;
    for (file, piece) in files.iter().zip(&pieces).rev() {
        laid = Some(match laid {
            None => piece.document.clone(),
            Some(below) => document::merge(&below, &piece.document).map_err(|conflict| {
                ProfileError::Conflict { file: file.clone(), conflict: Box::new(conflict) }
            })?,
        });
    }
    let document = laid.ok_or_else(|| ProfileError::NotOneMapping { file: file_of(name) })?;
    Ok(Profile { name: name.to_owned(), files, document, pieces })
}

impl Profile {
    /// The same profile without secrets, to be shown: neither those that stand behind secret keys,
    /// nor anything that a secret file says.
    #[must_use]
    pub fn masked(mut self, masker: &Masker) -> Self {
        self.document = masker.hide(&self.document);
        // What is no path is no file of a tree either.
        let is_secret =
            |file: &str| TreePath::parse(file).map_or(true, |path| masker.hides_file(&path));
        if self.files.iter().any(|file| is_secret(file)) {
            let mut root = self.document.root.clone();
            self.hide_given(&mut root, &mut Vec::new(), &is_secret);
            self.document.root = root;
        }
        self
    }

    /// Hides the values that secret files gave, and those of which nobody knows who gave them.
    fn hide_given(
        &self,
        node: &mut Node,
        key: &mut Vec<String>,
        is_secret: &impl Fn(&str) -> bool,
    ) {
        match &mut node.value {
            Value::Mapping(pairs) if !pairs.is_empty() => {
                for (name, value) in pairs {
                    key.push(said_of(name));
                    self.hide_given(value, key, is_secret);
                    key.pop();
                }
            }
            _ => {
                if self.giver(key).is_none_or(|(file, _)| is_secret(file)) {
                    node.hide();
                }
            }
        }
    }

    /// Every value with the place that gave it, in the order of the document.
    #[must_use]
    pub fn explain(&self) -> Vec<Explained> {
        let mut explained = Vec::new();
        self.walk(&self.document.root, &mut Vec::new(), &mut explained);
        explained
    }

    fn walk(&self, node: &Node, key: &mut Vec<String>, explained: &mut Vec<Explained>) {
        match &node.value {
            Value::Mapping(pairs) if !pairs.is_empty() => {
                for (name, value) in pairs {
                    key.push(said_of(name));
                    self.walk(value, key, explained);
                    key.pop();
                }
            }
            _ => {
                let (file, line) = self.giver(key).unwrap_or((&self.files[0], node.line));
                let (key, value) = (key.clone(), on_one_line(node));
                explained.push(Explained { key, value, file: file.to_owned(), line });
            }
        }
    }

    /// The uppermost file that has this key: what it says is what holds.
    fn giver(&self, key: &[String]) -> Option<(&str, u32)> {
        self.files.iter().zip(&self.pieces).find_map(|(file, piece)| {
            let found = key.iter().try_fold(&piece.document.root, |node, name| node.get(name))?;
            Some((file.as_str(), found.line))
        })
    }
}

/// A key as it is told.
fn said_of(key: &Node) -> String {
    key.text().map_or_else(|| on_one_line(key), str::to_owned)
}
