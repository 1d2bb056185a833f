use super::{DeploymentId, Finding, Plan, Reason, Revision};

/// How a pass ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PassOutcome {
    /// Nothing was to be done.
    InSync,
    /// A tree became live.
    Applied,
    /// An earlier tree became live again, by an operator's wish.
    Returned,
    /// What became live was left again by itself, since its health did not hold.
    RolledBack,
    /// The health of what is live does not hold, and there is nothing to go back to.
    Unhealthy,
    /// The live tree was put right.
    Repaired,
    /// The head waits; nothing was done. The reason says for what.
    Held(Reason),
    /// Trust or a gate refused the revision. The reason says which.
    Refused(Reason),
    /// The source could not be asked. The reason says why.
    Unreachable(Reason),
    /// The tree could not be applied; the live tree is as it was.
    Failed,
    /// A tree became live, and the journal could not be told: recovery tells it later.
    Unrecorded,
    /// An order that cannot be followed as it stands; nothing was done.
    Declined,
    /// A dry run: this is what would have been done.
    Planned,
}

/// What a pass has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How it ended.
    pub outcome: PassOutcome,
    /// The attempt it made, if it made one.
    pub deployment: Option<DeploymentId>,
    /// The revision it was about.
    pub revision: Option<Revision>,
    /// One sentence for people.
    pub message: String,
    /// What the gates said.
    pub findings: Vec<Finding>,
    /// What changed or would have changed.
    pub plan: Option<Plan>,
}

impl Report {
    /// A report without anything but its outcome.
    #[must_use]
    pub fn new(outcome: PassOutcome, message: impl Into<String>) -> Self {
        Self {
            outcome,
            deployment: None,
            revision: None,
            message: message.into(),
            findings: Vec::new(),
            plan: None,
        }
    }
}
