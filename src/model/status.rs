use super::deployment::words;
use super::{
    DeploymentId, Digest, FailingQueue, Origin, Outcome, PackedFindings, Revision, Timestamp,
};

words! {
    /// The agent's state in one word.
    State {
        /// No pass has ended yet.
        Starting = "starting",
        /// The live tree is what the source's head gives.
        InSync = "in_sync",
        /// The head differs and is not live yet.
        OutOfSync = "out_of_sync",
        /// A pass is making a tree live.
        Applying = "applying",
        /// A tree is live and its health is being watched.
        Baking = "baking",
        /// The head waits for something or somebody.
        Held = "held",
        /// An operator stopped the agent from applying.
        Suspended = "suspended",
        /// Something is wrong; `reason` says what.
        Degraded = "degraded",
    }
}

words! {
    /// Why the agent is in its state: stable codes.
    Reason {
        /// Nothing has been applied yet.
        NeverSynced = "never_synced",
        /// The source did not answer, or not in time.
        SourceUnreachable = "source_unreachable",
        /// The source refused our credentials, or we could not read them.
        CredentialsRefused = "credentials_refused",
        /// The source does not know the branch, tag or commit.
        ReferenceNotFound = "reference_not_found",
        /// The repository has no commits.
        RepositoryEmpty = "repository_empty",
        /// The source sent something that is not git, is damaged, or breaks a limit.
        SourceDamaged = "source_damaged",
        /// A signature is missing or wrong.
        VerificationRefused = "verification_refused",
        /// The keys that signatures are verified with cannot be read.
        VerificationUnavailable = "verification_unavailable",
        /// The keys that files are decrypted with cannot be read, or are not the right ones.
        SecretsUnavailable = "secrets_unavailable",
        /// The head is not a descendant of the last accepted commit.
        HistoryRewritten = "history_rewritten",
        /// A gate refused the revision.
        ValidationRefused = "validation_refused",
        /// A file of this node that holds rules cannot be read or used, so nothing can be judged.
        ValidationUnavailable = "validation_unavailable",
        /// A check on the staged tree did not end in time, or could not be run.
        CheckUnfinished = "check_unfinished",
        /// `auto_sync` is off.
        AwaitingApproval = "awaiting_approval",
        /// No window is open.
        OutsideWindow = "outside_window",
        /// The plan removes too much.
        SuspiciousDeletion = "suspicious_deletion",
        /// The digest or the revision is in quarantine.
        Quarantined = "quarantined",
        /// An operator made another revision live than the head.
        PassedOver = "passed_over",
        /// The live tree is one that was returned to.
        RolledBack = "rolled_back",
        /// The tree could not be made live; the one before stays.
        ApplyFailed = "apply_failed",
        /// The health of what is live is watched; newer heads wait.
        Baking = "baking",
        /// The health of what is live did not hold, and there was nothing to go back to.
        Unhealthy = "unhealthy",
        /// The live tree was changed by somebody else.
        Drift = "drift",
        /// An operator stopped the agent.
        Suspended = "suspended",
        /// The journal was damaged or lost, and was rebuilt.
        JournalRebuilt = "journal_rebuilt",
        /// A file that was to be made is there already.
        FileExists = "file_exists",
        /// A file that was to be changed is not there.
        FileMissing = "file_missing",
        /// A file that was to be changed is not any more as it was read.
        FileChanged = "file_changed",
        /// The profile that this machine runs is not to be taken away.
        ActiveProfile = "active_profile",
        /// The settings let nothing be written, or what is followed cannot be written to.
        WriteBackOff = "write_back_off",
        /// The repository refused a commit of ours.
        PushRefused = "push_refused",
    }
}

/// What `status` tells, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// One word.
    pub state: State,
    /// Why; `None` when there is nothing to explain.
    pub reason: Option<Reason>,
    /// One sentence for people.
    pub message: String,
    /// What consumers read.
    pub live: Option<LiveState>,
    /// What the source wants.
    pub desired: Option<Desired>,
    /// The last attempt.
    pub attempted: Option<Attempt>,
    /// How the source does.
    pub source: SourceState,
    /// What was found changed in the live tree.
    pub drift: DriftState,
    /// An operator's stop.
    pub suspended: Option<Suspension>,
    /// What is not tried again by itself.
    pub quarantine: Vec<Quarantine>,
    /// Events on their way.
    pub outbox: OutboxCounts,
    /// Queues of the outbox that fail.
    pub failing: Vec<FailingQueue>,
}

