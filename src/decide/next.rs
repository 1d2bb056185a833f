//! What a pass is to do, once the source has said which commit it wants.

use crate::model::{LiveState, Quarantine, QuarantineKey, Reason, Revision, Suspension, Timestamp};

/// What is known when the source has answered.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'a> {
    /// The moment.
    pub now: Timestamp,
    /// The source's head.
    pub head: &'a Revision,
    /// What is live.
    pub live: Option<&'a LiveState>,
    /// Whether the live tree is on disk as the settings want it (owner, modes).
    pub live_fits: bool,
    /// An operator's stop.
    pub suspended: Option<&'a Suspension>,
    /// What is not tried again by itself.
    pub quarantine: &'a [Quarantine],
    /// The rules that gates go by now.
    pub rules: &'a str,
    /// What a refusal for trust depends on now: of a rewritten history, or of a signature.
    pub trust: &'a str,
    /// The head that an operator's decision passed over.
    pub passed_over: Option<&'a Revision>,
    /// What an earlier pass found out about this very head.
    pub settled: Option<&'a Settled>,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing: the head is live.
    InSync,
    /// Nothing yet: the head waits.
    Wait(Reason, String),
    /// Fetch it and see.
    Attempt,
}

/// What a pass found out about a head, so that the next one need not fetch it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The head.
    pub revision: Revision,
    /// Why it waits.
    pub reason: Reason,
    /// One sentence for people.
    pub message: String,
    /// When it is looked at again by itself.
    pub until: Option<Timestamp>,
}

/// Decides. An operator's order does not come through here: it always attempts.
#[must_use]
pub fn decide(seen: &Observed<'_>) -> Decision {
    if let Some(suspension) = seen.suspended.filter(|s| is_suspended(s, seen.now)) {
        return Decision::Wait(Reason::Suspended, suspension_text(suspension));
    }
    if seen.live.is_some_and(|live| live.revision == *seen.head) && seen.live_fits {
        return Decision::InSync;
    }
    if let Some(entry) = seen.quarantine.iter().find(|q| blocks(q, seen)) {
        return Decision::Wait(entry.reason, entry.message.clone());
    }
    if seen.passed_over == Some(seen.head) {
        let text = "an operator made another revision live; the head is taken again when it moves";
        return Decision::Wait(Reason::PassedOver, text.to_owned());
    }
    match seen.settled {
        Some(settled)
            if settled.revision == *seen.head && settled.until.is_none_or(|t| seen.now < t) =>
        {
            Decision::Wait(settled.reason, settled.message.clone())
        }
        _ => Decision::Attempt,
    }
}

/// Whether a quarantine entry speaks of this head, under the rules of now. Where only the digest
/// is named, the commit that gave it is known too, and need not be rendered again to be known, as
/// long as commits are rendered as they were: the rules hold how, and what was rolled back, which
/// is so under all rules, is looked at again when the settings make another tree of what is live.
fn blocks(entry: &Quarantine, seen: &Observed<'_>) -> bool {
    let same = match &entry.key {
        QuarantineKey::Revision(revision) => revision == seen.head,
        QuarantineKey::Digest(_) => {
            entry.revision == *seen.head && (seen.live_fits || !entry.rules.is_empty())
        }
    };
    same && rules_hold(entry, seen.rules, seen.trust, seen.now)
}

/// What stands in an entry's rules before the moment until which they hold.
const UNTIL: &str = "; until ";

/// Rules that hold until a moment: a key that is not valid yet will be.
#[must_use]
pub fn rules_until(rules: &str, until: Timestamp) -> String {
    format!("{rules}{UNTIL}{}", until.millis())
}

/// Whether the rules that put an entry into quarantine are still those of now.
#[must_use]
pub fn rules_hold(entry: &Quarantine, rules: &str, trust: &str, now: Timestamp) -> bool {
    let of_now = match entry.reason {
        Reason::HistoryRewritten | Reason::VerificationRefused => trust,
        _ => rules,
    };
    if entry.rules.is_empty() || entry.rules == of_now {
        return true;
    }
    let until = entry.rules.strip_prefix(of_now).and_then(|rest| rest.strip_prefix(UNTIL));
    until.and_then(|until| until.parse().ok()).is_some_and(|until| now < Timestamp(until))
}

/// Whether a suspension still holds.
#[must_use]
pub fn is_suspended(suspension: &Suspension, now: Timestamp) -> bool {
    suspension.until.is_none_or(|until| now < until)
}

