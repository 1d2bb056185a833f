//! When the agent looks at what, and what a look may say.

use std::time::Duration;

use super::crash_tests::Machine;
use crate::config::LiveMode;
use crate::model::{PassOutcome, State, Timestamp, Trigger, WishKind};

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
