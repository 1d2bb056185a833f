use std::ffi::OsString;
use std::io::{self, Read as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::super::exit::{Exit, Failure};
use super::repository::Repository;
use super::{absolute, failed, refused};
use crate::model::{FileMode, Finding, Limits, TreePath};

/// Findings collected before it is enough.
const FINDINGS_MAX: usize = 200;
/// Permissions of files whose mode git does not carry, beyond the executable bit.
const OPEN: u32 = 0o044;

/// What was taken into a repository.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// How many files and links.
    pub(super) files: u64,
    /// Files that not everybody may read, with their permission bits: git would forget them.
    pub(super) modes: Vec<(String, u32)>,
    /// What a user should know.
    pub(super) notes: Vec<String>,
    bytes: u64,
    empty_folders: u64,
    git_folders: u64,
}

/// The folder that is adopted, as the settings are to name it: absolute, links in it kept.
pub(super) fn folder(path: &Path, repository: &Path) -> Result<PathBuf, Failure> {
    let folder = absolute(path)?;
    let is_folder = folder.metadata().map_err(|error| failed("look at", &folder, error))?.is_dir();
    if !is_folder {
        let text = format!("{} is not a folder", folder.display());
        return Err(Failure::new(Exit::Error, text).hint("name the folder that programs read"));
    }
    if folder.file_name().is_none() {
        let text = format!("{} cannot be replaced as a whole", folder.display());
        return Err(Failure::new(Exit::Error, text).hint("adopt a folder inside it"));
    }
    if repository.starts_with(&folder) {
        let text = format!(
            "the repository would be made in {}, which is to become the live path",
            folder.display()
        );
        return Err(Failure::new(Exit::Error, text)
            .hint("give another folder for what is made: `kconfigd init DIR --adopt PATH`"));
    }
    Ok(folder)
}

/// Takes every file and link of a folder into a repository. What no revision may have is refused,
/// all of it at once; `.git` is left out.
pub(super) fn take(
    folder: &Path,
    limits: &Limits,
    repository: &mut Repository,
) -> Result<Taken, Failure> {
    let mut walk =
        Walk { limits, repository, taken: Taken::default(), findings: Vec::new(), ahead: vec![] };
    walk.ahead.push((folder.to_owned(), None, 0));
    while let Some((folder, at, depth)) = walk.ahead.pop() {
        walk.folder(&folder, at.as_ref(), depth)?;
        if walk.findings.len() >= FINDINGS_MAX {
            break;
        }
    }
    let Walk { mut taken, findings, .. } = walk;
    if !findings.is_empty() {
        return Err(refused(&folder.display().to_string(), &findings.iter().collect::<Vec<_>>()));
    }
    if taken.files == 0 {
        let text = format!("{} has no files", folder.display());
        return Err(Failure::new(Exit::Error, text)
            .hint("without --adopt, `kconfigd init` makes an example to start from"));
    }
    taken.tell();
    Ok(taken)
}

