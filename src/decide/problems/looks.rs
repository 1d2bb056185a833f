//! What the end of a pass says of each problem.

use super::Look;
use crate::model::{Attempt, Problem};
use crate::model::{
    Bake, Deployment, DeploymentId, Desired, DriftState, FailingQueue, LiveState, Origin, Outcome,
    Quarantine, Reason, SourceState, State, Symptom,
};

/// How things stand at the end of a pass.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The state that is shown, with its reason and sentence.
    pub shown: (State, Option<Reason>, &'a str),
    /// What is live.
    pub live: Option<&'a LiveState>,
    /// The deployment that made it live, where that was a way back.
    pub way_back: Option<&'a Deployment>,
    /// The source's head.
    pub desired: Option<&'a Desired>,
    /// The last attempt.
    pub attempted: Option<&'a Attempt>,
    /// How the source does.
    pub source: &'a SourceState,
    /// What differs in the live tree.
    pub drift: &'a DriftState,
    /// Why what is live is known to be unhealthy.
    pub unhealthy: Option<&'a str>,
    /// What is still to be seen of what is live.
    pub bake: Option<&'a Bake>,
    /// What is not tried again by itself, newest first.
    pub quarantine: &'a [Quarantine],
    /// Queues of nodes and the forge that fail.
    pub failing: &'a [FailingQueue],
}

/// What they say of a problem.
#[must_use]
pub fn look(problem: Problem, facts: &Facts<'_>) -> Look {
    match problem {
        Problem::SourceUnreachable => source(facts),
        Problem::RevisionRefused => refused(facts),
        Problem::ApplyFailed => failed(facts),
        Problem::RolledBack => rolled_back(facts),
        Problem::Unhealthy => unhealthy(facts),
        Problem::Drift => drift(facts),
        Problem::Held => held(facts),
        Problem::DeliveriesGivenUp => given_up(facts),
    }
}

fn source(facts: &Facts<'_>) -> Look {
    match &facts.source.error {
        None => Look::IsNot,
        Some((reason, message)) => Look::Is(Symptom {
            reason: Some(*reason),
            message: message.clone(),
            ..Symptom::default()
        }),
    }
}

/// Whether the pass said what becomes of the head; else something else was in its way.
fn is_judged(facts: &Facts<'_>) -> bool {
    matches!(facts.shown.0, State::InSync | State::OutOfSync | State::Held)
}

/// Whether the head is what is live.
fn is_live(facts: &Facts<'_>) -> bool {
    let live = facts.live.map(|live| &live.revision);
    live.is_some() && facts.desired.is_none_or(|desired| Some(&desired.revision) == live)
}

fn refused(facts: &Facts<'_>) -> Look {
    let of_head = |entry: &&Quarantine| {
        is_refusal(entry.reason)
            && facts.desired.is_some_and(|desired| desired.revision == entry.revision)
    };
    let (state, reason, message) = facts.shown;
    let shown = reason.filter(|reason| state == State::Degraded && is_refusal(*reason));
    let entry = facts.quarantine.iter().find(of_head);
    // A refusal whose rules have changed since is looked at again, and shown as what comes of it.
    let found = match (shown, entry) {
        _ if is_live(facts) => None,
        (Some(reason), _) => Some((reason, message)),
        (None, Some(entry)) if !is_judged(facts) => Some((entry.reason, entry.message.as_str())),
        (None, _) => None,
    };
    match found {
        Some((reason, message)) => Look::Is(Symptom {
            reason: Some(reason),
            revision: facts.desired.map(|desired| desired.revision.clone()),
            deployment: attempt_of_head(facts),
            message: message.to_owned(),
        }),
        None if is_judged(facts) || is_live(facts) => Look::IsNot,
        None => Look::Unclear,
    }
}

const fn is_refusal(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::ValidationRefused | Reason::HistoryRewritten | Reason::VerificationRefused
    )
}

fn attempt_of_head(facts: &Facts<'_>) -> Option<DeploymentId> {
    let head = facts.desired.map(|desired| &desired.revision);
    let attempted = facts.attempted.filter(|attempt| Some(&attempt.revision) == head);
    attempted.map(|attempt| attempt.deployment)
}