fn suspension_text(suspension: &Suspension) -> String {
    let mut text = format!("suspended by {}", suspension.actor);
    if let Some(until) = suspension.until {
        text.push_str(&format!(" until {until}"));
    }
    if let Some(reason) = &suspension.reason {
        text.push_str(&format!(": {reason}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DeploymentId, Digest, Origin};

    fn revision(n: u8) -> Revision {
        Revision::parse(&format!("{n:02x}").repeat(20)).unwrap()
    }

    fn live(n: u8) -> LiveState {
        LiveState {
            deployment: DeploymentId(1),
            revision: revision(n),
            digest: Digest([n; 32]),
            since: Timestamp(0),
            origin: Origin::Sync,
            tree: String::new(),
        }
    }

    fn quarantine(key: QuarantineKey, rules: &str) -> Quarantine {
        Quarantine {
            key,
            revision: revision(2),
            reason: Reason::ValidationRefused,
            rules: rules.to_owned(),
            message: "no".to_owned(),
            since: Timestamp(0),
        }
    }

    fn observed<'a>(head: &'a Revision, live: Option<&'a LiveState>) -> Observed<'a> {
        Observed {
            now: Timestamp(1000),
            head,
            live,
            live_fits: true,
            suspended: None,
            quarantine: &[],
            rules: "r1",
            trust: "t1",
            passed_over: None,
            settled: None,
        }
    }

    #[test]
    fn a_head_that_is_live_is_in_sync_and_another_is_attempted() {
        let (one, two, is_live) = (revision(1), revision(2), live(1));
        assert_eq!(decide(&observed(&one, Some(&is_live))), Decision::InSync);
        assert_eq!(decide(&observed(&two, Some(&is_live))), Decision::Attempt);
        assert_eq!(decide(&observed(&two, None)), Decision::Attempt);
        let other_modes = Observed { live_fits: false, ..observed(&one, Some(&is_live)) };
        assert_eq!(decide(&other_modes), Decision::Attempt);
    }

    #[test]
    fn what_gates_refused_waits_until_the_rules_or_the_commit_change() {
        let two = revision(2);
        let refused = [quarantine(QuarantineKey::Digest(Digest([2; 32])), "r1")];
        let seen = Observed { quarantine: &refused, ..observed(&two, None) };
        assert!(matches!(decide(&seen), Decision::Wait(Reason::ValidationRefused, _)));
        assert_eq!(decide(&Observed { rules: "r2", ..seen }), Decision::Attempt);
        let three = revision(3);
        assert_eq!(decide(&Observed { head: &three, ..seen }), Decision::Attempt);
    }

    #[test]
    fn a_rewritten_history_waits_until_it_is_allowed() {
        let two = revision(2);
        let mut refused = quarantine(QuarantineKey::Revision(revision(2)), "t1");
        refused.reason = Reason::HistoryRewritten;
        let refused = [refused];
        let seen = Observed { quarantine: &refused, rules: "r2", ..observed(&two, None) };
        assert!(matches!(decide(&seen), Decision::Wait(Reason::HistoryRewritten, _)));
        assert_eq!(decide(&Observed { trust: "t2", ..seen }), Decision::Attempt);
    }

    #[test]
    fn what_was_rolled_back_is_looked_at_again_under_other_settings() {
        let two = revision(2);
        let mut left = quarantine(QuarantineKey::Digest(Digest([2; 32])), "");
        left.reason = Reason::RolledBack;
        let left = [left];
        let seen = Observed { quarantine: &left, ..observed(&two, None) };
        assert!(matches!(decide(&seen), Decision::Wait(Reason::RolledBack, _)));
        // Under another `path` the same commit may give something else.
        assert_eq!(decide(&Observed { live_fits: false, ..seen }), Decision::Attempt);
    }

    #[test]
    fn a_revision_in_quarantine_waits_and_another_does_not() {
        let (two, three) = (revision(2), revision(3));
        let refused = [quarantine(QuarantineKey::Revision(revision(2)), "")];
        let seen = Observed { quarantine: &refused, ..observed(&two, None) };
        assert!(matches!(decide(&seen), Decision::Wait(Reason::ValidationRefused, _)));
        assert_eq!(decide(&Observed { head: &three, ..seen }), Decision::Attempt);
    }

    #[test]
    fn a_suspension_ends_at_its_time() {
        let (two, is_live) = (revision(2), live(1));
        let until = Some(Timestamp(2000));
        let (actor, reason) = ("ann".to_owned(), Some("lunch".to_owned()));
        let stop = Suspension { since: Timestamp(0), until, actor, reason };
        let seen = Observed { suspended: Some(&stop), ..observed(&two, Some(&is_live)) };
        let said = "suspended by ann until 1970-01-01T00:00:02.000Z: lunch".to_owned();
        assert_eq!(decide(&seen), Decision::Wait(Reason::Suspended, said));
        assert_eq!(decide(&Observed { now: Timestamp(2000), ..seen }), Decision::Attempt);
    }

    #[test]
    fn a_head_that_was_passed_over_is_not_taken_until_it_moves() {
        let (two, three, is_live) = (revision(2), revision(3), live(1));
        let seen = Observed { passed_over: Some(&two), ..observed(&two, Some(&is_live)) };
        assert!(matches!(decide(&seen), Decision::Wait(Reason::PassedOver, _)));
        assert_eq!(decide(&Observed { head: &three, ..seen }), Decision::Attempt);
    }

    #[test]
    fn a_hold_is_looked_at_again_when_its_time_comes() {
        let two = revision(2);
        let settled = Settled {
            revision: two.clone(),
            reason: Reason::OutsideWindow,
            message: String::new(),
            until: Some(Timestamp(1500)),
        };
        let seen = Observed { settled: Some(&settled), ..observed(&two, None) };
        assert!(matches!(decide(&seen), Decision::Wait(Reason::OutsideWindow, _)));
        assert_eq!(decide(&Observed { now: Timestamp(1500), ..seen }), Decision::Attempt);
    }

    #[test]
    fn a_key_that_becomes_valid_is_looked_at_again_then_and_not_before() {
        let entry = |rules: &str| Quarantine {
            key: QuarantineKey::Revision(revision(2)),
            revision: revision(2),
            reason: Reason::VerificationRefused,
            rules: rules.to_owned(),
            message: String::new(),
            since: Timestamp(0),
        };
        let until = rules_until("t1", Timestamp(100));
        let holds = |rules: &str, now| rules_hold(&entry(rules), "r", "t1", Timestamp(now));
        assert!(holds(&until, 99));
        assert!(!holds(&until, 100));
        assert!(!rules_hold(&entry(&until), "r", "t2", Timestamp(99)), "other keys");
        assert!(holds("t1", 100));
        assert!(!holds("r", 0), "a refusal for trust is not looked at again for other gates");
        assert!(!holds("t1; until x", 0));
    }
}
