use std::ffi::OsString;
use std::path::Path;

use super::attempt::Attempt;
use super::error::chain;
use super::live::Next;
use super::{Agent, SyncError};
use crate::config::Check;
use crate::decide::retry;
use crate::document::Masker;
use crate::model::{ChangeKind, DeploymentId, Finding, Held, Plan, Reason, Report, Timestamp};
use crate::objects::Mirror;
use crate::programs::{self, Program};
use crate::trees::Staged;

/// A staged tree that may be published: the checks let it pass, or it was live before.
#[must_use = "a staged tree is to be published or discarded"]
pub(super) struct Accepted(Staged);

impl Accepted {
    /// A way back and a repair pass no checks: their tree was live before.
    pub(super) fn was_live_before(staged: Staged) -> Self {
        Self(staged)
    }

    pub(super) fn into_staged(self) -> Staged {
        self.0
    }
}

/// What the checks said of a staged tree.
pub(super) enum Checked {
    /// It may become live.
    Accepted(Accepted),
    /// One of them refuses it; the tree is gone.
    Vetoed(Finding),
    /// They could not say; the tree is gone.
    Unfinished(String),
}

/// What one check said.
enum Said {
    Yes,
    No(Finding),
    Nothing(String),
}

/// The shortest and the longest wait before checks that could not say are run again.
const AGAIN_MIN: std::time::Duration = std::time::Duration::from_secs(1);
const AGAIN_MAX: std::time::Duration = std::time::Duration::from_mins(5);
/// Paths that a message names when a check changed the tree.
const NAMED_MAX: usize = 3;
/// Lines and characters of a check's output in a finding: its end.
const TAIL_LINES: usize = 5;
const TAIL_CHARS: usize = 1000;

impl Agent {
    /// Runs the checks on a staged tree, in order, up to the first that does not let it pass.
    pub(super) fn check(
        &mut self,
        mirror: &Mirror,
        attempt: &Attempt<'_>,
        next: &Next,
        id: DeploymentId,
        staged: Staged,
    ) -> Result<Checked, SyncError> {
        if self.settings.checks.is_empty() {
            return Ok(Checked::Accepted(Accepted(staged)));
        }
        let said = self.ask_checks(mirror, attempt, next, id, &staged);
        if matches!(said, Ok(Said::Yes)) {
            self.unfinished_checks = 0;
            return Ok(Checked::Accepted(Accepted(staged)));
        }
        self.trees.discard(staged)?;
        Ok(match said? {
            Said::No(finding) => {
                self.unfinished_checks = 0;
                Checked::Vetoed(finding)
            }
            Said::Yes => Checked::Unfinished(String::new()),
            Said::Nothing(why) => Checked::Unfinished(why),
        })
    }

    fn ask_checks(
        &mut self,
        mirror: &Mirror,
        attempt: &Attempt<'_>,
        next: &Next,
        id: DeploymentId,
        staged: &Staged,
    ) -> Result<Said, SyncError> {
        let tree = self.trees.folder_of(staged.name())?;
        let list = self.settings.state_dir.join("changes.json");
        if let Err(error) = std::fs::write(&list, changes(&next.plan)) {
            return Ok(Said::Nothing(format!(
                "the list of changes for the checks could not be written to {}: {error}",
                list.display()
            )));
        }
        let live = self.standing.live.as_ref();
        let environment: Vec<(&str, OsString)> = vec![
            ("KCONFIGD_TREE", tree.clone().into()),
            ("KCONFIGD_DEPLOYMENT", id.to_string().into()),
            ("KCONFIGD_REVISION", attempt.revision.to_string().into()),
            (
                "KCONFIGD_PREVIOUS_REVISION",
                live.map(|live| live.revision.to_string()).unwrap_or_default().into(),
            ),
            ("KCONFIGD_DIGEST", next.summary.digest.to_string().into()),
            ("KCONFIGD_CHANGES", list.clone().into()),
        ];
        let said = self.ask_each(mirror, staged, &tree, &environment);
        // It is written anew for each deployment; a leftover says nothing to anybody.
        drop(std::fs::remove_file(&list));
        said
    }

