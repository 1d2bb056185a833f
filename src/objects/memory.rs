use std::cell::RefCell;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::mirror::EMPTY_TREE;
use super::{Mirror, ObjectsError};
use crate::model::ObjectId;

/// The folder in the mirror for what was worked out once and can be again.
const FOLDER: &str = "kconfigd";
/// The kind whose files are named after the trees that they are about.
pub(super) const DIGESTS: &str = "digests";

/// Notes that wait for their handle's end.
const NOTES_MAX: usize = 64;

/// What was worked out and is not written down yet: that waits until what it was worked out for is
/// live. More than a few are written at once.
#[derive(Default)]
pub(super) struct Notes(RefCell<Vec<(PathBuf, Vec<u8>)>>);

impl Notes {
    /// Takes a note, if there is room for it.
    fn take(&self, file: &Path, bytes: &[u8]) -> bool {
        let mut notes = self.0.borrow_mut();
        if let Some((_, before)) = notes.iter_mut().find(|(noted, _)| noted == file) {
            bytes.clone_into(before);
            return true;
        }
        let has_room = notes.len() < NOTES_MAX;
        if has_room {
            notes.push((file.to_owned(), bytes.to_owned()));
        }
        has_room
    }

    /// Writes down what was noted.
    pub(super) fn write(&self) {
        for (file, bytes) in self.0.take() {
            write_note(&file, &bytes);
        }
    }
}

impl Drop for Notes {
    fn drop(&mut self) {
        self.write();
    }
}

fn write_note(file: &Path, bytes: &[u8]) {
    // A folder that is there already is the rule, so it is made only when writing fails.
    let written = std::fs::write(file, bytes).or_else(|error| match file.parent() {
        Some(folder) if error.kind() == std::io::ErrorKind::NotFound => {
            std::fs::create_dir_all(folder)?;
            std::fs::write(file, bytes)
        }
        _ => Err(error),
    });
    if let Err(error) = written {
        tracing::debug!(file = %file.display(), error = %error, "it is not remembered");
    }
}

/// What is remembered beside the objects. Nothing here is durable, and all of it can be lost: it
/// only saves work. Each kind has a folder, and a key (a hash) names the file.
impl Mirror {
    /// The object that was worked out for `key` before, where the store still has it.
    #[must_use]
    pub fn recall_object(&self, kind: &str, key: &[u8]) -> Option<ObjectId> {
        let text = String::from_utf8(self.note(&self.memory_file(kind, key))?).ok()?;
        let id = ObjectId::parse(text.strip_suffix('\n')?).ok()?;
        (id == EMPTY_TREE || self.has(id)).then_some(id)
    }

    /// Remembers the object that was worked out for `key`.
    pub fn remember_object(&self, kind: &str, key: &[u8], id: ObjectId) {
        self.keep_in_memory(&self.memory_file(kind, key), format!("{id}\n").as_bytes());
    }

    /// The text that was worked out for `key` before, and the object that it is about, where the
    /// store still has it.
    #[must_use]
    pub fn recall_text(&self, kind: &str, key: &[u8]) -> Option<(ObjectId, String)> {
        let mut file = String::from_utf8(self.note(&self.memory_file(kind, key))?).ok()?;
        let (id, rest) = file.split_once('\n')?;
        let (sum, text) = rest.split_once('\n')?;
        let id = ObjectId::parse(id).ok().filter(|id| self.has(*id))?;
        if sum != sum_of(text) {
            return None;
        }
        let start = file.len() - text.len();
        Some((id, file.split_off(start)))
    }

    /// Remembers a text about an object, in place of the one before.
    pub fn remember_text(&self, kind: &str, key: &[u8], about: ObjectId, text: &str) {
        let file = format!("{about}\n{}\n{text}", sum_of(text));
        self.keep_in_memory(&self.memory_file(kind, key), file.as_bytes());
    }

    /// Forgets all of it. Digests and renderings are then worked out again when they are needed.
    ///
    /// # Errors
    /// [`ObjectsError::File`].
    pub fn drop_digests(&self) -> Result<(), ObjectsError> {
        self.notes.0.take();
        self.recalled.forget();
        let path = self.path().join(FOLDER);
        match std::fs::remove_dir_all(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(ObjectsError::File { operation: "remove", path, source })
            }
            _ => Ok(()),
        }
    }

    /// Forgets what leads to objects that are not in `needed`. A folder that is in it has all that
    /// is below it in it too.
    ///
    /// # Errors
    /// [`ObjectsError::File`].
    pub(super) fn forget_except(
        &self,
        needed: &dyn Fn(ObjectId) -> bool,
    ) -> Result<(), ObjectsError> {
        self.notes.write();
        self.recalled.forget();
        let root = self.path().join(FOLDER);
        for kind in entries_of(&root)? {
            for folder in entries_of(&root.join(&kind))? {
                for name in entries_of(&root.join(&kind).join(&folder))? {
                    let path = root.join(&kind).join(&folder).join(&name);
                    let id = if kind == DIGESTS {
                        ObjectId::parse(&format!("{folder}{name}")).ok()
                    } else {
                        let text = std::fs::read_to_string(&path).unwrap_or_default();
                        ObjectId::parse(text.lines().next().unwrap_or_default()).ok()
                    };
                    if !id.is_some_and(needed) {
                        std::fs::remove_file(&path).map_err(|source| ObjectsError::File {
                            operation: "remove",
                            path,
                            source,
                        })?;
                    }
                }
            }
        }
        Ok(())
    }

    pub(super) fn memory_file(&self, kind: &str, key: &[u8]) -> PathBuf {
        let name: String = key.iter().map(|b| format!("{b:02x}")).collect();
        let (folder, name) = name.split_at_checked(2).unwrap_or(("", &name));
        self.path().join(FOLDER).join(kind).join(folder).join(name)
    }

    pub(super) fn keep_in_memory(&self, file: &Path, bytes: &[u8]) {
        if !self.is_view() && !self.notes.take(file, bytes) {
            write_note(file, bytes);
        }
    }

    /// The bytes of a note, written down or not.
    pub(super) fn note(&self, file: &Path) -> Option<Vec<u8>> {
        let notes = self.notes.0.borrow();
        match notes.iter().find(|(noted, _)| noted == file) {
            Some((_, bytes)) => Some(bytes.clone()),
            None => std::fs::read(file).ok(),
        }
    }
}

