use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{FindingBody, text};
use crate::model::{ChangeCounts, Delivery, Deployment};

/// How many files changed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Page<T> {
    /// [`super::FORMAT_VERSION`].
    pub format_version: u32,
    /// The items.
    pub items: Vec<T>,
    /// Of numbered rows: pass it as `before`; `null` at the end.
    pub next: Option<u64>,
    /// Pass it as `cursor`, in every list; not there at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl<T> Page<T> {
    /// These items, and the number of the last one where there are more.
    #[must_use]
    pub const fn new(items: Vec<T>, next: Option<u64>) -> Self {
        Self { format_version: super::FORMAT_VERSION, items, next, cursor: None }
    }
}

/// A delivery.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
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
