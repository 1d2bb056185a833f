use std::sync::Arc;
use std::time::Duration;

use super::error::chain;
use super::{Agent, SyncError};
use crate::decide::next::{Settled, is_suspended};
use crate::journal::Journal;
use crate::meters::meters;
use crate::model::{
    Desired, Event, EventKind, Finding, Held, Origin, OutboxCounts, PassOutcome, Plan, Reason,
    Report, Revision, State, Timestamp,
};
use crate::source::{Head, SourceError};

/// A state, a stable code for why, and a sentence.
pub(super) type Shown = (State, Option<Reason>, String);

/// How often freshness is written to the journal when nothing else is.
const FRESHNESS_EVERY: Duration = Duration::from_secs(60);

/// How often old events are forgotten when nothing else is tidied up.
const PRUNE_EVERY: Duration = Duration::from_secs(24 * 3600);

/// A head that was seen, and what is told of it.
pub(super) struct Detected {
    pub(super) desired: Desired,
    event: (Event, Vec<String>),
}

/// Notes the head that was seen, where it is not yet; where that fails it is kept for the next time.
pub(super) fn note_detected(
    unnoted: &mut Option<Detected>,
    journal: &Journal,
) -> Result<(), SyncError> {
    if let Some(Detected { desired, event }) = unnoted {
        journal.note_desired(desired, std::slice::from_ref(event))?;
        *unnoted = None;
    }
    Ok(())
}

impl Agent {
    /// Notes how asking the source went: in memory always; in the journal when it changed between
    /// good and bad, and once a minute.
    pub(super) fn note_source(
        &mut self,
        now: Timestamp,
        error: Option<&SourceError>,
    ) -> Result<(), SyncError> {
        let before = self.standing.source.error.take();
        let source = &mut self.standing.source;
        source.last_attempt_at = Some(now);
        let mut events = Vec::new();
        match error {
            None => {
                source.last_success_at = Some(now);
                source.failures = 0;
                source.failing_since = None;
                if before.is_some() {
                    events.push(self.source_event(EventKind::SourceRecovered, now, None, None));
                }
            }
            Some(error) => {
                let text = chain(error);
                source.error = Some((error.reason(), text.clone()));
                source.failures = source.failures.saturating_add(1);
                source.failing_since.get_or_insert(now);
                self.retry_after = error.retry_after();
                if self.retry_after.is_some() {
                    meters().throttled();
                }
                if before.is_none() {
                    let reason = Some(error.reason().as_str());
                    let kind = EventKind::SourceUnreachable;
                    events.push(self.source_event(kind, now, reason, Some(&text)));
                }
            }
        }
        let changed = before != self.standing.source.error;
        let stale = self.freshness_noted_at.is_none_or(|at| now.since(at) >= FRESHNESS_EVERY);
        if (changed || stale) && !self.stop_before_intent {
            self.journal.note_source(&self.standing.source, &events)?;
            self.freshness_noted_at = Some(now);
            let pruned = self.pruned_at.is_some_and(|at| now.since(at) < PRUNE_EVERY);
            self.untidy.rest = self.untidy.rest || !pruned;
        }
        Ok(())
    }

