use super::{Agent, SyncError};
use crate::decide::subscribe::Filter;
use crate::decide::{commit_status, impact};
use crate::model::{
    ChangeLists, CommitState, Deployment, DriftKind, Event, EventFacts, EventKind, Held, LiveState,
    Plan, Quarantine, Revision, Timestamp,
};
use crate::trees::Drift;

/// Paths that an event carries at most.
const PATHS_MAX: usize = 200;
/// Findings that an event carries at most.
pub(super) const FINDINGS_MAX: usize = 20;

/// Whom an event concerns.
pub(super) enum Told<'a> {
    /// Every node that wants this kind.
    Everybody,
    /// Of those, the ones that watch one of these paths.
    Changes(&'a mut dyn Iterator<Item = &'a str>),
}

impl Agent {
    pub(super) fn deployed_event(
        &self,
        kind: EventKind,
        row: &Deployment,
        plan: &Plan,
    ) -> (Event, Vec<String>) {
        let live = self.standing.live.as_ref();
        let facts = EventFacts {
            deployment: Some(row.id),
            revision: Some(row.revision.clone()),
            previous_revision: live.map(|l| l.revision.clone()),
            digest: row.digest,
            previous_digest: live.map(|l| l.digest),
            origin: Some(row.origin),
            profile: self.settings.profile.clone(),
            changes: Some(ChangeLists::of(plan, PATHS_MAX)),
            touches: impact::units(plan.changes.iter().map(|change| change.path.as_str())),
            reason: None,
            message: row.reason.clone(),
            ..EventFacts::default()
        };
        let mut paths = plan.changes.iter().map(|change| change.path.as_str());
        self.event(kind, row.finished_at, facts, Told::Changes(&mut paths))
    }

    pub(super) fn refused_event(
        &self,
        row: &Deployment,
        quarantine: &Quarantine,
        told: Told<'_>,
    ) -> (Event, Vec<String>) {
        let facts = EventFacts {
            deployment: Some(row.id),
            revision: Some(row.revision.clone()),
            digest: row.digest,
            origin: Some(row.origin),
            profile: self.settings.profile.clone(),
            reason: Some(quarantine.reason.as_str().to_owned()),
            message: Some(quarantine.message.clone()),
            findings: row.findings.iter().take(FINDINGS_MAX).cloned().collect(),
            ..EventFacts::default()
        };
        self.event(EventKind::Refused, row.finished_at, facts, told)
    }

    pub(super) fn failed_event(&self, row: &Deployment, message: &str) -> (Event, Vec<String>) {
        let facts = EventFacts {
            deployment: Some(row.id),
            revision: Some(row.revision.clone()),
            digest: row.digest,
            origin: Some(row.origin),
            profile: self.settings.profile.clone(),
            reason: Some("apply_failed".to_owned()),
            message: Some(message.to_owned()),
            ..EventFacts::default()
        };
        self.event(EventKind::ApplyFailed, row.finished_at, facts, Told::Everybody)
    }

    pub(super) fn held_event(&self, held: &Held) -> (Event, Vec<String>) {
        let facts = EventFacts {
            revision: Some(held.revision.clone()),
            digest: held.digest,
            profile: self.settings.profile.clone(),
            reason: Some(held.reason.as_str().to_owned()),
            message: Some(held.message.clone()),
            ..EventFacts::default()
        };
        self.event(EventKind::Held, held.since, facts, Told::Everybody)
    }

    /// What is said of the health of what is live.
    pub(super) fn health_event(
        &self,
        kind: EventKind,
        live: &LiveState,
        message: Option<&str>,
    ) -> (Event, Vec<String>) {
        let facts = EventFacts {
            deployment: Some(live.deployment),
            revision: Some(live.revision.clone()),
            digest: Some(live.digest),
            origin: Some(live.origin),
            profile: self.settings.profile.clone(),
            reason: message.is_some().then(|| "unhealthy".to_owned()),
            message: message.map(str::to_owned),
            ..EventFacts::default()
        };
        self.event(kind, self.clock.now(), facts, Told::Everybody)
    }

    pub(super) fn detected_event(
        &self,
        revision: &Revision,
        at: Timestamp,
    ) -> (Event, Vec<String>) {
        let facts = EventFacts {
            revision: Some(revision.clone()),
            previous_revision: self.standing.desired.as_ref().map(|d| d.revision.clone()),
            profile: self.settings.profile.clone(),
            ..EventFacts::default()
        };
        self.event(EventKind::RevisionDetected, at, facts, Told::Everybody)
    }

