//! What goes over the wire, in types of its own: a field renamed in the model breaks no client.
//! The verbs print the same bodies with `-o json`.

use serde::{Deserialize, Serialize};

use crate::document::Detail;
use crate::model::{
    Attempt, ChangeCounts, Delivery, Deployment, Digest, DriftedPath, Finding, PassOutcome, Plan,
    Quarantine, QuarantineKey, Reason, Report, Status, Suspension, Timestamp,
};

/// The version that every body names.
pub const FORMAT_VERSION: u32 = 1;

/// A finding.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FindingBody {
    /// `error` or `warning`.
    pub severity: String,
    /// The rule.
    pub rule: String,
    /// The file.
    pub file: Option<String>,
    /// Line, from 1.
    pub line: Option<u32>,
    /// Column, from 1.
    pub column: Option<u32>,
    /// What.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl From<&Finding> for FindingBody {
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

/// The live tree.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LiveBody {
    /// The deployment that made it live.
    pub deployment: u64,
    /// The commit.
    pub revision: String,
    /// The digest.
    pub digest: String,
    /// RFC 3339.
    pub since: String,
    /// `sync`, `apply` or `rollback`.
    pub origin: String,
}

/// The source's head.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DesiredBody {
    /// The commit.
    pub revision: String,
    /// RFC 3339.
    pub detected_at: String,
}

/// The last attempt.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AttemptBody {
    /// Its number.
    pub deployment: u64,
    /// The commit.
    pub revision: String,
    /// What became of it.
    pub outcome: String,
    /// RFC 3339.
    pub at: String,
    /// What the gates said.
    pub findings: Vec<FindingBody>,
}

impl From<&Attempt> for AttemptBody {
    fn from(attempt: &Attempt) -> Self {
        Self {
            deployment: attempt.deployment.0,
            revision: attempt.revision.to_string(),
            outcome: attempt.outcome.as_str().to_owned(),
            at: attempt.at.to_string(),
            findings: attempt.findings.iter().map(Into::into).collect(),
        }
    }
}

/// How the source does.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SourceBody {
    /// RFC 3339.
    pub last_attempt_at: Option<String>,
    /// RFC 3339.
    pub last_success_at: Option<String>,
    /// Seconds since it answered last.
    pub stale_seconds: Option<u64>,
    /// What is wrong with it now.
    pub error: Option<SourceErrorBody>,
}

/// What is wrong with the source.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SourceErrorBody {
    /// A stable code.
    pub reason: String,
    /// One sentence.
    pub message: String,
}

/// A path that differs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DriftedBody {
    /// The path in the tree; empty: the live path itself.
    pub path: String,
    /// `edited`, `removed`, `added`, `mode` or `replaced`.
    pub kind: String,
}

impl From<&DriftedPath> for DriftedBody {
    fn from(drifted: &DriftedPath) -> Self {
        Self { path: drifted.path.clone(), kind: drifted.kind.as_str().to_owned() }
    }
}

/// What was found changed in the live tree.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DriftBody {
    /// RFC 3339.
    pub checked_at: Option<String>,
    /// What differs.
    pub paths: Vec<DriftedBody>,
}

/// An operator's stop.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SuspensionBody {
    /// RFC 3339.
    pub since: String,
    /// RFC 3339; `null`: until `resume`.
    pub until: Option<String>,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: Option<String>,
}

impl From<&Suspension> for SuspensionBody {
    fn from(suspension: &Suspension) -> Self {
        Self {
            since: suspension.since.to_string(),
            until: text(suspension.until),
            actor: suspension.actor.clone(),
            reason: suspension.reason.clone(),
        }
    }
}

/// Something in quarantine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QuarantineBody {
    /// The digest, where that is what is in quarantine.
    pub digest: Option<String>,
    /// The commit that gave it.
    pub revision: String,
    /// A stable code.
    pub reason: String,
    /// One sentence.
    pub message: String,
    /// RFC 3339.
    pub since: String,
}

