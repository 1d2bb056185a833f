use std::fmt;

use super::{ChangeKind, Digest, Finding, Plan, Publication, Revision, Timestamp};

/// The number of a deployment: it grows, and is never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeploymentId(pub u64);

impl fmt::Display for DeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every value, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable word for it, the same in JSON, the database and the documentation.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The value that a stable word stands for.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|v| v.as_str() == word)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}
pub(super) use words;

words! {
    /// Why a tree became live.
    Origin {
        /// The agent followed the source.
        Sync = "sync",
        /// An operator decided.
        Apply = "apply",
        /// A way back to an earlier deployment.
        Rollback = "rollback",
    }
}

words! {
    /// What became of a deployment.
    Outcome {
        /// It is what the live path shows.
        Live = "live",
        /// A later one took its place.
        Superseded = "superseded",
        /// It was live and was taken back.
        RolledBack = "rolled_back",
        /// A gate or trust refused it; it never was live.
        Refused = "refused",
        /// It could not be applied; the live tree is as it was.
        Failed = "failed",
    }
}

words! {
    /// What made the agent look.
    Trigger {
        /// The agent started.
        Start = "start",
        /// The interval passed.
        Interval = "interval",
        /// A push webhook arrived.
        Webhook = "webhook",
        /// SIGHUP.
        Signal = "signal",
        /// A verb or an API request.
        Command = "command",
        /// A window opened.
        Window = "window",
        /// The live tree was touched.
        Drift = "drift",
        /// The health of what is live was due to be looked at.
        Health = "health",
    }
}

/// What an operator wants done; written to the journal first, then the loop is woken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The number that the journal gave it.
    pub id: u64,
    /// What is wanted.
    pub kind: WishKind,
    /// Who asked: a user's name on the control socket, a token's name on the API.
    pub actor: String,
    /// Why, in the operator's words.
    pub reason: Option<String>,
}

/// The kinds of wishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WishKind {
    /// Make a revision live; `None` is the source's head, asked first.
    Apply(Option<Revision>),
    /// Go back to an earlier deployment.
    Rollback {
        /// Which one; `None`: the newest earlier one whose digest is neither live nor quarantined.
        to: Option<DeploymentId>,
        /// Suspend afterwards.
        hold: bool,
    },
    /// Put the live tree right, whatever `live.drift` says.
    Repair,
    /// Hold the live tree against what it should be, and change nothing.
    Compare,
    /// Do everything up to the intent for a commit (`None`: the head), and change nothing.
    Plan(Option<Sought>),
    /// Bring a commit and verify who signed it, so that it can be looked at; nothing follows from it.
    Fetch(Sought),
    /// Write a file into the repository; what becomes live of it, the next pass decides.
    Publish(Box<Publication>),
}

/// A commit as a person names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sought {
    /// By its id.
    Revision(Revision),
    /// By a branch or a tag of the source, which is asked for it: `my-branch`, `origin/my-branch`,
    /// `v1.2.3`, `refs/heads/my-branch`; or by the beginning of a revision that was seen here.
    Reference(String),
}

impl Sought {
    /// Reads a full commit id; everything else is a reference's name.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Revision::parse(text).map_or_else(|_| Self::Reference(text.to_owned()), Self::Revision)
    }
}

impl fmt::Display for Sought {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Revision(revision) => fmt::Display::fmt(revision, f),
            Self::Reference(name) => f.write_str(name),
        }
    }
}

/// How many files a plan changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChangeCounts {
    /// Files that were not there.
    pub added: u64,
    /// Files that differ.
    pub modified: u64,
    /// Files that are gone.
    pub removed: u64,
}

impl ChangeCounts {
    /// Counts a plan's changes.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        let mut counts = Self::default();
        for change in &plan.changes {
            match change.kind() {
                ChangeKind::Added => counts.added += 1,
                ChangeKind::Modified => counts.modified += 1,
                ChangeKind::Removed => counts.removed += 1,
            }
        }
        counts
    }

    /// All of them together.
    #[must_use]
    pub const fn total(self) -> u64 {
        self.added + self.modified + self.removed
    }
}

/// One attempt to make a tree live, as history tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// Its number.
    pub id: DeploymentId,
    /// The commit.
    pub revision: Revision,
    /// The tree; `None` when it was refused before a tree could be made of it.
    pub digest: Option<Digest>,
    /// Why it was made.
    pub origin: Origin,
    /// What made the agent look.
    pub trigger: Trigger,
    /// Who asked; `None` for the agent itself.
    pub actor: Option<String>,
    /// The operator's words, or why it failed.
    pub reason: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// When the attempt began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// How long the pass took, in milliseconds.
    pub duration_ms: u64,
    /// How many files it changed.
    pub changes: ChangeCounts,
    /// Whether its health held; `None` without `health`.
    pub confirmed: Option<bool>,
    /// What the gates said.
    pub findings: Vec<Finding>,
    /// The folder below the trees folder that holds (or held) its tree; empty when it has none.
    pub tree: String,
}
