//! Orders and passes beside each other, and a journal that cannot be written.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::crash_tests::Machine;
use super::told_source::{LOST, Told};
use crate::config::{LiveMode, WriteBack};
use crate::model::{
    Before, By, EventKind, PassOutcome, Publication, Reason, Revision, Sought, State, Suspension,
    Timestamp, TreePath, Trigger, WishKind,
};

#[test]
fn an_order_that_cannot_be_noted_as_followed_is_not_followed_twice() {
    let machine = Machine::new(LiveMode::Symlink);
    let mut agent = machine.start();
    machine.pass(&mut agent);
    machine.wish(&WishKind::Repair);
    machine.journal.refuse("wishes", true);
    machine.pass(&mut agent);
    assert!(agent.goes_on(), "nobody has looked at the source");
    machine.show(1);
    assert_eq!(machine.pass(&mut agent).outcome, PassOutcome::Applied);
    assert!(!agent.goes_on(), "the order is followed again and again");
}

#[test]
fn a_look_that_is_asked_for_together_with_an_order_is_not_lost() {
    let machine = Machine::new(LiveMode::Symlink);
    let mut agent = machine.start();
    machine.pass(&mut agent);
    machine.wish(&WishKind::Compare);
    machine.show(1);
    // One ring of the bell for both.
    assert_eq!(agent.pass(Trigger::Webhook).outcome, PassOutcome::InSync);
    assert!(agent.goes_on());
    assert_eq!(agent.pass(Trigger::Command).outcome, PassOutcome::Applied);
    assert!(!agent.goes_on());
}

#[test]
fn a_tree_that_became_live_and_could_not_be_recorded_is_recorded_later_with_its_event_once() {
    let machine = Machine::new(LiveMode::Symlink);
    let mut agent = machine.start();
    machine.pass(&mut agent);
    machine.show(1);
    machine.wish(&WishKind::Apply(None));
    machine.journal.refuse("deployments", true);
    let report = machine.pass(&mut agent);
    assert_eq!(report.outcome, PassOutcome::Unrecorded, "{}", report.message);
    assert!(report.message.contains("is live"), "{}", report.message);
    assert!(!agent.goes_on(), "it is tried again without a rest");
    agent.pass(Trigger::Drift);
    let (wait, _) = agent.next_look(0.5);
    assert!(wait >= Duration::from_millis(500), "{wait:?}");
    let shown = machine.journal.standing().unwrap().state;
    assert_eq!(shown.map(|shown| shown.0), Some(State::Degraded));

    machine.journal.refuse("deployments", false);
    assert_eq!(machine.pass(&mut agent).outcome, PassOutcome::InSync);
    machine.holds_promises(&[Some(1)], "recorded later");
    let events = machine.journal.events_after(0, 100).unwrap();
    let applied = events.iter().filter(|event| event.kind == EventKind::Applied).count();
    assert_eq!(applied, 2, "{events:?}");
}

#[test]
fn a_plan_that_sees_the_head_first_does_not_swallow_that_it_waits() {
    let mut machine = Machine::new(LiveMode::Symlink);
    machine.pass(&mut machine.start());
    machine.set(|settings| settings.policy.auto_sync = false);
    let mut agent = machine.start();
    machine.show(1);
    machine.wish(&WishKind::Plan(None));
    let report = machine.pass(&mut agent);
    assert!(matches!(report.outcome, PassOutcome::Held(_)) && report.plan.is_some(), "{report:?}");
    assert_eq!(machine.journal.standing().unwrap().held, None, "a plan decides nothing");
    for _ in 0..2 {
        assert!(matches!(machine.pass(&mut agent).outcome, PassOutcome::Held(_)));
    }
    assert!(machine.journal.standing().unwrap().held.is_some());
    let events = machine.journal.events_after(0, 100).unwrap();
    assert_eq!(events.iter().filter(|event| event.kind == EventKind::Held).count(), 1);
}