    fn ask_each(
        &mut self,
        mirror: &Mirror,
        staged: &Staged,
        tree: &Path,
        environment: &[(&'static str, OsString)],
    ) -> Result<Said, SyncError> {
        let settings = std::sync::Arc::clone(&self.settings);
        for check in &settings.checks {
            let said = self.ask_one(check, staged, tree, environment);
            // A check that writes to the tree is not believed, whatever it says.
            let changed = self.trees.changed_since_staged(mirror, staged)?;
            if !changed.is_none() {
                // A file that two trees share was changed in both: the live one is looked at soon.
                self.drift_checked_at = None;
                let names: Vec<&str> =
                    changed.paths.iter().take(NAMED_MAX).map(|p| p.path.as_str()).collect();
                return Ok(Said::Nothing(format!(
                    "the check {} changed the tree that it was to look at ({}), so the tree is not used: let it write elsewhere",
                    check.name,
                    names.join(", ")
                )));
            }
            if !matches!(said, Said::Yes) {
                return Ok(said);
            }
        }
        Ok(Said::Yes)
    }

    fn ask_one(
        &self,
        check: &Check,
        staged: &Staged,
        tree: &Path,
        environment: &[(&'static str, OsString)],
    ) -> Said {
        let max = self.settings.limits.exec_output_bytes_max;
        let program = Program {
            argv: &check.run,
            tree,
            environment,
            timeout: check.timeout,
            output_bytes_max: usize::try_from(max).unwrap_or(usize::MAX),
        };
        let ended = match programs::run(&program, &self.stop) {
            Ok(ended) => ended,
            Err(error) => {
                return Said::Nothing(format!(
                    "the check {} gave no answer: {}",
                    check.name,
                    chain(&error)
                ));
            }
        };
        let mask = &self.settings.mask;
        let said = self.trees.hide_unsealed(staged, &ended.output);
        // Patterns that cannot be read were found when the settings were; hiding all is safe.
        let output = Masker::new(&mask.files, &mask.keys)
            .map_or_else(|_| String::new(), |masker| masker.text(&said));
        tracing::info!(check = check.name, how = ended.how, "a check ended: {}", tail(&output));
        if ended.well {
            return Said::Yes;
        }
        let rule = format!("check.{}", check.name);
        let text = match tail(&output) {
            said if said.is_empty() => format!("the check failed with {}", ended.how),
            said => format!("the check failed with {}: {said}", ended.how),
        };
        Said::No(Finding::error(&rule, text))
    }

    /// The checks could not say: the revision waits, and they are run again with backoff. That is
    /// not its fault, so nothing goes into quarantine.
    pub(super) fn hold_unchecked(
        &mut self,
        attempt: &Attempt<'_>,
        next: Next,
        why: &str,
    ) -> Result<Report, SyncError> {
        if !self.stop_before_intent {
            self.unfinished_checks = self.unfinished_checks.saturating_add(1);
        }
        let now = self.clock.now();
        let held = Held {
            revision: attempt.revision.clone(),
            digest: Some(next.summary.digest),
            reason: Reason::CheckUnfinished,
            message: format!("{} waits: {why}", attempt.revision.short()),
            since: now,
            until: Some(self.checks_again_at(now)),
        };
        self.hold(held, Some(next.plan), next.findings)
    }

    fn checks_again_at(&self, now: Timestamp) -> Timestamp {
        now.plus(retry::after_failures(self.unfinished_checks, AGAIN_MIN, AGAIN_MAX, 1.0))
    }

    /// A dry run's checks: on a tree that is thrown away.
    pub(super) fn rehearse(
        &mut self,
        mirror: &Mirror,
        attempt: &Attempt<'_>,
        next: Next,
    ) -> Result<Report, SyncError> {
        if !self.settings.checks.is_empty() {
            let id = self.journal.next_deployment()?;
            let staged = self.stage_next(mirror, attempt, &next, id)?;
            match self.check(mirror, attempt, &next, id, staged)? {
                Checked::Accepted(accepted) => self.trees.discard(accepted.into_staged())?,
                Checked::Vetoed(finding) => {
                    let mut report = self.veto(attempt, &next, finding)?;
                    report.plan = Some(next.plan);
                    return Ok(report);
                }
                Checked::Unfinished(why) => return self.hold_unchecked(attempt, next, &why),
            }
        }
        Ok(super::attempt::planned(attempt, next.plan, next.findings))
    }

    /// A check refused it: told as what a gate finds is.
    pub(super) fn veto(
        &mut self,
        attempt: &Attempt<'_>,
        next: &Next,
        finding: Finding,
    ) -> Result<Report, SyncError> {
        let mut findings = vec![finding];
        findings.extend_from_slice(&next.findings);
        self.refuse(attempt, Some(next.summary.digest), findings)
    }
}

/// `{added, modified, removed}`: lists of paths.
fn changes(plan: &Plan) -> String {
    let of = |kind: ChangeKind| -> Vec<&str> {
        plan.changes.iter().filter(|c| c.kind() == kind).map(|c| c.path.as_str()).collect()
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
