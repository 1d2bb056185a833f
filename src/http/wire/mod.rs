//! What goes over the wire, in types of its own: a field renamed in the model breaks no client.
//! The verbs print the same bodies with `-o json`.

mod looks;
mod report;
mod rows;
mod status;

pub use looks::{
    AuditBody, DiffBody, HitBody, NodeBody, PointBody, ProfileBody, ProfileEntryBody, SearchBody,
    TrialBody, ValidationBody, ValueBody,
};
pub use report::{
    BinaryBody, CostBody, DetailBody, FileBody, ImpactBody, KeyBody, PlanBody, ReportBody,
    UnitBody, outcome_words,
};
pub use rows::{CountsBody, DeliveryBody, DeploymentBody, Page};
pub use status::{
    AttemptBody, DesiredBody, DriftBody, DriftedBody, LiveBody, OutboxBody, PartyBody,
    QuarantineBody, SourceBody, SourceErrorBody, StatusBody, SuspensionBody,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Finding, Timestamp};

/// The version that every body names.
pub const FORMAT_VERSION: u32 = 1;

/// A finding.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
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

fn text(at: Option<Timestamp>) -> Option<String> {
    at.map(|at| at.to_string())
}