impl Status {
    /// Nothing is known yet.
    #[must_use]
    pub fn starting() -> Self {
        Self {
            state: State::Starting,
            reason: None,
            message: String::new(),
            live: None,
            desired: None,
            attempted: None,
            source: SourceState::default(),
            drift: DriftState::default(),
            suspended: None,
            quarantine: Vec::new(),
            outbox: OutboxCounts::default(),
            failing: Vec::new(),
        }
    }
}

/// The live tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveState {
    /// The deployment that made it live.
    pub deployment: DeploymentId,
    /// The commit it stands for.
    pub revision: Revision,
    /// Its digest.
    pub digest: Digest,
    /// Since when.
    pub since: Timestamp,
    /// Why it became live.
    pub origin: Origin,
    /// The folder below the trees folder.
    pub tree: String,
}

/// The source's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    /// The commit.
    pub revision: Revision,
    /// When it was first seen as the head.
    pub detected_at: Timestamp,
}

/// The last attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Its number.
    pub deployment: DeploymentId,
    /// The commit.
    pub revision: Revision,
    /// What became of it.
    pub outcome: Outcome,
    /// When it ended.
    pub at: Timestamp,
    /// What the gates said.
    pub findings: PackedFindings,
}

/// How the source does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceState {
    /// When it was asked last.
    pub last_attempt_at: Option<Timestamp>,
    /// When it answered last.
    pub last_success_at: Option<Timestamp>,
    /// What is wrong with it now: a code and a sentence.
    pub error: Option<(Reason, String)>,
    /// Tries in a row that failed.
    pub failures: u32,
    /// When the first of them did.
    pub failing_since: Option<Timestamp>,
}

/// How a path of the live tree differs from what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriftedPath {
    /// The path in the tree.
    pub path: String,
    /// How it differs.
    pub kind: DriftKind,
}

words! {
    /// The ways in which a path of the live tree can differ.
    DriftKind {
        /// Its bytes differ.
        Edited = "edited",
        /// It is gone.
        Removed = "removed",
        /// It should not be there.
        Added = "added",
        /// Its mode or owner differs.
        Remoded = "mode",
        /// It is a link, a folder or something else than it should be.
        Replaced = "replaced",
    }
}

/// What was found changed in the live tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DriftState {
    /// When it was compared last.
    pub checked_at: Option<Timestamp>,
    /// What differs, cut to a few hundred.
    pub paths: Vec<DriftedPath>,
}

/// An operator's stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspension {
    /// Since when.
    pub since: Timestamp,
    /// Until when; `None`: until `resume`.
    pub until: Option<Timestamp>,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: Option<String>,
}

/// What waits, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The commit that waits.
    pub revision: Revision,
    /// Its tree, where one was made.
    pub digest: Option<Digest>,
    /// Why.
    pub reason: Reason,
    /// One sentence for people.
    pub message: String,
    /// Since when.
    pub since: Timestamp,
    /// When it is looked at again by itself.
    pub until: Option<Timestamp>,
}

/// What a quarantine names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum QuarantineKey {
    /// Refused for trust: the same content, signed properly, goes through.
    Revision(Revision),
    /// Refused by gates, failed its health, or was rolled back: whatever commit gives it.
    Digest(Digest),
}

/// What is not tried again by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantine {
    /// A revision or a digest.
    pub key: QuarantineKey,
    /// The revision that gave it.
    pub revision: Revision,
    /// Why: `verification_refused`, `history_rewritten`, `validation_refused` or `rolled_back`.
    pub reason: Reason,
    /// The rules that refused it; when they change, it is tried again. Empty where rules do not count.
    pub rules: String,
    /// One sentence for people.
    pub message: String,
    /// Since when.
    pub since: Timestamp,
}

/// Events on their way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboxCounts {
    /// Still to be delivered.
    pub pending: u64,
    /// Given up.
    pub failed: u64,
}
