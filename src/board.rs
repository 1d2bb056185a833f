//! The board: what the running agent shows of itself, for the routes and verbs to read.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use crate::model::{Report, Status};

/// The state of the running agent, and how its passes ended.
#[derive(Clone)]
pub struct Board {
    status: Arc<RwLock<Option<Status>>>,
    passes: Arc<watch::Sender<Passes>>,
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
    /// How the last one ended that looked at the source, and which one that was.
    pub last_look: Option<(u64, Arc<Report>)>,
    /// How the last passes that were about a wish ended, and which wishes those were.
    pub wishes: VecDeque<(u64, Arc<Report>)>,
}

impl Default for Board {
    fn default() -> Self {
        Self { status: Arc::default(), passes: Arc::new(watch::Sender::new(Passes::default())) }
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

    /// A pass begins.
    pub fn begin_pass(&self) {
        self.passes.send_modify(|passes| passes.begun += 1);
    }

    /// A pass ended.
    pub fn end_pass(&self, report: Report, wish: Option<u64>) {
        let report = Arc::new(report);
        self.passes.send_modify(|passes| {
            passes.ended += 1;
            if let Some(wish) = wish {
                passes.wishes.push_back((wish, report.clone()));
                if passes.wishes.len() > WISHES_KEPT {
                    passes.wishes.pop_front();
                }
            }
            if wish.is_none() {
                passes.last_look = Some((passes.ended, report));
            }
        });
    }

    /// Follows the passes.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<Passes> {
        self.passes.subscribe()
    }
}
