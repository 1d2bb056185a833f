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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Revision;

    fn facts(problem: Problem) -> EventFacts {
        EventFacts {
            problem: Some(problem),
            revision: Revision::parse(&"ab".repeat(20)).ok(),
            deployment: Some(DeploymentId(7)),
            ..EventFacts::default()
        }
    }

    #[test]
    fn a_title_names_the_machine_and_what_it_is_told_of() {
        let refused = facts(Problem::RevisionRefused);
        let title = |step| title("edge", step, &refused);
        assert_eq!(title(Step::Raised), "edge: revision abababababab is refused");
        assert_eq!(title(Step::Reminded), "edge: still, revision abababababab is refused");
        assert_eq!(title(Step::Resolved), "edge: over: revision abababababab is refused");
    }

    #[test]
    fn work_that_failed_names_the_revision_where_there_is_one() {
        let failed = facts(Problem::ApplyFailed);
        assert_eq!(what(&failed), "revision abababababab cannot be made live");
        let unknown = EventFacts { revision: None, ..failed };
        assert_eq!(what(&unknown), "kconfigd cannot do its work");
    }

    #[test]
    fn every_problem_has_its_own_sentence_and_advice() {
        let said = |tell: fn(&EventFacts) -> String| {
            let each = Problem::ALL.iter().map(|&problem| tell(&facts(problem)));
            each.collect::<std::collections::BTreeSet<_>>().len()
        };
        assert_eq!((said(what), said(advice)), (Problem::ALL.len(), Problem::ALL.len()));
    }

    #[test]
    fn the_deployment_to_look_at_is_named_where_there_was_one() {
        let shows = "`kconfigd show 7` tells more.";
        for &problem in Problem::ALL {
            let wanted = matches!(problem, Problem::RevisionRefused | Problem::ApplyFailed);
            assert_eq!(advice(&facts(problem)).contains(shows), wanted, "{problem}");
        }
    }

    #[test]
    fn since_when_is_a_moment_and_a_while_from_a_minute_on() {
        let told = |since: Option<i64>| {
            let facts = EventFacts { since: since.map(Timestamp), ..facts(Problem::Drift) };
            super::since(&facts, Timestamp(3_600_000))
        };
        assert_eq!(told(None), "now");
        assert_eq!(told(Some(3_541_000)), "1970-01-01 00:59 UTC");
        assert_eq!(told(Some(3_480_000)), "1970-01-01 00:58 UTC (2 min)");
        assert_eq!(told(Some(0)), "1970-01-01 00:00 UTC (60 min)");
    }

    #[test]
    fn a_long_message_is_cut_and_says_so() {
        let detail = |message: String| {
            detail(&EventFacts { message: Some(message), ..facts(Problem::Drift) })
        };
        let whole = "é".repeat(MESSAGE_CHARS_MAX);
        assert_eq!(detail(whole.clone()), whole);
        assert_eq!(detail(format!("{whole}x")), format!("{whole}…"));
    }
}
