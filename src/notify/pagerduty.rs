//! An event for PagerDuty's Events API v2.

use serde_json::{Value, json};

use super::request::Voice;
use crate::decide::problems::{Step, sentences};
use crate::model::{Event, Secret};

/// Characters of a summary that PagerDuty takes.
const SUMMARY_CHARS_MAX: usize = 1024;

/// Opens, reminds of or closes an incident. All that is told of one problem of one agent has the
/// same `dedup_key`, across restarts and redeliveries.
pub(super) fn message(routing_key: &Secret, voice: &Voice, event: &Event) -> Value {
    let (step, facts) = (Step::of(event.kind), &event.facts);
    let machine = voice.machine();
    let problem = facts.problem.map(|problem| problem.as_str()).unwrap_or_default();
    let mut message = json!({
        "routing_key": routing_key.expose(),
        "event_action": if step == Step::Resolved { "resolve" } else { "trigger" },
        "dedup_key": format!("kconfigd/{machine}/{}/{problem}", voice.place),
    });
    if step == Step::Resolved {
        return message;
    }
    let since = sentences::since(facts, event.at);
    let advice = sentences::advice(facts);
    let title = sentences::title(machine, step, facts);
    let summary: String =
        format!("{title} (since {since})").chars().take(SUMMARY_CHARS_MAX).collect();
    message["client"] = "kconfigd".into();
    message["payload"] = json!({
        "summary": summary,
        "source": machine,
        "severity": facts.problem.map(|problem| problem.urgency().as_str()).unwrap_or("error"),
        "timestamp": facts.since.unwrap_or(event.at).to_string(),
        "component": "kconfigd",
        "class": problem,
        "custom_details": {
            "what": sentences::detail(facts),
            "since": since,
            "what_to_do": advice,
            "reason": facts.reason,
            "revision": facts.revision.as_ref().map(ToString::to_string),
            "deployment": facts.deployment.map(|id| id.0),
            "profile": facts.profile,
        },
    });
    message
}
