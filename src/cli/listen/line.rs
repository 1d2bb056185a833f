//! The line that is printed for a request.

use serde::Serialize;
use serde_json::Value;

use super::{Seen, Verdict};

/// Characters of a field that people are shown.
const FIELD_MAX: usize = 80;

#[derive(Serialize)]
struct Line<'a> {
    format_version: u8,
    received_at: String,
    id: Option<&'a str>,
    /// `null`: there were no keys to verify it with.
    verified: Option<bool>,
    why: Option<&'a str>,
    again: bool,
    event: Option<&'a Value>,
}

/// One JSON object.
pub(super) fn json(seen: &Seen, again: bool) -> String {
    let (verified, why) = match &seen.verdict {
        Verdict::Verified => (Some(true), None),
        Verdict::Unchecked => (None, None),
        Verdict::Refused(why) => (Some(false), Some(why.as_str())),
    };
    let line = Line {
        format_version: 1,
        received_at: seen.at.to_string(),
        id: seen.id.as_deref(),
        verified,
        why,
        again,
        event: seen.event.as_ref(),
    };
    serde_json::to_string(&line).unwrap_or_default()
}

/// `2026-01-02T03:04:05.006Z  config.applied  deployment 42 …`.
pub(super) fn human(seen: &Seen, again: bool) -> String {
    let mut parts = vec![seen.at.to_string()];
    match &seen.event {
        None => parts.push(format!("{} bytes that are not JSON", seen.bytes)),
        Some(event) => {
            parts.push(shown(&event["type"]).unwrap_or_else(|| "an event without a type".into()));
            let data = &event["data"];
            parts.extend(shown(&data["deployment"]).map(|d| format!("deployment {d}")));
            let revision = data["revision"].as_str();
            parts.extend(revision.map(|r| format!("revision {}", clean(r, 12))));
            parts.extend(changes(data));
            parts.extend(shown(&data["reason"]));
            let findings = data["findings"].as_array().map_or(0, Vec::len);
            parts.extend((findings > 0).then(|| format!("{findings} findings")));
        }
    }
    parts.push(match &seen.verdict {
        Verdict::Verified => "verified".to_owned(),
        Verdict::Unchecked => "not verified (no --secret-file)".to_owned(),
        Verdict::Refused(why) => format!("REFUSED: {why}"),
    });
    parts.extend(again.then(|| "again".to_owned()));
    parts.join("  ")
}

fn changes(data: &Value) -> Option<String> {
    let changes = data["changes"].as_object()?;
    let count = |kind: &str| changes.get(kind).and_then(Value::as_array).map_or(0, Vec::len);
    let (added, modified, removed) = (count("added"), count("modified"), count("removed"));
    let total = added + modified + removed;
    let more = if data["truncated"] == true { "more than " } else { "" };
    let files = if total == 1 { "file" } else { "files" };
    Some(format!("{more}{total} {files} (+{added} ~{modified} -{removed})"))
}

/// A scalar as people read it.
fn shown(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(clean(text, FIELD_MAX)),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// What a stranger sent is not to move the cursor of a terminal.
fn clean(text: &str, max: usize) -> String {
    let harmless = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    text.chars().take(max).map(harmless).collect()
}
