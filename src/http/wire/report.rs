use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CountsBody, FORMAT_VERSION, FindingBody};
use crate::decide::impact::units;
use crate::diff::Told;
use crate::document::Detail;
use crate::http::access::Caller;
use crate::model::{
    ChangeCounts, ChangeKind, Digest, Impact, PassOutcome, Plan, Reason, Report, Touched,
};

/// How a pass ended.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ReportBody {
    /// [`super::FORMAT_VERSION`].
    pub format_version: u32,
    /// `in_sync`, `applied`, `rolled_back_to`, `rolled_back`, `unhealthy`, `repaired`, `held`, `refused`, `unreachable`,
    /// `failed`, `unrecorded`, `declined` or `planned`.
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
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
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
    /// What it costs.
    pub cost: CostBody,
    /// What it touches.
    pub touches: Vec<String>,
    /// What that needs to take effect.
    pub impact: ImpactBody,
    /// Each file.
    pub files: Vec<FileBody>,
}

/// What a plan costs.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CostBody {
    /// Files that change.
    pub files: u64,
    /// Bytes that they have afterwards.
    pub bytes: u64,
    /// How often the disks are asked to make something durable until it is live and recorded.
    pub fsyncs: u64,
    /// Milliseconds that it is expected to take, by what earlier ones took; `null` without any.
    pub expected_ms: Option<u64>,
}

/// What a plan touches, and what that needs.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct ImpactBody {
    /// Each thing that is touched, at most fifty.
    pub units: Vec<UnitBody>,
    /// How many more there are.
    pub more: u64,
    /// The `reload` entries that run.
    pub reloads: Vec<String>,
    /// The nodes that are told.
    pub nodes: Vec<String>,
}

/// One thing that a plan touches.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct UnitBody {
    /// What, such as `agents/schedulerAgent`.
    pub unit: String,
    /// `nothing`, `reload` or `restart`; `null` where that is not known.
    pub needs: Option<String>,
    /// Why, in a few words.
    pub because: String,
}

impl From<&Impact> for ImpactBody {
    fn from(impact: &Impact) -> Self {
        let unit = |touched: &Touched| UnitBody {
            unit: touched.unit.clone(),
            needs: touched.needs.map(|needs| needs.as_str().to_owned()),
            because: touched.because.clone(),
        };
        Self {
            units: impact.units.iter().map(unit).collect(),
            more: impact.more,
            reloads: impact.reloads.clone(),
            nodes: impact.nodes.clone(),
        }
    }
}

/// A file of a plan.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FileBody {
    /// The path.
    pub path: String,
    /// `added`, `modified` or `removed`.
    pub kind: Cow<'static, str>,
    /// What changes in it; `null` beyond the first few hundred files.
    pub detail: Option<Box<DetailBody>>,
}

/// What changes in a file.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct KeyBody {
    /// Its dotted path.
    pub key: String,
    /// Before; `null`: it was not there.
    pub old: Option<String>,
    /// After; `null`: it is gone.
    pub new: Option<String>,
}

/// A binary file.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
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
    pub fn new(plan: &Plan, told: &Told) -> Self {
        let mut details = told.details.iter();
        Self {
            from: plan.from.map(|d| d.to_string()),
            to: plan.to.to_string(),
            changes: ChangeCounts::of(plan).into(),
            files_before: plan.files_before,
            files_after: plan.files_after,
            cost: CostBody {
                files: plan.changes.len() as u64,
                bytes: told.bytes,
                fsyncs: told.fsyncs,
                expected_ms: told.expected_ms,
            },
            touches: units(plan.changes.iter().map(|change| change.path.as_str())),
            impact: (&told.impact).into(),
            files: plan
                .changes
                .iter()
                .map(|change| FileBody {
                    path: change.path.to_string(),
                    kind: change.kind().as_str().into(),
                    detail: details.next().map(|detail| Box::new(detail.into())),
                })
                .collect(),
        }
    }
}

impl PlanBody {
    /// The same, without the files that somebody may not see, what only they touch, and what is
    /// told of all files together.
    #[must_use]
    pub(in crate::http) fn seen_by(mut self, caller: &Caller) -> Self {
        if !caller.sees_all() {
            self.files.retain(|file| caller.sees(&file.path));
            (self.files_before, self.files_after) = (0, 0);
            let count = |kind: ChangeKind| {
                self.files.iter().filter(|file| file.kind == kind.as_str()).count() as u64
            };
            self.changes = CountsBody {
                added: count(ChangeKind::Added),
                modified: count(ChangeKind::Modified),
                removed: count(ChangeKind::Removed),
            };
            let paths = self.files.iter().map(|file| file.path.as_str());
            self.touches = units(paths);
            (self.files_before, self.files_after) = (0, 0);
            self.cost =
                CostBody { files: self.files.len() as u64, bytes: 0, fsyncs: 0, expected_ms: None };
            // Who is told and what is reloaded may follow from what is not seen.
            let seen = std::mem::take(&mut self.impact.units).into_iter();
            let seen = seen.filter(|unit| self.touches.contains(&unit.unit));
            // The reason may name a file.
            let units = seen.map(|unit| UnitBody { because: String::new(), ..unit }).collect();
            self.impact = ImpactBody { units, ..ImpactBody::default() };
        }
        self
    }
}

impl ReportBody {
    /// The same, without what somebody may not see.
    #[must_use]
    pub(in crate::http) fn seen_by(mut self, caller: &Caller) -> Self {
        self.findings.retain(|finding| caller.sees_found(finding.file.as_deref()));
        self.plan = self.plan.map(|plan| plan.seen_by(caller));
        if !caller.sees_all() {
            // A sentence for people may name files.
            self.message = self.reason.clone().unwrap_or_else(|| self.outcome.clone());
        }
        self
    }

    /// A report, with the details that are known of its plan.
    #[must_use]
    pub fn new(report: &Report, told: &Told) -> Self {
        let (outcome, reason) = outcome_words(&report.outcome);
        Self {
            format_version: FORMAT_VERSION,
            outcome: outcome.to_owned(),
            reason: reason.map(|r| r.as_str().to_owned()),
            message: report.message.clone(),
            deployment: report.deployment.map(|id| id.0),
            revision: report.revision.as_ref().map(ToString::to_string),
            findings: report.findings.iter().map(Into::into).collect(),
            plan: report.plan.as_ref().map(|plan| PlanBody::new(plan, told)),
        }
    }
}

/// The stable words for how a pass ended.
#[must_use]
pub const fn outcome_words(outcome: &PassOutcome) -> (&'static str, Option<Reason>) {
    outcome.words()
}
