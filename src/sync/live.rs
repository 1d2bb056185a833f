use std::sync::Arc;

use super::attempt::Attempt;
use super::checked::{Accepted, Checked};
use super::{Agent, SyncError};
use crate::journal::{Completion, Intent, IntentKind};
use crate::memory;
use crate::meters::meters;
use crate::model::{
    ChangeCounts, Deployment, DeploymentId, EventKind, Finding, LiveState, ObjectId, Origin,
    Outcome, PassOutcome, Plan, Quarantine, Report, Revision, Suspension, Timestamp,
};
use crate::objects::{Mirror, Summary};
use crate::trees::{Rubbish, Seals, Staged, Target, Use};

/// A tree that may become live: it passed the gates, or it was live before.
pub(super) struct Next {
    pub(super) origin: Origin,
    pub(super) tree: ObjectId,
    pub(super) summary: Summary,
    pub(super) plan: Plan,
    pub(super) findings: Vec<Finding>,
    /// The encrypted files of the tree, known to be whole.
    pub(super) seals: Arc<Seals>,
    /// The last accepted commit from then on; `None`: as before.
    pub(super) accepted: Option<Revision>,
}

/// How long delivered events are kept for those who look.
const DELIVERED_KEPT: std::time::Duration = std::time::Duration::from_secs(30 * 24 * 3600);

/// How many times `limits.mirror_packs_max` packs there may be before the mirror is packed anew though
/// the agent has no rest: that takes a third of a second where a folder has a thousand folders in it.
const PACKS_FACTOR_MAX: u64 = 4;

/// What there is to tidy up.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Untidy {
    /// Something became live.
    pub(super) trees: bool,
    /// Something was fetched, or a day has passed.
    pub(super) rest: bool,
}

/// What else becomes true with a way back.
#[derive(Default)]
pub(super) struct WayBack {
    pub(super) quarantine: Vec<Quarantine>,
    pub(super) suspend: Option<Suspension>,
    /// Why kconfigd went back by itself; `None`: an operator's order.
    pub(super) why: Option<String>,
}

impl Agent {
    /// Makes a new tree live.
    pub(super) fn deploy(
        &mut self,
        mirror: &Mirror,
        attempt: &Attempt<'_>,
        next: Next,
    ) -> Result<Report, SyncError> {
        self.deploy_with(mirror, attempt, next, None)
    }

    /// Makes a tree live: stages it, has it checked, writes the intent, publishes, completes. The one way there.
    pub(super) fn deploy_with(
        &mut self,
        mirror: &Mirror,
        attempt: &Attempt<'_>,
        next: Next,
        back: Option<WayBack>,
    ) -> Result<Report, SyncError> {
        let id = self.journal.next_deployment()?;
        self.work.revision(&attempt.revision);
        self.work.deployment(id);
        if let Some(wish) = attempt.wish {
            self.board.make(wish.id, id);
        }
        self.show_applying(&attempt.revision);
        let between_steps = || {
            if next.plan.is_large() {
                memory::give_back();
            }
        };
        between_steps();
        let staged = match self.stage_next(mirror, attempt, &next, id) {
            Ok(staged) => staged,
            Err(error) => return self.fail(attempt, id, &next, error),
        };
        between_steps();
        let staged = if self.is_ours_by_the_journal()? { staged.over_anything() } else { staged };
        let accepted = if back.is_some() {
            Accepted::was_live_before(staged)
        } else {
            match self.check(mirror, attempt, &next, id, staged) {
                Ok(Checked::Accepted(accepted)) => accepted,
                Ok(Checked::Vetoed(finding)) => return self.veto(attempt, &next, finding),
                Ok(Checked::Unfinished(why)) => return self.hold_unchecked(attempt, next, &why),
                Err(error) => return self.fail(attempt, id, &next, error),
            }
        };
        let mut row = Deployment {
            origin: next.origin,
            changes: ChangeCounts::of(&next.plan),
            findings: next.findings.clone(),
            ..self.row(attempt, id, Outcome::Live, Some(next.summary.digest))
        };
        if let Some(why) = back.as_ref().and_then(|back| back.why.clone()) {
            row.reason = Some(why);
        }
        let completion = self.completion(attempt, &next, row, back);
        match self.make_live(accepted, completion) {
            Ok(()) => {}
            // It is live: what is to be told is that, and not that it could not be applied.
            Err(error @ SyncError::Unrecorded(_)) => return Err(error),
            Err(error) => return self.fail(attempt, id, &next, error),
        }
        let outcome = match next.origin {
            Origin::Rollback => PassOutcome::Returned,
            Origin::Sync | Origin::Apply => PassOutcome::Applied,
        };
        let counts = ChangeCounts::of(&next.plan);
        let mut report = Report::new(
            outcome,
            format!(
                "{} is live as deployment {id}: {} added, {} modified, {} removed",
                attempt.revision.short(),
                counts.added,
                counts.modified,
                counts.removed
            ),
        );
        report.deployment = Some(id);
        report.revision = Some(attempt.revision.clone());
        report.findings = next.findings;
        report.plan = Some(next.plan);
        Ok(report)
    }

