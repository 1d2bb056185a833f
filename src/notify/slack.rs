//! A message for Slack's incoming webhooks.

use serde_json::{Value, json};

use crate::decide::problems::{Step, sentences};
use crate::model::Event;

/// What a problem's event says in a channel. Nothing in it is taken for a mention or a link.
pub(super) fn message(machine: &str, event: &Event) -> Value {
    let (step, facts) = (Step::of(event.kind), &event.facts);
    let title = sentences::title(machine, step, facts);
    let urgency = facts.problem.map(|problem| problem.urgency().as_str()).unwrap_or_default();
    let sign = match (step, urgency) {
        (Step::Resolved, _) => ":white_check_mark:",
        (_, "warning") => ":warning:",
        _ => ":rotating_light:",
    };
    let marked = format!("{sign} *{}*", escaped(&title));
    let mut blocks = vec![json!({"type": "section", "text": {"type": "mrkdwn", "text": marked}})];
    let mut plain = |text: String| {
        if !text.is_empty() {
            let text = json!({"type": "plain_text", "text": text, "emoji": false});
            blocks.push(json!({"type": "section", "text": text}));
        }
    };
    plain(sentences::detail(facts));
    let problem = facts.problem.map(|problem| problem.as_str()).unwrap_or_default();
    plain(format!("Since {} · {urgency} · {problem}", sentences::since(facts, event.at)));
    if step != Step::Resolved {
        plain(sentences::advice(facts));
    }
    json!({"text": format!("{sign} {}", escaped(&title)), "blocks": blocks})
}

/// The three characters that mean something to Slack.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{EventFacts, EventKind, Problem, Timestamp};

    #[test]
    fn what_a_commit_says_mentions_nobody() {
        let facts = EventFacts {
            problem: Some(Problem::Held),
            since: Some(Timestamp(0)),
            message: Some("<!channel> *hello* <https://evil.example|click>".to_owned()),
            ..EventFacts::default()
        };
        let at = Timestamp(3_600_000);
        let id = "evt_1".to_owned();
        let event =
            Event { id, sequence: 1, kind: EventKind::ProblemRaised, at, facts, trace: None };
        let message = message("a<b>&c", &event);
        assert_eq!(message["text"], ":warning: a&lt;b&gt;&amp;c: revision waits for a person");
        assert_eq!(message["blocks"][1]["text"]["type"], "plain_text");
        let said = message["blocks"][2]["text"]["text"].as_str().unwrap();
        assert_eq!(said, "Since 1970-01-01 00:00 UTC (60 min) · warning · held");
    }
}
