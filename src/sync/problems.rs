//! The end of a pass: the state that it leaves, which problems are open then, and who is told.

use super::Agent;
use super::show::Shown;
use crate::config::AlertSettings;
use crate::decide::problems::looks::{Facts, look};
use crate::decide::problems::{self, Alert, Decision, Look, Telling};
use crate::model::{
    Deployment, DeploymentId, Event, EventFacts, FailingQueue, Finding, Origin, Problem, Timestamp,
};

/// What is read for the sake of problems alone, and kept until it may have changed.
#[derive(Debug, Default)]
pub(super) struct Watched {
    /// Queues that fail, and what the journal counted when they were read.
    failing: Option<((u64, u64), Vec<FailingQueue>)>,
    /// The deployment that made the live tree live, where that was a way back.
    way_back: Option<(DeploymentId, Option<Deployment>)>,
}

impl Agent {
    /// Writes down the state that a pass leaves, with the problems that it shows and what is told of
    /// them: one change. What could not be written is decided again by the next pass.
    pub(super) fn note_state(&mut self, shown: &Shown) {
        self.watch_problems();
        let now = self.clock.now();
        let facts = self.facts(shown);
        let decision = self.decide_problems(|problem| look(problem, &facts), now);
        self.record_problems(shown, decision, now);
    }

    /// Tells and reminds of what is due by the clock alone, between passes.
    pub fn tell_problems(&mut self) {
        let Some(shown) = self.standing.state.clone() else { return };
        self.watch_problems();
        let now = self.clock.now();
        let facts = self.facts(&shown);
        let seen = |problem| match problem {
            Problem::DeliveriesGivenUp => look(problem, &facts),
            _ => Look::Unclear,
        };
        let decision = self.decide_problems(seen, now);
        self.record_problems(&shown, decision, now);
    }

    /// How long until [`Agent::tell_problems`] has something to do.
    #[must_use]
    pub fn until_problem_due(&self) -> Option<std::time::Duration> {
        if self.dry {
            return None;
        }
        problems::next_due(&self.standing.problems, &self.alerts(), self.clock.now())
    }

    fn alerts(&self) -> Vec<Alert<'_>> {
        self.settings.alerts.iter().map(AlertSettings::terms).collect()
    }

    fn decide_problems(&self, look: impl Fn(Problem) -> Look, now: Timestamp) -> Decision {
        let alerts = self.alerts();
        if alerts.is_empty() {
            return Decision::default();
        }
        problems::decide(&self.standing.problems, look, &alerts, now)
    }

    fn record_problems(&mut self, shown: &Shown, decision: Decision, now: Timestamp) {
        let same_state = self.standing.state.as_ref() == Some(shown);
        if same_state && decision.open == self.standing.problems && decision.tell.is_empty() {
            return;
        }
        let tell = |telling: &Telling| self.problem_event(telling, now);
        let events: Vec<_> = decision.tell.iter().map(tell).collect();
        let (state, reason, message) = shown;
        match self.journal.note_state(*state, *reason, message, &decision.open, &events) {
            Ok(()) => {
                self.standing.state = Some(shown.clone());
                self.standing.problems = decision.open;
            }
            Err(error) => {
                tracing::error!(error = %error, "the state could not be written down");
            }
        }
    }

    fn problem_event(&self, telling: &Telling, at: Timestamp) -> (Event, Vec<String>) {
        let (open, symptom) = (&telling.problem, &telling.problem.symptom);
        let facts = EventFacts {
            deployment: symptom.deployment,
            revision: symptom.revision.clone(),
            profile: self.settings.profile.clone(),
            reason: symptom.reason.map(|reason| reason.as_str().to_owned()),
            message: Some(symptom.message.clone()),
            findings: self.gate_findings(open.problem),
            problem: Some(open.problem),
            since: Some(open.since),
            ..EventFacts::default()
        };
        let named = |alert: &&AlertSettings| telling.alerts.contains(&alert.name);
        let alerts = self.settings.alerts.iter().filter(named);
        let queues = alerts.map(AlertSettings::queue).collect();
        (super::events::event_of(telling.step.kind(), at, facts), queues)
    }

    /// What the gates said, where that is the problem.
    fn gate_findings(&self, problem: Problem) -> Vec<Finding> {
        let attempted = self.attempted.as_ref().and_then(|(_, attempt)| attempt.as_ref());
        match (problem, attempted) {
            (Problem::RevisionRefused, Some(attempt)) => {
                attempt.findings.iter().take(super::events::FINDINGS_MAX).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Reads what problems depend on beside how things stand, where it may have changed.
    fn watch_problems(&mut self) {
        if self.settings.alerts.is_empty() {
            return;
        }
        self.look_at_attempts();
        let changes = (self.journal.changes(), self.journal.outbox_changes());
        if self.watched.failing.as_ref().is_none_or(|(of, _)| *of != changes) {
            match self.journal.failing_queues() {
                Ok(mut failing) => {
                    failing.retain(|queue| !AlertSettings::is_queue(&queue.node));
                    self.watched.failing = Some((changes, failing));
                }
                Err(error) => tracing::error!(error = %error, "the outbox cannot be read"),
            }
        }
        let live = self.standing.live.as_ref().filter(|live| live.origin == Origin::Rollback);
        let back = live.map(|live| live.deployment);
        if self.watched.way_back.as_ref().map(|(id, _)| *id) != back {
            let row = |id| (id, self.journal.deployment(id).ok().flatten());
            self.watched.way_back = back.map(row);
        }
    }

    fn facts<'a>(&'a self, shown: &'a Shown) -> Facts<'a> {
        let standing = &self.standing;
        Facts {
            shown: (shown.0, shown.1, &shown.2),
            live: standing.live.as_ref(),
            way_back: self.watched.way_back.as_ref().and_then(|(_, row)| row.as_ref()),
            desired: standing.desired.as_ref(),
            attempted: self.attempted.as_ref().and_then(|(_, attempt)| attempt.as_ref()),
            source: &standing.source,
            drift: &standing.drift,
            unhealthy: standing.unhealthy.as_deref(),
            bake: standing.bake.as_ref(),
            quarantine: &standing.quarantine,
            failing: self.watched.failing.as_ref().map_or(&[], |(_, failing)| failing),
        }
    }
}
