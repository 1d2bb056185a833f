//! The board: what the running agent shows of itself, for the routes and verbs to read.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use crate::model::{DeploymentId, Report, Status, Timestamp};

/// The state of the running agent, and how its passes ended.
#[derive(Clone)]
pub struct Board {
    status: Arc<RwLock<Option<Status>>>,
    passes: Arc<watch::Sender<Passes>>,
    /// When the source is asked next; 0: nobody has said yet.
    asks_at: Arc<AtomicI64>,
}

/// How many ends of wishes are kept for those who wait for them.
const WISHES_KEPT: usize = 32;

/// How many of them with what they changed, which may be all files of a tree.
const PLANS_KEPT: usize = 4;

/// How far the agent is.
#[derive(Clone, Debug, Default)]
pub struct Passes {
    /// Passes begun.
    pub begun: u64,
    /// Passes ended.
    pub ended: u64,
    /// The number of the last one that ended and was about what the source wants: neither an order
    /// nor a look at the live tree alone.
    pub followed: u64,
    /// How that one ended.
    pub last: Option<Arc<Report>>,
    /// How the last passes that were about a wish ended, and which wishes those were.
    pub wishes: VecDeque<(u64, Arc<Report>)>,
    /// The order that is followed now, and the number of the deployment that it makes.
    pub making: Option<(u64, DeploymentId)>,
}

impl Passes {
    /// The number of the deployment that a wish makes, while it is made.
    #[must_use]
    pub fn numbered(&self, wish: u64) -> Option<DeploymentId> {
        self.making.filter(|(making, _)| *making == wish).map(|(_, id)| id)
    }

    /// How the pass about a wish ended.
    #[must_use]
    pub fn ended_wish(&self, wish: u64) -> Option<&Arc<Report>> {
        self.wishes.iter().find(|(id, _)| *id == wish).map(|(_, report)| report)
    }
}

impl Default for Board {
    fn default() -> Self {
        let passes = Arc::new(watch::Sender::new(Passes::default()));
        Self { status: Arc::default(), passes, asks_at: Arc::default() }
    }
}

impl Board {
    /// What the agent shows; `None` before it has shown anything.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        self.status.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes what is shown, which is [`Status::starting`] at first.
    pub fn show(&self, change: impl FnOnce(&mut Status)) {
        let mut status = self.status.write().unwrap_or_else(PoisonError::into_inner);
        change(status.get_or_insert_with(Status::starting));
    }

    /// The source is asked next at this moment, unless something makes that earlier.
    pub fn asks_at(&self, at: Timestamp) {
        self.asks_at.store(at.0, Ordering::Relaxed);
    }

    /// When the source is asked next.
    #[must_use]
    pub fn next_ask(&self) -> Option<Timestamp> {
        Some(Timestamp(self.asks_at.load(Ordering::Relaxed))).filter(|at| at.0 != 0)
    }

    /// A pass begins.
    pub fn begin_pass(&self) {
        self.passes.send_modify(|passes| passes.begun += 1);
    }

    /// A wish makes this deployment.
    pub fn make(&self, wish: u64, deployment: DeploymentId) {
        self.passes.send_modify(|passes| passes.making = Some((wish, deployment)));
    }

    /// A pass ended. `follows`: it was about what the source wants.
    pub fn end_pass(&self, report: Arc<Report>, wish: Option<u64>, follows: bool) {
        self.passes.send_modify(|passes| {
            passes.ended += 1;
            passes.making = None;
            if let Some(wish) = wish {
                passes.wishes.push_back((wish, report.clone()));
                if passes.wishes.len() > WISHES_KEPT {
                    passes.wishes.pop_front();
                }
                let old = passes.wishes.len().saturating_sub(PLANS_KEPT);
                for (_, report) in passes.wishes.iter_mut().take(old) {
                    // Whoever asks as late as this is told how it ended alone.
                    if let Some(report) = Arc::get_mut(report) {
                        report.plan = None;
                    }
                }
            }
            if follows {
                passes.followed = passes.begun;
                passes.last = Some(report);
            }
        });
    }

    /// Forgets what the passes until now changed and found, which may be all files of a tree, unless
    /// somebody waits for the end of one: nobody else asks for it.
    pub fn forget_details(&self) {
        if self.passes.receiver_count() > 0 {
            return;
        }
        self.passes.send_if_modified(|passes| {
            let wishes = passes.wishes.iter_mut().map(|(_, report)| report);
            for report in wishes.chain(&mut passes.last).filter_map(Arc::get_mut) {
                report.plan = None;
                report.findings = Vec::new();
            }
            // There is nothing new for who begins to wait.
            false
        });
    }

    /// Follows the passes.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<Passes> {
        self.passes.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Digest, ObjectId, PassOutcome, Plan};

    #[test]
    fn who_waits_for_a_look_is_not_given_the_end_of_something_else() {
        let board = Board::default();
        let passes = board.follow();
        let end = |text: &str, wish, follows| {
            board.begin_pass();
            board.end_pass(Report::new(PassOutcome::InSync, text).into(), wish, follows);
        };
        end("a look", None, true);
        end("an order", Some(1), false);
        end("the live tree alone", None, false);
        let seen = passes.borrow().clone();
        assert_eq!((seen.begun, seen.ended, seen.followed), (3, 3, 1));
        assert_eq!(seen.last.map(|report| report.message.clone()).as_deref(), Some("a look"));
    }

    fn nothing() -> Plan {
        Plan {
            from: None,
            to: Digest([0; 32]),
            from_tree: None,
            to_tree: ObjectId([0; 20]),
            changes: Vec::new(),
            files_before: 0,
            files_after: 0,
        }
    }

    #[test]
    fn of_old_orders_no_plan_is_kept() {
        let board = Board::default();
        for wish in 0..10 {
            board.begin_pass();
            let mut report = Report::new(PassOutcome::Applied, "an order");
            report.plan = Some(nothing());
            board.end_pass(report.into(), Some(wish), false);
        }
        let seen = board.follow().borrow().clone();
        let kept = |wish| seen.ended_wish(wish).map(|report| report.plan.is_some());
        assert_eq!(
            (kept(0), kept(5), kept(6), kept(9)),
            (Some(false), Some(false), Some(true), Some(true))
        );
    }

    #[test]
    fn plans_are_kept_while_somebody_waits() {
        let board = Board::default();
        let mut report = Report::new(PassOutcome::Applied, "a commit");
        report.plan = Some(nothing());
        board.begin_pass();
        board.end_pass(report.clone().into(), None, true);
        board.begin_pass();
        board.end_pass(report.into(), Some(1), false);
        let waiting = board.follow();
        board.forget_details();
        let plans = |passes: &Passes| {
            let ends = [passes.last.as_ref(), passes.ended_wish(1)];
            ends.map(|report| report.is_some_and(|report| report.plan.is_some()))
        };
        assert_eq!(plans(&waiting.borrow()), [true, true]);
        drop(waiting);
        board.forget_details();
        assert_eq!(plans(&board.follow().borrow()), [false, false]);
    }
}
