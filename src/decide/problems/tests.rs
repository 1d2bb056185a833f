use super::looks::{Facts, look};
use super::*;
use crate::model::{
    Deployment, Desired, DriftState, FailingQueue, LiveState, Reason, Revision, SourceState, State,
};

const ALERT: Alert<'static> = Alert {
    name: "ops",
    problems: &[],
    urgency: Urgency::Warning,
    after: Duration::ZERO,
    remind_every: None,
};

fn revision(n: u8) -> Revision {
    Revision::parse(&format!("{n:02x}").repeat(20)).unwrap()
}

fn symptom(n: u8) -> Symptom {
    Symptom { revision: Some(revision(n)), message: format!("number {n}"), ..Symptom::default() }
}

/// Decides with one problem that looks like this, and all others not there.
fn one(
    open: &[OpenProblem],
    problem: Problem,
    seen: &Look,
    alerts: &[Alert<'_>],
    now: i64,
) -> Decision {
    let look = |asked| if asked == problem { seen.clone() } else { Look::IsNot };
    decide(open, look, alerts, Timestamp(now))
}

fn steps(decision: &Decision) -> Vec<(Step, Vec<String>)> {
    decision.tell.iter().map(|telling| (telling.step, telling.alerts.clone())).collect()
}

fn ops(step: Step) -> Vec<(Step, Vec<String>)> {
    vec![(step, vec!["ops".to_owned()])]
}

#[test]
fn one_state_is_told_once_and_its_end_once() {
    let is = Look::Is(symptom(1));
    let first = one(&[], Problem::Held, &is, &[ALERT], 0);
    assert_eq!(steps(&first), ops(Step::Raised));
    let again = one(&first.open, Problem::Held, &is, &[ALERT], 9_000_000);
    assert_eq!((steps(&again), &again.open), (vec![], &first.open));
    let unclear = one(&again.open, Problem::Held, &Look::Unclear, &[ALERT], 9_000_001);
    assert_eq!((steps(&unclear), &unclear.open), (vec![], &first.open));
    let over = one(&again.open, Problem::Held, &Look::IsNot, &[ALERT], 9_000_002);
    assert_eq!((steps(&over), over.open.len()), (ops(Step::Resolved), 0));
    assert_eq!(over.tell[0].problem.since, Timestamp(0));
    assert_eq!(one(&[], Problem::Held, &Look::IsNot, &[ALERT], 0), Decision::default());
}

#[test]
fn what_passes_within_the_time_wakes_nobody() {
    let alert = Alert { after: Duration::from_secs(60), ..ALERT };
    let is = Look::Is(symptom(1));
    let first = one(&[], Problem::Held, &is, &[alert], 0);
    assert_eq!((steps(&first), first.open.len()), (vec![], 1));
    assert_eq!(next_due(&first.open, &[alert], Timestamp(10_000)), Some(Duration::from_secs(50)));
    let gone = one(&first.open, Problem::Held, &Look::IsNot, &[alert], 59_000);
    assert_eq!(gone, Decision::default());
    let lasts = one(&first.open, Problem::Held, &Look::Unclear, &[alert], 60_000);
    assert_eq!(steps(&lasts), ops(Step::Raised));
    assert_eq!(next_due(&lasts.open, &[alert], Timestamp(60_000)), None);
}

#[test]
fn reminders_come_at_their_interval_and_not_before() {
    let alert = Alert { remind_every: Some(Duration::from_secs(100)), ..ALERT };
    let is = Look::Is(symptom(1));
    let first = one(&[], Problem::Drift, &is, &[alert], 0);
    let early = one(&first.open, Problem::Drift, &is, &[alert], 99_999);
    assert_eq!(steps(&early), vec![]);
    assert_eq!(next_due(&early.open, &[alert], Timestamp(99_999)), Some(Duration::from_millis(1)));
    let second = one(&early.open, Problem::Drift, &is, &[alert], 100_000);
    assert_eq!(steps(&second), ops(Step::Reminded));
    assert_eq!(steps(&one(&second.open, Problem::Drift, &is, &[alert], 199_999)), vec![]);
    assert_eq!(second.tell[0].problem.since, Timestamp(0), "it began with the first");
    // A clock that stepped back by a year does not silence it for one.
    let back = one(&second.open, Problem::Drift, &is, &[alert], -1_000_000);
    assert_eq!(steps(&back), ops(Step::Reminded));
}

#[test]
fn another_revision_is_news() {
    let first = one(&[], Problem::RevisionRefused, &Look::Is(symptom(1)), &[ALERT], 0);
    let second = one(&first.open, Problem::RevisionRefused, &Look::Is(symptom(2)), &[ALERT], 1);
    assert_eq!(steps(&second), ops(Step::Raised));
    assert_eq!(second.tell[0].problem.symptom, symptom(2));
    let again = one(&second.open, Problem::RevisionRefused, &Look::Is(symptom(2)), &[ALERT], 2);
    assert_eq!(steps(&again), vec![]);
}

#[test]
fn alerts_are_told_what_they_ask_for() {
    let urgent = Alert { name: "pager", urgency: Urgency::Critical, ..ALERT };
    let picky = Alert { name: "picky", problems: &[Problem::Drift], ..ALERT };
    let alerts = [ALERT, urgent, picky];
    let told = |problem| {
        let decision = one(&[], problem, &Look::Is(symptom(1)), &alerts, 0);
        decision.tell.into_iter().next().map(|telling| telling.alerts).unwrap_or_default()
    };
    assert_eq!(told(Problem::Unhealthy), ["ops", "pager"]);
    assert_eq!(told(Problem::Drift), ["ops", "picky"]);
    assert_eq!(told(Problem::Held), ["ops"]);
}

#[test]
fn an_alert_that_comes_later_is_told_what_is_there_and_one_that_left_nothing_more() {
    let is = Look::Is(symptom(1));
    let first = one(&[], Problem::Held, &is, &[ALERT], 0);
    let late = Alert { name: "late", ..ALERT };
    let second = one(&first.open, Problem::Held, &is, &[ALERT, late], 5);
    assert_eq!(steps(&second), [(Step::Raised, vec!["late".to_owned()])]);
    let over = one(&second.open, Problem::Held, &Look::IsNot, &[late], 6);
    assert_eq!(steps(&over), [(Step::Resolved, vec!["late".to_owned()])]);
}

/// A machine on which all is well; the fields of a test are laid over it.
struct Standing {
    shown: (State, Option<Reason>, &'static str),
    live: LiveState,
    desired: Desired,
    source: SourceState,
    failing: Vec<FailingQueue>,
    way_back: Option<Deployment>,
}

impl Standing {
    fn new(state: State, reason: Option<Reason>) -> Self {
        let live = LiveState {
            deployment: crate::model::DeploymentId(1),
            revision: revision(1),
            digest: crate::model::Digest([1; 32]),
            since: Timestamp(0),
            origin: crate::model::Origin::Sync,
            tree: String::new(),
        };
        Self {
            shown: (state, reason, "said"),
            live,
            desired: Desired { revision: revision(2), detected_at: Timestamp(0) },
            source: SourceState::default(),
            failing: Vec::new(),
            way_back: None,
        }
    }

    fn seen(&self, problem: Problem) -> Look {
        let facts = Facts {
            shown: self.shown,
            live: Some(&self.live),
            way_back: self.way_back.as_ref(),
            desired: Some(&self.desired),
            attempted: None,
            source: &self.source,
            drift: &DriftState::default(),
            unhealthy: None,
            bake: None,
            quarantine: &[],
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
    assert!(gone.is(Problem::SourceUnreachable));
    for problem in [Problem::RevisionRefused, Problem::ApplyFailed, Problem::Held] {
        assert_eq!(gone.seen(problem), Look::Unclear, "{problem}");
    }
}

#[test]
fn only_what_a_person_can_end_is_a_hold_to_tell() {
    let held = |reason| Standing::new(State::Held, Some(reason)).seen(Problem::Held);
    assert!(matches!(held(Reason::AwaitingApproval), Look::Is(_)));
    assert!(matches!(held(Reason::SuspiciousDeletion), Look::Is(_)));
    for reason in [Reason::OutsideWindow, Reason::RolledBack, Reason::PassedOver] {
        assert_eq!(held(reason), Look::IsNot, "{reason}");
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
    back.live.origin = crate::model::Origin::Rollback;
    let row = |actor: Option<&str>| Deployment {
        id: crate::model::DeploymentId(3),
        revision: revision(1),
        digest: None,
        origin: crate::model::Origin::Rollback,
        trigger: crate::model::Trigger::Health,
        actor: actor.map(str::to_owned),
        reason: Some("its health did not hold".to_owned()),
        outcome: crate::model::Outcome::Live,
        started_at: Timestamp(0),
        finished_at: Timestamp(0),
        duration_ms: 0,
        changes: crate::model::ChangeCounts::default(),
        confirmed: None,
        findings: Vec::new(),
        tree: String::new(),
    };
    back.way_back = Some(row(Some("ann")));
    assert_eq!(back.seen(Problem::RolledBack), Look::IsNot);
    back.way_back = Some(row(None));
    assert!(back.is(Problem::RolledBack));
    back.desired.revision = revision(1);
    assert_eq!(back.seen(Problem::RolledBack), Look::IsNot, "git went back too");
}

#[test]
fn a_delivery_that_is_tried_is_no_problem_and_one_that_was_given_up_is() {
    let mut standing = Standing::new(State::InSync, None);
    let failing = crate::model::Failing {
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