#[test]
fn a_plan_of_what_is_in_quarantine_tells_what_would_change() {
    let machine = Machine::new(LiveMode::Symlink);
    let mut agent = machine.start();
    machine.pass(&mut agent);
    machine.show(1);
    machine.pass(&mut agent);
    machine.wish(&WishKind::Rollback { to: None, hold: false });
    machine.pass(&mut agent);
    machine.wish(&WishKind::Plan(None));
    let report = machine.pass(&mut agent);
    assert!(matches!(report.outcome, PassOutcome::Held(_)) && report.plan.is_some(), "{report:?}");
}

#[test]
fn plans_and_fetches_tell_nothing_and_keep_nothing_whatever_they_come_to() {
    let machine = Machine::new(LiveMode::Symlink);
    let mut agent = machine.start();
    machine.pass(&mut agent);
    let asked_at = agent.asked_at;
    let kept = |agent: &super::Agent| {
        let journal = machine.journal.standing().unwrap();
        let events = machine.journal.events_after(0, 100).unwrap().len();
        let shown = agent.board.status();
        (journal.desired, journal.source, journal.state, events, shown, agent.failures)
    };
    let before = kept(&agent);
    machine.show(1);
    let lost = Sought::Revision(LOST.into());
    for kind in [
        WishKind::Plan(None),
        WishKind::Plan(Some(lost.clone())),
        WishKind::Fetch(lost),
        WishKind::Fetch(Sought::Reference("next".to_owned())),
    ] {
        machine.wish(&kind);
        agent.pass(Trigger::Command);
        assert_eq!(kept(&agent), before, "{kind:?}");
        assert_eq!(agent.asked_at, asked_at, "the next look is put off");
        assert!(agent.goes_on());
    }
    assert_eq!(machine.pass(&mut agent).outcome, PassOutcome::Applied);
    let events = machine.journal.events_after(0, 100).unwrap();
    let detected = events.iter().filter(|event| event.kind == EventKind::RevisionDetected).count();
    assert_eq!(detected, 2, "{events:?}");
}

#[test]
fn fetches_that_change_nothing_do_not_fill_the_mirror() {
    let machine = Machine::new(LiveMode::Symlink);
    let mut agent = machine.start();
    machine.pass(&mut agent);
    assert!(!agent.is_untidy());
    machine.show(1);
    machine.wish(&WishKind::Plan(None));
    assert_eq!(agent.pass(Trigger::Command).outcome, PassOutcome::Planned);
    assert!(agent.is_untidy(), "the pack that was fetched is not counted");
}

#[test]
fn a_head_that_is_taken_over_under_other_rules_passes_them_and_that_is_remembered() {
    let mut machine = Machine::new(LiveMode::Symlink);
    let mut agent = machine.start();
    machine.pass(&mut agent);
    machine.set(|settings| settings.render.exclude = vec!["nowhere".to_owned()]);
    let mut agent = machine.start();
    assert_ne!(agent.standing.rules.as_ref(), Some(&agent.rules_key));
    assert_eq!(machine.pass(&mut agent).outcome, PassOutcome::InSync);
    assert_eq!(agent.standing.rules.as_ref(), Some(&agent.rules_key));
    assert_eq!(agent.standing.recipe, Some(agent.recipe.clone()));
    // Content that these rules refuse stays live, and is not said to have passed them.
    machine.set(|settings| settings.limits.file_bytes_max = 1);
    let mut agent = machine.start();
    machine.show(0);
    machine.pass(&mut agent);
    assert_ne!(agent.standing.rules.as_ref(), Some(&agent.rules_key));
}

#[test]
fn an_order_to_write_that_was_pushed_before_a_crash_is_not_pushed_again() {
    let mut machine = Machine::new(LiveMode::Symlink);
    machine.set(|settings| settings.source.write_back = WriteBack::Branch);
    let mut agent = machine.start();
    agent.pass(Trigger::Start);
    let live = agent.standing.live.as_ref().unwrap().revision.clone();
    let write = |content: Option<&[u8]>| {
        WishKind::Publish(Box::new(Publication {
            path: TreePath::parse("profiles/new.yaml").unwrap(),
            content: content.map(<[u8]>::to_vec),
            before: Before::Absent,
            message: None,
        }))
    };
    // This source takes no push: it says that the branch moved.
    machine.wish(&write(Some(b"a: 1\n")));
    let report = agent.pass(Trigger::Command);
    assert_eq!(report.outcome, PassOutcome::Conflicted(Reason::PushRefused), "{}", report.message);
    // What its branch shows is what this order pushed.
    let reference = "refs/heads/kconfigd/1-1";
    for content in [Some(&b"a: 1\n"[..]), None] {
        let wish =
            machine.journal.wish(&write(content), &By::operator("a"), None, Timestamp(0)).unwrap();
        machine.journal.note_pushing(wish, &live, reference).unwrap();
        let report = agent.pass(Trigger::Command);
        assert_eq!(report.outcome, PassOutcome::Published, "{}", report.message);
        assert_eq!(report.revision, Some(live.clone()));
    }
}