    pub(super) fn source_event(
        &self,
        kind: EventKind,
        at: Timestamp,
        reason: Option<&str>,
        message: Option<&str>,
    ) -> (Event, Vec<String>) {
        let facts = EventFacts {
            profile: self.settings.profile.clone(),
            reason: reason.map(str::to_owned),
            message: message.map(str::to_owned),
            ..EventFacts::default()
        };
        self.event(kind, at, facts, Told::Everybody)
    }

    pub(super) fn drift_event(&self, kind: EventKind, drift: &Drift) -> (Event, Vec<String>) {
        let mut lists = ChangeLists {
            truncated: drift.total > drift.paths.len() as u64,
            ..ChangeLists::default()
        };
        for drifted in &drift.paths {
            let list = match drifted.kind {
                DriftKind::Added => &mut lists.added,
                DriftKind::Removed => &mut lists.removed,
                DriftKind::Edited | DriftKind::Remoded | DriftKind::Replaced => &mut lists.modified,
            };
            list.push(drifted.path.clone());
        }
        let live = self.standing.live.as_ref();
        let facts = EventFacts {
            deployment: live.map(|l| l.deployment),
            revision: live.map(|l| l.revision.clone()),
            digest: live.map(|l| l.digest),
            profile: self.settings.profile.clone(),
            changes: Some(lists),
            ..EventFacts::default()
        };
        let mut paths = drift.paths.iter().map(|p| p.path.as_str());
        self.event(kind, self.clock.now(), facts, Told::Changes(&mut paths))
    }

    /// An event, and the nodes that are told of it.
    fn event(
        &self,
        kind: EventKind,
        at: Timestamp,
        facts: EventFacts,
        told: Told<'_>,
    ) -> (Event, Vec<String>) {
        let event = Event { trace: self.work.told(), ..event_of(kind, at, facts) };
        let paths: Vec<&str> = match told {
            Told::Everybody => Vec::new(),
            Told::Changes(paths) => paths.collect(),
        };
        let wants =
            |filter: &Filter| kind.is_for_nodes() && filter.wants(kind, paths.iter().copied());
        let nodes = self.filters.iter().filter(|(_, filter)| wants(filter));
        let nodes = nodes.map(|(name, _)| name.clone());
        let forge = self.forge_of(kind, &event.facts);
        let told = nodes.chain(forge).collect();
        (event, told)
    }

    /// The forge, where it is told of an event.
    fn forge_of(&self, kind: EventKind, facts: &EventFacts) -> Option<String> {
        let forge = self.settings.source.commit_status.as_ref()?;
        let has_health = !self.settings.health.probes.is_empty();
        let live = self.standing.live.as_ref().map(|live| &live.revision);
        // A head that moved back to what is live is good already.
        let is_known = kind == EventKind::RevisionDetected && live == facts.revision.as_ref();
        let is_told = !is_known
            && commit_status::is_told(kind, has_health)
            && commit_status::of("", kind, facts).is_some();
        is_told.then(|| forge.queue())
    }

    /// What the forge is told of a commit where no event says it.
    pub(super) fn commit_event(
        &self,
        revision: &Revision,
        state: CommitState,
        message: &str,
    ) -> Option<(Event, Vec<String>)> {
        self.settings.source.commit_status.as_ref()?;
        let facts = EventFacts {
            revision: Some(revision.clone()),
            profile: self.settings.profile.clone(),
            reason: Some(state.as_str().to_owned()),
            message: Some(message.to_owned()),
            ..EventFacts::default()
        };
        Some(self.event(EventKind::CommitStatus, self.clock.now(), facts, Told::Everybody))
    }
}

impl Agent {
    /// Whether the forge was told of the head by an event of its own, also by an earlier process.
    pub(super) fn has_told_forge(&self, head: &Revision) -> Result<bool, SyncError> {
        let since = self.standing.desired.as_ref().map(|desired| desired.detected_at);
        let told = self.journal.events_since(EventKind::CommitStatus, since.unwrap_or_default())?;
        Ok(told.iter().any(|event| event.facts.revision.as_ref() == Some(head)))
    }
}

/// An event with an id of its own.
pub(super) fn event_of(kind: EventKind, at: Timestamp, facts: EventFacts) -> Event {
    Event { id: event_id(), sequence: 0, kind, at, facts, trace: None }
}

/// `evt_` and 128 random bits.
fn event_id() -> String {
    let mut bytes = [0; 16];
    let mut filled = 0;
    while filled < bytes.len() {
        match rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty()) {
            Ok(n) => filled += n,
            // Interrupted: the kernel has no other reason once it has booted.
            Err(_) => continue,
        }
    }
    let mut id = "evt_".to_owned();
    bytes.iter().for_each(|b| id.push_str(&format!("{b:02x}")));
    id
}
