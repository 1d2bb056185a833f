use std::collections::BTreeMap;

use super::deployment::words;
use super::{DeploymentId, Reason, Revision, Timestamp};

words! {
    /// What a person may have to look at: stable codes, a closed list.
    Problem {
        /// The source does not answer, refuses us, or does not know what is followed.
        SourceUnreachable = "source_unreachable",
        /// Trust or a gate refused the newest revision.
        RevisionRefused = "revision_refused",
        /// The newest revision could not be made live, or the agent itself fails.
        ApplyFailed = "apply_failed",
        /// What became live did not hold its health, and was left by itself.
        RolledBack = "rolled_back",
        /// What is live is unhealthy, and there is nothing to go back to.
        Unhealthy = "unhealthy",
        /// Somebody changed the live tree, and it was not put right.
        Drift = "drift",
        /// The newest revision waits for a person.
        Held = "held",
        /// What a node or the forge was to be told was given up.
        DeliveriesGivenUp = "deliveries_given_up",
    }
}

words! {
    /// How soon somebody should look; in order.
    Urgency {
        /// In working hours.
        Warning = "warning",
        /// Soon: new revisions do not become live.
        Error = "error",
        /// Now: what is live is bad.
        Critical = "critical",
    }
}

impl Problem {
    /// How soon somebody should look at it.
    #[must_use]
    pub const fn urgency(self) -> Urgency {
        match self {
            Self::Unhealthy => Urgency::Critical,
            Self::SourceUnreachable
            | Self::RevisionRefused
            | Self::ApplyFailed
            | Self::RolledBack
            | Self::DeliveriesGivenUp => Urgency::Error,
            Self::Drift | Self::Held => Urgency::Warning,
        }
    }
}

/// What is seen of a problem now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Symptom {
    /// A stable code that says more.
    pub reason: Option<Reason>,
    /// The revision that it is about.
    pub revision: Option<Revision>,
    /// The deployment to look at.
    pub deployment: Option<DeploymentId>,
    /// One sentence for people.
    pub message: String,
}

/// A problem that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenProblem {
    /// Which.
    pub problem: Problem,
    /// Since when it is seen.
    pub since: Timestamp,
    /// What was seen of it last.
    pub symptom: Symptom,
    /// Which alerts were told, by name.
    pub told: BTreeMap<String, ToldOf>,
}

/// What an alert was told last of a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldOf {
    /// When.
    pub at: Timestamp,
    /// The revision that it was told of.
    pub revision: Option<Revision>,
}
