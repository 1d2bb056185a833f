use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{FORMAT_VERSION, FindingBody, PlanBody};
use crate::journal::Audited;
use crate::profiles::Explained;
use crate::view::{Point, ProfileFile};

/// Which tree is meant.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PointBody {
    /// The commit.
    pub revision: String,
    /// The digest.
    pub digest: String,
    /// The deployment, where it is one's.
    pub deployment: Option<u64>,
}

impl From<&Point> for PointBody {
    fn from(point: &Point) -> Self {
        Self {
            revision: point.revision.to_string(),
            digest: point.digest.to_string(),
            deployment: point.deployment.map(|id| id.0),
        }
    }
}

/// How two trees differ.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DiffBody {
    /// [`super::FORMAT_VERSION`].
    pub format_version: u32,
    /// The one.
    pub from: PointBody,
    /// The other.
    pub to: PointBody,
    /// What differs.
    pub plan: PlanBody,
}

/// What is to be held against the gates: files, or a revision.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("oneOf" = [
    {"required": ["files"], "properties": {"files": {"type": "object"}}},
    {"required": ["revision"], "properties": {"revision": {"type": "string"}}},
]))]
pub struct TrialBody {
    /// Texts by their paths in the tree; they are laid over the live tree.
    pub files: Option<BTreeMap<String, String>>,
    /// A revision that was fetched, or a deployment's number.
    pub revision: Option<String>,
}

/// What the gates say.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ValidationBody {
    /// [`super::FORMAT_VERSION`].
    pub format_version: u32,
    /// Whether it could go live.
    pub valid: bool,
    /// What they said.
    pub findings: Vec<FindingBody>,
}

impl ValidationBody {
    /// With these findings.
    #[must_use]
    pub const fn new(valid: bool, findings: Vec<FindingBody>) -> Self {
        Self { format_version: FORMAT_VERSION, valid, findings }
    }
}

/// A profile with all that it extends in it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ProfileBody {
    /// [`super::FORMAT_VERSION`].
    pub format_version: u32,
    /// Its name.
    pub name: String,
    /// The tree that it is in.
    pub at: PointBody,
    /// The files that it is made of, its own first.
    pub files: Vec<String>,
    /// The whole of it, as YAML; secrets are masked.
    pub yaml: String,
    /// Where each value comes from, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<ValueBody>>,
}

/// A value and where it comes from.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ValueBody {
    /// The keys that lead to it.
    pub key: Vec<String>,
    /// The value on one line, as YAML.
    pub value: String,
    /// The file that gave it.
    pub file: String,
    /// The line in that file, from 1.
    pub line: u32,
}

impl From<Explained> for ValueBody {
    fn from(Explained { key, value, file, line }: Explained) -> Self {
        Self { key, value, file, line }
    }
}

/// A profile in the list of them.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ProfileEntryBody {
    /// Its name.
    pub id: String,
    /// Its file.
    pub path: String,
    /// What differs whenever the file does; the `ETag` of the profile.
    pub etag: String,
    /// Bytes of the file.
    pub bytes: u64,
    /// Whether this machine runs it.
    pub active: bool,
}

impl ProfileEntryBody {
    /// Of a file.
    #[must_use]
    pub fn new(file: &ProfileFile, active: Option<&str>) -> Self {
        Self {
            id: file.id.clone(),
            path: file.path.clone(),
            etag: file.blob.to_string(),
            bytes: file.bytes,
            active: active == Some(file.id.as_str()),
        }
    }
}

/// A node that is told.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct NodeBody {
    /// Its name.
    pub name: String,
    /// Where it listens, without credentials.
    pub url: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The events that it is told of; empty: all.
    pub events: Vec<String>,
    /// The files whose changes it is told of.
    pub paths: Vec<String>,
    /// Its newest delivery.
    pub last: Option<super::DeliveryBody>,
    /// Deliveries that wait.
    pub pending: u64,
    /// Deliveries that were given up.
    pub failed: u64,
}

/// A record of the audit trail.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AuditBody {
    /// Its number, from 1.
    pub id: u64,
    /// RFC 3339.
    pub at: String,
    /// Who.
    pub name: String,
    /// How that is known.
    pub known: String,
    /// The address they came from.
    pub from: Option<String>,
    /// What.
    pub action: String,
    /// To what.
    pub target: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// `done`, `ordered`, `refused` or `failed`.
    pub outcome: String,
    /// The digest that was live before.
    pub before: Option<String>,
    /// The digest that is live after it.
    pub after: Option<String>,
    /// The deployment it belongs to.
    pub deployment: Option<u64>,
    /// More of it, in one sentence.
    pub detail: Option<String>,
    /// The hash of it and all before it.
    pub hash: String,
}

impl From<&Audited> for AuditBody {
    fn from(audited: &Audited) -> Self {
        let record = &audited.record;
        Self {
            id: audited.id,
            at: record.at.to_string(),
            name: record.by.name.clone(),
            known: record.by.known.as_str().to_owned(),
            from: record.by.from.clone(),
            action: record.action.clone(),
            target: record.target.clone(),
            reason: record.reason.clone(),
            outcome: record.outcome.as_str().to_owned(),
            before: record.before.map(|digest| digest.to_string()),
            after: record.after.map(|digest| digest.to_string()),
            deployment: record.deployment,
            detail: record.detail.clone(),
            hash: audited.hash.clone(),
        }
    }
}

/// Where something was found.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct HitBody {
    /// The file.
    pub path: String,
    /// The line, from 1; `null` where it is in the file's name.
    pub line: Option<u32>,
    /// The line, secrets hidden.
    pub text: Option<String>,
}

/// What a search came to.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SearchBody {
    /// [`super::FORMAT_VERSION`].
    pub format_version: u32,
    /// What was looked through.
    pub at: PointBody,
    /// The places, by path and line.
    pub items: Vec<HitBody>,
    /// Whether there may be more: 200 places are told, and 20,000 files or 8 MiB looked through.
    pub truncated: bool,
}
