use super::adopt::Taken;
use super::repository::Repository;
use crate::cli::exit::{Exit, Failure};
use crate::model::{FileMode, TreePath};

pub(super) use super::files::{FILES, SETTINGS};

/// Adds the example to a repository.
pub(super) fn fill(repository: &mut Repository) -> Result<Taken, Failure> {
    for (path, text) in FILES {
        let path = TreePath::parse(path)
            .map_err(|error| Failure::new(Exit::Error, format!("the example's {path}: {error}")))?;
        repository.add(&path, FileMode::Regular, text.as_bytes())?;
    }
    Ok(Taken::of(FILES.len() as u64))
}
