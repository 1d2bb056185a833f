use std::ffi::OsStr;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use git2::{Oid, Signature, Time};
use ignore::DirEntry;

use super::super::exit::{Exit, Failure, chain};
use crate::model::{FileMode, Finding, Limits, ObjectId, Revision};
use crate::objects::{Item, ItemKind, Mirror};

/// Findings collected before it is enough.
const FINDINGS_MAX: usize = 5_000;

/// A commit of a folder as it lies there, in a mirror: without `.git`, and without what its
/// `.gitignore` leaves out. What no revision may have is not in it, and is given back as findings;
/// without an end to that there is no commit.
pub(super) fn commit(
    folder: &Path,
    repository: &Path,
    mirror: &Mirror,
    limits: &Limits,
) -> Result<(Option<Revision>, Vec<Finding>), Failure> {
    if !folder.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        let text = format!("{} is not a folder", folder.display());
        return Err(Failure::new(Exit::Error, text).hint("name the configuration repository's"));
    }
    let mut walk = Walk { limits, mirror, files: 0, findings: Vec::new(), open: Vec::new() };
    walk.open.push(Open::default());
    let entries = ignore::WalkBuilder::new(folder)
        .hidden(false)
        .ignore(false)
        .git_global(false)
        .git_exclude(false)
        .parents(true)
        .follow_links(false)
        .sort_by_file_name(OsStr::cmp)
        .filter_entry(|entry| entry.file_name() != ".git")
        .build();
    for entry in entries.skip(1) {
        let entry = entry
            .map_err(|error| Failure::new(Exit::Error, format!("cannot read a folder: {error}")))?;
        let inside = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        walk.take(&entry, &inside.to_string_lossy())?;
        if walk.findings.len() >= FINDINGS_MAX || walk.files > limits.files_max {
            return Ok((None, walk.findings));
        }
    }
    let (tree, findings) = walk.finish()?;
    Ok((Some(write_commit(repository, tree)?), findings))
}

fn write_commit(repository: &Path, tree: ObjectId) -> Result<Revision, Failure> {
    let failed = |error: git2::Error| {
        Failure::new(Exit::Error, format!("cannot make a commit aside: {}", error.message()))
    };
    let repository = git2::Repository::open_bare(repository).map_err(failed)?;
    let tree = Oid::from_str(&tree.to_string()).and_then(|id| repository.find_tree(id));
    let author = Signature::new("kconfigd", "kconfigd@localhost", &Time::new(0, 0));
    let (tree, author) = (tree.map_err(failed)?, author.map_err(failed)?);
    let commit = repository.commit(None, &author, &author, "", &tree, &[]).map_err(failed)?;
    Revision::parse(&commit.to_string())
        .map_err(|error| Failure::new(Exit::Error, format!("git gave {error}")))
}

/// A folder that is being read: its name, and what was found in it.
type Open = (Vec<u8>, Vec<Item>);

struct Walk<'a> {
    limits: &'a Limits,
    mirror: &'a Mirror,
    files: u64,
    findings: Vec<Finding>,
    /// The folders from the top to where the walk is.
    open: Vec<Open>,
}

impl Walk<'_> {
    /// Takes what comes next, sorted by folder: what is less deep closes the folders before it. Names
    /// that no tree of ours may have are found when the commit is rendered.
    fn take(&mut self, entry: &DirEntry, inside: &str) -> Result<(), Failure> {
        while self.open.len() > entry.depth() {
            self.close()?;
        }
        let Some(kind) = entry.file_type() else { return Ok(()) };
        let name = entry.file_name().as_bytes().to_vec();
        if kind.is_dir() {
            self.open.push((name, Vec::new()));
            return Ok(());
        }
        self.files += 1;
        if self.files == self.limits.files_max + 1 {
            let what = format!("the folder has more than {} files", self.limits.files_max);
            let most = self.limits.files_max;
            self.findings.push(Finding::over_limit("limits.files_max", what, most));
        }
        if let Some((mode, bytes)) = self.read(inside, entry.path(), kind)? {
            let id = self.mirror.write_blob(&bytes).map_err(|error| unwritten(&error))?;
            self.add(Item { name, id, kind: ItemKind::File(mode) });
        }
        Ok(())
    }

    fn read(
        &mut self,
        inside: &str,
        file: &Path,
        kind: std::fs::FileType,
    ) -> Result<Option<(FileMode, Vec<u8>)>, Failure> {
        let unread = |error| Failure::io("read", &file.display().to_string(), error);
        if kind.is_symlink() {
            let target = std::fs::read_link(file).map_err(unread)?;
            return Ok(Some((FileMode::Link, target.as_os_str().as_bytes().to_vec())));
        }
        if !kind.is_file() {
            let text = "it is neither a file nor a link";
            self.findings.push(Finding::error("path.kind", text).in_file(inside));
            return Ok(None);
        }
        let metadata = file.metadata().map_err(unread)?;
        let most = self.limits.file_bytes_max;
        if metadata.len() > most {
            let what = format!("it has {} bytes", metadata.len());
            let finding = Finding::over_limit("limits.file_bytes_max", what, most);
            self.findings.push(finding.in_file(inside));
            return Ok(None);
        }
        let mut bytes = Vec::new();
        std::fs::File::open(file)
            .and_then(|file| file.take(most).read_to_end(&mut bytes))
            .map_err(unread)?;
        let executable = metadata.permissions().mode() & 0o100 != 0;
        let mode = if executable { FileMode::Executable } else { FileMode::Regular };
        Ok(Some((mode, bytes)))
    }

    fn add(&mut self, item: Item) {
        if let Some((_, items)) = self.open.last_mut() {
            items.push(item);
        }
    }

    /// Writes the folder that was read last, into the one above it. Git knows no empty ones.
    fn close(&mut self) -> Result<(), Failure> {
        let Some((name, items)) = self.open.pop() else { return Ok(()) };
        if !items.is_empty() {
            let id = self.mirror.write_tree(&items).map_err(|error| unwritten(&error))?;
            self.add(Item { name, id, kind: ItemKind::Folder });
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(ObjectId, Vec<Finding>), Failure> {
        while self.open.len() > 1 {
            self.close()?;
        }
        let (_, items) = self.open.pop().unwrap_or_default();
        let tree = self.mirror.write_tree(&items).map_err(|error| unwritten(&error))?;
        Ok((tree, self.findings))
    }
}

fn unwritten(error: &crate::objects::ObjectsError) -> Failure {
    Failure::new(Exit::Error, chain(error))
}