struct Walk<'a> {
    limits: &'a Limits,
    repository: &'a mut Repository,
    taken: Taken,
    findings: Vec<Finding>,
    /// Folders still to be read, with their path in the tree and the folders above them.
    ahead: Vec<(PathBuf, Option<TreePath>, u64)>,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path, at: Option<&TreePath>, depth: u64) -> Result<(), Failure> {
        let unread = |error| failed("read", folder, error);
        if depth > self.limits.depth_max {
            let text = format!("it is more than {} folders deep", self.limits.depth_max);
            self.refuse("limits.depth_max", at.map_or("", TreePath::as_str), text);
            return Ok(());
        }
        let mut is_empty = true;
        for entry in std::fs::read_dir(folder).map_err(unread)? {
            let entry = entry.map_err(unread)?;
            is_empty = false;
            let name = entry.file_name();
            if name == ".git" {
                self.taken.git_folders += 1;
                continue;
            }
            self.entry(&entry.path(), &name, at, depth)?;
            if self.findings.len() >= FINDINGS_MAX {
                break;
            }
        }
        self.taken.empty_folders += u64::from(is_empty && at.is_some());
        Ok(())
    }

    fn entry(
        &mut self,
        file: &Path,
        name: &OsString,
        at: Option<&TreePath>,
        depth: u64,
    ) -> Result<(), Failure> {
        let path = match TreePath::join(at, name.as_bytes()) {
            Ok(path) if path.as_str().len() as u64 > self.limits.path_bytes_max => {
                let text = format!("the path is over {} bytes long", self.limits.path_bytes_max);
                self.refuse("limits.path_bytes_max", path.as_str(), text);
                return Ok(());
            }
            Ok(path) => path,
            Err(error) => {
                let shown = file.to_string_lossy().escape_debug().to_string();
                self.refuse("paths.name", &shown, error.to_string());
                return Ok(());
            }
        };
        let kind = file.symlink_metadata().map_err(|error| failed("look at", file, error))?;
        if kind.is_dir() {
            self.ahead.push((file.to_owned(), Some(path), depth + 1));
        } else if kind.is_symlink() {
            let target = std::fs::read_link(file).map_err(|error| failed("read", file, error))?;
            self.keep(&path, FileMode::Link, &target.into_os_string().into_vec())?;
        } else if kind.is_file() {
            self.file(file, &path)?;
        } else {
            let text = "it is neither a file nor a folder nor a link".to_owned();
            self.refuse("paths.kind", path.as_str(), text);
        }
        Ok(())
    }

    fn file(&mut self, file: &Path, path: &TreePath) -> Result<(), Failure> {
        let unread = |error: io::Error| failed("read", file, error);
        // What became a link or a pipe since it was looked at is not followed or waited for.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let opened = std::fs::OpenOptions::new()
            .read(true)
            .custom_flags(i32::try_from(flags.bits()).unwrap_or_default())
            .open(file)
            .map_err(unread)?;
        let mode = opened.metadata().map_err(unread)?.permissions().mode() & 0o777;
        let most = self.limits.file_bytes_max;
        let mut bytes = Vec::new();
        opened.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(unread)?;
        if bytes.len() as u64 > most {
            self.refuse("limits.file_bytes_max", path.as_str(), format!("it is over {most} bytes"));
            return Ok(());
        }
        let is_executable = mode & 0o111 != 0;
        if mode & OPEN != OPEN {
            self.taken.modes.push((path.as_str().to_owned(), mode));
        }
        let mode = if is_executable { FileMode::Executable } else { FileMode::Regular };
        self.keep(path, mode, &bytes)
    }

    fn keep(&mut self, path: &TreePath, mode: FileMode, bytes: &[u8]) -> Result<(), Failure> {
        self.taken.files += 1;
        self.taken.bytes = self.taken.bytes.saturating_add(bytes.len() as u64);
        let (files, total) = (self.limits.files_max, self.limits.tree_bytes_max);
        for (rule, found, most, what) in [
            ("limits.files_max", self.taken.files, files, "files"),
            ("limits.tree_bytes_max", self.taken.bytes, total, "bytes"),
        ] {
            if found > most {
                let text = format!("the folder has more than {most} {what}");
                return Err(refused("the folder", &[&Finding::error(rule, text)]));
            }
        }
        self.repository.add(path, mode, bytes)
    }

    fn refuse(&mut self, rule: &str, path: &str, text: String) {
        self.findings.push(Finding::error(rule, text).in_file(path));
    }
}

impl Taken {
    /// So many files, and nothing to say about them.
    pub(super) fn of(files: u64) -> Self {
        Self { files, ..Self::default() }
    }

    /// What git cannot keep, in words.
    fn tell(&mut self) {
        if self.git_folders > 0 {
            self.notes
                .push("`.git` in the folder was left out; its history stays there".to_owned());
        }
        if self.empty_folders > 0 {
            let count = counted(self.empty_folders, "empty folder");
            self.notes.push(format!("{count} left out: git keeps none"));
        }
        if !self.modes.is_empty() {
            let count = counted(self.modes.len() as u64, "file");
            self.notes.push(format!(
                "{count} not for everybody: `live.file_modes` keeps that on this machine, git does not"
            ));
            self.notes.push(
                "look for secrets in them before you push the repository anywhere".to_owned(),
            );
        }
    }
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what} is") } else { format!("{count} {what}s are") }
}