impl From<&Quarantine> for QuarantineBody {
    fn from(quarantine: &Quarantine) -> Self {
        let digest = match &quarantine.key {
            QuarantineKey::Digest(digest) => Some(digest.to_string()),
            QuarantineKey::Revision(_) => None,
        };
        Self {
            digest,
            revision: quarantine.revision.to_string(),
            reason: quarantine.reason.as_str().to_owned(),
            message: quarantine.message.clone(),
            since: quarantine.since.to_string(),
        }
    }
}

/// Events on their way.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct OutboxBody {
    /// Still to be delivered.
    pub pending: u64,
    /// Given up.
    pub failed: u64,
}

/// `status`, whole.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StatusBody {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// One word.
    pub state: String,
    /// A stable code.
    pub reason: Option<String>,
    /// One sentence.
    pub message: String,
    /// What consumers read.
    pub live: Option<LiveBody>,
    /// What the source wants.
    pub desired: Option<DesiredBody>,
    /// The last attempt.
    pub attempted: Option<AttemptBody>,
    /// How the source does.
    pub source: SourceBody,
    /// What differs in the live tree.
    pub drift: DriftBody,
    /// An operator's stop.
    pub suspended: Option<SuspensionBody>,
    /// What is not tried again by itself.
    pub quarantine: Vec<QuarantineBody>,
    /// Events on their way.
    pub outbox: OutboxBody,
    /// Whether an agent runs that told this, or the journal did.
    pub agent_running: bool,
}

impl StatusBody {
    /// The status as it is at `now`.
    #[must_use]
    pub fn new(status: &Status, now: Timestamp, agent_running: bool) -> Self {
        let source = &status.source;
        Self {
            format_version: FORMAT_VERSION,
            state: status.state.as_str().to_owned(),
            reason: status.reason.map(|r| r.as_str().to_owned()),
            message: status.message.clone(),
            live: status.live.as_ref().map(|live| LiveBody {
                deployment: live.deployment.0,
                revision: live.revision.to_string(),
                digest: live.digest.to_string(),
                since: live.since.to_string(),
                origin: live.origin.as_str().to_owned(),
            }),
            desired: status.desired.as_ref().map(|desired| DesiredBody {
                revision: desired.revision.to_string(),
                detected_at: desired.detected_at.to_string(),
            }),
            attempted: status.attempted.as_ref().map(Into::into),
            source: SourceBody {
                last_attempt_at: text(source.last_attempt_at),
                last_success_at: text(source.last_success_at),
                stale_seconds: source.last_success_at.map(|at| now.since(at).as_secs()),
                error: source.error.as_ref().map(|(reason, message)| SourceErrorBody {
                    reason: reason.as_str().to_owned(),
                    message: message.clone(),
                }),
            },
            drift: DriftBody {
                checked_at: text(status.drift.checked_at),
                paths: status.drift.paths.iter().map(Into::into).collect(),
            },
            suspended: status.suspended.as_ref().map(Into::into),
            quarantine: status.quarantine.iter().map(Into::into).collect(),
            outbox: OutboxBody { pending: status.outbox.pending, failed: status.outbox.failed },
            agent_running,
        }
    }
}

/// How many files changed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct CountsBody {
    /// Files that were not there.
    pub added: u64,
    /// Files that differ.
    pub modified: u64,
    /// Files that are gone.
    pub removed: u64,
}

impl From<ChangeCounts> for CountsBody {
    fn from(counts: ChangeCounts) -> Self {
        Self { added: counts.added, modified: counts.modified, removed: counts.removed }
    }
}

