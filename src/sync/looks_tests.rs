//! When the agent looks at what, and what a look may say.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::crash_tests::Machine;
use crate::config::LiveMode;
use crate::model::{PassOutcome, State, Timestamp, Trigger, WishKind};
use crate::trees::{Attributes, Disk as _};

#[test]
fn looks_at_the_live_tree_do_not_put_off_asking_the_source() {
    let machine = Machine::new(LiveMode::Symlink);
    let mut agent = machine.start();
    agent.pass(Trigger::Start);
    let (mut asked, mut compared, mut passed) = (0, 0, Duration::ZERO);
    // By default every five minutes, and every minute.
    while passed < Duration::from_secs(60 * 60) {
        let (wait, trigger) = agent.next_look(0.5);
        machine.clock.advance(wait);
        passed += wait;
        agent.pass(trigger);
        match trigger {
            Trigger::Interval => asked += 1,
            _ => compared += 1,
        }
    }
    assert!((11..=13).contains(&asked), "asked {asked} times in an hour");
    assert!((45..=60).contains(&compared), "compared {compared} times in an hour");
}

#[test]
fn orders_do_not_put_off_asking_the_source() {
    let machine = Machine::new(LiveMode::Symlink);
    let mut agent = machine.start();
    agent.pass(Trigger::Start);
    machine.clock.advance(Duration::from_secs(4 * 60));
    machine.wish(&WishKind::Compare);
    agent.pass(Trigger::Command);
    agent.pass(Trigger::Drift);
    assert_eq!(agent.next_look(0.5), (Duration::from_secs(60), Trigger::Interval));
}

#[test]
fn a_push_is_not_kept_waiting_for_a_look_at_the_live_tree_which_comes_after_it() {
    let machine = Machine::new(LiveMode::Symlink);
    let mut agent = machine.start();
    agent.pass(Trigger::Start);
    agent.pass(Trigger::Drift);
    let checked = agent.drift_checked_at;
    machine.clock.advance(Duration::from_secs(60));
    agent.pass(Trigger::Webhook);
    assert_eq!(agent.drift_checked_at, checked);
    assert_eq!(agent.next_look(0.5).1, Trigger::Drift);
    // Pushes without end do not put it off for ever.
    machine.clock.advance(Duration::from_secs(60));
    agent.pass(Trigger::Webhook);
    assert_ne!(agent.drift_checked_at, checked);
}

#[test]
fn a_live_tree_that_is_good_does_not_hide_that_the_head_is_not_taken() {
    let machine = Machine::new(LiveMode::Symlink);
    let mut agent = machine.start();
    machine.pass(&mut agent);
    machine.show(1);
    machine.pass(&mut agent);
    machine.wish(&WishKind::Rollback { to: None, hold: false });
    machine.pass(&mut agent);
    assert!(matches!(machine.pass(&mut agent).outcome, PassOutcome::Held(_)));
    let before = machine.journal.standing().unwrap().state;
    assert_eq!(before.as_ref().map(|shown| shown.0), Some(State::Held));
    machine.clock.advance(Duration::from_secs(60));
    assert_eq!(agent.pass(Trigger::Drift).outcome, PassOutcome::InSync);
    assert_eq!(machine.journal.standing().unwrap().state, before);
}

#[test]
fn a_deployment_does_not_forget_when_the_live_tree_was_compared() {
    let machine = Machine::new(LiveMode::Symlink);
    let mut agent = machine.start();
    machine.pass(&mut agent);
    machine.wish(&WishKind::Compare);
    machine.pass(&mut agent);
    let compared = agent.standing.drift.checked_at;
    assert!(compared.is_some());
    machine.show(1);
    assert_eq!(machine.pass(&mut agent).outcome, PassOutcome::Applied);
    assert!(agent.standing.drift.checked_at >= compared);
}

#[test]
fn a_clock_that_steps_back_does_not_put_off_looks_at_the_live_tree() {
    let machine = Machine::new(LiveMode::Symlink);
    machine.clock.advance(Duration::from_secs(365 * 24 * 3600));
    let mut agent = machine.start();
    agent.pass(Trigger::Start);
    agent.pass(Trigger::Drift);
    machine.clock.set(Timestamp(1_000_000));
    let (wait, trigger) = agent.next_look(0.5);
    assert!(wait < Duration::from_secs(60) && trigger == Trigger::Drift, "{wait:?} {trigger:?}");
}

/// A machine that has a spare tree ready and knows what is in it.
fn machine_with_a_spare() -> (Machine, crate::sync::Agent, PathBuf) {
    let machine = Machine::new(LiveMode::Symlink);
    let mut agent = machine.start();
    for n in 0..2 {
        machine.show(n);
        machine.pass(&mut agent);
    }
    let trees = PathBuf::from("/etc/.config.trees");
    let names = machine.disk.list(&trees).unwrap();
    let spare = names.into_iter().find(|(name, _)| name.to_string_lossy().starts_with("staging-"));
    let spare = trees.join(spare.expect("a spare").0);
    (machine, agent, spare)
}

#[test]
fn what_somebody_did_to_the_next_tree_never_becomes_live() {
    let attributes = Attributes { mode: 0o644, uid: None, gid: None, mtime: None };
    type Deed = fn(&Machine, &Path, &Attributes);
    let deeds: [(&str, Deed); 6] = [
        ("an edit", |m, s, _| m.disk.scribble(&s.join("same"), b"scribbled\n")),
        ("an edit below", |m, s, _| m.disk.scribble(&s.join("folder/b.yaml"), b"scribbled\n")),
        ("a new file", |m, s, a| m.disk.write_file(&s.join("folder/x"), b"x", a).unwrap()),
        ("a file removed", |m, s, _| m.disk.remove_file(&s.join("same")).unwrap()),
        ("other modes", |m, s, a| {
            m.disk.set_attributes(&s.join("same"), &Attributes { mode: 0o777, ..*a }).unwrap();
        }),
        ("a folder in the place of a file", |m, s, a| {
            m.disk.remove_file(&s.join("same")).unwrap();
            m.disk.make_folder(&s.join("same"), a).unwrap();
            m.disk.write_file(&s.join("same/y"), b"y", a).unwrap();
        }),
    ];
    for (name, deed) in deeds {
        let (machine, mut agent, spare) = machine_with_a_spare();
        deed(&machine, &spare, &attributes);
        machine.show(2);
        assert_eq!(machine.pass(&mut agent).outcome, PassOutcome::Applied, "{name}");
        machine.holds_promises(&[Some(2)], name);
        assert!(agent.pass(Trigger::Drift).outcome == PassOutcome::InSync, "{name}");
    }
}

#[test]
fn a_known_tree_is_not_looked_through() {
    let (machine, mut agent, spare) = machine_with_a_spare();
    // Behind the kernel's back: only a look at everything could find it.
    machine.disk.scribble_untold(&spare.join("folder/b.yaml"), b"scribbled\n");
    machine.show(2);
    machine.pass(&mut agent);
    assert_eq!(agent.pass(Trigger::Drift).outcome, PassOutcome::Repaired);
    machine.holds_promises(&[Some(2)], "the look at everything");
}
