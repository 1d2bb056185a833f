use serde::{Deserialize, Serialize};

use crate::model::{
    Bake, ChangeCounts, Deployment, DeploymentId, Digest, Finding, Held, LiveState, Origin,
    Outcome, Quarantine, QuarantineKey, Reason, Revision, Severity, SourceState, Suspension,
    Timestamp, Trigger, first_findings,
};

/// A value that the database holds as JSON: the model's types stay free of it.
pub(super) fn to_json<T: Serialize>(value: &T) -> String {
    // Strings, numbers and options of them: nothing in here can fail to be JSON.
    serde_json::to_string(value).unwrap_or_default()
}

/// Reads one; what another program put there counts as nothing.
pub(super) fn from_json<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    serde_json::from_str(text).ok()
}

#[derive(Serialize, Deserialize)]
pub(super) struct WireFinding {
    severity: String,
    rule: String,
    file: Option<String>,
    line: Option<u32>,
    column: Option<u32>,
    message: String,
    hint: Option<String>,
}

impl From<&Finding> for WireFinding {
    fn from(finding: &Finding) -> Self {
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
}

impl From<WireFinding> for Finding {
    fn from(wire: WireFinding) -> Self {
        let severity = if wire.severity == "warning" { Severity::Warning } else { Severity::Error };
        Self {
            severity,
            rule: wire.rule,
            file: wire.file,
            line: wire.line,
            column: wire.column,
            message: wire.message,
            hint: wire.hint,
        }
    }
}

/// The first of them: a repository must not decide how large the journal is.
pub(super) fn findings_to_json(findings: &[Finding]) -> String {
    let first = first_findings(findings);
    to_json(&first.iter().map(WireFinding::from).collect::<Vec<_>>())
}

pub(super) fn findings_from_json(text: &str) -> Vec<Finding> {
    let wire: Vec<WireFinding> = from_json(text).unwrap_or_default();
    wire.into_iter().map(Finding::from).collect()
}

#[derive(Serialize, Deserialize)]
pub(super) struct WireBake {
    deployment: u64,
    until: i64,
    #[serde(default)]
    restarts: u32,
    #[serde(default)]
    is_way_back: bool,
    previous_tree: Option<String>,
    previous_revision: Option<String>,
    #[serde(default)]
    reloaded: Vec<String>,
    failed: Option<String>,
}

impl From<&Bake> for WireBake {
    fn from(bake: &Bake) -> Self {
        Self {
            deployment: bake.deployment.0,
            until: bake.until.0,
            restarts: bake.restarts,
            is_way_back: bake.is_way_back,
            previous_tree: bake.previous_tree.clone(),
            previous_revision: bake.previous_revision.as_ref().map(ToString::to_string),
            reloaded: bake.reloaded.clone(),
            failed: bake.failed.clone(),
        }
    }
}

impl From<WireBake> for Bake {
    fn from(wire: WireBake) -> Self {
        let previous = wire.previous_revision.and_then(|text| Revision::parse(&text).ok());
        Self {
            deployment: DeploymentId(wire.deployment),
            until: Timestamp(wire.until),
            restarts: wire.restarts,
            is_way_back: wire.is_way_back,
            previous_tree: wire.previous_tree,
            previous_revision: previous,
            reloaded: wire.reloaded,
            failed: wire.failed,
        }
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct WireLive {
    deployment: u64,
    revision: String,
    digest: String,
    since: i64,
    origin: String,
    tree: String,
}

impl From<&LiveState> for WireLive {
    fn from(live: &LiveState) -> Self {
        Self {
            deployment: live.deployment.0,
            revision: live.revision.to_string(),
            digest: live.digest.to_string(),
            since: live.since.0,
            origin: live.origin.as_str().to_owned(),
            tree: live.tree.clone(),
        }
    }
}

impl WireLive {
    pub(super) fn into_live(self) -> Option<LiveState> {
        Some(LiveState {
            deployment: DeploymentId(self.deployment),
            revision: Revision::parse(&self.revision).ok()?,
            digest: Digest::parse(&self.digest).ok()?,
            since: Timestamp(self.since),
            origin: Origin::from_word(&self.origin)?,
            tree: self.tree,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct WireSuspension {
    since: i64,
    until: Option<i64>,
    actor: String,
    reason: Option<String>,
}

impl From<&Suspension> for WireSuspension {
    fn from(suspension: &Suspension) -> Self {
        Self {
            since: suspension.since.0,
            until: suspension.until.map(|t| t.0),
            actor: suspension.actor.clone(),
            reason: suspension.reason.clone(),
        }
    }
}

impl From<WireSuspension> for Suspension {
    fn from(wire: WireSuspension) -> Self {
        Self {
            since: Timestamp(wire.since),
            until: wire.until.map(Timestamp),
            actor: wire.actor,
            reason: wire.reason,
        }
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct WireHeld {
    revision: String,
    digest: Option<String>,
    reason: String,
    message: String,
    since: i64,
    until: Option<i64>,
}

impl From<&Held> for WireHeld {
    fn from(held: &Held) -> Self {
        Self {
            revision: held.revision.to_string(),
            digest: held.digest.map(|d| d.to_string()),
            reason: held.reason.as_str().to_owned(),
            message: held.message.clone(),
            since: held.since.0,
            until: held.until.map(|t| t.0),
        }
    }
}

impl WireHeld {
    pub(super) fn into_held(self) -> Option<Held> {
        Some(Held {
            revision: Revision::parse(&self.revision).ok()?,
            digest: self.digest.and_then(|d| Digest::parse(&d).ok()),
            reason: Reason::from_word(&self.reason)?,
            message: self.message,
            since: Timestamp(self.since),
            until: self.until.map(Timestamp),
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct WireSource {
    last_attempt_at: Option<i64>,
    last_success_at: Option<i64>,
    error: Option<(String, String)>,
    #[serde(default)]
    failures: u32,
    #[serde(default)]
    failing_since: Option<i64>,
}

impl From<&SourceState> for WireSource {
    fn from(state: &SourceState) -> Self {
        Self {
            last_attempt_at: state.last_attempt_at.map(|t| t.0),
            last_success_at: state.last_success_at.map(|t| t.0),
            error: state.error.as_ref().map(|(r, m)| (r.as_str().to_owned(), m.clone())),
            failures: state.failures,
            failing_since: state.failing_since.map(|t| t.0),
        }
    }
}

impl From<WireSource> for SourceState {
    fn from(wire: WireSource) -> Self {
        Self {
            last_attempt_at: wire.last_attempt_at.map(Timestamp),
            last_success_at: wire.last_success_at.map(Timestamp),
            error: wire.error.and_then(|(r, m)| Some((Reason::from_word(&r)?, m))),
            failures: wire.failures,
            failing_since: wire.failing_since.map(Timestamp),
        }
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct WireQuarantine {
    kind: String,
    key: String,
    revision: String,
    reason: String,
    rules: String,
    message: String,
    since: i64,
}

impl From<&Quarantine> for WireQuarantine {
    fn from(quarantine: &Quarantine) -> Self {
        let (kind, key) = key_columns(&quarantine.key);
        Self {
            kind: kind.to_owned(),
            key,
            revision: quarantine.revision.to_string(),
            reason: quarantine.reason.as_str().to_owned(),
            rules: quarantine.rules.clone(),
            message: quarantine.message.clone(),
            since: quarantine.since.0,
        }
    }
}

impl WireQuarantine {
    pub(super) fn into_quarantine(self) -> Option<Quarantine> {
        let key = match self.kind.as_str() {
            "revision" => QuarantineKey::Revision(Revision::parse(&self.key).ok()?),
            "digest" => QuarantineKey::Digest(Digest::parse(&self.key).ok()?),
            _ => return None,
        };
        Some(Quarantine {
            key,
            revision: Revision::parse(&self.revision).ok()?,
            reason: Reason::from_word(&self.reason)?,
            rules: self.rules,
            message: self.message,
            since: Timestamp(self.since),
        })
    }

    pub(super) fn from_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            kind: row.get("kind")?,
            key: row.get("key")?,
            revision: row.get("revision")?,
            reason: row.get("reason")?,
            rules: row.get("rules")?,
            message: row.get("message")?,
            since: row.get("since")?,
        })
    }
}

/// The two columns of a quarantine's key.
pub(super) fn key_columns(key: &QuarantineKey) -> (&'static str, String) {
    match key {
        QuarantineKey::Revision(revision) => ("revision", revision.to_string()),
        QuarantineKey::Digest(digest) => ("digest", digest.to_string()),
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct WireDeployment {
    id: u64,
    revision: String,
    digest: Option<String>,
    origin: String,
    trigger: String,
    actor: Option<String>,
    reason: Option<String>,
    outcome: String,
    started_at: i64,
    finished_at: i64,
    duration_ms: u64,
    added: u64,
    modified: u64,
    removed: u64,
    confirmed: Option<bool>,
    findings: String,
    tree: String,
}

impl From<&Deployment> for WireDeployment {
    fn from(d: &Deployment) -> Self {
        Self {
            id: d.id.0,
            revision: d.revision.to_string(),
            digest: d.digest.map(|digest| digest.to_string()),
            origin: d.origin.as_str().to_owned(),
            trigger: d.trigger.as_str().to_owned(),
            actor: d.actor.clone(),
            reason: d.reason.clone(),
            outcome: d.outcome.as_str().to_owned(),
            started_at: d.started_at.0,
            finished_at: d.finished_at.0,
            duration_ms: d.duration_ms,
            added: d.changes.added,
            modified: d.changes.modified,
            removed: d.changes.removed,
            confirmed: d.confirmed,
            findings: findings_to_json(&d.findings),
            tree: d.tree.clone(),
        }
    }
}

impl WireDeployment {
    pub(super) fn into_deployment(self) -> Option<Deployment> {
        Some(Deployment {
            id: DeploymentId(self.id),
            revision: Revision::parse(&self.revision).ok()?,
            digest: self.digest.and_then(|d| Digest::parse(&d).ok()),
            origin: Origin::from_word(&self.origin)?,
            trigger: Trigger::from_word(&self.trigger)?,
            actor: self.actor,
            reason: self.reason,
            outcome: Outcome::from_word(&self.outcome)?,
            started_at: Timestamp(self.started_at),
            finished_at: Timestamp(self.finished_at),
            duration_ms: self.duration_ms,
            changes: ChangeCounts {
                added: self.added,
                modified: self.modified,
                removed: self.removed,
            },
            confirmed: self.confirmed,
            findings: findings_from_json(&self.findings),
            tree: self.tree,
        })
    }

    pub(super) fn from_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            revision: row.get("revision")?,
            digest: row.get("digest")?,
            origin: row.get("origin")?,
            trigger: row.get("trigger")?,
            actor: row.get("actor")?,
            reason: row.get("reason")?,
            outcome: row.get("outcome")?,
            started_at: row.get("started_at")?,
            finished_at: row.get("finished_at")?,
            duration_ms: row.get("duration_ms")?,
            added: row.get("added")?,
            modified: row.get("modified")?,
            removed: row.get("removed")?,
            confirmed: row.get("confirmed")?,
            findings: row.get("findings")?,
            tree: row.get("tree")?,
        })
    }

    /// Writes the row, in place of one with the same number.
    pub(super) fn insert(&self, connection: &rusqlite::Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO deployments (id, revision, digest, origin, trigger, actor,
                 reason, outcome, started_at, finished_at, duration_ms, added, modified, removed,
                 confirmed, findings, tree)
                 VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17)",
            )?
            .execute(rusqlite::params![
                self.id,
                self.revision,
                self.digest,
                self.origin,
                self.trigger,
                self.actor,
                self.reason,
                self.outcome,
                self.started_at,
                self.finished_at,
                self.duration_ms,
                self.added,
                self.modified,
                self.removed,
                self.confirmed,
                self.findings,
                self.tree,
            ])?;
        Ok(())
    }
}
