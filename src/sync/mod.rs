//! One pass: the whole way of a commit, in order, the same for every trigger.
//!
//! ```text
//! ask → observe → decide → fetch → render → plan → gates → stage → intend → publish → complete
//! ```
//! [`Agent::pass`] begins it, [`attempt`] is its middle, and every way to a live tree (a new
//! commit, an order, a way back, a repair) ends in [`Agent::make_live`]. The pass is plain
//! synchronous code, run on a blocking thread; it has no retry loop: an error says of itself
//! whether the next tick tries again.

mod agent;
mod attempt;
mod back;
#[cfg(test)]
mod crash_proof_tests;
#[cfg(test)]
mod crash_tests;
mod error;
mod events;
mod live;
#[cfg(test)]
mod looks_tests;
mod recover;
mod repair;
mod show;

pub use agent::{Agent, Parts};
pub use error::SyncError;
pub use recover::Started;

use crate::decide::next::{Decision, Observed, decide};
use crate::model::{PassOutcome, Report, Trigger, WishKind};
use crate::source::Head;

impl Agent {
    /// One pass. Most end after the first request: in sync.
    pub fn pass(&mut self, trigger: Trigger) -> Report {
        self.board.begin_pass();
        // However this pass ends, the next of its kind is an interval away.
        match trigger {
            Trigger::Interval => self.asked_at = Some(self.clock.now()),
            Trigger::Drift => self.drift_checked_at = Some(self.clock.now()),
            _ => {}
        }
        let asked_at = self.asked_at;
        if self.must_recover
            && let Err(error) = self.recover(&crate::journal::Opened::Fine)
        {
            let report = self.explain(error);
            self.remember(&report, None, false, trigger != Trigger::Drift);
            return report;
        }
        self.must_recover = false;
        let wish = self.journal.pending_wish().ok().flatten();
        let number = wish.as_ref().map(|w| w.id);
        self.was_ordered = wish.is_some();
        let result = match wish {
            Some(wish) => self.fulfil(wish, trigger),
            None => self.follow(trigger),
        };
        let report = result.unwrap_or_else(|error| self.explain(error));
        let has_asked = trigger == Trigger::Interval || self.asked_at != asked_at;
        let follows = number.is_none() && trigger != Trigger::Drift;
        self.remember(&report, number, has_asked, follows);
        report
    }

    /// Whether the next pass comes at once: an order waits, or one was just followed, in whose
    /// pass nobody looked at the source.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        self.was_ordered || self.journal.pending_wish().is_ok_and(|wish| wish.is_some())
    }

    /// What an operator ordered.
    fn fulfil(&mut self, wish: crate::model::Wish, trigger: Trigger) -> Result<Report, SyncError> {
        match wish.kind {
            WishKind::Apply(ref revision) => {
                let head = match revision {
                    Some(revision) => Head::of(revision.clone()),
                    None => self.ask()?,
                };
                self.attempt(&head, trigger, Some(&wish))
            }
            WishKind::Rollback { to, hold } => self.go_back(to, hold, trigger, &wish),
            WishKind::Repair => self.repair_now(Some(&wish)),
            WishKind::Compare => self.compare_now(),
            WishKind::Plan(ref revision) => {
                self.stop_before_intent = true;
                let planned = self.plan_only(revision.as_ref(), trigger);
                self.stop_before_intent = self.dry;
                planned
            }
        }
    }

    /// The whole way up to the intent, as if an operator had ordered it.
    fn plan_only(
        &mut self,
        revision: Option<&crate::model::Revision>,
        trigger: Trigger,
    ) -> Result<Report, SyncError> {
        let head = match revision {
            Some(revision) => Head::of(revision.clone()),
            None => self.ask()?,
        };
        self.attempt(&head, trigger, None)
    }

    /// What the source wants.
    fn follow(&mut self, trigger: Trigger) -> Result<Report, SyncError> {
        self.refresh(trigger)?;
        self.trees.ensure_folder()?;
        if let Some(report) = self.mend_drift(trigger)? {
            return Ok(report);
        }
        let head = self.ask()?;
        let decision = decide(&Observed {
            now: self.clock.now(),
            head: &head.revision,
            live: self.standing.live.as_ref(),
            live_fits: self.live_fits(),
            suspended: self.standing.suspended.as_ref(),
            quarantine: &self.standing.quarantine,
            rules: &self.rules_key,
            passed_over: self.standing.passed_over.as_ref(),
            settled: self.settled.as_ref(),
        });
        match decision {
            Decision::InSync => Ok(Report::new(PassOutcome::InSync, "the head is live")),
            Decision::Wait(reason, message) => self.wait(&head, reason, message),
            Decision::Attempt => self.attempt(&head, trigger, None),
        }
    }
}
