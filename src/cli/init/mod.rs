//! `kconfigd init`: a first `kconfigd.yaml` and a configuration repository to start from.
//!
//! Everything is made in a folder aside, held against the gates and the settings' own rules, and
//! only then put in its place. May touch the folder it is given and read the one it adopts. Never
//! overwrites anything, and never changes the folder that is adopted: the first sync does.

mod adopt;
mod files;
mod repository;
mod starter;
mod template;

use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde::Serialize;

use super::args::Global;
use super::exit::{Exit, Failure};
use super::render::{BOLD, GOOD, Output, Page, WARN, short};
use crate::config::{self, Flags, Sources};
use crate::gates::{self, Rules};
use crate::http::wire::FORMAT_VERSION;
use crate::model::{Finding, Limits};
use repository::{Committed, Repository};

/// The name of the settings file.
const SETTINGS: &str = "kconfigd.yaml";
/// The folder of the repository, beside it.
const REPOSITORY: &str = "kos-config";
/// Findings that are told; one more line says how many there were.
const TOLD_MAX: usize = 20;

/// What `kconfigd init` can be told.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct InitArgs {
    /// Where kconfigd.yaml and the repository are made; made itself if it is not there
    #[arg(value_name = "DIR", default_value = ".")]
    pub(super) dir: PathBuf,
    /// Start from this folder, as it is, instead of an example; the first sync takes its place
    #[arg(long, value_name = "PATH")]
    pub(super) adopt: Option<PathBuf>,
}

/// What was made.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Made {
    format_version: u32,
    /// The settings file.
    pub(super) settings: PathBuf,
    /// The repository.
    pub(super) repository: PathBuf,
    /// Its one commit.
    pub(super) revision: String,
    #[serde(skip)]
    files: u64,
    #[serde(skip)]
    adopted: Option<PathBuf>,
    #[serde(skip)]
    notes: Vec<String>,
}

/// Makes both, and says what to do next.
pub(super) fn run(_: &Global, args: InitArgs, output: &Output) -> Result<Exit, Failure> {
    let made = make(&args.dir, args.adopt.as_deref())?;
    output.result(&made, |page| words(page, &args.dir, &made))?;
    Ok(Exit::Done)
}

/// Makes the settings and the repository in `dir`.
pub(super) fn make(dir: &Path, adopt: Option<&Path>) -> Result<Made, Failure> {
    let dir = absolute(dir)?;
    let (settings, repository) = (dir.join(SETTINGS), dir.join(REPOSITORY));
    for there in [&settings, &repository] {
        refuse_what_is_there(there)?;
    }
    let adopted = adopt.map(|path| adopt::folder(path, &repository)).transpose()?;
    std::fs::create_dir_all(&dir).map_err(|error| failed("make", &dir, error))?;
    // Beside what is made, so that putting it in its place is one rename.
    let aside = tempfile::Builder::new()
        .prefix(".kconfigd-init-")
        .tempdir_in(&dir)
        .map_err(|error| failed("make a folder in", &dir, error))?;

    let limits = Limits::default();
    let mut made = Repository::new(&aside.path().join(REPOSITORY))?;
    let taken = match &adopted {
        Some(folder) => adopt::take(folder, &limits, &mut made)?,
        None => template::fill(&mut made)?,
    };
    let committed = made.commit(adopted.as_deref())?;
    let mut notes = taken.notes;
    notes.extend(hold_against_gates(&committed, &limits, adopted.is_some())?);
    let text = starter::settings(adopted.as_deref(), &taken.modes)?;
    let staged = aside.path().join(SETTINGS);
    std::fs::write(&staged, text).map_err(|error| failed("write", &staged, error))?;
    check(&staged)?;

    put(&committed.folder, &repository)?;
    if let Err(failure) = put(&staged, &settings) {
        // Back to where it is removed from with the folder aside: all or nothing.
        drop(std::fs::rename(&repository, &committed.folder));
        return Err(failure);
    }
    let revision = committed.revision.to_string();
    let format_version = FORMAT_VERSION;
    let files = taken.files;
    Ok(Made { format_version, settings, repository, revision, files, adopted, notes })
}

