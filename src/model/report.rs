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
    /// A file is written into the repository; the report's revision is its commit.
    Published,
    /// A file is not as whoever wanted to write it thought, or not to be written so. The reason says
    /// what it is.
    Conflicted(Reason),
}

impl PassOutcome {
    /// One of each.
    pub const EACH: [Self; 15] = [
        Self::InSync,
        Self::Applied,
        Self::Returned,
        Self::RolledBack,
        Self::Unhealthy,
        Self::Repaired,
        Self::Held(Reason::Drift),
        Self::Refused(Reason::ValidationRefused),
        Self::Unreachable(Reason::SourceUnreachable),
        Self::Failed,
        Self::Unrecorded,
        Self::Declined,
        Self::Planned,
        Self::Published,
        Self::Conflicted(Reason::FileChanged),
    ];

    /// The stable words for it, and the reason where it has one.
    #[must_use]
    pub const fn words(&self) -> (&'static str, Option<Reason>) {
        match self {
            Self::InSync => ("in_sync", None),
            Self::Applied => ("applied", None),
            Self::Returned => ("rolled_back_to", None),
            Self::RolledBack => ("rolled_back", Some(Reason::RolledBack)),
            Self::Unhealthy => ("unhealthy", Some(Reason::Unhealthy)),
            Self::Repaired => ("repaired", None),
            Self::Held(reason) => ("held", Some(*reason)),
            Self::Refused(reason) => ("refused", Some(*reason)),
            Self::Unreachable(reason) => ("unreachable", Some(*reason)),
            Self::Failed => ("failed", Some(Reason::ApplyFailed)),
            Self::Planned => ("planned", None),
            Self::Unrecorded => ("unrecorded", None),
            Self::Declined => ("declined", None),
            Self::Published => ("published", None),
            Self::Conflicted(reason) => ("conflicted", Some(*reason)),
        }
    }
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
