//! The state that a pass leaves, and the problems that are open with it: one change, recorded with
//! what is told of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::open::write_meta;
use super::wire;
use super::{Journal, JournalError, outbox};
use crate::model::{
    DeploymentId, Event, OpenProblem, Problem, Reason, Revision, State, Symptom, Timestamp, ToldOf,
};

/// Where the problems are in the table `meta`.
pub(super) const KEY: &str = "problems";

/// A moment, and the revision that was told.
type WireTold = (i64, Option<String>);

#[derive(Serialize, Deserialize)]
struct WireProblem {
    problem: String,
    since: i64,
    reason: Option<String>,
    revision: Option<String>,
    deployment: Option<u64>,
    message: String,
    #[serde(default)]
    told: BTreeMap<String, WireTold>,
}

impl From<&OpenProblem> for WireProblem {
    fn from(open: &OpenProblem) -> Self {
        let told = |told: &ToldOf| (told.at.0, told.revision.as_ref().map(ToString::to_string));
        Self {
            problem: open.problem.as_str().to_owned(),
            since: open.since.0,
            reason: open.symptom.reason.map(|reason| reason.as_str().to_owned()),
            revision: open.symptom.revision.as_ref().map(ToString::to_string),
            deployment: open.symptom.deployment.map(|id| id.0),
            message: open.symptom.message.clone(),
            told: open.told.iter().map(|(name, of)| (name.clone(), told(of))).collect(),
        }
    }
}

impl WireProblem {
    /// `None`: a newer kconfigd knew more problems.
    fn into_open(self) -> Option<OpenProblem> {
        let revision = |text: Option<String>| text.and_then(|text| Revision::parse(&text).ok());
        let told = |(at, told)| ToldOf { at: Timestamp(at), revision: revision(told) };
        Some(OpenProblem {
            problem: Problem::from_word(&self.problem)?,
            since: Timestamp(self.since),
            symptom: Symptom {
                reason: self.reason.and_then(|word| Reason::from_word(&word)),
                revision: revision(self.revision),
                deployment: self.deployment.map(DeploymentId),
                message: self.message,
            },
            told: self.told.into_iter().map(|(name, of)| (name, told(of))).collect(),
        })
    }
}

/// Reads them back; what is damaged counts as none, so that it is told again.
pub(super) fn from_text(text: &str) -> Vec<OpenProblem> {
    let problems: Vec<WireProblem> = wire::from_json(text).unwrap_or_default();
    problems.into_iter().filter_map(WireProblem::into_open).collect()
}

impl Journal {
    /// Records the state that a pass leaves, the problems that are open then, and what is told of
    /// them, all or nothing.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn note_state(
        &self,
        state: State,
        reason: Option<Reason>,
        message: &str,
        open: &[OpenProblem],
        events: &[(Event, Vec<String>)],
    ) -> Result<(), JournalError> {
        let state = wire::to_json(&(state.as_str(), reason.map(Reason::as_str), message));
        let open = open.iter().map(WireProblem::from).collect::<Vec<_>>();
        let open = (!open.is_empty()).then(|| wire::to_json(&open));
        self.transaction("note how things stand", |tx| {
            write_meta(tx, "state", Some(&state))?;
            write_meta(tx, KEY, open.as_deref())?;
            for (event, alerts) in events {
                outbox::record(tx, event, alerts)?;
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_problems_are_read_back_as_they_were_written() {
        let journal = Journal::open_in_memory().unwrap();
        let revision = Revision::parse(&"ab".repeat(20)).ok();
        let told = ToldOf { at: Timestamp(9), revision: revision.clone() };
        let open = vec![
            OpenProblem {
                problem: Problem::RevisionRefused,
                since: Timestamp(7),
                symptom: Symptom {
                    reason: Some(Reason::ValidationRefused),
                    revision,
                    deployment: Some(DeploymentId(3)),
                    message: "a \"quote\"".to_owned(),
                },
                told: BTreeMap::from([("ops".to_owned(), told)]),
            },
            OpenProblem {
                problem: Problem::Drift,
                since: Timestamp(8),
                symptom: Symptom::default(),
                told: BTreeMap::new(),
            },
        ];
        journal.note_state(State::Degraded, None, "x", &open, &[]).unwrap();
        assert_eq!(journal.standing().unwrap().problems, open);
        journal.note_state(State::InSync, None, "x", &[], &[]).unwrap();
        assert_eq!(journal.standing().unwrap().problems, []);
        assert_eq!(from_text("what is this"), []);
    }
}
