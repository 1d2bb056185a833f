use std::cell::RefCell;

use super::events::Told;
use super::live::Next;
use super::trusted::Trusted;
use super::{Agent, SyncError, show};
use crate::decide::admit::admit;
use crate::decide::next::{Settled, rules_hold};
use crate::gates::{self, GateError};
use crate::memory;
use crate::meters::meters;
use crate::model::{
    ChangeCounts, CommitState, Deployment, DeploymentId, Digest, Finding, Held, ObjectId, Origin,
    Outcome, PassOutcome, Plan, Quarantine, QuarantineKey, Reason, Report, Revision, Timestamp,
    Trigger, Wish, sort_findings,
};
use crate::objects::{Mirror, Summary};
use crate::progress::Stage;
use crate::render::{self, Input};
use crate::source::{Descent, Fetched, Head, LARGE_FETCH_BYTES};

/// What is known of an attempt from its first step on.
pub(super) struct Attempt<'a> {
    pub(super) revision: Revision,
    pub(super) trigger: Trigger,
    pub(super) wish: Option<&'a Wish>,
    pub(super) started_at: Timestamp,
    /// What a refusal for trust depends on.
    pub(super) trust: String,
    /// The head that an order for another revision passes over.
    pub(super) passes_over: Option<Revision>,
}

/// A tree in the mirror, with what is known of it.
pub(super) struct Rendered {
    pub(super) tree: ObjectId,
    pub(super) summary: Summary,
    /// What trust and rendering have to say of it; no errors.
    pub(super) warnings: Vec<Finding>,
}