/// A deployment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeploymentBody {
    /// Its number.
    pub deployment: u64,
    /// The commit.
    pub revision: String,
    /// The digest.
    pub digest: Option<String>,
    /// `sync`, `apply` or `rollback`.
    pub origin: String,
    /// What made the agent look.
    pub trigger: String,
    /// Who asked.
    pub actor: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// `live`, `superseded`, `rolled_back`, `refused` or `failed`.
    pub outcome: String,
    /// RFC 3339.
    pub started_at: String,
    /// RFC 3339.
    pub finished_at: String,
    /// Milliseconds.
    pub duration_ms: u64,
    /// How many files changed.
    pub changes: CountsBody,
    /// Whether its health held; `null` without `health`.
    pub confirmed: Option<bool>,
    /// What the gates said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<FindingBody>,
}

impl From<&Deployment> for DeploymentBody {
    fn from(d: &Deployment) -> Self {
        Self {
            deployment: d.id.0,
            revision: d.revision.to_string(),
            digest: d.digest.map(|digest| digest.to_string()),
            origin: d.origin.as_str().to_owned(),
            trigger: d.trigger.as_str().to_owned(),
            actor: d.actor.clone(),
            reason: d.reason.clone(),
            outcome: d.outcome.as_str().to_owned(),
            started_at: d.started_at.to_string(),
            finished_at: d.finished_at.to_string(),
            duration_ms: d.duration_ms,
            changes: d.changes.into(),
            confirmed: d.confirmed,
            findings: d.findings.iter().map(Into::into).collect(),
        }
    }
}

/// A list, with where the next page begins.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Page<T> {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// The items.
    pub items: Vec<T>,
    /// Pass it as `before`; `null` at the end.
    pub next: Option<u64>,
}

/// A delivery.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeliveryBody {
    /// Its number.
    pub id: u64,
    /// The node.
    pub node: String,
    /// The event.
    pub event: String,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: String,
    /// `pending`, `delivered` or `failed`.
    pub state: String,
    /// How often it was tried.
    pub attempts: u32,
    /// RFC 3339.
    pub queued_at: String,
    /// RFC 3339.
    pub next_at: String,
    /// RFC 3339.
    pub finished_at: Option<String>,
    /// The node's last status code.
    pub last_status: Option<u16>,
    /// What went wrong last.
    pub last_error: Option<String>,
}

impl From<&Delivery> for DeliveryBody {
    fn from(d: &Delivery) -> Self {
        Self {
            id: d.id,
            node: d.node.clone(),
            event: d.event_id.clone(),
            kind: d.kind.as_str().to_owned(),
            state: d.state.as_str().to_owned(),
            attempts: d.attempts,
            queued_at: d.queued_at.to_string(),
            next_at: d.next_at.to_string(),
            finished_at: text(d.finished_at),
            last_status: d.last_status,
            last_error: d.last_error.clone(),
        }
    }
}

/// How a pass ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReportBody {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// `in_sync`, `applied`, `rolled_back_to`, `repaired`, `held`, `refused`, `unreachable`,
    /// `failed`, `declined` or `planned`.
    pub outcome: String,
    /// A stable code, where there is something to explain.
    pub reason: Option<String>,
    /// One sentence.
    pub message: String,
    /// The attempt it made.
    pub deployment: Option<u64>,
    /// The commit it was about.
    pub revision: Option<String>,
    /// What the gates said.
    pub findings: Vec<FindingBody>,
    /// What changed or would have changed.
    pub plan: Option<PlanBody>,
}

/// What changes between two trees.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlanBody {
    /// The digest before.
    pub from: Option<String>,
    /// The digest after.
    pub to: String,
    /// Counts.
    pub changes: CountsBody,
    /// Files before.
    pub files_before: u64,
    /// Files after.
    pub files_after: u64,
    /// What it touches.
    pub touches: Vec<String>,
    /// Each file.
    pub files: Vec<FileBody>,
}

/// A file of a plan.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FileBody {
    /// The path.
    pub path: String,
    /// `added`, `modified` or `removed`.
    pub kind: String,
    /// What changes in it; `null` beyond the first few hundred files.
    pub detail: Option<DetailBody>,
}

