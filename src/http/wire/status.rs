use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{FORMAT_VERSION, FindingBody, text};
use crate::decide::next::is_suspended;
use crate::model::{
    Attempt, DriftedPath, Party, Quarantine, QuarantineKey, Status, Suspension, Timestamp,
};

/// The live tree.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DesiredBody {
    /// The commit.
    pub revision: String,
    /// RFC 3339.
    pub detected_at: String,
}

/// The last attempt.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
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
            findings: attempt.findings.iter().map(|finding| (&finding).into()).collect(),
        }
    }
}

/// How the source does.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SourceErrorBody {
    /// A stable code.
    pub reason: String,
    /// One sentence.
    pub message: String,
}

/// A path that differs.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DriftBody {
    /// RFC 3339.
    pub checked_at: Option<String>,
    /// What differs.
    pub paths: Vec<DriftedBody>,
}

/// An operator's stop.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct OutboxBody {
    /// Still to be delivered.
    pub pending: u64,
    /// Given up.
    pub failed: u64,
}

/// Somebody outside, with its circuit breaker.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PartyBody {
    /// `source`, `node`, `alert`, `forge` or `identity_provider`.
    pub kind: String,
    /// Its name in the settings.
    pub name: String,
    /// `closed`, `open` or `half_open`.
    pub state: String,
    /// Tries in a row that failed.
    pub failures: u32,
    /// RFC 3339: when the first of them did.
    pub since: Option<String>,
    /// RFC 3339: when it is tried next by itself; `null`: when there is something to ask or tell.
    pub next_try_at: Option<String>,
    /// What went wrong last.
    pub error: Option<String>,
}

impl From<&Party> for PartyBody {
    fn from(party: &Party) -> Self {
        let failing = party.failing.as_ref();
        Self {
            kind: party.kind.as_str().to_owned(),
            name: party.name.clone(),
            state: party.breaker.as_str().to_owned(),
            failures: failing.map_or(0, |failing| failing.failures),
            since: text(failing.map(|failing| failing.since)),
            next_try_at: text(failing.and_then(|failing| failing.next_try_at)),
            error: failing.map(|failing| failing.error.clone()),
        }
    }
}

/// `status`, whole.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct StatusBody {
    /// [`super::FORMAT_VERSION`].
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
    /// Everybody outside, those that fail first: at most 200.
    #[serde(default)]
    pub parties: Vec<PartyBody>,
    /// Whether an agent runs that told this, or the journal did.
    pub agent_running: bool,
}

impl StatusBody {
    /// The status as it is at `now`.
    #[must_use]
    pub fn new(status: &Status, parties: &[Party], now: Timestamp, agent_running: bool) -> Self {
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
            // One whose time is over is history, though nobody said `resume`.
            suspended: status
                .suspended
                .as_ref()
                .filter(|stop| is_suspended(stop, now))
                .map(Into::into),
            quarantine: status.quarantine.iter().map(Into::into).collect(),
            outbox: OutboxBody { pending: status.outbox.pending, failed: status.outbox.failed },
            parties: parties.iter().map(Into::into).collect(),
            agent_running,
        }
    }
}
