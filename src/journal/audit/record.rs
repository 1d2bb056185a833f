//! A record as the text that is hashed: JSON with its keys in one order.

use serde::{Deserialize, Serialize};

use super::super::wire::{from_json, to_json};
use crate::model::{AuditOutcome, AuditRecord, By, Digest, Known, Timestamp};

/// Characters kept of what others wrote: a reason, a target, a name.
const TEXT_CHARS_MAX: usize = 1000;

#[derive(Serialize, Deserialize)]
struct WireRecord {
    at: String,
    at_ms: i64,
    by: WireBy,
    action: String,
    outcome: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deployment: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct WireBy {
    name: String,
    known: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<String>,
}

pub(super) fn to_text(record: &AuditRecord) -> String {
    let short = |text: &String| text.chars().take(TEXT_CHARS_MAX).collect::<String>();
    to_json(&WireRecord {
        at: record.at.to_string(),
        at_ms: record.at.0,
        by: WireBy {
            name: short(&record.by.name),
            known: record.by.known.as_str().to_owned(),
            from: record.by.from.clone(),
        },
        action: record.action.clone(),
        outcome: record.outcome.as_str().to_owned(),
        target: record.target.as_ref().map(short),
        reason: record.reason.as_ref().map(short),
        before: record.before.map(|digest| digest.to_string()),
        after: record.after.map(|digest| digest.to_string()),
        deployment: record.deployment,
        detail: record.detail.as_ref().map(short),
    })
}

/// The record; `None`: this is no text of ours.
pub(super) fn from_text(text: &str) -> Option<AuditRecord> {
    let wire: WireRecord = from_json(text)?;
    let digest = |text: Option<String>| text.and_then(|text| Digest::parse(&text).ok());
    Some(AuditRecord {
        at: Timestamp(wire.at_ms),
        by: By { name: wire.by.name, known: Known::from_word(&wire.by.known)?, from: wire.by.from },
        action: wire.action,
        target: wire.target,
        reason: wire.reason,
        outcome: AuditOutcome::from_word(&wire.outcome)?,
        before: digest(wire.before),
        after: digest(wire.after),
        deployment: wire.deployment,
        detail: wire.detail,
    })
}
