//! When the live tree is put right, and what becomes of the one that was changed.

use std::path::Path;
use std::time::Duration;

use super::crash_tests::{LIVE, Machine};
use crate::config::LiveMode;
use crate::model::{PassOutcome, Trigger};
use crate::trees::Disk;
use crate::trees::sim::Fault;

#[test]
fn a_repair_that_fails_does_not_keep_a_new_commit_waiting_and_is_not_counted() {
    let machine = Machine::new(LiveMode::Symlink);
    let mut agent = machine.start();
    machine.pass(&mut agent);
    let full = || machine.disk.plan(Some((0, Fault::Error(rustix::io::Errno::NOSPC))));
    for _ in 0..4 {
        machine.scribble("number", "mine\n");
        full();
        assert_eq!(agent.pass(Trigger::Drift).outcome, PassOutcome::Failed);
    }
    full();
    machine.show(1);
    assert_eq!(machine.pass(&mut agent).outcome, PassOutcome::Applied);
    machine.scribble("number", "mine\n");
    assert_eq!(agent.pass(Trigger::Drift).outcome, PassOutcome::Repaired);
    machine.holds_promises(&[Some(1)], "repaired");
}

#[test]
fn a_path_that_nobody_touches_any_more_is_repaired_after_its_rest() {
    let machine = Machine::new(LiveMode::Symlink);
    let mut agent = machine.start();
    machine.pass(&mut agent);
    for _ in 0..3 {
        machine.scribble("number", "mine\n");
        assert_eq!(agent.pass(Trigger::Drift).outcome, PassOutcome::Repaired);
    }
    machine.scribble("number", "mine\n");
    for _ in 0..9 {
        assert!(matches!(agent.pass(Trigger::Drift).outcome, PassOutcome::Held(_)));
        machine.clock.advance(Duration::from_secs(60));
    }
    machine.clock.advance(Duration::from_secs(60));
    assert_eq!(agent.pass(Trigger::Drift).outcome, PassOutcome::Repaired);
}

#[test]
fn a_tree_that_a_repair_took_the_place_of_is_left_alone_for_its_readers() {
    let mut machine = Machine::new(LiveMode::Symlink);
    let hour = Duration::from_secs(3600);
    machine.set(|settings| settings.live.reuse_after = hour);
    let mut agent = machine.start();
    machine.pass(&mut agent);
    let held = machine.disk.read_link(Path::new(LIVE)).unwrap();
    let held = Path::new("/etc").join(std::str::from_utf8(&held).unwrap());
    // It was live for longer than a tree that left is kept.
    machine.clock.advance(hour * 2);
    machine.scribble("number", "mine\n");
    assert_eq!(agent.pass(Trigger::Drift).outcome, PassOutcome::Repaired);
    agent.tidy_up();
    let reader_sees = || machine.disk.files(&held).get(Path::new("number")).cloned();
    assert_eq!(reader_sees().as_deref(), Some(&b"mine\n"[..]), "taken from its readers");
    machine.clock.advance(hour * 2);
    for n in 1..4 {
        machine.show(n);
        machine.pass(&mut agent);
    }
    assert_eq!(machine.disk.stat(&held).unwrap(), None, "kept for ever");
}

#[test]
fn after_a_repair_the_sound_tree_is_the_one_to_return_to() {
    let machine = Machine::new(LiveMode::Symlink);
    let mut agent = machine.start();
    machine.pass(&mut agent);
    machine.scribble("number", "mine\n");
    assert_eq!(agent.pass(Trigger::Drift).outcome, PassOutcome::Repaired);
    let sound = machine.disk.read_link(Path::new(LIVE)).unwrap();
    agent.tidy_up();
    for n in 1..3 {
        machine.show(n);
        machine.pass(&mut agent);
    }
    let sound = Path::new("/etc").join(std::str::from_utf8(&sound).unwrap());
    assert!(machine.disk.stat(&sound).unwrap().is_some(), "the damaged one was kept instead");
}