fn failed(facts: &Facts<'_>) -> Look {
    match facts.shown {
        (State::Degraded, Some(Reason::ApplyFailed), message) => {
            let attempted = facts.attempted.filter(|attempt| attempt.outcome == Outcome::Failed);
            Look::Is(Symptom {
                reason: Some(Reason::ApplyFailed),
                revision: attempted.map(|attempt| attempt.revision.clone()),
                deployment: attempted.map(|attempt| attempt.deployment),
                message: message.to_owned(),
            })
        }
        _ if is_judged(facts) || facts.shown.0 == State::Baking => Look::IsNot,
        (State::Degraded, Some(reason), _) if is_refusal(reason) => Look::IsNot,
        _ => Look::Unclear,
    }
}

/// A way back that nobody ordered, for as long as nothing newer is live.
fn rolled_back(facts: &Facts<'_>) -> Look {
    let by_itself = facts.way_back.filter(|row| row.actor.is_none() && row.reason.is_some());
    let is_back = facts.live.is_some_and(|live| live.origin == Origin::Rollback);
    match by_itself {
        Some(row) if is_back && !is_live(facts) => {
            let left = facts.quarantine.iter().find(|entry| entry.reason == Reason::RolledBack);
            Look::Is(Symptom {
                reason: Some(Reason::RolledBack),
                revision: left.map(|entry| entry.revision.clone()),
                deployment: Some(row.id),
                message: row.reason.clone().unwrap_or_default(),
            })
        }
        // What is newer has not held its health yet.
        _ if facts.bake.is_some() && !is_back => Look::Unclear,
        _ => Look::IsNot,
    }
}

fn unhealthy(facts: &Facts<'_>) -> Look {
    match (facts.unhealthy, facts.bake) {
        (Some(message), _) => Look::Is(Symptom {
            reason: Some(Reason::Unhealthy),
            revision: facts.live.map(|live| live.revision.clone()),
            deployment: facts.live.map(|live| live.deployment),
            message: message.to_owned(),
        }),
        (None, Some(_)) => Look::Unclear,
        (None, None) => Look::IsNot,
    }
}

fn drift(facts: &Facts<'_>) -> Look {
    let Some(first) = facts.drift.paths.first() else { return Look::IsNot };
    let path = if first.path.is_empty() { "the live path itself" } else { &first.path };
    let more = match facts.drift.paths.len() {
        1 => String::new(),
        count => format!(", and {} more", count - 1),
    };
    Look::Is(Symptom {
        reason: Some(Reason::Drift),
        deployment: facts.live.map(|live| live.deployment),
        message: format!("{path} ({}){more}", first.kind),
        ..Symptom::default()
    })
}

fn held(facts: &Facts<'_>) -> Look {
    match facts.shown {
        (State::Held, Some(reason), message) if needs_a_person(reason) => Look::Is(Symptom {
            reason: Some(reason),
            revision: facts.desired.map(|desired| desired.revision.clone()),
            message: message.to_owned(),
            ..Symptom::default()
        }),
        _ if is_judged(facts) || is_live(facts) => Look::IsNot,
        (State::Baking, ..) => Look::IsNot,
        (State::Degraded, Some(reason), _) if is_refusal(reason) => Look::IsNot,
        _ => Look::Unclear,
    }
}

/// Whether a hold ends by what a person does; others end by themselves, or a person made them.
const fn needs_a_person(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::AwaitingApproval
            | Reason::SuspiciousDeletion
            | Reason::VerificationUnavailable
            | Reason::SecretsUnavailable
            | Reason::ValidationUnavailable
            | Reason::CheckUnfinished
    )
}

fn given_up(facts: &Facts<'_>) -> Look {
    let mut given_up = facts.failing.iter().filter(|queue| queue.given_up > 0);
    let Some(first) = given_up.next() else { return Look::IsNot };
    let more = match given_up.count() {
        0 => String::new(),
        count => format!("; and {count} more"),
    };
    let message = format!(
        "{} for {}: {}{more}",
        if first.given_up == 1 {
            "1 delivery".to_owned()
        } else {
            format!("{} deliveries", first.given_up)
        },
        first.node,
        first.failing.error
    );
    Look::Is(Symptom { message, ..Symptom::default() })
}

#[cfg(test)]
mod tests;
