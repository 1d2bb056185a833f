use super::attempt::Attempt;
use super::live::Next;
use super::surroundings::{Facts, Surroundings, why};
use super::{Agent, SyncError};
use crate::config::Check;
use crate::decide::retry;
use crate::meters::meters;
use crate::model::{DeploymentId, Finding, Held, Reason, Report, Timestamp};
use crate::objects::Mirror;
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
        let timed = meters().time("checks");
        let said = self.ask_checks(mirror, attempt, next, id, &staged);
        drop(timed);
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
        let facts = Facts {
            tree: self.trees.folder_of(staged.name())?,
            name: staged.name(),
            deployment: id,
            revision: &attempt.revision,
            previous: self.standing.live.as_ref().map(|live| &live.revision),
            digest: &next.summary.digest,
            changes: &next.plan.changes,
        };
        match self.surroundings(&facts) {
            Ok(around) => self.ask_each(mirror, staged, &around),
            Err(why) => Ok(Said::Nothing(why)),
        }
    }

    fn ask_each(
        &mut self,
        mirror: &Mirror,
        staged: &Staged,
        around: &Surroundings,
    ) -> Result<Said, SyncError> {
        let settings = std::sync::Arc::clone(&self.settings);
        for check in &settings.checks {
            let said = self.ask_one(check, around);
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

    fn ask_one(&self, check: &Check, around: &Surroundings) -> Said {
        let told = match self.run_program(&check.run, check.timeout, around) {
            Ok(told) => told,
            Err(error) => {
                let why = why(&error);
                return Said::Nothing(format!("the check {} gave no answer: {why}", check.name));
            }
        };
        tracing::info!(check = check.name, how = told.how, "a check ended: {}", told.tail);
        if told.well {
            return Said::Yes;
        }
        let rule = format!("check.{}", check.name);
        Said::No(Finding::error(&rule, format!("the check failed with {}", told.text())))
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

    /// A dry run's checks: on a tree that is thrown away. `waits`: why it would not be applied now,
    /// which is told of what may be applied at all.
    pub(super) fn rehearse(
        &mut self,
        mirror: &Mirror,
        attempt: &Attempt<'_>,
        next: Next,
        waits: Option<Report>,
    ) -> Result<Report, SyncError> {
        if !self.settings.checks.is_empty() {
            let id = self.journal.next_deployment()?;
            self.work.deployment(id);
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
        let mut report = super::attempt::planned(attempt, next.plan, next.findings);
        if let Some(waits) = waits {
            (report.outcome, report.message) = (waits.outcome, waits.message);
        }
        Ok(report)
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
