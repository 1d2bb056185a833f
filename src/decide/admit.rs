//! Whether a tree that passed all gates may be applied now by the agent itself.

use crate::model::{Plan, Reason, Timestamp};

/// How much a plan may shrink a tree before a person has to look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Guard {
    /// A part of the files, 0 to 1.
    Part(f64),
    /// A number of files.
    Files(u64),
}

/// A tree never counts as shrinking suspiciously by fewer files than this.
const DELETIONS_MIN: u64 = 10;

/// What the settings and the clock say.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Whether the agent applies by itself.
    pub auto_sync: bool,
    /// `Some` when no window is open: when the next one opens.
    pub closed_until: Option<Option<Timestamp>>,
    /// The deletion guard.
    pub guard: Guard,
}

/// Why a tree is held, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// A stable code.
    pub reason: Reason,
    /// One sentence for people.
    pub message: String,
    /// When it is looked at again by itself.
    pub until: Option<Timestamp>,
}

/// Decides. The first reason counts, the one that needs a person before the one that passes.
#[must_use]
pub fn admit(plan: &Plan, terms: &Terms) -> Option<Hold> {
    if let Some(message) = suspicious(plan, terms.guard) {
        return Some(Hold { reason: Reason::SuspiciousDeletion, message, until: None });
    }
    if !terms.auto_sync {
        let message = "auto_sync is off: look at `kconfigd plan`, then `kconfigd apply`".to_owned();
        return Some(Hold { reason: Reason::AwaitingApproval, message, until: None });
    }
    let opens = terms.closed_until?;
    let message = match opens {
        Some(opens) => format!("no window is open; the next one opens {opens}"),
        None => "no window is open, and none will open: see gitops.windows".to_owned(),
    };
    Some(Hold { reason: Reason::OutsideWindow, message, until: opens })
}

/// The deletion guard: an empty tree, or one that is left smaller by too much.
fn suspicious(plan: &Plan, guard: Guard) -> Option<String> {
    if plan.files_after == 0 {
        return Some(
            "the tree would be empty: if that is meant, `kconfigd apply` makes it so".to_owned(),
        );
    }
    let lost = plan.files_before.saturating_sub(plan.files_after);
    #[expect(clippy::cast_precision_loss, reason = "file counts are far below 2^52")]
    let too_many = match guard {
        Guard::Part(part) => lost as f64 > plan.files_before as f64 * part,
        Guard::Files(files) => lost > files,
    };
    (lost >= DELETIONS_MIN && too_many).then(|| {
        format!(
            "the tree would shrink from {} to {} files, more than live.max_deletions allows: if that is meant, `kconfigd apply` makes it so",
            plan.files_before, plan.files_after
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Digest, ObjectId};

    fn plan(files_before: u64, files_after: u64) -> Plan {
        let (from, to) = (Some(Digest([0; 32])), Digest([1; 32]));
        let (from_tree, to_tree) = (None, ObjectId([1; 20]));
        Plan { from, to, from_tree, to_tree, changes: Vec::new(), files_before, files_after }
    }

    const OPEN: Terms = Terms { auto_sync: true, closed_until: None, guard: Guard::Part(0.5) };

    #[test]
    fn the_deletion_guard_holds_an_empty_tree_and_one_that_shrinks_too_much() {
        let reason = |before, after, guard| {
            admit(&plan(before, after), &Terms { guard, ..OPEN }).map(|h| h.reason)
        };
        let suspicious = Some(Reason::SuspiciousDeletion);
        assert_eq!(reason(1, 0, Guard::Part(1.0)), suspicious);
        assert_eq!(reason(0, 0, Guard::Part(1.0)), suspicious);
        assert_eq!(reason(100, 49, Guard::Part(0.5)), suspicious);
        assert_eq!(reason(100, 50, Guard::Part(0.5)), None);
        assert_eq!(reason(12, 3, Guard::Part(0.5)), None, "fewer than ten files");
        assert_eq!(reason(100, 80, Guard::Files(19)), suspicious);
        assert_eq!(reason(100, 80, Guard::Files(20)), None);
        assert_eq!(reason(10, 1000, Guard::Part(0.0)), None, "it grows");
    }

    #[test]
    fn without_auto_sync_a_person_decides_and_outside_windows_time_does() {
        let grows = plan(1, 2);
        assert_eq!(admit(&grows, &OPEN), None);
        let manual = Terms { auto_sync: false, ..OPEN };
        assert_eq!(admit(&grows, &manual).unwrap().reason, Reason::AwaitingApproval);
        let opens = Some(Timestamp(5));
        let closed = Terms { closed_until: Some(opens), ..OPEN };
        let hold = admit(&grows, &closed).unwrap();
        assert_eq!((hold.reason, hold.until), (Reason::OutsideWindow, opens));
    }
}