    pub(super) fn stage_next(
        &mut self,
        mirror: &Mirror,
        attempt: &Attempt<'_>,
        next: &Next,
        id: DeploymentId,
    ) -> Result<Staged, SyncError> {
        let used = Use {
            deployment: id,
            revision: attempt.revision.clone(),
            origin: next.origin,
            at: attempt.started_at,
        };
        let target = Target {
            tree: next.tree,
            digest: next.summary.digest,
            files: next.summary.files,
            seals: Arc::clone(&next.seals),
            used,
        };
        let now = self.clock.now();
        let _timed = meters().time("stage");
        Ok(self.trees.stage(mirror, &target, now)?)
    }

    fn completion(
        &self,
        attempt: &Attempt<'_>,
        next: &Next,
        row: Deployment,
        back: Option<WayBack>,
    ) -> Completion {
        let live = LiveState {
            deployment: row.id,
            revision: attempt.revision.clone(),
            digest: next.summary.digest,
            since: row.finished_at,
            origin: next.origin,
            tree: String::new(),
        };
        let kind = match next.origin {
            Origin::Rollback => EventKind::RolledBack,
            Origin::Sync | Origin::Apply => EventKind::Applied,
        };
        let event = self.deployed_event(kind, &row, &next.plan);
        let rolled_back = back.is_some();
        let is_automatic = back.as_ref().is_some_and(|back| back.why.is_some());
        let bake = self.bake_for(row.id, row.finished_at, is_automatic);
        let back = back.unwrap_or_default();
        Completion {
            kind: IntentKind::Deployment,
            live,
            line: self.line.clone(),
            recipe: self.recipe.clone(),
            // A way back passes no gates: the next commit is held against all of it anew.
            rules: if rolled_back { String::new() } else { self.rules_key.clone() },
            accepted: next.accepted.clone(),
            passed_over: attempt.wish.and(attempt.passes_over.clone()),
            quarantine: back.quarantine,
            rolled_back,
            suspend: back.suspend,
            wish: attempt.wish.map(|w| w.id),
            events: vec![event],
            bake,
            deployment: row,
        }
    }

    /// Intent, publish, complete: the last steps of every way. After the rename nothing here can
    /// fail the deployment any more; what is left undone is done by the next start.
    pub(super) fn make_live(
        &mut self,
        accepted: Accepted,
        completion: Completion,
    ) -> Result<(), SyncError> {
        let staged = accepted.into_staged();
        let intent = Intent {
            old_tree: self.standing.live.as_ref().map(|live| live.tree.clone()),
            new_tree: staged.name().to_owned(),
            completion,
        };
        if let Err(error) = self.journal.intend(&intent) {
            drop(self.trees.discard(staged));
            return Err(error.into());
        }
        let timed = meters().time("publish");
        let published = self.trees.publish(staged);
        drop(timed);
        let live = match published {
            Ok(live) => live,
            Err(error) => {
                self.journal.drop_intent()?;
                return Err(error.into());
            }
        };
        let _timed = meters().time("complete");
        if let Err(error) = self.journal.complete(&intent.completion, &live) {
            // It may be recorded all the same, or be possible now: recovery finds out.
            if self.recover().is_err() {
                self.must_recover = true;
                return Err(SyncError::Unrecorded(error));
            }
        }
        self.untidy.trees = true;
        self.settled = None;
        if let Err(error) = self.read_standing().and_then(|()| self.note_place()) {
            // It is live and recorded as such: nothing from here on may say that it failed.
            tracing::warn!(error = %error.chain(), "the journal failed behind a deployment; the next pass brings it into line");
            self.must_recover = true;
        }
        self.forget_drift();
        if intent.completion.kind == IntentKind::Deployment {
            self.watch_bake();
        }
        Ok(())
    }

    /// Whether there is something to tidy up.
    #[must_use]
    pub const fn is_untidy(&self) -> bool {
        self.untidy.trees || self.untidy.rest
    }

