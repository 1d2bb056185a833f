//! What the forge is told of a commit.

use crate::model::{CommitState, EventFacts, EventKind, Finding, Revision};

/// Characters of a description: what GitHub takes, the least of the forges.
const DESCRIPTION_CHARS_MAX: usize = 140;

/// A commit with its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitStatus {
    /// The commit.
    pub revision: Revision,
    /// What became of it.
    pub state: CommitState,
    /// In one sentence.
    pub description: String,
}

/// Whether the forge is told of an event. With `health`, a tree that became live is good when that
/// held, and not before.
#[must_use]
pub const fn is_told(kind: EventKind, health: bool) -> bool {
    match kind {
        EventKind::Applied => !health,
        EventKind::RevisionDetected
        | EventKind::Confirmed
        | EventKind::Unhealthy
        | EventKind::RolledBack
        | EventKind::Refused
        | EventKind::ApplyFailed
        | EventKind::Held
        | EventKind::CommitStatus => true,
        EventKind::DriftDetected
        | EventKind::DriftRepaired
        | EventKind::SourceUnreachable
        | EventKind::SourceRecovered
        | EventKind::ProblemRaised
        | EventKind::ProblemReminded
        | EventKind::ProblemResolved => false,
    }
}

/// What an event says of a commit: of the one that was left, where something was rolled back.
/// `None`: it names none.
#[must_use]
pub fn of(machine: &str, kind: EventKind, facts: &EventFacts) -> Option<CommitStatus> {
    let message = facts.message.as_deref().unwrap_or_default();
    let named = |text: &str| format!("{machine}: {text}");
    let (state, text) = match kind {
        EventKind::RevisionDetected => (CommitState::Pending, named("it is being looked at")),
        EventKind::Held => (CommitState::Pending, named(&format!("waits: {message}"))),
        EventKind::Applied | EventKind::Confirmed => {
            let deployment = facts.deployment.map(|id| format!(" as deployment {id}"));
            (CommitState::Success, named(&format!("live{}", deployment.unwrap_or_default())))
        }
        EventKind::Refused => {
            let first = facts.findings.first().map(Finding::to_string);
            (CommitState::Failure, named(first.as_deref().unwrap_or(message)))
        }
        EventKind::RolledBack if message.is_empty() => {
            (CommitState::Failure, named("it was rolled back"))
        }
        EventKind::RolledBack if message.contains("rolled back") => {
            (CommitState::Failure, named(message))
        }
        EventKind::RolledBack => (CommitState::Failure, named(&format!("rolled back: {message}"))),
        EventKind::ApplyFailed | EventKind::Unhealthy => (CommitState::Failure, named(message)),
        EventKind::CommitStatus => {
            (facts.reason.as_deref().and_then(CommitState::from_word)?, named(message))
        }
        _ => return None,
    };
    let revision = match kind {
        EventKind::RolledBack => &facts.previous_revision,
        _ => &facts.revision,
    };
    Some(CommitStatus { revision: revision.clone()?, state, description: cut(&text) })
}

fn cut(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= DESCRIPTION_CHARS_MAX {
        return line;
    }
    let kept: String = line.chars().take(DESCRIPTION_CHARS_MAX - 1).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revision(digits: &str) -> Option<Revision> {
        Revision::parse(&digits.repeat(20)).ok()
    }

    fn facts() -> EventFacts {
        EventFacts {
            revision: revision("ab"),
            previous_revision: revision("cd"),
            message: Some("what\n happened".to_owned()),
            ..EventFacts::default()
        }
    }

    #[test]
    fn a_commit_is_pending_until_it_is_live_or_refused() {
        let said =
            |kind| of("edge", kind, &facts()).map(|status| (status.state, status.description));
        let pending = (CommitState::Pending, "edge: it is being looked at".to_owned());
        assert_eq!(said(EventKind::RevisionDetected), Some(pending));
        let held = (CommitState::Pending, "edge: waits: what happened".to_owned());
        assert_eq!(said(EventKind::Held), Some(held));
        assert_eq!(said(EventKind::Applied), Some((CommitState::Success, "edge: live".to_owned())));
        assert_eq!(said(EventKind::ApplyFailed).unwrap().0, CommitState::Failure);
        assert_eq!(said(EventKind::DriftDetected), None);
    }

    #[test]
    fn what_was_rolled_back_is_what_was_live_before() {
        let status = of("edge", EventKind::RolledBack, &facts()).unwrap();
        assert_eq!(Some(status.revision), revision("cd"));
        assert_eq!(status.state, CommitState::Failure);
    }

    #[test]
    fn a_way_back_says_so_once() {
        let said = |message: &str| {
            let message = Some(message.to_owned());
            of("edge", EventKind::RolledBack, &EventFacts { message, ..facts() })
                .map(|status| status.description)
        };
        assert_eq!(said(""), Some("edge: it was rolled back".to_owned()));
        assert_eq!(said("no answer"), Some("edge: rolled back: no answer".to_owned()));
        let whole = "revision 1 was rolled back: no answer";
        assert_eq!(said(whole), Some(format!("edge: {whole}")));
    }

    #[test]
    fn a_status_that_was_handed_in_is_told_as_it_is() {
        let status = |word: &str| {
            let reason = Some(word.to_owned());
            of("edge", EventKind::CommitStatus, &EventFacts { reason, ..facts() })
                .map(|status| (status.state, status.description))
        };
        let word = CommitState::Success.as_str();
        assert_eq!(status(word), Some((CommitState::Success, "edge: what happened".to_owned())));
        assert_eq!(status("no such state"), None);
    }

    #[test]
    fn with_health_only_what_held_it_is_good() {
        assert!(is_told(EventKind::Applied, false) && !is_told(EventKind::Applied, true));
        assert!(is_told(EventKind::Confirmed, true));
        assert!(!is_told(EventKind::ProblemRaised, false));
    }

    #[test]
    fn a_description_is_one_line_that_every_forge_takes() {
        let message = Some("x ".repeat(200));
        let status =
            of("edge", EventKind::ApplyFailed, &EventFacts { message, ..facts() }).unwrap();
        assert_eq!(status.description.chars().count(), 140);
        let finding = Finding::error("yaml.syntax", "bad").in_file("a.yaml").at(3, 7);
        let refused = EventFacts { findings: vec![finding], ..facts() };
        let status = of("edge", EventKind::Refused, &refused).unwrap();
        assert!(status.description.starts_with("edge: a.yaml:3:7: "), "{}", status.description);
    }
}
