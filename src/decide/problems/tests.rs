use super::*;
use crate::model::Revision;

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

#[test]
fn an_alert_that_asks_for_other_problems_is_due_for_none() {
    let picky = Alert { name: "picky", problems: &[Problem::Drift], ..ALERT };
    let open = one(&[], Problem::Held, &Look::Is(symptom(1)), &[ALERT], 0).open;
    assert_eq!(next_due(&open, &[picky], Timestamp(0)), None);
}

#[test]
fn an_event_tells_the_step_that_it_was_made_of() {
    for step in [Step::Raised, Step::Reminded, Step::Resolved] {
        assert_eq!(Step::of(step.kind()), step);
    }
}
