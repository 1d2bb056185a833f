//! Which node is told of which event.

use super::patterns::{InvalidPattern, Patterns};
use crate::model::EventKind;

/// What one node wants to be told of; compiled once when the settings are read.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Empty: every kind.
    events: Vec<EventKind>,
    /// `None`: whatever changed.
    paths: Option<Patterns>,
}

impl Filter {
    /// Takes a node's `events` (empty: every kind) and `paths` (gitignore-style; empty: all; as in
    /// a .gitignore the last pattern that matches decides, and `!` takes back).
    ///
    /// # Errors
    /// When a pattern is not one.
    pub fn new(events: &[EventKind], paths: &[String]) -> Result<Self, InvalidPattern> {
        let everything = paths.is_empty() || paths.iter().all(|p| p == "**" || p == "*");
        let paths =
            if everything { None } else { Some(Patterns::new(paths.iter().map(String::as_str))?) };
        Ok(Self { events: events.to_vec(), paths })
    }

    /// Whether the node is told of an event of `kind` that changed the paths in `changed`.
    ///
    /// Paths count for events that carry changes: at least one of them must match. The iterator is
    /// read no further than its first match, and must bring all changed paths, not a cut list.
    #[must_use]
    pub fn wants<'a>(&self, kind: EventKind, mut changed: impl Iterator<Item = &'a str>) -> bool {
        if !self.events.is_empty() && !self.events.contains(&kind) {
            return false;
        }
        match &self.paths {
            Some(paths) if carries_changes(kind) => changed.any(|path| paths.mean_file(path)),
            _ => true,
        }
    }
}

/// Whether events of this kind say which files changed.
#[must_use]
pub const fn carries_changes(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::Applied
            | EventKind::RolledBack
            | EventKind::DriftDetected
            | EventKind::DriftRepaired
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wants(events: &[EventKind], paths: &[&str], kind: EventKind, changed: &[&str]) -> bool {
        let paths: Vec<_> = paths.iter().map(|&p| p.to_owned()).collect();
        Filter::new(events, &paths).unwrap().wants(kind, changed.iter().copied())
    }

    #[test]
    fn without_filters_a_node_is_told_everything() {
        for &kind in EventKind::ALL {
            assert!(wants(&[], &[], kind, &[]));
            assert!(wants(&[], &["**"], kind, &[]));
        }
    }

    #[test]
    fn only_the_listed_kinds_are_told() {
        let only = [EventKind::Applied, EventKind::RolledBack];
        assert!(wants(&only, &[], EventKind::RolledBack, &["a"]));
        assert!(!wants(&only, &[], EventKind::Held, &[]));
    }

    #[test]
    fn changes_are_told_when_one_of_the_paths_matches() {
        let kind = EventKind::Applied;
        assert!(wants(&[], &["/agents/"], kind, &["x.yaml", "agents/deep/a.yaml"]));
        assert!(!wants(&[], &["/agents/"], kind, &["x.yaml", "old/agents/a.yaml"]));
        assert!(wants(&[], &["*.yaml"], kind, &["deep/x.yaml"]));
        assert!(!wants(&[], &["*.yaml", "!secret.yaml"], kind, &["deep/secret.yaml"]));
        assert!(!wants(&[], &["*.yaml"], kind, &[]));
        assert!(wants(&[], &["/etc"], kind, &["/etc/x"]), "an absolute path is no panic");
    }

    #[test]
    fn a_pattern_for_folders_is_not_about_files_at_the_root() {
        assert!(!wants(&[], &["*/"], EventKind::Applied, &["system.env"]));
        assert!(wants(&[], &["*/"], EventKind::Applied, &["agents/a.yaml"]));
    }

    #[test]
    fn events_without_changes_are_told_whatever_the_paths() {
        assert!(wants(&[], &["agents/**"], EventKind::SourceUnreachable, &[]));
        assert!(!wants(&[], &["agents/**"], EventKind::DriftRepaired, &["x"]));
    }

    #[test]
    fn a_bad_pattern_is_named() {
        let error = Filter::new(&[], &["ok".to_owned(), "[z-a]".to_owned()]).unwrap_err();
        assert!(error.to_string().contains("`[z-a]`"), "{error}");
    }
}
