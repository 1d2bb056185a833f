//! Which problems there are, and who is told of them: what was open, what is seen now and the time
//! become problems that are raised, reminded of, or over.
//!
//! It goes by how things stand, not by what happened: whoever missed a moment (a crash, a restart)
//! comes to the same, and one state is told once.

use std::time::Duration;

use crate::model::{EventKind, OpenProblem, Problem, Symptom, Timestamp, ToldOf, Urgency};

pub mod looks;
pub mod sentences;

/// What a look says of one problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// It is there.
    Is(Symptom),
    /// It is not.
    IsNot,
    /// Nobody can say now: what was known stays.
    Unclear,
}

/// Whom to tell, and of what.
#[derive(Clone, Copy, Debug)]
pub struct Alert<'a> {
    /// Its name, unique.
    pub name: &'a str,
    /// The problems it is told of; empty: all.
    pub problems: &'a [Problem],
    /// The least urgency.
    pub urgency: Urgency,
    /// How long a problem has to last before it is told.
    pub after: Duration,
    /// How often it is told again; `None`: never.
    pub remind_every: Option<Duration>,
}

impl Alert<'_> {
    fn wants(&self, problem: Problem) -> bool {
        let named = self.problems.is_empty() || self.problems.contains(&problem);
        named && problem.urgency() >= self.urgency
    }
}

/// What alerts are told of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is there, or there with another revision.
    Raised,
    /// It is still there.
    Reminded,
    /// It is over.
    Resolved,
}

impl Step {
    /// The event that tells it.
    #[must_use]
    pub const fn kind(self) -> EventKind {
        match self {
            Self::Raised => EventKind::ProblemRaised,
            Self::Reminded => EventKind::ProblemReminded,
            Self::Resolved => EventKind::ProblemResolved,
        }
    }

    /// What an event tells.
    #[must_use]
    pub const fn of(kind: EventKind) -> Self {
        match kind {
            EventKind::ProblemResolved => Self::Resolved,
            EventKind::ProblemReminded => Self::Reminded,
            _ => Self::Raised,
        }
    }
}

/// One thing to tell, and whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telling {
    /// What.
    pub step: Step,
    /// Of which problem.
    pub problem: OpenProblem,
    /// The names of the alerts.
    pub alerts: Vec<String>,
}

/// What follows from a look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// The problems that are there now.
    pub open: Vec<OpenProblem>,
    /// What is to be told.
    pub tell: Vec<Telling>,
}

/// Holds what is seen against what was open.
#[must_use]
pub fn decide(
    open: &[OpenProblem],
    look: impl Fn(Problem) -> Look,
    alerts: &[Alert<'_>],
    now: Timestamp,
) -> Decision {
    let mut decision = Decision::default();
    for &problem in Problem::ALL {
        let before = open.iter().find(|before| before.problem == problem);
        let mut is = match (before.cloned(), look(problem)) {
            (None, Look::IsNot | Look::Unclear) => continue,
            (None, Look::Is(symptom)) => {
                OpenProblem { problem, since: now, symptom, told: Default::default() }
            }
            (Some(before), Look::Unclear) => before,
            (Some(before), Look::Is(symptom)) => OpenProblem { symptom, ..before },
            (Some(before), Look::IsNot) => {
                decision.tell.extend(over(before, alerts));
                continue;
            }
        };
        // Who has left the settings is told no more, and anew when it comes back.
        is.told.retain(|name, _| alerts.iter().any(|alert| alert.name == name));
        for step in [Step::Raised, Step::Reminded] {
            let due = |alert: &&Alert<'_>| due(&is, alert, now) == Some(step);
            let names: Vec<String> =
                alerts.iter().filter(due).map(|alert| alert.name.to_owned()).collect();
            for name in &names {
                let told = ToldOf { at: now, revision: is.symptom.revision.clone() };
                is.told.insert(name.clone(), told);
            }
            if !names.is_empty() {
                decision.tell.push(Telling { step, problem: is.clone(), alerts: names });
            }
        }
        decision.open.push(is);
    }
    decision
}

/// Who was told that it is there is told that it is over.
fn over(problem: OpenProblem, alerts: &[Alert<'_>]) -> Option<Telling> {
    let is_there = |name: &&String| alerts.iter().any(|alert| alert.name == *name);
    let alerts: Vec<String> = problem.told.keys().filter(is_there).cloned().collect();
    (!alerts.is_empty()).then_some(Telling { step: Step::Resolved, problem, alerts })
}

/// What an alert is to be told now.
fn due(problem: &OpenProblem, alert: &Alert<'_>, now: Timestamp) -> Option<Step> {
    match problem.told.get(alert.name) {
        None if alert.wants(problem.problem) => {
            (left(problem.since, alert.after, now).is_zero()).then_some(Step::Raised)
        }
        None => None,
        Some(told) if told.revision != problem.symptom.revision => Some(Step::Raised),
        Some(told) => {
            let every = alert.remind_every?;
            left(told.at, every, now).is_zero().then_some(Step::Reminded)
        }
    }
}

/// How long until somebody is told or reminded, though nothing changes; `None`: never.
#[must_use]
pub fn next_due(open: &[OpenProblem], alerts: &[Alert<'_>], now: Timestamp) -> Option<Duration> {
    let each = open.iter().flat_map(|problem| {
        alerts.iter().filter_map(move |alert| match problem.told.get(alert.name) {
            None if alert.wants(problem.problem) => Some(left(problem.since, alert.after, now)),
            None => None,
            Some(told) => Some(left(told.at, alert.remind_every?, now)),
        })
    });
    each.min()
}

/// What is left of a wait. A clock that stepped back does not make it longer than it was.
fn left(from: Timestamp, wait: Duration, now: Timestamp) -> Duration {
    if from > now { Duration::ZERO } else { wait.saturating_sub(now.since(from)) }
}

#[cfg(test)]
mod tests;
