//! The nouns: what a revision, a tree, a plan, a deployment, a finding and an event are.
//!
//! No I/O, no async and no serde live here. Rooms that put these on a wire or a disk have types of
//! their own for that, so that a field renamed here breaks no file and no client.

mod access;
mod audit;
mod bake;
mod deployment;
mod digest;
mod event;
mod finding;
mod findings;
mod limits;
mod packed;
mod party;
mod path;
mod plan;
mod problem;
mod publication;
mod report;
mod revision;
mod secret;
mod status;
mod time;

pub use access::{Action, By, JwtAlgorithm, Known, Role};
pub use audit::{AuditOutcome, AuditRecord};
pub use bake::Bake;
pub use deployment::{
    ChangeCounts, Deployment, DeploymentId, Origin, Outcome, Sought, Trigger, Wish, WishKind,
};
pub use digest::{Digest, EntryDigest, InvalidDigest, blob_digest, tree_digest};
pub use event::{ChangeLists, CommitState, Delivery, DeliveryState, Event, EventFacts, EventKind};
pub use finding::{Finding, Severity};
pub use findings::{FINDINGS_SHOWN_MAX, Findings, first_findings, sort_findings};
pub use limits::Limits;
pub use packed::PackedFindings;
pub use party::{Breaker, Failing, FailingQueue, Party, PartyKind};
pub use path::{InvalidPath, TreePath};
pub use plan::{Change, ChangeKind, Entry, FileMode, Impact, KeyChange, Needs, Plan, Touched};
pub use problem::{OpenProblem, Problem, Symptom, ToldOf, Urgency};
pub use publication::{Before, Publication};
pub use report::{PassOutcome, Report};
pub use revision::{InvalidRevision, ObjectId, Revision};
pub use secret::Secret;
pub use status::{
    Attempt, Desired, DriftKind, DriftState, DriftedPath, Held, LiveState, OutboxCounts,
    Quarantine, QuarantineKey, Reason, SourceState, State, Status, Suspension,
};
pub use time::Timestamp;
