use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Agent;
use super::error::chain;
use crate::document::Masker;
use crate::model::{Change, ChangeKind, DeploymentId, Digest, Revision};
use crate::programs::{self, Program, ProgramError};

/// Lines and characters of a program's output that are told: its end.
const TAIL_LINES: usize = 5;
const TAIL_CHARS: usize = 1000;

/// What programs are told of the tree that they are run for.
pub(super) struct Surroundings {
    pub(super) tree: PathBuf,
    /// The tree's folder name.
    name: String,
    environment: Vec<(&'static str, OsString)>,
    list: PathBuf,
}

/// What they are told it is.
pub(super) struct Facts<'a> {
    pub(super) tree: PathBuf,
    pub(super) name: &'a str,
    pub(super) deployment: DeploymentId,
    pub(super) revision: &'a Revision,
    pub(super) previous: Option<&'a Revision>,
    pub(super) digest: &'a Digest,
    pub(super) changes: &'a [Change],
}

/// How a program ended by itself: whether well, how in words, and the end of its output, masked.
pub(super) struct Told {
    pub(super) well: bool,
    pub(super) how: String,
    pub(super) tail: String,
}

impl Agent {
    /// Writes the list of changes, and what else programs are told. In words, what went wrong.
    pub(super) fn surroundings(&self, facts: &Facts<'_>) -> Result<Surroundings, String> {
        let list = self.settings.state_dir.join("changes.json");
        std::fs::write(&list, changes(facts.changes)).map_err(|error| {
            format!("the list of changes could not be written to {}: {error}", list.display())
        })?;
        let previous = facts.previous.map(ToString::to_string).unwrap_or_default();
        let environment: Vec<(&'static str, OsString)> = vec![
            ("KCONFIGD_TREE", facts.tree.clone().into()),
            ("KCONFIGD_DEPLOYMENT", facts.deployment.to_string().into()),
            ("KCONFIGD_REVISION", facts.revision.to_string().into()),
            ("KCONFIGD_PREVIOUS_REVISION", previous.into()),
            ("KCONFIGD_DIGEST", facts.digest.to_string().into()),
            ("KCONFIGD_CHANGES", list.clone().into()),
        ];
        let (tree, name) = (facts.tree.clone(), facts.name.to_owned());
        Ok(Surroundings { tree, name, environment, list })
    }

    /// Runs a program to its end and hides what looks secret in its output.
    pub(super) fn run_program(
        &self,
        argv: &[String],
        timeout: Duration,
        around: &Surroundings,
    ) -> Result<Told, ProgramError> {
        let max = self.settings.limits.exec_output_bytes_max;
        let program = Program {
            argv,
            tree: &around.tree,
            environment: &around.environment,
            timeout,
            output_bytes_max: usize::try_from(max).unwrap_or(usize::MAX),
        };
        let ended = programs::run(&program, &self.stop)?;
        let said = self.trees.hide_unsealed(&around.name, &ended.output);
        let mask = &self.settings.mask;
        // Patterns that cannot be read were found when the settings were; hiding all is safe.
        let output = Masker::new(&mask.files, &mask.keys)
            .map_or_else(|_| String::new(), |masker| masker.text(&said));
        Ok(Told { well: ended.well, how: ended.how, tail: tail(&output) })
    }
}

impl Told {
    /// `exit status: 1: the end of its output`.
    pub(super) fn text(&self) -> String {
        if self.tail.is_empty() { self.how.clone() } else { format!("{}: {}", self.how, self.tail) }
    }
}

impl Drop for Surroundings {
    /// It is written anew each time; a leftover says nothing to anybody.
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.list));
    }
}

/// Why there was no answer, with all causes.
pub(super) fn why(error: &ProgramError) -> String {
    chain(error)
}

/// The live path, as programs are to see it.
pub(super) fn live_tree_of(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// `{added, modified, removed}`: lists of paths.
fn changes(changes: &[Change]) -> String {
    let of = |kind: ChangeKind| -> Vec<&str> {
        changes.iter().filter(|c| c.kind() == kind).map(|c| c.path.as_str()).collect()
    };
    serde_json::json!({
        "added": of(ChangeKind::Added),
        "modified": of(ChangeKind::Modified),
        "removed": of(ChangeKind::Removed),
    })
    .to_string()
}

/// The end of an output in one line.
fn tail(output: &str) -> String {
    let lines: Vec<&str> = output.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    let last = lines.get(lines.len().saturating_sub(TAIL_LINES)..).unwrap_or_default().join("; ");
    let skipped = last.chars().count().saturating_sub(TAIL_CHARS);
    last.chars().skip(skipped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_output_the_last_lines_are_told_in_one() {
        assert_eq!(tail("a\n\n b\nc\nd\ne\nf\n"), "b; c; d; e; f");
        assert_eq!(tail(&"x".repeat(5000)).len(), TAIL_CHARS);
        assert_eq!(tail(""), "");
    }
}
