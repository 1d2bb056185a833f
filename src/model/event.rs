use super::deployment::words;
use super::{
    ChangeKind, DeploymentId, Digest, Finding, Origin, Plan, Problem, Revision, Timestamp,
};

words! {
    /// What happened; the CloudEvents `type`.
    EventKind {
        /// The source shows a revision that was not seen before.
        RevisionDetected = "config.revision.detected",
        /// A tree became live.
        Applied = "config.applied",
        /// Its health held.
        Confirmed = "config.confirmed",
        /// Its health did not hold, and it stays: there is nothing to go back to, or that is unhealthy too.
        Unhealthy = "config.unhealthy",
        /// A way back became live.
        RolledBack = "config.rolled_back",
        /// Trust or a gate refused a revision.
        Refused = "config.refused",
        /// A revision could not be applied; the live tree is as it was.
        ApplyFailed = "config.apply_failed",
        /// The live tree was changed by somebody else.
        DriftDetected = "config.drift.detected",
        /// And was put right.
        DriftRepaired = "config.drift.repaired",
        /// A revision waits for something: an approval, a window, a person.
        Held = "config.held",
        /// The source cannot be reached.
        SourceUnreachable = "source.unreachable",
        /// It can be reached again.
        SourceRecovered = "source.recovered",
        /// A problem is there that alerts are told of.
        ProblemRaised = "problem.raised",
        /// It is still there.
        ProblemReminded = "problem.reminded",
        /// It is over.
        ProblemResolved = "problem.resolved",
        /// What the forge is told of a commit where no other event says it.
        CommitStatus = "commit.status",
    }
}

impl EventKind {
    /// Whether nodes are told; the rest is for alerts or the forge alone.
    #[must_use]
    pub const fn is_for_nodes(self) -> bool {
        !matches!(
            self,
            Self::ProblemRaised
                | Self::ProblemReminded
                | Self::ProblemResolved
                | Self::CommitStatus
        )
    }
}

/// Something that happened, recorded in the same transaction as the change that caused it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The id that every delivery of it carries: `evt_` and 32 hexadecimal digits.
    pub id: String,
    /// Place in the order of all events, from 1; 0 before it is recorded.
    pub sequence: u64,
    /// What happened.
    pub kind: EventKind,
    /// When.
    pub at: Timestamp,
    /// The rest.
    pub facts: EventFacts,
    /// What its deliveries follow from, as the header `traceparent`, where the pass was traced.
    pub trace: Option<String>,
}

/// The facts of an event; which are there depends on its kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFacts {
    /// The deployment it belongs to.
    pub deployment: Option<DeploymentId>,
    /// The revision it speaks of.
    pub revision: Option<Revision>,
    /// The revision that was live before.
    pub previous_revision: Option<Revision>,
    /// The tree it speaks of.
    pub digest: Option<Digest>,
    /// The tree that was live before.
    pub previous_digest: Option<Digest>,
    /// Why the tree became live.
    pub origin: Option<Origin>,
    /// The active profile.
    pub profile: Option<String>,
    /// The files that changed; for drift, those that had drifted.
    pub changes: Option<ChangeLists>,
    /// What the change touches, such as `agents/schedulerAgent`.
    pub touches: Vec<String>,
    /// A stable code, such as `outside_window`.
    pub reason: Option<String>,
    /// One sentence for people.
    pub message: Option<String>,
    /// What the gates said.
    pub findings: Vec<Finding>,
    /// The problem that it tells of.
    pub problem: Option<Problem>,
    /// Since when that is there.
    pub since: Option<Timestamp>,
}

/// Paths by what happened to them, cut to a number that a message can carry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeLists {
    /// Files that were not there.
    pub added: Vec<String>,
    /// Files that differ.
    pub modified: Vec<String>,
    /// Files that are gone.
    pub removed: Vec<String>,
    /// Whether paths were left out.
    pub truncated: bool,
}

impl ChangeLists {
    /// The first `max` paths of a plan.
    #[must_use]
    pub fn of(plan: &Plan, max: usize) -> Self {
        let mut lists = Self { truncated: plan.changes.len() > max, ..Self::default() };
        for change in plan.changes.iter().take(max) {
            let path = change.path.as_str().to_owned();
            match change.kind() {
                ChangeKind::Added => lists.added.push(path),
                ChangeKind::Modified => lists.modified.push(path),
                ChangeKind::Removed => lists.removed.push(path),
            }
        }
        lists
    }
}

words! {
    /// What a forge shows of a commit.
    CommitState {
        /// It is looked at, or waits.
        Pending = "pending",
        /// It is live.
        Success = "success",
        /// It was refused, failed, or was rolled back.
        Failure = "failure",
    }
}

words! {
    /// Where a delivery stands.
    DeliveryState {
        /// Still to be delivered.
        Pending = "pending",
        /// The node answered with 2xx.
        Delivered = "delivered",
        /// Given up; it stays visible and can be sent again.
        Failed = "failed",
    }
}

/// One event on its way to one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its number, for `deliveries redeliver`.
    pub id: u64,
    /// The node's name.
    pub node: String,
    /// The event.
    pub event_id: String,
    /// What happened.
    pub kind: EventKind,
    /// Where it stands.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was queued.
    pub queued_at: Timestamp,
    /// When it is tried next.
    pub next_at: Timestamp,
    /// When it was delivered or given up.
    pub finished_at: Option<Timestamp>,
    /// The node's last status code.
    pub last_status: Option<u16>,
    /// What went wrong last, in one sentence.
    pub last_error: Option<String>,
}