    /// Writes down how fresh the source is: at exit.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn note_freshness(&mut self) -> Result<(), SyncError> {
        Ok(self.journal.note_source(&self.standing.source, &[])?)
    }

    /// Sees the source's head. A new one is noted in the journal while what is new in it is fetched, or
    /// else when the pass ends.
    pub(super) fn detect_head(&mut self, head: &Head, now: Timestamp) -> Result<(), SyncError> {
        if self.standing.desired.as_ref().is_some_and(|d| d.revision == head.revision) {
            return Ok(());
        }
        let event = self.detected_event(&head.revision, now);
        let desired = Desired { revision: head.revision.clone(), detected_at: now };
        if !self.stop_before_intent {
            // An earlier one that could not be noted is told first.
            note_detected(&mut self.unnoted, &self.journal)?;
            self.unnoted = Some(Detected { desired: desired.clone(), event });
        }
        self.standing.desired = Some(desired);
        Ok(())
    }

    /// The head waits for something that this pass did not have to look at.
    pub(super) fn wait(
        &mut self,
        head: &Head,
        reason: Reason,
        message: String,
    ) -> Result<Report, SyncError> {
        let mut report = Report::new(PassOutcome::Held(reason), message);
        report.revision = Some(head.revision.clone());
        Ok(report)
    }

    /// The head was looked at and waits.
    pub(super) fn hold(
        &mut self,
        held: Held,
        plan: Option<Plan>,
        findings: Vec<Finding>,
    ) -> Result<Report, SyncError> {
        let mut report = Report::new(PassOutcome::Held(held.reason), held.message.clone());
        report.revision = Some(held.revision.clone());
        report.plan = plan;
        report.findings = findings;
        if self.stop_before_intent {
            // A plan decides nothing: the pass that follows the head tells that it waits.
            return Ok(report);
        }
        self.settled = Some(Settled {
            revision: held.revision.clone(),
            reason: held.reason,
            message: held.message.clone(),
            until: held.until,
        });
        let known =
            self.standing.held.as_ref().is_some_and(|before| {
                before.revision == held.revision && before.reason == held.reason
            });
        if !known {
            let event = self.held_event(&held);
            self.journal.note_held(Some(&held), &[event])?;
            self.standing.held = Some(held);
        }
        Ok(report)
    }

    /// A pass that could not go on.
    pub(super) fn explain(&mut self, error: SyncError) -> Report {
        let text = error.chain();
        let reason = error.reason();
        match error {
            SyncError::Source(_) => Report::new(PassOutcome::Unreachable(reason), text),
            SyncError::Unrecorded(_) => Report::new(PassOutcome::Unrecorded, text),
            SyncError::Order(text) => Report::new(PassOutcome::Declined, text),
            _ if reason == Reason::SourceDamaged => {
                Report::new(PassOutcome::Unreachable(reason), text)
            }
            _ => Report::new(PassOutcome::Failed, text),
        }
    }

    /// Ends a pass: counts failures, shows the status, lets those go on who wait for it.
    /// `has_asked`: the source was asked, so that a good end says something about it. `follows`:
    /// the pass was about what the source wants.
    pub(super) fn remember(
        &mut self,
        report: Arc<Report>,
        wish: Option<u64>,
        has_asked: bool,
        follows: bool,
    ) {
        let failed = matches!(
            report.outcome,
            PassOutcome::Unreachable(_) | PassOutcome::Failed | PassOutcome::Unrecorded
        );
        if failed {
            self.failures = self.failures.saturating_add(1);
        } else if has_asked {
            self.failures = 0;
            self.retry_after = None;
        }
        self.end_wish(wish);
        if matches!(
            report.outcome,
            PassOutcome::Declined
                | PassOutcome::Planned
                | PassOutcome::Published
                | PassOutcome::Conflicted(_)
        ) {
            // Nothing was done here, so nothing is different.
            self.board.end_pass(report, wish, follows);
            return;
        }
        let (state, reason, message) = self.state_to_show(&report, has_asked);
        if !self.stop_before_intent {
            self.note_state(&(state, reason, message.clone()));
        }
        self.look_at_attempts();
        self.show(state, reason, &message);
        self.board.end_pass(report, wish, follows);
    }

    /// Ends a pass that changed nothing, whatever it came to: neither the status nor what the next
    /// pass does is another for it.
    pub(super) fn leave_as_it_was(&mut self, report: Arc<Report>, wish: Option<u64>) {
        self.end_wish(wish);
        self.board.end_pass(report, wish, false);
    }

    fn end_wish(&mut self, wish: Option<u64>) {
        let Some(wish) = wish else { return };
        self.wish_done = wish;
        if let Err(error) = self.journal.end_wish(wish, self.clock.now()) {
            tracing::error!(error = %error, "an order could not be noted as followed");
        }
    }

    /// The state that is shown after a pass. A look at the live tree alone that found it good says
    /// nothing of the head: what was known of that stays, such as that it was refused, and why.
    fn state_to_show(&mut self, report: &Report, has_asked: bool) -> Shown {
        let of_live_alone =
            !has_asked && matches!(report.outcome, PassOutcome::InSync | PassOutcome::Repaired);
        let shown = self.state_after(report);
        let is_passing = shown.1 == Some(Reason::Drift) || shown.0 == State::Suspended;
        match &self.state_of_head {
            Some(state) if of_live_alone && !is_passing => state.clone(),
            _ => {
                if !is_passing {
                    self.state_of_head = Some(shown.clone());
                }
                shown
            }
        }
    }

    /// The state that a pass leaves.
    fn state_after(&self, report: &Report) -> Shown {
        let drifted = !self.standing.drift.paths.is_empty();
        let stop = self.standing.suspended.as_ref();
        let suspended = stop.is_some_and(|s| is_suspended(s, self.clock.now()));
        let message = report.message.clone();
        match report.outcome {
            PassOutcome::Unreachable(reason) => (State::Degraded, Some(reason), message),
            PassOutcome::Failed | PassOutcome::Unrecorded => {
                (State::Degraded, Some(Reason::ApplyFailed), message)
            }
            PassOutcome::Unhealthy => (State::Degraded, Some(Reason::Unhealthy), message),
            _ if self.standing.bake.is_some() => (State::Baking, None, message),
            _ if suspended => (State::Suspended, Some(Reason::Suspended), message),
            _ if self.standing.unhealthy.is_some() => {
                let text = self.standing.unhealthy.clone().unwrap_or_default();
                (State::Degraded, Some(Reason::Unhealthy), text)
            }
            PassOutcome::Refused(reason) => (State::Degraded, Some(reason), message),
            PassOutcome::Held(reason) => match reason {
                Reason::ValidationRefused
                | Reason::HistoryRewritten
                | Reason::VerificationRefused
                | Reason::Drift => (State::Degraded, Some(reason), message),
                _ => (State::Held, Some(reason), message),
            },
            _ if drifted => {
                let text = format!(
                    "{} paths of the live tree differ: see `kconfigd drift`",
                    self.standing.drift.paths.len()
                );
                (State::Degraded, Some(Reason::Drift), text)
            }
            PassOutcome::Returned | PassOutcome::RolledBack => {
                (State::Held, Some(Reason::RolledBack), message)
            }
            PassOutcome::InSync
            | PassOutcome::Applied
            | PassOutcome::Repaired
            | PassOutcome::Declined
            | PassOutcome::Planned
            | PassOutcome::Published
            | PassOutcome::Conflicted(_) => {
                let live = self.standing.live.as_ref().map(|l| &l.revision);
                let desired = self.standing.desired.as_ref().map(|d| &d.revision);
                let is_back =
                    self.standing.live.as_ref().is_some_and(|l| l.origin == Origin::Rollback);
                if live == desired || desired.is_none() {
                    (State::InSync, None, message)
                } else if is_back {
                    (State::Held, Some(Reason::RolledBack), message)
                } else {
                    (State::OutOfSync, None, message)
                }
            }
        }
    }

    /// Shows how things stood when the last pass ended: a tree is live before the first one ends,
    /// however long the source takes.
    pub(super) fn show_standing(&mut self) {
        let (state, reason, message) = match self.standing.state.clone() {
            Some(shown) => shown,
            None => (State::Starting, None, "no pass has ended yet".to_owned()),
        };
        self.look_at_attempts();
        self.show(state, reason, &message);
    }

    /// Shows that something is made live: what was attempted last is what it was when the pass began.
    pub(super) fn show_applying(&mut self, revision: &Revision) {
        let message = format!("making {} live", revision.short());
        self.show(State::Applying, None, &message);
    }

    /// Reads the last attempt again where there may be a newer one.
    pub(super) fn look_at_attempts(&mut self) {
        let changes = self.journal.changes();
        if self.attempted.as_ref().is_some_and(|(at, _)| *at == changes) {
            return;
        }
        let last = self.journal.last_attempt().unwrap_or_default();
        match &mut self.attempted {
            // What is shown shares its findings.
            Some((at, known)) if *known == last => *at = changes,
            attempted => *attempted = Some((changes, last)),
        }
    }

    /// Most passes change next to nothing of what is shown, so only what differs is copied.
    fn show(&self, state: State, reason: Option<Reason>, message: &str) {
        let standing = &self.standing;
        self.board.show(|shown| {
            (shown.state, shown.reason) = (state, reason);
            if shown.message != message {
                message.clone_into(&mut shown.message);
            }
            if let Some((_, attempted)) = &self.attempted {
                renew(&mut shown.attempted, attempted);
            }
            renew(&mut shown.live, &standing.live);
            renew(&mut shown.desired, &standing.desired);
            renew(&mut shown.source, &standing.source);
            renew(&mut shown.drift, &standing.drift);
            renew(&mut shown.suspended, &standing.suspended);
            renew(&mut shown.quarantine, &standing.quarantine);
            // Deliveries go on between the passes: whoever looks counts them.
            shown.outbox = OutboxCounts::default();
            shown.failing.clear();
        });
    }
}

fn renew<T: Clone + PartialEq>(shown: &mut T, now: &T) {
    if shown != now {
        shown.clone_from(now);
    }
}
