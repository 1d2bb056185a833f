use super::deployment::words;
use super::{By, Digest, Timestamp};

words! {
    /// What became of something that was done or tried.
    AuditOutcome {
        /// It was done.
        Done = "done",
        /// It is written down, and the loop does it.
        Ordered = "ordered",
        /// It was not allowed, or a gate refused it.
        Refused = "refused",
        /// It was tried, and did not work.
        Failed = "failed",
    }
}

/// One record of the audit trail: who did what, and what it changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: By,
    /// What: `deployment.live`, `order.apply`, `agent.suspend`, …
    pub action: String,
    /// What it was done to: a revision, a path, a delivery.
    pub target: Option<String>,
    /// Why, in their words.
    pub reason: Option<String>,
    /// What became of it.
    pub outcome: AuditOutcome,
    /// The digest that was live before, where it changes that.
    pub before: Option<Digest>,
    /// The digest that is live after it.
    pub after: Option<Digest>,
    /// The deployment it belongs to.
    pub deployment: Option<u64>,
    /// One sentence, where there is more to say.
    pub detail: Option<String>,
}

impl AuditRecord {
    /// A record with nothing but who, what and when.
    #[must_use]
    pub fn new(at: Timestamp, by: By, action: &str, outcome: AuditOutcome) -> Self {
        Self {
            at,
            by,
            action: action.to_owned(),
            target: None,
            reason: None,
            outcome,
            before: None,
            after: None,
            deployment: None,
            detail: None,
        }
    }

    /// The same, of this.
    #[must_use]
    pub fn of(self, target: impl Into<String>) -> Self {
        Self { target: Some(target.into()), ..self }
    }

    /// The same, for this reason.
    #[must_use]
    pub fn because(self, reason: Option<&str>) -> Self {
        Self { reason: reason.map(str::to_owned), ..self }
    }
}
