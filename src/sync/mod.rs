//! One pass: the whole way of a commit, in order, the same for every trigger.
//!
//! ```text
//! ask → observe → decide → fetch → trust → render → plan → gates → stage → checks → intend → publish → complete
//! ```
//! [`Agent::pass`] begins it, [`attempt`] is its middle, and every way to a live tree (a new
//! commit, an order, a way back, a repair) ends in [`Agent::make_live`]. The pass is plain
//! synchronous code, run on a blocking thread; it has no retry loop: an error says of itself
//! whether the next tick tries again. Only what a damaged mirror spoiled is done once more, with a
//! new one.

mod agent;
mod attempt;
mod back;
mod baking;
mod checked;
#[cfg(test)]
mod crash_proof_tests;
#[cfg(test)]
mod crash_tests;
mod error;
mod events;
#[cfg(test)]
mod learn_tests;
mod live;
#[cfg(test)]
mod looks_tests;
#[cfg(test)]
mod order_tests;
mod problems;
mod publishing;
mod recover;
mod regain;
mod repair;
#[cfg(test)]
mod repair_tests;
mod rewritten;
mod show;
mod sought;
mod surroundings;
#[cfg(test)]
mod told_source;
mod trusted;
mod unsealed;

pub use agent::{Agent, Parts};
pub use error::SyncError;
pub use recover::Started;

use std::sync::Arc;

use crate::decide::next::{Decision, Observed, decide};
use crate::memory;
use crate::meters::meters;
use crate::model::{Origin, PassOutcome, Plan, Report, Sought, Trigger, Wish, WishKind};
use crate::source::Head;
use crate::telemetry::Work;
use repair::Mended;
use trusted::Trusted;

impl Agent {
    /// One pass. Most end after the first request: in sync.
    pub fn pass(&mut self, trigger: Trigger) -> Arc<Report> {
        let work = Work::pass(trigger.as_str());
        let within = work.span();
        self.work = work;
        let report = within.in_scope(|| self.make_pass(trigger));
        let work = std::mem::replace(&mut self.work, Work::none());
        work.ended(&report);
        report
    }

    fn make_pass(&mut self, trigger: Trigger) -> Arc<Report> {
        self.board.begin_pass();
        // However this pass ends, the next of its kind is an interval away.
        match trigger {
            Trigger::Interval => self.asked_at = Some(self.clock.now()),
            Trigger::Drift => self.drift_checked_at = Some(self.clock.now()),
            _ => {}
        }
        let timed = meters().time_pass();
        let asked_at = self.asked_at;
        let wish = self.next_wish();
        let number = wish.as_ref().ok().and_then(Option::as_ref).map(|wish| wish.id);
        self.was_ordered = number.is_some();
        let is_plan = wish.as_ref().is_ok_and(|wish| {
            let kind = wish.as_ref().map(|wish| &wish.kind);
            matches!(kind, Some(WishKind::Plan(_) | WishKind::Fetch(_)))
        });
        let result = wish
            .and_then(|wish| match self.go(wish.as_ref(), trigger) {
                Err(error) if error.mirror_damaged() => {
                    self.begin_mirror_anew(&error)?;
                    self.go(wish.as_ref(), trigger)
                }
                result => result,
            })
            .and_then(|report| self.begin_bake(report, trigger));
        let noted = show::note_detected(&mut self.unnoted, &self.journal);
        let report = result
            .and_then(|report| noted.map(|()| report))
            .unwrap_or_else(|error| self.explain(error));
        let report = Arc::new(report);
        drop(timed);
        meters().passed(&report);
        if !is_plan && !self.dry {
            meters().refused(&report);
        }
        // The first change after a start is not to wait for what can be made ready before it.
        self.untidy.trees |=
            trigger == Trigger::Start && self.prepares && report.outcome == PassOutcome::InSync;
        let has_asked = trigger == Trigger::Interval || self.asked_at != asked_at;
        let follows = number.is_none() && !matches!(trigger, Trigger::Drift | Trigger::Health);
        if is_plan {
            self.leave_as_it_was(report.clone(), number);
        } else {
            self.remember(report.clone(), number, has_asked, follows);
        }
        if report.plan.as_ref().is_some_and(Plan::is_large) {
            // Before the next tree is made ready, or the plan is told in full.
            memory::give_back();
        }
        report
    }

