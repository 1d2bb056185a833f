use super::checked::Accepted;
use super::{Agent, SyncError};
use crate::decide::drift::Policy;
use crate::decide::next::is_suspended;
use crate::journal::{Completion, IntentKind};
use crate::model::{
    ChangeCounts, Deployment, DriftKind, DriftState, DriftedPath, EventKind, Outcome, PassOutcome,
    Reason, Report, Trigger, Wish,
};
use crate::trees::{Drift, Found, Look, Scan, Scanned, Target, Use};

/// What a look at the live tree means for the rest of the pass.
pub(super) enum Mended {
    /// It was all that this pass was about.
    Ends(Report),
    /// The pass goes on with the source; with what kept a repair from being made.
    GoesOn(Option<SyncError>),
}

impl Agent {
    /// Looks at the live tree when that is due, and puts it right when that is wanted. A repair
    /// that succeeds or does not must not keep a new commit waiting.
    pub(super) fn mend_drift(&mut self, trigger: Trigger) -> Result<Mended, SyncError> {
        let goes_on = Ok(Mended::GoesOn(None));
        let Some(policy) = self.drift_policy() else { return goes_on };
        let now = self.clock.now();
        let due = match trigger {
            Trigger::Interval => self.until_drift_check(now).is_zero(),
            // A push is not kept waiting for it: the loop comes back for it right after. Pushes
            // without end put it off by one interval at most.
            Trigger::Webhook => self.drift_check_is_late(now),
            _ => true,
        };
        if !due || self.standing.live.is_none() || self.stop_before_intent {
            return goes_on;
        }
        if self.live_tree().is_none() || !self.was_live_here() {
            // Its manifest is gone, so nothing can be repaired from it, or the live path is
            // another one now: the head is staged anew.
            return goes_on;
        }
        let known = self.standing.drift.paths.clone();
        let only_drift = trigger == Trigger::Drift;
        let look = if only_drift && self.scanned.is_none() { Look::Whole } else { Look::Told };
        let drift = self.look_at_drift(look)?;
        let report = if drift.is_none() {
            Report::new(PassOutcome::InSync, "the live tree is as it should be")
        } else if self.may_repair(&drift, policy) {
            match self.repair(&drift, None) {
                Ok(report) => {
                    self.repairs.done(&drift.paths, now);
                    report
                }
                Err(error @ SyncError::Unrecorded(_)) => return Err(error),
                Err(error) if only_drift || error.mirror_damaged() => {
                    return Err(error);
                }
                Err(error) => return Ok(Mended::GoesOn(Some(error))),
            }
        } else {
            if drift.paths != known {
                self.repairs.touched(&drift.paths, now);
            }
            Report::new(PassOutcome::Held(Reason::Drift), drift_text(&drift))
        };
        Ok(if only_drift { Mended::Ends(report) } else { Mended::GoesOn(None) })
    }

    fn may_repair(&self, drift: &Drift, policy: Policy) -> bool {
        let now = self.clock.now();
        let stopped = self.standing.suspended.as_ref().is_some_and(|s| is_suspended(s, now));
        !stopped && self.repairs.allow(&drift.paths, policy, now)
    }

    /// A look at all of the live tree, to be made beside the passes: what it sees is handed to
    /// [`Agent::saw`], and the pass that follows acts on it.
    pub fn scan(&mut self) -> Option<Scan> {
        self.drift_checked_at = Some(self.clock.now());
        self.trees.scan(&self.mirror_path()).ok().flatten()
    }

    /// What a look beside the passes saw.
    pub fn saw(&mut self, scanned: Scanned) {
        self.scanned = Some(scanned);
    }

    /// What an operator's `drift --repair` does.
    pub(super) fn repair_now(&mut self, wish: Option<&Wish>) -> Result<Report, SyncError> {
        if self.standing.live.is_none() {
            return Err(SyncError::Order("nothing is live that could be repaired".to_owned()));
        }
        let drift = self.look_at_drift(Look::Whole)?;
        if drift.is_none() {
            if let Some(wish) = wish {
                self.journal.end_wish(wish.id, self.clock.now())?;
            }
            return Ok(Report::new(PassOutcome::InSync, "the live tree is as it should be"));
        }
        self.repair(&drift, wish)
    }

    /// What `drift` does: looks, and changes nothing.
    pub(super) fn compare_now(&mut self) -> Result<Report, SyncError> {
        let drift = self.look_at_drift(Look::Whole)?;
        if drift.is_none() {
            return Ok(Report::new(PassOutcome::InSync, "the live tree is as it should be"));
        }
        Ok(Report::new(PassOutcome::Held(Reason::Drift), drift_text(&drift)))
    }

    /// Compares the live tree and records what was found, telling of what was not known yet.
    pub(super) fn look_at_drift(&mut self, look: Look) -> Result<Drift, SyncError> {
        let now = self.clock.now();
        let drift = self.compare_live(look)?;
        self.drift_checked_at = Some(now);
        let state = DriftState { checked_at: Some(now), paths: drift.paths.clone() };
        if state.paths != self.standing.drift.paths {
            let events = if drift.is_none() {
                Vec::new()
            } else {
                vec![self.drift_event(EventKind::DriftDetected, &drift)]
            };
            self.journal.note_drift(&state, &events)?;
        }
        self.standing.drift = state;
        Ok(drift)
    }