impl Agent {
    /// What is known of an attempt before its first step.
    pub(super) fn begin<'a>(
        &mut self,
        head: &Head,
        trigger: Trigger,
        wish: Option<&'a Wish>,
    ) -> Attempt<'a> {
        self.trust_watch.look(&self.settings.source.verify);
        let desired = self.standing.desired.as_ref().map(|d| d.revision.clone());
        Attempt {
            revision: head.revision.clone(),
            trigger,
            wish,
            started_at: self.clock.now(),
            trust: self.trust_key(head),
            passes_over: desired.filter(|d| *d != head.revision),
        }
    }

    /// From a head to a live tree, or to the reason why not. An order overrides what only waits:
    /// `auto_sync`, windows, suspension, the deletion guard, quarantine and `history_rewrite`;
    /// never trust, gates or checks.
    pub(super) fn attempt(
        &mut self,
        head: &Head,
        trigger: Trigger,
        wish: Option<&Wish>,
    ) -> Result<Report, SyncError> {
        let attempt = self.begin(head, trigger, wish);
        let now = attempt.started_at;
        self.work.revision(&head.revision);
        let mirror = self.mirror()?;
        let fetched = self.fetch(head, &mirror)?;
        // Another branch that is only looked at rewrites nothing.
        let follows = !(self.stop_before_intent && attempt.passes_over.is_some());
        let rewrites = fetched.descent == Descent::Rewritten && follows;
        if wish.is_none() && rewrites && self.refuses_rewrites() {
            return self.refuse_rewrite(&attempt);
        }
        let timed = meters().time("trust");
        let verified = self.verify(&mirror, &attempt, &fetched)?;
        drop(timed);
        let doubts = match verified {
            Trusted::Yes(warnings) => warnings,
            Trusted::No(report) => return Ok(*report),
        };
        let rendered = match self.render(&mirror, &attempt, doubts)? {
            Ok(rendered) => rendered,
            Err(findings) => return self.refuse(&attempt, None, findings),
        };
        if self.is_live_already(&rendered.summary.digest) {
            return self.take_over(&mirror, &attempt, rendered);
        }
        let quarantined = match wish {
            None => self.quarantined(&attempt, &rendered.summary.digest)?,
            Some(_) => None,
        };
        if let Some(report) = quarantined.clone().filter(|_| !self.stop_before_intent) {
            return Ok(report);
        }
        // Told when it is known whether the rest would let it pass, as `apply` would ask.
        let mut waits = quarantined;
        if let Err(error) = self.regain_live(&mirror) {
            tracing::warn!(error = %error.chain(), "the mirror has lost the live tree: the plan tells all files as new");
        }
        let timed = meters().time("plan");
        let plan = self.plan(&mirror, &rendered)?;
        drop(timed);
        let passed =
            self.live_tree().filter(|_| self.standing.rules.as_ref() == Some(&self.rules_key));
        let timed = meters().time("gates");
        let mut findings = match gates::check_plan(&mirror, &plan, passed, &self.rules) {
            Err(error) if error.is_of_this_node() => {
                return self.hold_for_rules(&attempt, &rendered, &error);
            }
            found => found?,
        };
        drop(timed);
        findings.extend_from_slice(&rendered.warnings);
        let seals = match self.unseal(&mirror, &attempt, &plan, &mut findings)? {
            Ok(seals) => seals,
            Err(held) => return self.hold(*held, Some(plan), findings),
        };
        sort_findings(&mut findings);
        if self.rules.refuse(&findings) {
            let mut report = self.refuse(&attempt, Some(rendered.summary.digest), findings)?;
            report.plan = self.stop_before_intent.then_some(plan);
            return Ok(report);
        }
        if wish.is_none()
            && let Some(hold) = admit(&plan, &self.terms(now))
        {
            let held = Held {
                revision: attempt.revision.clone(),
                digest: Some(rendered.summary.digest),
                reason: hold.reason,
                message: hold.message,
                since: now,
                until: hold.until,
            };
            if !self.stop_before_intent {
                return self.hold(held, Some(plan), findings);
            }
            waits.get_or_insert(Report::new(PassOutcome::Held(held.reason), held.message));
        }
        let next = Next {
            origin: if wish.is_some() { Origin::Apply } else { Origin::Sync },
            tree: rendered.tree,
            summary: rendered.summary,
            plan,
            findings,
            seals,
            // What an operator made live beside the head says nothing of the line.
            accepted: attempt.passes_over.is_none().then(|| attempt.revision.clone()),
        };
        if self.stop_before_intent {
            return self.rehearse(&mirror, &attempt, next, waits);
        }
        let _timed = meters().time("apply");
        self.deploy(&mirror, &attempt, next)
    }

    /// The rules of this node cannot be read, which is not the revision's fault: it waits for them.
    fn hold_for_rules(
        &mut self,
        attempt: &Attempt<'_>,
        rendered: &Rendered,
        error: &GateError,
    ) -> Result<Report, SyncError> {
        let held = Held {
            revision: attempt.revision.clone(),
            digest: Some(rendered.summary.digest),
            reason: Reason::ValidationUnavailable,
            message: super::error::chain(error),
            since: self.clock.now(),
            until: None,
        };
        self.hold(held, None, Vec::new())
    }

    pub(super) fn fetch(&mut self, head: &Head, mirror: &Mirror) -> Result<Fetched, SyncError> {
        let line = self.line.clone();
        let since = self.standing.accepted.clone();
        let since = since.filter(|_| self.standing.line.as_deref() == Some(&line));
        if let Some(live) = self.live_tree() {
            mirror.expect(live);
        }
        self.progress.begin(Stage::Fetching, 0);
        let timed = meters().time("fetch");
        let (unnoted, journal) = (RefCell::new(&mut self.unnoted), &self.journal);
        // Where this fails it is tried again below.
        let meanwhile = || drop(show::note_detected(&mut unnoted.borrow_mut(), journal));
        let fetched = self.source.fetch(head, since.as_ref(), mirror, &meanwhile);
        drop(timed);
        let noted = show::note_detected(&mut self.unnoted, &self.journal);
        self.progress.begin(Stage::Idle, 0);
        self.untidy.rest = true;
        // What our own mirror lacks says nothing of the source.
        if let Err(error) = &fetched
            && !error.mirror_damaged()
        {
            let now = self.clock.now();
            self.note_source(now, Some(error))?;
        }
        let fetched = fetched?;
        noted?;
        if fetched.bytes >= LARGE_FETCH_BYTES {
            memory::give_back();
        }
        Ok(fetched)
    }

    fn render(
        &mut self,
        mirror: &Mirror,
        attempt: &Attempt<'_>,
        doubts: Vec<Finding>,
    ) -> Result<Result<Rendered, Vec<Finding>>, SyncError> {
        let submodules = self.source.submodules(&attempt.revision, mirror)?;
        let _timed = meters().time("render");
        let live = self.live_tree();
        let input = Input {
            commit: &attempt.revision,
            settings: &self.settings.render,
            submodules: &submodules,
            limits: &self.settings.limits,
            // By another recipe or under other limits, it may hold what is refused now.
            hint: live.filter(|_| self.standing.rules.as_ref() == Some(&self.rules_key)),
        };
        let mut rendered = render::render(mirror, &input)?;
        rendered.findings.extend(doubts);
        sort_findings(&mut rendered.findings);
        let refused = rendered.findings.iter().any(Finding::is_error);
        match rendered.tree.filter(|_| !refused) {
            Some(tree) => {
                let summary = mirror.summary(tree, live)?;
                Ok(Ok(Rendered { tree, summary, warnings: rendered.findings }))
            }
            None => self.refused_with_the_rest(mirror, rendered).map(Err),
        }
    }

    /// All that is wrong with a commit that gives no tree: what one file is to blame for hides
    /// nothing of the others.
    fn refused_with_the_rest(
        &self,
        mirror: &Mirror,
        rendered: render::Rendered,
    ) -> Result<Vec<Finding>, SyncError> {
        let mut findings = rendered.findings;
        if let Some(rest) = rendered.rest {
            match gates::check(mirror, rest, None, &self.rules) {
                Ok(found) => findings.extend(found),
                // It is refused as it is; what rules of this node would say comes with the next one.
                Err(error) if error.is_of_this_node() => {
                    tracing::debug!(%error, "the other files are not looked at");
                }
                Err(error) => return Err(error.into()),
            }
            sort_findings(&mut findings);
        }
        Ok(findings)
    }

    /// The live tree in the mirror, where it still has it.
    pub(super) fn live_tree(&self) -> Option<ObjectId> {
        let live = self.standing.live.as_ref()?;
        self.trees.manifests().get(&live.tree).map(|m| m.tree)
    }

    fn is_live_already(&self, digest: &Digest) -> bool {
        self.standing.live.as_ref().is_some_and(|live| {
            live.digest == *digest
                && self.was_live_here()
                && self.trees.manifests().get(&live.tree).is_some_and(|m| self.trees.fits(m))
                && self.trees.fits_mode()
        })
    }

    /// A commit of the same content: it becomes the live revision, without a new tree.
    fn take_over(
        &mut self,
        mirror: &Mirror,
        attempt: &Attempt<'_>,
        rendered: Rendered,
    ) -> Result<Report, SyncError> {
        let message = "this commit gives what is live already";
        let mut report = Report::new(PassOutcome::InSync, message);
        report.findings = rendered.warnings;
        report.revision = Some(attempt.revision.clone());
        if self.stop_before_intent {
            return Ok(report);
        }
        if let Some(live) = self.standing.live.clone() {
            let rules = self.rules_passed(mirror, rendered.tree)?;
            let event = self.commit_event(
                &attempt.revision,
                CommitState::Success,
                &format!("live, with the content of deployment {}", live.deployment),
            );
            self.journal.adopt_revision(
                &live,
                &crate::journal::Adoption {
                    line: self.line.clone(),
                    recipe: self.recipe.clone(),
                    revision: attempt.revision.clone(),
                    rules,
                    accepted: attempt.passes_over.is_none(),
                    passed_over: attempt.wish.and(attempt.passes_over.clone()),
                    wish: attempt.wish.map(|w| w.id),
                    at: self.clock.now(),
                    events: event.into_iter().collect(),
                },
            )?;
            self.read_standing()?;
            self.settled = None;
        }
        Ok(report)
    }

    /// The rules of now, where the live content passed others and passes these too, so that the
    /// next commit is held against them by what changes alone.
    fn rules_passed(&self, mirror: &Mirror, tree: ObjectId) -> Result<Option<String>, SyncError> {
        if self.standing.rules.as_ref() == Some(&self.rules_key) {
            return Ok(None);
        }
        match gates::check(mirror, tree, None, &self.rules) {
            // It is live already: what cannot be judged is judged when it can be.
            Err(error) if error.is_of_this_node() => Ok(None),
            found => Ok((!self.rules.refuse(&found?)).then(|| self.rules_key.clone())),
        }
    }

    /// What is not tried again, since the digest is known to be bad under the rules of now.
    fn quarantined(
        &mut self,
        attempt: &Attempt<'_>,
        digest: &Digest,
    ) -> Result<Option<Report>, SyncError> {
        let now = self.clock.now();
        let entry = self.standing.quarantine.iter().find(|entry| {
            entry.key == QuarantineKey::Digest(*digest)
                && rules_hold(entry, &self.rules_key, "", now)
        });
        let Some(entry) = entry.cloned() else { return Ok(None) };
        let message = format!(
            "{} gives content that is in quarantine: {}",
            attempt.revision.short(),
            entry.message
        );
        if !self.stop_before_intent {
            let of = &attempt.revision;
            if let Some((event, to)) = self.commit_event(of, CommitState::Failure, &message)
                && !self.has_told_forge(of)?
            {
                self.journal.record_event(&event, &to)?;
            }
            self.settled = Some(Settled {
                revision: attempt.revision.clone(),
                reason: entry.reason,
                message: message.clone(),
                until: None,
            });
        }
        let mut report = Report::new(PassOutcome::Held(entry.reason), message);
        report.revision = Some(attempt.revision.clone());
        Ok(Some(report))
    }

    /// What differs between what is live and a tree.
    fn plan(&self, mirror: &Mirror, rendered: &Rendered) -> Result<Plan, SyncError> {
        let live = self.standing.live.as_ref();
        let manifest = live.and_then(|live| self.trees.manifests().get(&live.tree));
        // A mirror that lost the live tree's objects can still tell what the new one has.
        let from = manifest.map(|m| m.tree).filter(|tree| mirror.has(*tree));
        Ok(Plan {
            from: live.map(|live| live.digest),
            to: rendered.summary.digest,
            from_tree: from,
            to_tree: rendered.tree,
            changes: mirror.changes(from, rendered.tree)?,
            files_before: manifest.map_or(0, |m| m.files),
            files_after: rendered.summary.files,
        })
    }

    /// Gates refused it: its digest goes into quarantine, or the commit where it gave none.
    pub(super) fn refuse(
        &mut self,
        attempt: &Attempt<'_>,
        digest: Option<Digest>,
        findings: Vec<Finding>,
    ) -> Result<Report, SyncError> {
        // Errors come first; without one, warnings refuse too (`fail_on`).
        let errors = match findings.iter().filter(|f| f.is_error()).count() {
            0 => findings.len(),
            errors => errors,
        };
        let first = findings.first().map_or_else(String::new, ToString::to_string);
        let more = if errors > 1 { format!(" (and {} more)", errors - 1) } else { String::new() };
        let key = match digest {
            Some(digest) => QuarantineKey::Digest(digest),
            None => QuarantineKey::Revision(attempt.revision.clone()),
        };
        let quarantine = Quarantine {
            key,
            revision: attempt.revision.clone(),
            reason: Reason::ValidationRefused,
            rules: self.rules_key.clone(),
            message: format!("{} is refused: {first}{more}", attempt.revision.short()),
            since: self.clock.now(),
        };
        self.record_refusal(attempt, digest, quarantine, findings)
    }

    pub(super) fn record_refusal(
        &mut self,
        attempt: &Attempt<'_>,
        digest: Option<Digest>,
        quarantine: Quarantine,
        findings: Vec<Finding>,
    ) -> Result<Report, SyncError> {
        let mut report =
            Report::new(PassOutcome::Refused(quarantine.reason), quarantine.message.clone());
        report.revision = Some(attempt.revision.clone());
        report.findings = findings;
        if self.stop_before_intent {
            return Ok(report);
        }
        let id = self.journal.next_deployment()?;
        self.work.deployment(id);
        let reason = attempt.wish.and_then(|w| w.reason.clone());
        let mut row = self.row(attempt, id, Outcome::Refused, digest);
        row.reason = reason;
        row.findings.clone_from(&report.findings);
        let event = self.refused_event(&row, &quarantine, Told::Everybody);
        let wish = attempt.wish.map(|w| w.id);
        self.journal.record_attempt(&row, Some(&quarantine), wish, &[event])?;
        self.read_standing()?;
        report.deployment = Some(id);
        Ok(report)
    }

    /// The row of the history for an attempt.
    pub(super) fn row(
        &self,
        attempt: &Attempt<'_>,
        id: DeploymentId,
        outcome: Outcome,
        digest: Option<Digest>,
    ) -> Deployment {
        let now = self.clock.now();
        let duration = now.since(attempt.started_at).as_millis();
        Deployment {
            id,
            revision: attempt.revision.clone(),
            digest,
            origin: if attempt.wish.is_some() { Origin::Apply } else { Origin::Sync },
            trigger: attempt.trigger,
            actor: attempt.wish.map(|w| w.actor.clone()),
            reason: attempt.wish.and_then(|w| w.reason.clone()),
            outcome,
            started_at: attempt.started_at,
            finished_at: now,
            duration_ms: u64::try_from(duration).unwrap_or(u64::MAX),
            changes: ChangeCounts::default(),
            confirmed: None,
            findings: Vec::new(),
            tree: String::new(),
        }
    }
}

pub(super) fn planned(attempt: &Attempt<'_>, plan: Plan, findings: Vec<Finding>) -> Report {
    let mut report = Report::new(PassOutcome::Planned, "this is what would be done");
    report.revision = Some(attempt.revision.clone());
    report.findings = findings;
    report.plan = Some(plan);
    report
}