    /// The order that this pass is about, once journal and disk agree. One that was followed and
    /// could not be noted as done is not followed twice.
    fn next_wish(&mut self) -> Result<Option<Wish>, SyncError> {
        if self.must_recover {
            self.recover()?;
            self.must_recover = false;
        }
        self.pending_wish()
    }

    /// The next order, without a look at the journal where nothing was written since there was none.
    fn pending_wish(&mut self) -> Result<Option<Wish>, SyncError> {
        let changes = self.journal.changes();
        if self.wishless_at == Some(changes) {
            return Ok(None);
        }
        let wish = self.journal.pending_wish(self.wish_done)?;
        self.wishless_at = wish.is_none().then_some(changes);
        Ok(wish)
    }

    /// Where something became live: its reloads and the first look at its health come at once.
    fn begin_bake(&mut self, report: Report, trigger: Trigger) -> Result<Report, SyncError> {
        if !matches!(report.outcome, PassOutcome::Applied | PassOutcome::Returned) {
            return Ok(report);
        }
        match self.bake_step(trigger) {
            Ok(Some(ended)) if ended.outcome != PassOutcome::InSync => Ok(ended),
            Ok(_) => Ok(report),
            Err(error) => {
                tracing::warn!(error = %error.chain(), "the health of what became live could not be looked at; the next pass tries again");
                Ok(report)
            }
        }
    }

    /// Whether the next pass comes at once: an order waits, or one was just followed, in whose
    /// pass nobody looked at the source. Not while the journal cannot be brought into line with
    /// the disk: that is tried again with backoff.
    #[must_use]
    pub fn goes_on(&mut self) -> bool {
        !self.must_recover
            && (self.was_ordered || self.pending_wish().is_ok_and(|wish| wish.is_some()))
    }

    /// What an operator ordered, or else what the source wants.
    fn go(&mut self, wish: Option<&Wish>, trigger: Trigger) -> Result<Report, SyncError> {
        self.refresh_rules();
        match wish {
            Some(wish) => self.fulfil(wish, trigger),
            None => self.follow(trigger),
        }
    }

    /// The mirror is a cache: one that is damaged is replaced by an empty one, and what was done
    /// with it is done once more.
    fn begin_mirror_anew(&self, error: &SyncError) -> Result<(), SyncError> {
        tracing::warn!(error = %error.chain(), "the mirror is damaged: it is rebuilt beside; what is live stays");
        Ok(crate::objects::Mirror::rebuild_beside(&self.mirror_path())?)
    }

    fn fulfil(&mut self, wish: &Wish, trigger: Trigger) -> Result<Report, SyncError> {
        match wish.kind {
            WishKind::Apply(ref revision) => {
                let head = match revision {
                    Some(revision) => {
                        self.see_head();
                        Head::of(revision.clone())
                    }
                    None => self.ask()?,
                };
                self.attempt(&head, trigger, Some(wish))
            }
            WishKind::Rollback { to, hold } => self.go_back(to, hold, trigger, wish),
            WishKind::Repair => self.repair_now(Some(wish)),
            WishKind::Compare => self.compare_now(),
            WishKind::Publish(ref publication) => self.publish(publication, wish, trigger),
            WishKind::Plan(ref sought) => {
                self.without_intent(|agent| agent.plan_only(sought.as_ref(), trigger))
            }
            WishKind::Fetch(ref sought) => {
                self.without_intent(|agent| agent.fetch_only(sought, trigger))
            }
        }
    }