    /// What comes after a tree became live or something was fetched, off the way of the next
    /// commit: old trees retire, the next one is made ready, the mirror is kept small. Nothing here
    /// can fail a deployment.
    pub fn tidy_up(&mut self) {
        let now = self.clock.now();
        let untidy = std::mem::take(&mut self.untidy);
        let tidied = self.mirror().and_then(|mirror| {
            if untidy.trees {
                self.tidy_trees(&mirror, now)?;
            }
            self.tidy_rest(&mirror, now)
        });
        if let Err(error) = tidied {
            tracing::warn!(error = %error.chain(), "tidying up did not succeed; it is tried again after the next deployment");
        }
    }

    /// What tidying up left to be removed, for somebody who has the time.
    pub fn take_rubbish(&mut self) -> Option<Rubbish> {
        self.trees.take_rubbish()
    }

    /// Removes it now: for an agent that ends after this.
    pub fn sweep(&mut self) {
        if let Some(Err(error)) = self.take_rubbish().map(Rubbish::remove) {
            tracing::warn!(error = %error, "old trees could not be removed; the next start tries again");
        }
    }

    fn tidy_trees(&mut self, mirror: &Mirror, now: Timestamp) -> Result<(), SyncError> {
        let kept = usize::try_from(self.settings.policy.rollback_limit).unwrap_or(usize::MAX - 1);
        let history = self.journal.returnable_digests(kept + 1)?;
        self.trees.retire(&history, now)?;
        if self.prepares
            && let Some(tree) = self.live_tree()
        {
            self.trees.prepare(mirror, tree, now)?;
        }
        Ok(())
    }

    /// Every fetch adds a pack, also one that gave nothing new for this machine; and events come
    /// without deployments too.
    fn tidy_rest(&mut self, mirror: &Mirror, now: Timestamp) -> Result<(), SyncError> {
        self.journal.prune_outbox(now.minus(DELIVERED_KEPT))?;
        self.journal.prune_audit(now.minus(self.settings.audit.kept_for), now)?;
        self.pruned_at = Some(now);
        let (packs, max) = (mirror.pack_count()?, self.settings.limits.mirror_packs_max);
        let soon = if self.prepares { max.saturating_mul(PACKS_FACTOR_MAX) } else { max };
        self.has_put_off = packs > max && packs <= soon;
        if packs > soon {
            self.repack(mirror)?;
            // What that took is not needed again for a long time, and a rest may not come soon.
            memory::give_back();
        }
        Ok(())
    }

    fn repack(&self, mirror: &Mirror) -> Result<(), SyncError> {
        let commits: Vec<Revision> = self.standing.accepted.iter().cloned().collect();
        let trees: Vec<ObjectId> = self.trees.manifests().values().map(|m| m.tree).collect();
        Ok(mirror.repack(&commits, &trees)?)
    }

    /// Whether there is something that the next commit should not have to wait for.
    #[must_use]
    pub const fn has_put_off(&self) -> bool {
        self.has_put_off
    }

    /// Does it, once nothing happens.
    pub fn do_put_off(&mut self) {
        self.has_put_off = false;
        if let Err(error) = self.mirror().and_then(|mirror| self.repack(&mirror)) {
            tracing::warn!(error = %error.chain(), "the mirror could not be packed anew; it is tried again after the next deployment");
        }
    }

    /// It could not be applied: recorded once, held, tried again with backoff, never quarantined,
    /// since it is not the revision's fault.
    fn fail(
        &mut self,
        attempt: &Attempt<'_>,
        id: DeploymentId,
        next: &Next,
        error: SyncError,
    ) -> Result<Report, SyncError> {
        if error.mirror_damaged() {
            return Err(error);
        }
        let message =
            format!("{} could not be applied: {}", attempt.revision.short(), error.chain());
        tracing::error!(revision = %attempt.revision, "{message}");
        let mut report = Report::new(PassOutcome::Failed, message.clone());
        report.revision = Some(attempt.revision.clone());
        let row = Deployment {
            origin: next.origin,
            reason: Some(message.clone()),
            ..self.row(attempt, id, Outcome::Failed, Some(next.summary.digest))
        };
        let last = self.journal.history(1, None)?.items.into_iter().next();
        let told = last.is_some_and(|last| {
            last.outcome == Outcome::Failed
                && last.revision == row.revision
                && last.reason == row.reason
        });
        if !told {
            let event = self.failed_event(&row, &message);
            self.journal.record_attempt(&row, None, attempt.wish.map(|w| w.id), &[event])?;
            report.deployment = Some(id);
        } else if let Some(wish) = attempt.wish {
            self.journal.end_wish(wish.id, self.clock.now())?;
        }
        self.read_standing()?;
        Ok(report)
    }
}
