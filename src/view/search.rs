use super::{Point, View, ViewError};
use crate::document::{Masker, may_have_lines, shown_lines};
use crate::model::Change;

/// Lines and names that one search gives.
const HITS_MAX: usize = 200;
/// Files that one search looks through.
const FILES_MAX: usize = 20_000;
/// Bytes that it looks through.
const BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Characters of a line that are given.
const LINE_CHARS_MAX: usize = 500;

/// A place where something was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The file.
    pub path: String,
    /// The line, from 1, and what is in it; `None`: it is in the file's name.
    pub line: Option<(u32, String)>,
}

/// What a search came to.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The places, by path and line.
    pub hits: Vec<Hit>,
    /// Whether all was looked through, and all that was found is here.
    pub is_whole: bool,
}

impl View {
    /// Looks for a text in the names of a tree's files and in what they say, whatever its case; only
    /// in those that `sees` allows, and only in what may be shown: nobody finds out what a secret is
    /// by searching for it.
    ///
    /// # Errors
    /// See [`ViewError`].
    pub fn search(
        &self,
        at: &Point,
        text: &str,
        sees: impl Fn(&str) -> bool,
    ) -> Result<Found, ViewError> {
        let Ok(masker) = Masker::new(&self.mask().files, &self.mask().keys) else {
            return Ok(Found::default());
        };
        let mut searching = Searching {
            view: self,
            masker,
            text: text.to_lowercase(),
            left: BYTES_MAX,
            hits: Vec::new(),
        };
        let mut files = self.mirror.changes(None, at.tree)?;
        files.retain(|file| sees(file.path.as_str()));
        files.sort_unstable_by(|a, b| a.path.as_str().cmp(b.path.as_str()));
        let mut is_whole = files.len() <= FILES_MAX;
        for file in files.iter().take(FILES_MAX) {
            if !searching.look_at(file)? {
                is_whole = false;
                break;
            }
        }
        Ok(Found { hits: searching.hits, is_whole })
    }
}

struct Searching<'a> {
    view: &'a View,
    masker: Masker,
    /// In lower case.
    text: String,
    /// Bytes that may still be read.
    left: u64,
    hits: Vec<Hit>,
}

impl Searching<'_> {
    /// Looks at one file; `false` when this was one too many.
    fn look_at(&mut self, file: &Change) -> Result<bool, ViewError> {
        let Some(entry) = file.new else { return Ok(true) };
        let path = file.path.as_str();
        if self.is_in(path) && !self.found(Hit { path: path.to_owned(), line: None }) {
            return Ok(false);
        }
        let mirror = &self.view.mirror;
        let bytes = mirror.blob_size(entry.id)?;
        if !may_have_lines(&file.path, entry.mode, bytes, &self.masker) {
            return Ok(true);
        }
        let Some(left) = self.left.checked_sub(bytes) else { return Ok(false) };
        self.left = left;
        let limits = &self.view.settings.limits;
        let lines = mirror.with_blob(entry.id, |bytes| {
            shown_lines(&file.path, (entry.mode, bytes), &self.masker, limits)
        })?;
        for (line, number) in lines.unwrap_or_default().into_iter().zip(1..) {
            if !self.is_in(&line) {
                continue;
            }
            let line = line.chars().take(LINE_CHARS_MAX).collect();
            if !self.found(Hit { path: path.to_owned(), line: Some((number, line)) }) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn is_in(&self, text: &str) -> bool {
        text.to_lowercase().contains(&self.text)
    }

    /// Notes it, if there is room for it.
    fn found(&mut self, hit: Hit) -> bool {
        let has_room = self.hits.len() < HITS_MAX;
        if has_room {
            self.hits.push(hit);
        }
        has_room
    }
}
