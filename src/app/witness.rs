use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::spawn_blocking;

use crate::clock::Clock;
use crate::config::Settings;
use crate::journal::{Checkpoint, Journal};
use crate::meters::meters;
use crate::model::Revision;
use crate::objects::Mirror;
use crate::source::{Pushed, Remote, Source, SourceError};

/// Pushes after which the repository that they are made in is begun anew.
const PUSHES_MAX: u64 = 200;
/// Bytes at the end of a file of checkpoints that its last line is in.
const LINE_BYTES_MAX: u64 = 1024;
/// What the witness's repository says of the last push.
const GIVEN: &str = "kconfigd-given";
/// The file of each commit.
const NAME: &str = "checkpoint";

/// Gives checkpoints of the audit trail to those outside who keep them: a file, a reference of the
/// source. Beside the passes, with a connection and a repository of its own: nothing waits for it.
pub(super) struct Witness {
    journal: Journal,
    clock: Arc<dyn Clock>,
    source: Option<(Arc<Settings>, Remote)>,
    file: Told,
    reference: Told,
}

/// How it goes with one witness.
struct Told {
    name: &'static str,
    /// The record of the last checkpoint that it has.
    record: Option<u64>,
    /// Whether the last one could not be given, which was said in the log then.
    is_failing: bool,
}

/// The last push.
struct Given {
    record: u64,
    commit: Revision,
    /// Pushes made in the repository that it was made in.
    pushes: u64,
}

impl Witness {
    pub(super) fn new(journal: Journal, clock: Arc<dyn Clock>) -> Self {
        let told = |name| Told { name, record: None, is_failing: false };
        Self { journal, clock, source: None, file: told("file"), reference: told("ref") }
    }

    /// Gives what there is, again and again.
    pub(super) async fn run(mut self, mut settings: watch::Receiver<Arc<Settings>>) {
        loop {
            let now = settings.borrow_and_update().clone();
            let (given, wanted) = (now.clone(), now.audit.has_witness());
            if wanted {
                let giving = spawn_blocking(move || {
                    self.give(&given);
                    self
                });
                match giving.await {
                    Ok(back) => self = back,
                    Err(_) => return,
                }
            }
            let waited = async {
                match wanted {
                    true => tokio::time::sleep(now.audit.checkpoint_every).await,
                    false => std::future::pending().await,
                }
            };
            tokio::select! {
                () = waited => {}
                changed = settings.changed() => if changed.is_err() {
                    return;
                },
            }
        }
    }

    /// Gives the newest checkpoint to each that has not got it. May take as long as the source may.
    pub(super) fn give(&mut self, settings: &Arc<Settings>) {
        let checkpoint = match self.journal.checkpoint() {
            Ok(Some(checkpoint)) => checkpoint,
            Ok(None) => return,
            Err(error) => {
                tracing::error!(error = %error, "checkpoints cannot be read for their witnesses");
                return;
            }
        };
        if let Some(file) = &settings.audit.checkpoint_file
            && self.file.lacks(&checkpoint)
        {
            self.file.note(&checkpoint, append(file, &checkpoint.to_text()));
        }
        if let Some(reference) = settings.audit.checkpoint_ref.clone()
            && self.reference.lacks(&checkpoint)
        {
            let pushed = self.push(settings, &reference, &checkpoint);
            self.reference.note(&checkpoint, pushed);
        }
    }

    fn push(
        &mut self,
        settings: &Arc<Settings>,
        reference: &str,
        checkpoint: &Checkpoint,
    ) -> Result<(), String> {
        let folder = settings.state_dir.join("witness.git");
        let given = read_given(&folder);
        if given.as_ref().is_some_and(|given| given.record == checkpoint.id) {
            return Ok(());
        }
        let mut pushes = given.as_ref().map_or(0, |given| given.pushes) + 1;
        if pushes > PUSHES_MAX {
            // Nothing of it is needed: what a commit follows from is at the source.
            std::fs::remove_dir_all(&folder).map_err(|error| chain(&error))?;
            pushes = 1;
        }
        let mirror = Mirror::open_or_create(&folder).map_err(|error| chain(&error))?;
        let (line, now) = (checkpoint.to_text(), self.clock.now());
        let source = self.source(settings).map_err(|error| chain(&error))?;
        let mut old = given.map(|given| given.commit);
        for _ in 0..2 {
            if old.is_none() {
                old = match source.look_up(reference) {
                    Ok(head) => Some(head.revision),
                    Err(SourceError::ReferenceNotFound { .. }) => None,
                    Err(error) => return Err(chain(&error)),
                };
            }
            let commit = mirror.chain(old.as_ref(), (NAME, line.as_bytes()), &line, now);
            let commit = commit.map_err(|error| chain(&error))?;
            let pushed = source.push(&commit, old.as_ref(), reference, &mirror);
            match pushed.map_err(|error| chain(&error))? {
                Pushed::Done => {
                    let given = Given { record: checkpoint.id, commit, pushes };
                    return write_given(&folder, &given).map_err(|error| chain(&error));
                }
                // Another process of this machine, or somebody else: what is there is gone on from.
                Pushed::Moved(_) => old = None,
                Pushed::Refused(why) => return Err(format!("the repository refuses it: {why}")),
            }
        }
        Err(format!("{reference} moves all the time: is it another machine's too?"))
    }

