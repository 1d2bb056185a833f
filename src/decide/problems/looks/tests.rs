//! What each state says of each problem, and what is told of it.

use super::*;
use crate::model::{
    ChangeCounts, Digest, DriftKind, DriftedPath, Failing, PackedFindings, QuarantineKey, Revision,
    Timestamp, Trigger,
};

fn revision(n: u8) -> Revision {
    Revision::parse(&format!("{n:02x}").repeat(20)).unwrap()
}

/// A machine on which all is well; the fields of a test are laid over it.
struct Standing {
    shown: (State, Option<Reason>, &'static str),
    live: LiveState,
    desired: Desired,
    source: SourceState,
    failing: Vec<FailingQueue>,
    way_back: Option<Deployment>,
    attempted: Option<Attempt>,
    drift: DriftState,
    bake: Option<Bake>,
    quarantine: Vec<Quarantine>,
}

impl Standing {
    fn new(state: State, reason: Option<Reason>) -> Self {
        let live = LiveState {
            deployment: DeploymentId(1),
            revision: revision(1),
            digest: Digest([1; 32]),
            since: Timestamp(0),
            origin: Origin::Sync,
            tree: String::new(),
        };
        Self {
            shown: (state, reason, "said"),
            live,
            desired: Desired { revision: revision(2), detected_at: Timestamp(0) },
            source: SourceState::default(),
            failing: Vec::new(),
            way_back: None,
            attempted: None,
            drift: DriftState::default(),
            bake: None,
            quarantine: Vec::new(),
        }
    }

    fn seen(&self, problem: Problem) -> Look {
        let facts = Facts {
            shown: self.shown,
            live: Some(&self.live),
            way_back: self.way_back.as_ref(),
            desired: Some(&self.desired),
            attempted: self.attempted.as_ref(),
            source: &self.source,
            drift: &self.drift,
            unhealthy: None,
            bake: self.bake.as_ref(),
            quarantine: &self.quarantine,
            failing: &self.failing,
        };
        look(problem, &facts)
    }