/// The repository passes what every revision has to pass; warnings are handed back as notes.
fn hold_against_gates(
    committed: &Committed,
    limits: &Limits,
    is_adopted: bool,
) -> Result<Vec<String>, Failure> {
    let store = committed.store()?;
    let findings = gates::check(&store, committed.tree, None, &Rules::new(limits))
        .map_err(|error| Failure::new(Exit::Error, super::exit::chain(&error)))?;
    let (errors, warnings): (Vec<_>, Vec<_>) = findings.iter().partition(|f| f.is_error());
    if errors.is_empty() {
        return Ok(warnings.into_iter().map(ToString::to_string).take(TOLD_MAX).collect());
    }
    let what = if is_adopted { "the folder" } else { "the example" };
    Err(refused(what, &errors))
}

/// What keeps a folder from becoming a repository that would ever go live.
fn refused(what: &str, findings: &[&Finding]) -> Failure {
    let mut text = format!("{what} has what no revision may have; nothing was made");
    for finding in findings.iter().take(TOLD_MAX) {
        text.push_str(&format!("\n  {finding}"));
        if let Some(hint) = &finding.hint {
            text.push_str(&format!("\n    {hint}"));
        }
    }
    if let Some(more @ 1..) = findings.len().checked_sub(TOLD_MAX) {
        text.push_str(&format!("\n  and {more} more"));
    }
    Failure::new(Exit::Error, text).hint("put that right, and try again")
}

/// What was written is what the agent will read: it has to be valid.
fn check(settings: &Path) -> Result<(), Failure> {
    let sources = Sources {
        file: Some(settings.to_owned()),
        environment: Vec::new(),
        flags: Flags::default(),
    };
    config::load(&sources)?;
    Ok(())
}

fn refuse_what_is_there(path: &Path) -> Result<(), Failure> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed("look at", path, error)),
        Ok(_) => Err(is_there(path)),
    }
}

fn is_there(path: &Path) -> Failure {
    Failure::new(Exit::Error, format!("{} is there already; nothing was made", path.display()))
        .hint("give another folder (`kconfigd init DIR`), or move it away first")
}

/// One rename that replaces nothing.
fn put(from: &Path, to: &Path) -> Result<(), Failure> {
    renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE).map_err(|error| match error {
        rustix::io::Errno::EXIST => is_there(to),
        error => failed("make", to, error.into()),
    })
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    let path = std::path::absolute(path).map_err(|error| failed("find", path, error))?;
    // Without `.` and a `/` at the end, as people would have written it.
    Ok(path.components().collect())
}

fn failed(verb: &str, path: &Path, error: io::Error) -> Failure {
    Failure::io(verb, &path.display().to_string(), error)
}

fn words(page: &mut Page, dir: &Path, made: &Made) {
    let title = page.styled(GOOD.bold(), "made");
    let settings = made.settings.display();
    page.line(format!("{title}  {settings}"));
    let files = made.files;
    let folder = made.repository.display();
    let revision = short(&made.revision);
    page.line(format!("      {folder}  (branch main, {files} files, commit {revision})"));
    for note in &made.notes {
        let note = page.styled(WARN, format!("note  {note}"));
        page.line(note);
    }
    if let Some(adopted) = &made.adopted {
        let adopted = adopted.display();
        page.line("");
        page.line(format!("The first sync moves {adopted} aside, to {adopted}.before-kconfigd,"));
        page.line("and puts the same files there as they are in the repository.");
    }
    let name = dir.join(SETTINGS);
    let name = name.strip_prefix(".").unwrap_or(&name).display().to_string();
    let flag = if name == SETTINGS { String::new() } else { format!(" --config {name}") };
    page.line("");
    let next = page.styled(BOLD, "next");
    page.line(format!("{next}  kconfigd plan{flag}           what a sync would change"));
    page.line(format!("      kconfigd sync --once{flag}    make it live, once"));
}

#[cfg(test)]
mod tests;