    /// A connection of its own, kept as long as the settings are the same.
    fn source(&mut self, settings: &Arc<Settings>) -> Result<&mut Remote, SourceError> {
        let is_kept = self.source.as_ref().is_some_and(|(of, _)| Arc::ptr_eq(of, settings));
        if !is_kept {
            self.source = None;
        }
        let (_, source) = match self.source.take() {
            Some(kept) => self.source.insert(kept),
            None => {
                let source = Remote::new(&settings.source, &settings.limits, &settings.state_dir)?;
                self.source.insert((settings.clone(), source))
            }
        };
        Ok(source)
    }
}

impl Told {
    fn lacks(&self, checkpoint: &Checkpoint) -> bool {
        self.record != Some(checkpoint.id)
    }

    fn note(&mut self, checkpoint: &Checkpoint, given: Result<(), String>) {
        match given {
            Ok(()) => {
                self.record = Some(checkpoint.id);
                meters().witnessed(self.name, checkpoint.id);
                if std::mem::take(&mut self.is_failing) {
                    tracing::info!(
                        witness = self.name,
                        "checkpoints of the audit trail are witnessed again"
                    );
                }
            }
            Err(why) => {
                meters().unwitnessed(self.name);
                if !std::mem::replace(&mut self.is_failing, true) {
                    tracing::warn!(
                        witness = self.name,
                        "a checkpoint of the audit trail could not be given to its witness, and is tried again: {why}"
                    );
                }
            }
        }
    }
}

/// Writes a line behind the others, unless it is the last one already.
fn append(path: &Path, line: &str) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut options = std::fs::OpenOptions::new();
    let mut file =
        options.read(true).append(true).create(true).mode(0o644).open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LINE_BYTES_MAX))).map_err(failed)?;
    let mut end = Vec::new();
    (&file).take(LINE_BYTES_MAX).read_to_end(&mut end).map_err(failed)?;
    let end = String::from_utf8_lossy(&end);
    if end.lines().next_back() == Some(line) {
        return Ok(());
    }
    // Half a line, of a write that was cut short, stays one.
    let before = if end.is_empty() || end.ends_with('\n') { "" } else { "\n" };
    file.write_all(format!("{before}{line}\n").as_bytes()).map_err(failed)?;
    file.sync_data().map_err(failed)
}

fn given_file(folder: &Path) -> PathBuf {
    folder.join(GIVEN)
}

/// The last push; nothing where that cannot be known.
fn read_given(folder: &Path) -> Option<Given> {
    let text = std::fs::read_to_string(given_file(folder)).ok()?;
    let mut words = text.split_whitespace();
    let (record, commit) = (words.next()?.parse().ok()?, Revision::parse(words.next()?).ok()?);
    Some(Given { record, commit, pushes: words.next()?.parse().ok()? })
}

fn write_given(folder: &Path, given: &Given) -> std::io::Result<()> {
    let text = format!("{} {} {}\n", given.record, given.commit, given.pushes);
    std::fs::write(given_file(folder), text)
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_written_once_and_behind_what_was_cut_short() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoints");
        append(&path, "one").unwrap();
        append(&path, "one").unwrap();
        append(&path, "two").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        std::fs::write(&path, "one\ntw").unwrap();
        append(&path, "two").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntw\ntwo\n");
    }

    #[test]
    fn a_file_that_is_nowhere_is_an_error_that_names_it() {
        assert!(
            append(Path::new("/nowhere/at/all"), "one").unwrap_err().contains("/nowhere/at/all")
        );
    }
}