/// What tells that a text was written whole.
fn sum_of(text: &str) -> String {
    Sha256::digest(text).iter().map(|b| format!("{b:02x}")).collect()
}

/// The names in a folder; none where there is no such folder. Others than ours make no file of ours.
fn entries_of(folder: &Path) -> Result<Vec<String>, ObjectsError> {
    let failed = |source| ObjectsError::File { operation: "read", path: folder.to_owned(), source };
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry.map_err(failed)?.file_name().into_string().ok());
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_to_needed_objects_is_kept_and_the_rest_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let mirror = Mirror::open_or_create(&folder.path().join("repo.git")).unwrap();
        let (needed, other) = (mirror.write_blob(b"x").unwrap(), mirror.write_blob(b"y").unwrap());
        mirror.forget_except(&|_| true).unwrap();
        mirror.remember_object("kind", b"needed", needed);
        mirror.remember_object("kind", b"other", other);
        let record = |id: ObjectId| mirror.memory_file(DIGESTS, &id.0);
        mirror.keep_in_memory(&record(needed), b"record");
        mirror.keep_in_memory(&record(other), b"record");
        mirror.forget_except(&|id| id == needed).unwrap();
        assert_eq!(mirror.recall_object("kind", b"needed"), Some(needed));
        assert_eq!(mirror.recall_object("kind", b"other"), None);
        assert!(record(needed).exists() && !record(other).exists());
    }

    #[test]
    fn what_is_noted_is_known_at_once_and_written_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("repo.git");
        let mirror = Mirror::open_or_create(&path).unwrap();
        let about = mirror.write_blob(b"x").unwrap();
        let keys: Vec<[u8; 2]> = (0..NOTES_MAX + 9).map(|n| [1, n as u8]).collect();
        for key in &keys {
            mirror.remember_text("kind", key, about, "before");
            mirror.remember_text("kind", key, about, "after");
        }
        let known = |mirror: &Mirror, key: &[u8]| {
            mirror.recall_text("kind", key) == Some((about, "after".to_owned()))
        };
        let (first, last) = (&keys[0], &keys[NOTES_MAX + 8]);
        assert!(keys.iter().all(|key| known(&mirror, key)));
        assert!(!mirror.memory_file("kind", first).exists(), "it is written at once");
        assert!(mirror.memory_file("kind", last).exists(), "more than a few are kept");
        drop(mirror);
        let mirror = Mirror::open_or_create(&path).unwrap();
        assert!(keys.iter().all(|key| known(&mirror, key)));
    }

    #[test]
    fn a_text_is_recalled_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let mirror = Mirror::open_or_create(&folder.path().join("repo.git")).unwrap();
        let about = mirror.write_blob(b"x").unwrap();
        for text in ["", "one", "two\nlines\n"] {
            mirror.remember_text("kind", b"key", about, text);
            assert_eq!(mirror.recall_text("kind", b"key"), Some((about, text.to_owned())));
        }
        let file = mirror.memory_file("kind", b"key");
        mirror.notes.write();
        let whole = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, &whole[..whole.len() - 1]).unwrap();
        assert_eq!(mirror.recall_text("kind", b"key"), None, "torn");
        mirror.remember_text("kind", b"key", ObjectId([7; 20]), "of what is gone");
        assert_eq!(mirror.recall_text("kind", b"key"), None);
        mirror.remember_text("kind", b"key", about, "kept");
        mirror.forget_except(&|id| id == about).unwrap();
        assert!(mirror.recall_text("kind", b"key").is_some());
    }

    #[test]
    fn what_is_remembered_counts_as_long_as_the_object_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let mirror = Mirror::open_or_create(&folder.path().join("repo.git")).unwrap();
        let (there, gone) = (mirror.write_blob(b"x").unwrap(), ObjectId([7; 20]));
        mirror.remember_object("kind", b"there", there);
        mirror.remember_object("kind", b"gone", gone);
        assert_eq!(mirror.recall_object("kind", b"there"), Some(there));
        assert_eq!(mirror.recall_object("kind", b"gone"), None);
        assert_eq!(mirror.recall_object("other", b"there"), None);
        mirror.notes.write();
        std::fs::write(mirror.memory_file("kind", b"there"), there.to_string()).unwrap();
        assert_eq!(mirror.recall_object("kind", b"there"), None, "torn");
        mirror.remember_object("kind", b"there", there);
        mirror.drop_digests().unwrap();
        mirror.drop_digests().unwrap();
        assert_eq!(mirror.recall_object("kind", b"there"), None);
    }
}
