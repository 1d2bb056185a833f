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

    /// Shows a status.
    pub fn show(&self, status: Status) {
        *self.status.write().unwrap_or_else(PoisonError::into_inner) = Some(status);
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
    pub fn end_pass(&self, report: Report, wish: Option<u64>, follows: bool) {
        let report = Arc::new(report);
        self.passes.send_modify(|passes| {
            passes.ended += 1;
            passes.making = None;
            if let Some(wish) = wish {
                passes.wishes.push_back((wish, report.clone()));
                if passes.wishes.len() > WISHES_KEPT {
                    passes.wishes.pop_front();
                }
            }
            if follows {
                passes.followed = passes.begun;
                passes.last = Some(report);
            }
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
    use crate::model::PassOutcome;

    #[test]
    fn who_waits_for_a_look_is_not_given_the_end_of_something_else() {
        let board = Board::default();
        let passes = board.follow();
        let end = |text: &str, wish, follows| {
            board.begin_pass();
            board.end_pass(Report::new(PassOutcome::InSync, text), wish, follows);
        };
        end("a look", None, true);
        end("an order", Some(1), false);
        end("the live tree alone", None, false);
        let seen = passes.borrow().clone();
        assert_eq!((seen.begun, seen.ended, seen.followed), (3, 3, 1));
        assert_eq!(seen.last.map(|report| report.message.clone()).as_deref(), Some("a look"));
    }
}