    /// Goes a part of the way that changes nothing: what it learned of the source is forgotten again,
    /// so that the next pass that follows it finds that out, and tells it.
    fn without_intent<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let (source, desired) = (self.standing.source.clone(), self.standing.desired.clone());
        let (asked_at, retry_after) = (self.asked_at, self.retry_after);
        let unfinished_checks = self.unfinished_checks;
        self.stop_before_intent = true;
        let done = work(self);
        self.stop_before_intent = self.dry;
        (self.standing.source, self.standing.desired) = (source, desired);
        (self.asked_at, self.retry_after) = (asked_at, retry_after);
        self.unfinished_checks = unfinished_checks;
        done
    }

    /// An order for another revision passes over the head, so that has to be known.
    fn see_head(&mut self) {
        if self.standing.desired.is_none()
            && let Err(error) = self.ask()
        {
            tracing::warn!(error = %error.chain(), "the head that this order passes over is not known");
        }
    }

    /// The head is live. What an operator made live before the source showed it counts as accepted
    /// from then on; and another repository or reference begins a new line.
    fn stay(&mut self, head: &Head) -> Result<Report, SyncError> {
        let line = self.line.clone();
        let is_new_line = self.standing.line.as_ref() != Some(&line);
        let ordered = self.standing.live.as_ref().is_some_and(|l| l.origin == Origin::Apply);
        let is_accepted = self.standing.accepted.as_ref() == Some(&head.revision);
        if (is_new_line || (ordered && !is_accepted)) && !self.stop_before_intent {
            self.journal.accept(&line, &head.revision)?;
            self.standing.line = Some(line);
            self.standing.accepted = Some(head.revision.clone());
        }
        if self.standing.held.is_some() && !self.stop_before_intent {
            // What waited is not the head any more; when it is again, that is told again.
            self.journal.note_held(None, &[])?;
            self.standing.held = None;
        }
        Ok(Report::new(PassOutcome::InSync, "the head is live"))
    }

    /// The whole way up to the intent, told whatever it waits for.
    fn plan_only(
        &mut self,
        sought: Option<&Sought>,
        trigger: Trigger,
    ) -> Result<Report, SyncError> {
        let head = match sought {
            Some(sought) => self.find(sought)?,
            None => self.ask()?,
        };
        let mut report = self.attempt(&head, trigger, None)?;
        if let Some(sought) = sought {
            self.tell_apart(sought, &mut report)?;
        }
        Ok(report)
    }

    /// The way up to the commit's being here and trusted.
    fn fetch_only(&mut self, sought: &Sought, trigger: Trigger) -> Result<Report, SyncError> {
        let head = self.find(sought)?;
        let attempt = self.begin(&head, trigger, None);
        let mirror = self.mirror()?;
        let fetched = self.fetch(&head, &mirror)?;
        match self.verify(&mirror, &attempt, &fetched)? {
            Trusted::Yes(_) => {
                let message = format!("{} is here to be looked at", head.revision.short());
                let mut report = Report::new(PassOutcome::Planned, message);
                report.revision = Some(head.revision);
                Ok(report)
            }
            Trusted::No(report) => Ok(*report),
        }
    }

    /// What the source wants.
    fn follow(&mut self, trigger: Trigger) -> Result<Report, SyncError> {
        self.refresh()?;
        if self.trees.ensure_folder()? {
            self.regain_manifest();
        }
        if self.standing.bake.is_some() && !self.stop_before_intent {
            match self.bake_step(trigger)? {
                Some(ended)
                    if trigger == Trigger::Health || ended.outcome != PassOutcome::InSync =>
                {
                    return Ok(ended);
                }
                None if trigger == Trigger::Health => return Ok(self.baking_report()),
                // It bakes on, or is confirmed: what waited meanwhile is taken in the same pass.
                Some(_) | None => {}
            }
        }
        let unrepaired = match self.mend_drift(trigger)? {
            Mended::Ends(report) => return Ok(report),
            Mended::GoesOn(unrepaired) => unrepaired,
        };
        let head = self.ask()?;
        if self.standing.bake.is_some() && unrepaired.is_none() && !self.stop_before_intent {
            // A newer head waits until it is known whether this one is good.
            return Ok(self.baking_report());
        }
        // Who suspends us is told so at once, be it while this pass waits for the source.
        self.refresh()?;
        self.trust_watch.look(&self.settings.source.verify);
        let decision = decide(&Observed {
            now: self.clock.now(),
            head: &head.revision,
            live: self.standing.live.as_ref(),
            live_fits: self.live_fits(),
            suspended: self.standing.suspended.as_ref(),
            quarantine: &self.standing.quarantine,
            rules: &self.rules_key,
            trust: &self.trust_key(&head),
            passed_over: self.standing.passed_over.as_ref(),
            settled: self.settled.as_ref(),
        });
        match (decision, unrepaired) {
            (Decision::Attempt, _) => self.attempt(&head, trigger, None),
            // A new commit would have replaced what could not be repaired.
            (_, Some(error)) => Err(error),
            (Decision::InSync, None) => self.stay(&head),
            (Decision::Wait(reason, message), None) => self.wait(&head, reason, message),
        }
    }
}
