//! The journal is lost: what the manifests tell is known again.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::crash_tests::Machine;
use crate::config::LiveMode;
use crate::model::{DeploymentId, Outcome, PassOutcome, WishKind};
use crate::trees::sim::{Fault, Unsynced};

const BACK: WishKind = WishKind::Rollback { to: None, hold: false };

/// A machine on which deployments 1 and 2 went live and were left again for the one before.
fn went_back() -> Machine {
    let machine = Machine::new(LiveMode::Symlink);
    let mut agent = machine.start();
    for n in 0..3 {
        machine.show(n);
        machine.pass(&mut agent);
    }
    for _ in 0..2 {
        machine.wish(&BACK);
        assert_eq!(machine.pass(&mut agent).outcome, PassOutcome::Returned);
    }
    machine
}

#[test]
fn what_was_rolled_back_stays_so_after_the_journal_was_lost() {
    for repaired in [false, true] {
        let mut machine = went_back();
        if repaired {
            // Then two trees tell of the deployment that is live.
            machine.scribble("number", "mine\n");
            machine.pass(&mut machine.start());
        }
        machine.forget();
        let mut agent = machine.start();
        machine.holds_promises(&[Some(0)], "the journal was lost");
        for n in [2, 1] {
            machine.show(n);
            let report = machine.pass(&mut agent);
            assert!(matches!(report.outcome, PassOutcome::Held(_)), "{n} {repaired}: {report:?}");
        }
        machine.holds_promises(&[Some(0)], "a pass later");
        machine.show(3);
        let report = machine.pass(&mut agent);
        assert_eq!(report.deployment, Some(DeploymentId(6)), "numbers go on");
    }
}

#[test]
fn what_the_manifests_tell_is_known_though_the_first_start_was_cut_off() {
    let mut machine = went_back();
    machine.forget();
    // The journal was made and the start ended, as when the live volume was not mounted yet.
    assert!(!machine.journal.has_learned().unwrap());
    drop(machine.start());
    let rows = machine.journal.history(10, None).unwrap().items;
    let outcomes: Vec<Outcome> = rows.iter().map(|row| row.outcome).collect();
    // The tree of the first way back is in the history, that of deployment 1 is live as 5.
    assert_eq!(outcomes.first(), Some(&Outcome::Live));
    assert_eq!(outcomes.iter().filter(|o| **o == Outcome::RolledBack).count(), 2);
    assert!(machine.journal.has_learned().unwrap());
    drop(machine.start());
    assert_eq!(machine.journal.history(10, None).unwrap().items, rows, "told once");
}

#[test]
fn the_number_of_an_attempt_that_a_crash_ended_is_not_given_again() {
    let on_the_way = |fault| {
        let machine = Machine::new(LiveMode::Symlink);
        let mut agent = machine.start();
        machine.pass(&mut agent);
        machine.show(1);
        machine.disk.plan(fault);
        let pass = AssertUnwindSafe(|| machine.pass(&mut agent));
        (catch_unwind(pass).is_err(), machine)
    };
    let (_, whole) = on_the_way(None);
    let link = whole.disk.verbs().iter().position(|verb| verb.contains("link")).unwrap();
    // Behind the intent, in front of the commit point: a manifest tells of deployment 2.
    let (was_cut, machine) = on_the_way(Some((link, Fault::PowerCut)));
    assert!(was_cut);
    machine.disk.cut(Unsynced::Kept);
    machine.show(2);
    let report = machine.pass(&mut machine.start());
    assert_eq!(report.deployment, Some(DeploymentId(3)), "{report:?}");
}