#[test]
fn a_new_head_is_noted_while_the_source_works_on_it() {
    let machine = Machine::new(LiveMode::Symlink);
    let mut agent = machine.start();
    machine.pass(&mut agent);
    let noted = Arc::new(Mutex::new(Vec::new()));
    let (journal, known) = (machine.journal.clone(), noted.clone());
    let works = move || {
        let desired = journal.standing().unwrap().desired;
        known.lock().unwrap().extend(desired.map(|desired| desired.revision));
    };
    agent.source = Box::new(Told { head: machine.shown(), works: Some(Box::new(works)) });
    machine.show(1);
    assert_eq!(machine.pass(&mut agent).outcome, PassOutcome::Applied);
    assert_eq!(*noted.lock().unwrap(), [machine.head()]);
}

/// The heads that were told, in order.
fn detected(machine: &Machine) -> Vec<Revision> {
    let events = machine.journal.events_after(0, 100).unwrap();
    let heads = events.into_iter().filter(|event| event.kind == EventKind::RevisionDetected);
    heads.filter_map(|event| event.facts.revision).collect()
}

/// A machine on which something is live and nothing else is going to be.
fn suspended() -> (Machine, super::Agent) {
    let machine = Machine::new(LiveMode::Symlink);
    let mut agent = machine.start();
    machine.pass(&mut agent);
    let (since, actor) = (Timestamp(0), "test".to_owned());
    let suspension = Suspension { since, until: None, actor, reason: None };
    machine.journal.suspend(&suspension, By::operator("test")).unwrap();
    (machine, agent)
}

#[test]
fn a_new_head_that_is_not_fetched_is_noted_too() {
    let (machine, mut agent) = suspended();
    let first = machine.head();
    machine.show(1);
    assert!(matches!(machine.pass(&mut agent).outcome, PassOutcome::Held(_)));
    let desired = machine.journal.standing().unwrap().desired.unwrap();
    assert_eq!(desired.revision, machine.head());
    assert_eq!(detected(&machine), [first, machine.head()]);
}

#[test]
fn new_heads_that_could_not_be_noted_are_told_later_in_order_and_once() {
    let (machine, mut agent) = suspended();
    let mut heads = vec![machine.head()];
    machine.journal.refuse("meta", true);
    machine.show(1);
    heads.push(machine.head());
    assert_eq!(machine.pass(&mut agent).outcome, PassOutcome::Failed);
    assert_eq!(detected(&machine), heads[..1]);
    machine.journal.refuse("meta", false);
    machine.show(2);
    heads.push(machine.head());
    for _ in 0..2 {
        machine.pass(&mut agent);
        assert_eq!(detected(&machine), heads);
    }
    machine.journal.refuse("meta", true);
    machine.show(1);
    heads.push(machine.head());
    machine.pass(&mut agent);
    machine.journal.refuse("meta", false);
    // Recovery reads the journal too, which does not know it yet.
    agent.recover().unwrap();
    for _ in 0..2 {
        machine.pass(&mut agent);
        assert_eq!(detected(&machine), heads);
    }
}

#[test]
fn who_is_told_that_nothing_is_applied_any_more_can_rely_on_it_whatever_pass_is_next() {
    for trigger in [Trigger::Interval, Trigger::Command] {
        let (machine, mut agent) = suspended();
        let live = agent.live_revision().cloned();
        machine.show(1);
        assert!(matches!(agent.pass(trigger).outcome, PassOutcome::Held(_)), "{trigger:?}");
        assert_eq!(agent.live_revision().cloned(), live);
    }
}
