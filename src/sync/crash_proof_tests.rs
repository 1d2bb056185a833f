//! The suite of crashes proves itself: a program that gets one thing wrong is found. And the
//! journal's own commits are moments at which power is lost and disks fail.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use rustix::io::Errno;

use super::crash_tests::{
    Machine, WAYS, Way, acted, converges, cut_along, cut_everywhere, fail_everywhere, prepared, run,
};
use crate::config::LiveMode;
use crate::journal::cuts::{self, Moment};
use crate::model::PassOutcome;
use crate::trees::Live;
use crate::trees::sim::{Bug, Fault, PowerIsOut, Unsynced};

const MODES: [LiveMode; 2] = [LiveMode::Symlink, LiveMode::Exchange];

/// What the suite says of a mistake.
#[track_caller]
fn found(what: &str, suite: impl FnOnce()) {
    let ended = catch_unwind(AssertUnwindSafe(suite));
    cuts::clear();
    let Err(panic) = ended else { panic!("nobody found it: {what}") };
    let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
    let first: String = text.lines().next().unwrap_or_default().chars().take(160).collect();
    println!("{what}: {first}");
}

#[test]
fn a_sync_that_is_skipped_is_found() {
    for mode in MODES {
        for verb in ["sync_file", "sync_folder"] {
            found(&format!("{mode:?}: no {verb}"), || {
                cut_everywhere(mode, Some(Bug::Skipped(verb)));
            });
        }
    }
}

/// One after another, up to the one that makes publishing durable; what comes behind it tidies up.
///
/// In each mode one is not missed, since something else does its work: a manifest of a tree that a
/// link names is made again when it is lost, and the folder of the live path is made durable
/// together with the trees' folder, which an exchange touches too.
#[test]
fn a_sync_that_is_skipped_once_is_found() {
    let way = &WAYS[1];
    for mode in MODES {
        let (machine, verbs) = run(way, mode, None, None);
        drop(machine);
        let swap = verbs.iter().rposition(|verb| *verb == "make_link" || *verb == "exchange");
        let until = swap.expect("a swap");
        let before = verbs.iter().take(until).filter(|verb| verb.starts_with("sync_")).count();
        let missed = |number: &usize| {
            let ended = catch_unwind(|| cut_along(way, mode, Some(Bug::SkippedOnce(*number))));
            println!("{mode:?}: without sync {number} of {before}: found {}", ended.is_err());
            ended.is_ok()
        };
        let missed: Vec<usize> = (0..=before).filter(missed).collect();
        assert!(before > 3 && missed.len() <= 1, "{mode:?}: nobody found {missed:?} of {before}");
    }
}

#[test]
fn a_tree_that_is_published_before_it_is_durable_is_found() {
    for mode in MODES {
        found(&format!("{mode:?}: published early"), || {
            cut_everywhere(mode, Some(Bug::PublishedEarly));
        });
    }
}

#[test]
fn a_rename_whose_failure_nobody_hears_is_found() {
    for mode in MODES {
        found(&format!("{mode:?}: unheard"), || {
            fail_everywhere(mode, &[Errno::IO], Some(Bug::Unheard));
        });
    }
}

#[test]
fn a_deployment_that_is_recorded_before_it_is_live_is_found() {
    for mode in MODES {
        found(&format!("{mode:?}: completed too soon"), || {
            for way in WAYS {
                let (machine, agent) = prepared(way, mode);
                let journal = machine.journal.clone();
                cuts::plan(move |operation, moment| {
                    if operation == "write the intent" && moment == Moment::After {
                        let intent = journal.intent().unwrap().unwrap();
                        let live = Live::claimed(&intent.new_tree, intent.completion.live.digest);
                        journal.complete(&intent.completion, &live).unwrap();
                        resume_unwind(Box::new(PowerIsOut));
                    }
                    Ok(())
                });
                let machine = acted(way, machine, agent);
                cuts::clear();
                holds_after_a_cut(&machine, way, Unsynced::Kept, way.name);
            }
        });
    }
}

fn holds_after_a_cut(machine: &Machine, way: &Way, unsynced: Unsynced, context: &str) {
    let settled = machine.settled();
    machine.disk.cut(unsynced);
    if let Some(settled) = settled {
        assert_eq!(machine.seen().as_ref(), settled, "{context}: it was complete");
    }
    // The order of an operator may be done with, or be taken up again.
    converges(machine, way, &[Some(way.after)], context);
}

/// The commits of a way, in order.
fn commits(way: &Way, mode: LiveMode) -> Vec<&'static str> {
    let (machine, agent) = prepared(way, mode);
    let seen = Rc::new(RefCell::new(Vec::new()));
    let kept = Rc::clone(&seen);
    cuts::plan(move |operation, moment| {
        if moment == Moment::Before {
            kept.borrow_mut().push(operation);
        }
        Ok(())
    });
    drop(acted(way, machine, agent));
    cuts::clear();
    seen.take()
}

