use std::sync::Arc;
use std::time::Duration;

use super::run::{audience, exporter};
use super::witness::Witness;
use super::{AppError, Engine};
use crate::journal::Journal;
use crate::model::{By, PassOutcome, Report, Trigger, WishKind};
use crate::notify::{Deliverer, DeliveryReport};
use crate::sync::Agent;

/// How long the witnesses of the audit trail may take at the end.
const WITNESS_TIME_MAX: Duration = Duration::from_secs(10);

/// What one pass by hand came to.
pub struct Once {
    /// The pass.
    pub report: Arc<Report>,
    /// The journal that it was written to.
    pub journal: Journal,
    /// What became of the deliveries; `None` when none were tried.
    pub deliveries: Option<DeliveryReport>,
}

/// Whether a pass by hand delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deliveries {
    /// What was recorded is tried at once, and again within this time.
    Within(Duration),
    /// Nothing is sent: a plan, a dry run.
    None,
}

/// One pass, then the end: what a verb does when no agent runs. A wish is written down first, as
/// a running agent's would be.
///
/// # Errors
/// What keeps a pass from being made; how it went is in its report.
pub async fn once(
    engine: Engine,
    order: Option<(WishKind, String, Option<String>)>,
    deliveries: Deliveries,
) -> Result<Once, AppError> {
    let (journal, clock, settings) =
        (engine.journal.clone(), engine.clock.clone(), engine.settings.clone());
    let trigger = if order.is_some() { Trigger::Command } else { Trigger::Start };
    journal.end_open_wishes(clock.now())?;
    if let Some((kind, actor, reason)) = &order {
        journal.wish(kind, &By::operator(actor), reason.as_deref(), clock.now())?;
    }
    let (agent, _lock) = engine.into_agent();
    let (mut agent, mut report) = working(agent, move |agent| agent.pass(trigger)).await?;
    // How the health of what became live turned out is part of the answer.
    while let Some(wait) = agent.bake_wait() {
        tokio::time::sleep(wait).await;
        let step;
        (agent, step) = working(agent, |agent| agent.pass(Trigger::Health)).await?;
        if !follows_up(&mut report, step) {
            break;
        }
    }
    working(agent, |agent| {
        if agent.is_untidy() {
            agent.tidy_up();
        }
        agent.sweep();
    })
    .await?;
    let deliveries = match deliveries {
        Deliveries::None => None,
        Deliveries::Within(limit) => {
            let journal = Arc::new(journal.clone());
            let deliverer = Deliverer::new(journal, clock.clone(), audience(&settings));
            Some(deliverer.deliver_once(limit).await)
        }
    };
    if settings.audit.has_witness() {
        let (given, mut witness) = (settings.clone(), Witness::new(journal.clone(), clock));
        let giving = tokio::task::spawn_blocking(move || witness.give(&given));
        // What is not given in time is given by the next run.
        drop(tokio::time::timeout(WITNESS_TIME_MAX, giving).await);
    }
    if let Some(traces) = exporter() {
        traces.finish(settings.telemetry.as_ref()).await;
    }
    Ok(Once { report, journal, deliveries })
}

/// Work with the agent, on a thread that may block.
async fn working<T: Send + 'static>(
    mut agent: Agent,
    work: impl FnOnce(&mut Agent) -> T + Send + 'static,
) -> Result<(Agent, T), AppError> {
    let worker = tokio::task::spawn_blocking(move || {
        let value = work(&mut agent);
        (agent, value)
    });
    worker.await.map_err(|_| AppError::Task("pass"))
}

/// Adds what a step of the bake says to the report of the pass that began it. Whether it goes on.
fn follows_up(report: &mut Arc<Report>, step: Arc<Report>) -> bool {
    let was_live = matches!(report.outcome, PassOutcome::Applied | PassOutcome::Returned);
    let was_left = report.outcome == PassOutcome::RolledBack;
    let fails = step.outcome == PassOutcome::Failed;
    match step.outcome {
        PassOutcome::InSync | PassOutcome::Held(_) if was_live || was_left => {}
        PassOutcome::Unhealthy if was_left => {
            let both = format!("{}; {}", report.message, step.message);
            Arc::make_mut(report).message = both;
        }
        _ => *report = step,
    }
    !fails
}
