//! What a person who was woken reads: which machine, what, since when, what to do.

use std::fmt::Write as _;

use super::Step;
use crate::decide::words::ago;
use crate::model::{DeploymentId, EventFacts, Problem, Timestamp};

/// Characters that are kept of a message.
const MESSAGE_CHARS_MAX: usize = 600;

/// One line: the machine and what is wrong with it.
#[must_use]
pub fn title(machine: &str, step: Step, facts: &EventFacts) -> String {
    let what = what(facts);
    match step {
        Step::Raised => format!("{machine}: {what}"),
        Step::Reminded => format!("{machine}: still, {what}"),
        Step::Resolved => format!("{machine}: over: {what}"),
    }
}

/// What is wrong, in half a sentence.
fn what(facts: &EventFacts) -> String {
    let revision = facts.revision.as_ref().map(|r| format!(" {}", r.short())).unwrap_or_default();
    match facts.problem {
        Some(Problem::SourceUnreachable) => {
            "new configuration does not arrive, since the repository cannot be reached".to_owned()
        }
        Some(Problem::RevisionRefused) => format!("revision{revision} is refused"),
        Some(Problem::ApplyFailed) if revision.is_empty() => {
            "kconfigd cannot do its work".to_owned()
        }
        Some(Problem::ApplyFailed) => format!("revision{revision} cannot be made live"),
        Some(Problem::RolledBack) => {
            format!("revision{revision} did not hold its health and was rolled back")
        }
        Some(Problem::Unhealthy) => {
            format!("what is live ({}) is unhealthy, with nothing to go back to", revision.trim())
        }
        Some(Problem::Drift) => "somebody changed the live configuration by hand".to_owned(),
        Some(Problem::Held) => format!("revision{revision} waits for a person"),
        Some(Problem::DeliveriesGivenUp) => "notifications were given up".to_owned(),
        None => "something is wrong".to_owned(),
    }
}

/// Since when, as a moment and as a while.
#[must_use]
pub fn since(facts: &EventFacts, now: Timestamp) -> String {
    let Some(since) = facts.since else { return "now".to_owned() };
    let moment = since.to_utc().format("%Y-%m-%d %H:%M UTC");
    match now.since(since).as_secs() {
        0..=59 => moment.to_string(),
        seconds => format!("{moment} ({})", ago(seconds)),
    }
}

/// What was seen, cut to what a message carries.
#[must_use]
pub fn detail(facts: &EventFacts) -> String {
    let message = facts.message.as_deref().unwrap_or_default();
    let mut text: String = message.chars().take(MESSAGE_CHARS_MAX).collect();
    if text.len() < message.len() {
        text.push('…');
    }
    text
}

/// What it means for what is live, and what to do.
#[must_use]
pub fn advice(facts: &EventFacts) -> String {
    let show = |text: &mut String, id: Option<DeploymentId>| {
        if let Some(id) = id {
            let _ = write!(text, " `kconfigd show {id}` tells more.");
        }
    };
    let mut text = match facts.problem {
        Some(Problem::SourceUnreachable) => {
            "What is live stays, and it goes on by itself once the repository answers. See whether \
             the git server, the network and our credentials are well: `kconfigd status`."
        }
        Some(Problem::RevisionRefused) => {
            "What is live stays. Correct the commit or revert it."
        }
        Some(Problem::ApplyFailed) => {
            "What is live stays, and it is tried again by itself. See whether the disk is full or a \
             right is missing: `kconfigd status`."
        }
        Some(Problem::RolledBack) => {
            "The last good configuration is live again. Correct the commit or revert it; the next \
             one is taken by itself."
        }
        Some(Problem::Unhealthy) => {
            "Look at the services of this machine now. `kconfigd rollback NUMBER` goes back by hand, \
             a corrected commit goes forward."
        }
        Some(Problem::Drift) => {
            "`kconfigd drift` says what differs, `kconfigd drift --repair` puts it right. What is to \
             stay belongs into git."
        }
        Some(Problem::Held) => {
            "What is live stays. `kconfigd plan` says what it would change, `kconfigd status` what \
             it waits for, and `kconfigd apply` ends the wait where that is an approval."
        }
        Some(Problem::DeliveriesGivenUp) => {
            "Who was not told may run on old configuration. `kconfigd deliveries --failed` lists \
             them, `kconfigd deliveries redeliver ID` sends one again."
        }
        None => "`kconfigd status` tells more.",
    }
    .to_owned();
    if matches!(facts.problem, Some(Problem::RevisionRefused | Problem::ApplyFailed)) {
        show(&mut text, facts.deployment);
    }
    text
}
