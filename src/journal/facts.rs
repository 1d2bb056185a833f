//! How the facts of an event are written in the journal: JSON of its own, so that a field renamed
//! in the model breaks no journal. Keys that are not known are ignored, and all may be missing.

use serde::{Deserialize, Serialize};

use crate::model::{
    ChangeLists, DeploymentId, Digest, EventFacts, Finding, Origin, Problem, Revision, Severity,
    Timestamp,
};

/// Entries of one list that are recorded: more than a message carries, so that the message knows
/// that something was left out.
const LIST_MAX: usize = 1000;

/// Why a record cannot be read back.
#[derive(Debug, thiserror::Error)]
pub(super) enum DamagedFacts {
    #[error("it is not the JSON that was written")]
    Json(#[from] serde_json::Error),
    #[error("it holds an id that is not one")]
    Revision(#[from] crate::model::InvalidRevision),
    #[error("it holds a digest that is not one")]
    Digest(#[from] crate::model::InvalidDigest),
    #[error("`{0}` is not a word that is known here")]
    Word(String),
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Record {
    #[serde(skip_serializing_if = "Option::is_none")]
    deployment: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_revision: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<Changes>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    touches: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<FindingRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Changes {
    added: Vec<String>,
    modified: Vec<String>,
    removed: Vec<String>,
    truncated: bool,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct FindingRecord {
    severity: String,
    rule: String,
    file: Option<String>,
    line: Option<u32>,
    column: Option<u32>,
    message: String,
    hint: Option<String>,
}

/// Writes facts as JSON, with the trace that their event belongs to.
pub(super) fn to_json(
    facts: &EventFacts,
    trace: Option<&str>,
) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Record {
        deployment: facts.deployment.map(|d| d.0),
        revision: facts.revision.as_ref().map(ToString::to_string),
        previous_revision: facts.previous_revision.as_ref().map(ToString::to_string),
        digest: facts.digest.map(|d| d.to_string()),
        previous_digest: facts.previous_digest.map(|d| d.to_string()),
        origin: facts.origin.map(|o| o.as_str().to_owned()),
        profile: facts.profile.clone(),
        changes: facts.changes.as_ref().map(|changes| Changes {
            added: first(&changes.added),
            modified: first(&changes.modified),
            removed: first(&changes.removed),
            truncated: changes.truncated,
        }),
        touches: first(&facts.touches),
        reason: facts.reason.clone(),
        message: facts.message.clone(),
        findings: facts.findings.iter().take(LIST_MAX).map(FindingRecord::of).collect(),
        problem: facts.problem.map(|p| p.as_str().to_owned()),
        since: facts.since.map(|at| at.0),
        trace: trace.map(str::to_owned),
    })
}

fn first(list: &[String]) -> Vec<String> {
    list.iter().take(LIST_MAX).cloned().collect()
}

/// Reads facts back, and the trace.
pub(super) fn from_json(text: &str) -> Result<(EventFacts, Option<String>), DamagedFacts> {
    let record: Record = serde_json::from_str(text)?;
    let revision = |text: Option<String>| text.map(|t| Revision::parse(&t)).transpose();
    let digest = |text: Option<String>| text.map(|t| Digest::parse(&t)).transpose();
    let origin = |word: String| Origin::from_word(&word).ok_or(DamagedFacts::Word(word));
    let problem = |word: String| Problem::from_word(&word).ok_or(DamagedFacts::Word(word));
    let facts = EventFacts {
        deployment: record.deployment.map(DeploymentId),
        revision: revision(record.revision)?,
        previous_revision: revision(record.previous_revision)?,
        digest: digest(record.digest)?,
        previous_digest: digest(record.previous_digest)?,
        origin: record.origin.map(origin).transpose()?,
        profile: record.profile,
        changes: record.changes.map(|changes| ChangeLists {
            added: changes.added,
            modified: changes.modified,
            removed: changes.removed,
            truncated: changes.truncated,
        }),
        touches: record.touches,
        reason: record.reason,
        message: record.message,
        findings: record.findings.into_iter().map(FindingRecord::read).collect::<Result<_, _>>()?,
        problem: record.problem.map(problem).transpose()?,
        since: record.since.map(Timestamp),
    };
    Ok((facts, record.trace))
}

impl FindingRecord {
    fn of(finding: &Finding) -> Self {
        Self {
            severity: finding.severity.as_str().to_owned(),
            rule: finding.rule.clone(),
            file: finding.file.clone(),
            line: finding.line,
            column: finding.column,
            message: finding.message.clone(),
            hint: finding.hint.clone(),
        }
    }

    fn read(self) -> Result<Finding, DamagedFacts> {
        let severity = [Severity::Error, Severity::Warning]
            .into_iter()
            .find(|s| s.as_str() == self.severity)
            .ok_or(DamagedFacts::Word(self.severity))?;
        Ok(Finding {
            severity,
            rule: self.rule,
            file: self.file,
            line: self.line,
            column: self.column,
            message: self.message,
            hint: self.hint,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fact_is_read_back_as_it_was_written() {
        let facts = EventFacts {
            deployment: Some(DeploymentId(u64::MAX)),
            revision: Revision::parse(&"ab".repeat(20)).ok(),
            previous_revision: Revision::parse(&"cd".repeat(20)).ok(),
            digest: Some(Digest([1; 32])),
            previous_digest: Some(Digest([2; 32])),
            origin: Some(Origin::Rollback),
            profile: Some("developer_node".to_owned()),
            changes: Some(ChangeLists {
                added: vec!["a".to_owned()],
                modified: vec!["b \"é\"".to_owned()],
                removed: vec!["c".to_owned()],
                truncated: true,
            }),
            touches: vec!["agents/x".to_owned()],
            reason: Some("validation_refused".to_owned()),
            message: Some("one\ntwo".to_owned()),
            findings: vec![
                Finding::error("yaml.syntax", "bad").in_file("a").at(3, 7).hint("do"),
                Finding::warning("w", "hm"),
            ],
            problem: Some(Problem::Held),
            since: Some(Timestamp(7)),
        };
        let trace = Some("00-1-2-01".to_owned());
        let written = to_json(&facts, trace.as_deref()).unwrap();
        assert_eq!(from_json(&written).unwrap(), (facts, trace));
        let none = EventFacts::default();
        assert_eq!(to_json(&none, None).unwrap(), "{}");
        assert_eq!(from_json("{}").unwrap(), (none, None));
    }

    #[test]
    fn a_record_is_bounded_and_longer_than_what_a_message_carries() {
        let many = EventFacts { touches: vec![String::new(); 5000], ..EventFacts::default() };
        let kept = from_json(&to_json(&many, None).unwrap()).unwrap().0.touches.len();
        assert!(kept == LIST_MAX && kept > 200);
    }

    #[test]
    fn what_a_newer_version_added_is_ignored_and_damage_is_an_error() {
        assert!(from_json(r#"{"mood": "fine"}"#).is_ok());
        for damaged in ["", "{", r#"{"revision": "x"}"#, r#"{"origin": "x"}"#] {
            assert!(from_json(damaged).is_err(), "{damaged}");
        }
    }
}
