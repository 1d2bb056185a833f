//! The repository that kconfigd keeps itself, to which people push by path.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use git2::{Repository, RepositoryInitOptions};

use super::SourceError;

/// Makes the repository with HEAD at `branch` where there is none: beside, made durable, then
/// moved into place whole. One that is there is never touched.
pub(super) fn make(path: &Path, branch: &str) -> Result<(), SourceError> {
    if path.exists() {
        return Ok(());
    }
    let beside = path.with_extension("git.new");
    let file = |operation: &'static str| {
        let path = path.to_owned();
        move |source: io::Error| SourceError::File { operation, path, source }
    };
    match fs::remove_dir_all(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(file("clear what was left beside")(error));
        }
        _ => {}
    }
    init(&beside, branch).map_err(|source| SourceError::Local { path: path.to_owned(), source })?;
    sync(&beside).map_err(file("make durable"))?;
    fs::rename(&beside, path).map_err(file("create"))?;
    path.parent().map_or(Ok(()), sync_folder).map_err(file("make durable"))
}

fn init(path: &Path, branch: &str) -> Result<(), git2::Error> {
    let mut options = RepositoryInitOptions::new();
    options.bare(true).external_template(false).mkpath(true).initial_head(branch);
    let repository = Repository::init_opts(path, &options)?;
    let mut config = repository.config()?;
    // what is pushed here is nowhere else: git is to make it durable, and to look at it first
    config.set_str("core.fsync", "all")?;
    config.set_str("core.fsyncMethod", "fsync")?;
    config.set_bool("receive.fsckObjects", true)
}

/// Everything below `folder`, and the folder.
fn sync(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync(&entry.path())?;
        } else {
            File::open(entry.path())?.sync_all()?;
        }
    }
    sync_folder(folder)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