    fn is(&self, problem: Problem) -> bool {
        matches!(self.seen(problem), Look::Is(_))
    }
}

#[test]
fn a_machine_in_sync_has_no_problem() {
    let mut well = Standing::new(State::InSync, None);
    well.desired.revision = revision(1);
    for &problem in Problem::ALL {
        assert_eq!(well.seen(problem), Look::IsNot, "{problem}");
    }
}

#[test]
fn a_source_that_is_gone_hides_what_became_of_the_head() {
    let mut gone = Standing::new(State::Degraded, Some(Reason::SourceUnreachable));
    gone.source.error = Some((Reason::SourceUnreachable, "no route".to_owned()));
    let symptom = Symptom {
        reason: Some(Reason::SourceUnreachable),
        message: "no route".to_owned(),
        ..Symptom::default()
    };
    assert_eq!(gone.seen(Problem::SourceUnreachable), Look::Is(symptom));
    for problem in [Problem::RevisionRefused, Problem::ApplyFailed, Problem::Held] {
        assert_eq!(gone.seen(problem), Look::Unclear, "{problem}");
    }
}

#[test]
fn only_what_a_person_can_end_is_a_hold_to_tell() {
    let held = |reason| Standing::new(State::Held, Some(reason)).seen(Problem::Held);
    let symptom = Symptom {
        reason: Some(Reason::AwaitingApproval),
        revision: Some(revision(2)),
        deployment: None,
        message: "said".to_owned(),
    };
    assert_eq!(held(Reason::AwaitingApproval), Look::Is(symptom));
    assert!(matches!(held(Reason::SuspiciousDeletion), Look::Is(_)));
    for reason in [Reason::OutsideWindow, Reason::RolledBack, Reason::PassedOver] {
        assert_eq!(held(reason), Look::IsNot, "{reason}");
    }
    for (state, reason) in
        [(State::Baking, None), (State::Degraded, Some(Reason::ValidationRefused))]
    {
        assert_eq!(Standing::new(state, reason).seen(Problem::Held), Look::IsNot, "{state}");
    }
    let suspended = Standing::new(State::Suspended, Some(Reason::Suspended));
    assert_eq!(suspended.seen(Problem::Held), Look::Unclear);
}

#[test]
fn refusals_are_told_until_the_head_is_judged_otherwise() {
    for reason in [Reason::ValidationRefused, Reason::VerificationRefused, Reason::HistoryRewritten]
    {
        assert!(Standing::new(State::Degraded, Some(reason)).is(Problem::RevisionRefused));
    }
    let held = Standing::new(State::Held, Some(Reason::OutsideWindow));
    assert_eq!(held.seen(Problem::RevisionRefused), Look::IsNot);
    let baking = Standing::new(State::Baking, None);
    assert_eq!(baking.seen(Problem::RevisionRefused), Look::Unclear);
}

#[test]
fn a_way_back_is_told_when_nobody_ordered_it() {
    let mut back = Standing::new(State::Held, Some(Reason::RolledBack));
    back.live.origin = Origin::Rollback;
    let row = |actor: Option<&str>| Deployment {
        id: DeploymentId(3),
        revision: revision(1),
        digest: None,
        origin: Origin::Rollback,
        trigger: Trigger::Health,
        actor: actor.map(str::to_owned),
        reason: Some("its health did not hold".to_owned()),
        outcome: Outcome::Live,
        started_at: Timestamp(0),
        finished_at: Timestamp(0),
        duration_ms: 0,
        changes: ChangeCounts::default(),
        confirmed: None,
        findings: Vec::new(),
        tree: String::new(),
    };
    back.way_back = Some(row(Some("ann")));
    assert_eq!(back.seen(Problem::RolledBack), Look::IsNot);
    back.way_back = Some(row(None));
    back.quarantine =
        vec![quarantined(8, Reason::ValidationRefused), quarantined(9, Reason::RolledBack)];
    let symptom = Symptom {
        reason: Some(Reason::RolledBack),
        revision: Some(revision(9)),
        deployment: Some(DeploymentId(3)),
        message: "its health did not hold".to_owned(),
    };
    assert_eq!(back.seen(Problem::RolledBack), Look::Is(symptom));
    back.desired.revision = revision(1);
    assert_eq!(back.seen(Problem::RolledBack), Look::IsNot, "git went back too");
}

#[test]
fn a_delivery_that_is_tried_is_no_problem_and_one_that_was_given_up_is() {
    let mut standing = Standing::new(State::InSync, None);
    let failing = Failing {
        failures: 9,
        since: Timestamp(0),
        error: "no route".to_owned(),
        next_try_at: None,
    };
    standing.failing = vec![FailingQueue { node: "edge".to_owned(), failing, given_up: 0 }];
    assert_eq!(standing.seen(Problem::DeliveriesGivenUp), Look::IsNot);
    standing.failing[0].given_up = 2;
    let Look::Is(symptom) = standing.seen(Problem::DeliveriesGivenUp) else { panic!() };
    assert_eq!(symptom.message, "2 deliveries for edge: no route");
}

fn attempt(of: u8, outcome: Outcome) -> Attempt {
    Attempt {
        deployment: DeploymentId(7),
        revision: revision(of),
        outcome,
        at: Timestamp(0),
        findings: PackedFindings::default(),
    }
}

fn quarantined(of: u8, reason: Reason) -> Quarantine {
    Quarantine {
        key: QuarantineKey::Revision(revision(of)),
        revision: revision(of),
        reason,
        rules: String::new(),
        message: format!("{of} is bad"),
        since: Timestamp(0),
    }
}

#[test]
fn a_refusal_tells_the_attempt_of_the_head_and_of_no_other() {
    let mut refused = Standing::new(State::Degraded, Some(Reason::ValidationRefused));
    let told = |standing: &Standing| match standing.seen(Problem::RevisionRefused) {
        Look::Is(symptom) => (symptom.deployment, symptom.revision, symptom.message),
        other => panic!("{other:?}"),
    };
    refused.attempted = Some(attempt(2, Outcome::Refused));
    let head = Some(revision(2));
    assert_eq!(told(&refused), (Some(DeploymentId(7)), head.clone(), "said".to_owned()));
    refused.attempted = Some(attempt(3, Outcome::Refused));
    assert_eq!(told(&refused), (None, head, "said".to_owned()));
}

#[test]
fn a_head_that_was_refused_stays_so_behind_something_else() {
    let mut hidden = Standing::new(State::Suspended, Some(Reason::Suspended));
    hidden.quarantine = vec![
        quarantined(2, Reason::RolledBack),
        quarantined(3, Reason::ValidationRefused),
        quarantined(2, Reason::VerificationRefused),
    ];
    let symptom = Symptom {
        reason: Some(Reason::VerificationRefused),
        revision: Some(revision(2)),
        deployment: None,
        message: "2 is bad".to_owned(),
    };
    assert_eq!(hidden.seen(Problem::RevisionRefused), Look::Is(symptom));
    hidden.desired.revision = revision(3);
    assert!(hidden.is(Problem::RevisionRefused));
    hidden.desired.revision = revision(4);
    assert_eq!(hidden.seen(Problem::RevisionRefused), Look::Unclear, "nothing is known of it");
    hidden.quarantine.pop();
    hidden.desired.revision = revision(2);
    assert_eq!(hidden.seen(Problem::RevisionRefused), Look::Unclear, "it was not refused");
}

#[test]
fn a_head_that_was_refused_and_is_looked_at_again_or_live_is_no_problem() {
    let mut again = Standing::new(State::Held, Some(Reason::OutsideWindow));
    again.quarantine = vec![quarantined(2, Reason::ValidationRefused)];
    assert_eq!(again.seen(Problem::RevisionRefused), Look::IsNot);
    let mut live = Standing::new(State::Degraded, Some(Reason::ValidationRefused));
    live.live.revision = revision(2);
    assert_eq!(live.seen(Problem::RevisionRefused), Look::IsNot);
}

#[test]
fn work_that_failed_is_told_with_its_attempt() {
    let mut failed = Standing::new(State::Degraded, Some(Reason::ApplyFailed));
    failed.attempted = Some(attempt(2, Outcome::Failed));
    let mut symptom = Symptom {
        reason: Some(Reason::ApplyFailed),
        revision: Some(revision(2)),
        deployment: Some(DeploymentId(7)),
        message: "said".to_owned(),
    };
    assert_eq!(failed.seen(Problem::ApplyFailed), Look::Is(symptom.clone()));
    failed.attempted = Some(attempt(2, Outcome::Superseded));
    (symptom.revision, symptom.deployment) = (None, None);
    assert_eq!(failed.seen(Problem::ApplyFailed), Look::Is(symptom), "that one did not fail");
    let refused = Standing::new(State::Degraded, Some(Reason::VerificationRefused));
    assert_eq!(refused.seen(Problem::ApplyFailed), Look::IsNot);
}

#[test]
fn drift_is_told_by_its_first_path_and_their_number() {
    let mut standing = Standing::new(State::InSync, None);
    let path = |path: &str| DriftedPath { path: path.to_owned(), kind: DriftKind::Edited };
    standing.drift.paths = vec![path("a.yaml")];
    let told = |standing: &Standing| match standing.seen(Problem::Drift) {
        Look::Is(symptom) => symptom,
        other => panic!("{other:?}"),
    };
    let symptom = Symptom {
        reason: Some(Reason::Drift),
        revision: None,
        deployment: Some(DeploymentId(1)),
        message: "a.yaml (edited)".to_owned(),
    };
    assert_eq!(told(&standing), symptom);
    standing.drift.paths = vec![path(""), path("b"), path("c")];
    assert_eq!(told(&standing).message, "the live path itself (edited), and 2 more");
}

/// Something that bakes.
fn baking() -> Bake {
    Bake {
        deployment: DeploymentId(4),
        until: Timestamp(1000),
        restarts: 0,
        is_way_back: false,
        previous_tree: None,
        previous_revision: None,
        reloaded: Vec::new(),
        failed: None,
    }
}

#[test]
fn whether_a_way_back_is_over_is_open_while_what_is_newer_bakes() {
    let mut newer = Standing::new(State::Baking, None);
    newer.bake = Some(baking());
    assert_eq!(newer.seen(Problem::RolledBack), Look::Unclear);
    newer.live.origin = Origin::Rollback;
    assert_eq!(newer.seen(Problem::RolledBack), Look::IsNot, "somebody ordered what bakes");
}