    fn compare_live(&mut self, look: Look) -> Result<Drift, SyncError> {
        let scanned = self.scanned.take();
        let tells = look == Look::Told && scanned.is_none();
        let replaced =
            |kind| Drift { paths: vec![DriftedPath { path: String::new(), kind }], total: 1 };
        Ok(match (self.trees.found()?, &self.standing.live) {
            (_, None) => Drift::default(),
            (Found::Nothing, _) => replaced(DriftKind::Removed),
            (Found::Tree(shown), Some(live)) if shown.name() == live.tree => {
                if tells && self.trees.is_untouched(&shown)? {
                    return Ok(Drift::default());
                }
                let mirror = self.mirror()?;
                // So that a mirror that lost it is not a reason to read the tree whole each time.
                if let Some(tree) = self.live_tree() {
                    self.regain_from_disk(&mirror, &live.tree, tree);
                }
                let seen = match scanned {
                    Some(scanned) => self.trees.drift_seen(&mirror, scanned)?,
                    None => None,
                };
                match seen {
                    Some(drift) => drift,
                    None => self.trees.drift(&mirror, look)?,
                }
            }
            _ => replaced(DriftKind::Replaced),
        })
    }

    /// Puts a fresh tree of the same content in the place of the live one, and keeps what was
    /// found in it aside.
    fn repair(&mut self, drift: &Drift, wish: Option<&Wish>) -> Result<Report, SyncError> {
        let Some(live) = self.standing.live.clone() else {
            return Ok(Report::new(PassOutcome::InSync, "nothing is live"));
        };
        let now = self.clock.now();
        let manifest = self.trees.manifests().get(&live.tree).cloned();
        let Some(manifest) = manifest else {
            let text = "the live tree's manifest is gone: the next new commit replaces it";
            return Err(SyncError::Order(text.to_owned()));
        };
        let mirror = self.mirror()?;
        self.regain_live(&mirror)?;
        let used = Use {
            deployment: live.deployment,
            revision: live.revision.clone(),
            origin: live.origin,
            at: live.since,
        };
        let target = Target {
            tree: manifest.tree,
            digest: live.digest,
            files: manifest.files,
            seals: std::sync::Arc::clone(&manifest.seals),
            used,
        };
        let staged = self.trees.stage(&mirror, &target, now)?;
        let staged = if self.was_live_here() { staged.over_anything() } else { staged };
        // Not before: a repair that fails again and again would push out what others kept.
        let kept = self.trees.keep_aside(drift, &self.settings.state_dir.join("drift"), now);
        let event = self.drift_event(EventKind::DriftRepaired, drift);
        let row = Deployment {
            id: live.deployment,
            revision: live.revision.clone(),
            digest: Some(live.digest),
            origin: live.origin,
            trigger: Trigger::Drift,
            actor: None,
            reason: None,
            outcome: Outcome::Live,
            started_at: now,
            finished_at: now,
            duration_ms: 0,
            changes: ChangeCounts::default(),
            confirmed: None,
            findings: Vec::new(),
            tree: String::new(),
        };
        let completion = Completion {
            kind: IntentKind::Repair,
            deployment: row,
            live,
            line: self.line.clone(),
            recipe: self.standing.recipe.clone().unwrap_or_default(),
            rules: self.standing.rules.clone().unwrap_or_default(),
            accepted: None,
            passed_over: self.standing.passed_over.clone(),
            quarantine: Vec::new(),
            rolled_back: false,
            suspend: None,
            wish: wish.map(|w| w.id),
            events: vec![event],
            bake: None,
        };
        self.make_live(Accepted::was_live_before(staged), completion)?;
        let aside = match kept {
            Some(folder) => format!("; what was found is kept in {}", folder.display()),
            None => String::new(),
        };
        Ok(Report::new(PassOutcome::Repaired, format!("{}{aside}", drift_text(drift))))
    }

    /// A fresh tree is live: what was found in the one before it is told no more. It is live
    /// whether or not this can be written down; the next look does it again.
    pub(super) fn forget_drift(&mut self) {
        if self.standing.drift.paths.is_empty() {
            return;
        }
        let clean = DriftState { checked_at: Some(self.clock.now()), paths: Vec::new() };
        if let Err(error) = self.journal.note_drift(&clean, &[]) {
            tracing::warn!(error = %error, "that the drift is gone could not be written down");
        }
        self.standing.drift = clean;
    }
}

/// `3 paths of the live tree were changed by somebody else: a (edited), b (removed), …`
fn drift_text(drift: &Drift) -> String {
    const NAMED: usize = 3;
    let names: Vec<String> = drift
        .paths
        .iter()
        .take(NAMED)
        .map(|p| {
            let path = if p.path.is_empty() { "the live path itself" } else { &p.path };
            format!("{path} ({})", p.kind)
        })
        .collect();
    let more = if drift.total > NAMED as u64 { ", …" } else { "" };
    let count =
        if drift.total == 1 { "1 path".to_owned() } else { format!("{} paths", drift.total) };
    format!("{count} changed by somebody else: {}{more}", names.join(", "))
}