/// What changes in a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DetailBody {
    /// The keys of a YAML or JSON document.
    Keys(Vec<KeyBody>),
    /// A unified diff.
    Text(String),
    /// Neither text nor a link.
    Binary {
        /// Before.
        old: Option<BinaryBody>,
        /// After.
        new: Option<BinaryBody>,
    },
    /// The executable bit alone.
    Mode,
    /// A link's target.
    Link {
        /// Before.
        old: Option<String>,
        /// After.
        new: Option<String>,
    },
    /// A secret changed; it is never shown.
    Secret,
}

/// A key that changed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyBody {
    /// Its dotted path.
    pub key: String,
    /// Before; `null`: it was not there.
    pub old: Option<String>,
    /// After; `null`: it is gone.
    pub new: Option<String>,
}

/// A binary file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BinaryBody {
    /// Its size.
    pub bytes: u64,
    /// Its digest.
    pub digest: String,
}

impl From<&Detail> for DetailBody {
    fn from(detail: &Detail) -> Self {
        let binary = |side: &Option<(u64, Digest)>| {
            side.as_ref()
                .map(|(bytes, digest)| BinaryBody { bytes: *bytes, digest: digest.to_string() })
        };
        match detail {
            Detail::Keys(keys) => Self::Keys(
                keys.iter()
                    .map(|k| KeyBody { key: k.key.clone(), old: k.old.clone(), new: k.new.clone() })
                    .collect(),
            ),
            Detail::Text(text) => Self::Text(text.clone()),
            Detail::Binary { old, new } => Self::Binary { old: binary(old), new: binary(new) },
            Detail::Mode => Self::Mode,
            Detail::Link { old, new } => Self::Link { old: old.clone(), new: new.clone() },
            Detail::Secret => Self::Secret,
        }
    }
}

impl PlanBody {
    /// A plan, with the details that are known of its first files.
    #[must_use]
    pub fn new(plan: &Plan, details: &[Detail]) -> Self {
        let mut details = details.iter();
        Self {
            from: plan.from.map(|d| d.to_string()),
            to: plan.to.to_string(),
            changes: ChangeCounts::of(plan).into(),
            files_before: plan.files_before,
            files_after: plan.files_after,
            touches: crate::decide::impact::touches(plan),
            files: plan
                .changes
                .iter()
                .map(|change| FileBody {
                    path: change.path.to_string(),
                    kind: change.kind().as_str().to_owned(),
                    detail: details.next().map(Into::into),
                })
                .collect(),
        }
    }
}

impl ReportBody {
    /// A report, with the details that are known of its plan.
    #[must_use]
    pub fn new(report: &Report, details: &[Detail]) -> Self {
        let (outcome, reason) = outcome_words(&report.outcome);
        Self {
            format_version: FORMAT_VERSION,
            outcome: outcome.to_owned(),
            reason: reason.map(|r| r.as_str().to_owned()),
            message: report.message.clone(),
            deployment: report.deployment.map(|id| id.0),
            revision: report.revision.as_ref().map(ToString::to_string),
            findings: report.findings.iter().map(Into::into).collect(),
            plan: report.plan.as_ref().map(|plan| PlanBody::new(plan, details)),
        }
    }
}

/// The stable words for how a pass ended.
#[must_use]
pub const fn outcome_words(outcome: &PassOutcome) -> (&'static str, Option<Reason>) {
    match outcome {
        PassOutcome::InSync => ("in_sync", None),
        PassOutcome::Applied => ("applied", None),
        PassOutcome::Returned => ("rolled_back_to", None),
        PassOutcome::Repaired => ("repaired", None),
        PassOutcome::Held(reason) => ("held", Some(*reason)),
        PassOutcome::Refused(reason) => ("refused", Some(*reason)),
        PassOutcome::Unreachable(reason) => ("unreachable", Some(*reason)),
        PassOutcome::Failed => ("failed", Some(Reason::ApplyFailed)),
        PassOutcome::Planned => ("planned", None),
        PassOutcome::Declined => ("declined", None),
    }
}

fn text(at: Option<Timestamp>) -> Option<String> {
    at.map(|at| at.to_string())
}