/// Does `act` at one moment, the first time it comes.
fn at(number: usize, moment: Moment, act: impl Fn() -> rusqlite::Result<()> + 'static) {
    let mut count = 0;
    cuts::plan(move |_, now| {
        if now != moment {
            return Ok(());
        }
        count += 1;
        if count == number + 1 { act() } else { Ok(()) }
    });
}

#[test]
fn power_lost_before_and_after_any_commit_of_the_journal_leaves_a_whole_tree() {
    let mut points = 0;
    for mode in MODES {
        for way in WAYS {
            let commits = commits(way, mode);
            println!("{} {mode:?}: {}", way.name, commits.join(", "));
            for (number, commit) in commits.iter().enumerate() {
                for moment in [Moment::Before, Moment::After] {
                    for unsynced in [Unsynced::Dropped, Unsynced::Kept, Unsynced::Torn] {
                        let (machine, agent) = prepared(way, mode);
                        at(number, moment, || resume_unwind(Box::new(PowerIsOut)));
                        let machine = acted(way, machine, agent);
                        cuts::clear();
                        let context = format!(
                            "{} {mode:?}: {moment:?} commit {number} ({commit}), {unsynced:?}",
                            way.name
                        );
                        holds_after_a_cut(&machine, way, unsynced, &context);
                        points += 1;
                    }
                }
            }
        }
    }
    println!("{points} crash points at commits");
    assert!(points > 100, "{points}");
}

#[test]
fn power_lost_again_before_any_verb_of_recovery_leaves_a_whole_tree() {
    let mut points = 0;
    for mode in MODES {
        for (way, unsynced) in [(&WAYS[1], Unsynced::Torn), (&WAYS[2], Unsynced::Dropped)] {
            let (_, verbs) = run(way, mode, None, None);
            for at in 0..verbs.len() {
                points += lost_again(way, mode, unsynced, at);
            }
        }
    }
    println!("{points} crash points in recovery");
    assert!(points > 40, "{points}");
}

/// Cuts the power at a verb of a way, and then before each verb of the recovery from that.
fn lost_again(way: &Way, mode: LiveMode, unsynced: Unsynced, at: usize) -> usize {
    for again in 0.. {
        let (machine, _) = run(way, mode, None, Some((at, Fault::PowerCut)));
        machine.disk.cut(unsynced);
        machine.disk.plan(Some((again, Fault::PowerCut)));
        let started = catch_unwind(AssertUnwindSafe(|| drop(machine.start())));
        let Err(panic) = started else { return again };
        assert!(panic.is::<PowerIsOut>(), "{}: a panic of our own", way.name);
        let context = format!(
            "{} {mode:?}: cut before verb {at}, and before verb {again} of recovery, {unsynced:?}",
            way.name
        );
        holds_after_a_cut(&machine, way, unsynced, &context);
    }
    0
}

#[test]
fn a_journal_that_cannot_be_written_at_any_commit_leaves_a_whole_tree() {
    let mut points = 0;
    for mode in MODES {
        for way in WAYS {
            for (number, commit) in commits(way, mode).into_iter().enumerate() {
                for error in [cuts::full, cuts::io_error] {
                    let (machine, agent) = prepared(way, mode);
                    at(number, Moment::Before, move || Err(error()));
                    let machine = acted(way, machine, agent);
                    cuts::clear();
                    let context = format!(
                        "{} {mode:?}: {:?} at commit {number} ({commit})",
                        way.name,
                        error()
                    );
                    let stays = if way.name == "rollback" { way.before } else { Some(way.after) };
                    converges(&machine, way, &[Some(way.after), stays], &context);
                    points += 1;
                }
            }
        }
    }
    println!("{points} errors at commits");
    assert!(points > 40, "{points}");
}

#[test]
fn an_agent_whose_journal_failed_goes_on_by_itself() {
    for mode in MODES {
        let way = &WAYS[1];
        for (number, commit) in commits(way, mode).into_iter().enumerate() {
            let (machine, mut agent) = prepared(way, mode);
            at(number, Moment::Before, || Err(cuts::full()));
            machine.pass(&mut agent);
            cuts::clear();
            let context = format!("{mode:?}: full at commit {number} ({commit})");
            for _ in 0..3 {
                machine.clock.advance(std::time::Duration::from_secs(600));
                machine.pass(&mut agent);
            }
            machine.holds_promises(&[Some(way.after)], &context);
            assert_eq!(machine.pass(&mut agent).outcome, PassOutcome::InSync, "{context}");
        }
    }
}
