//! The loop over the outbox: each endpoint in order, one attempt in flight, none waiting for another.
//!
//! All attempts are futures of one task. An endpoint for which nothing is due costs a map entry.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::attempt::{self, Attempt, JOURNAL_PAUSE, Outcome, blocking};
use super::client::Clients;
use super::endpoint::Endpoint;
use super::request::Voice;
use crate::clock::Clock;
use crate::journal::Journal;
use crate::model::{OutboxCounts, Timestamp};

/// Attempts in flight at the same time, over all nodes.
const IN_FLIGHT_MAX: usize = 256;
/// The longest sleep: clocks can be set, and retention wants its turn.
const PAUSE_MAX: Duration = Duration::from_secs(60 * 60);
/// How long what was delivered stays listed.
const DELIVERED_KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How often what is older is forgotten.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(6 * 60 * 60);
/// What recording the last outcomes may take after `deliver_once`'s limit.
const RECORDING_GRACE: Duration = Duration::from_secs(1);

/// Who is told, and in whose name: what a change of settings may change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audience {
    /// Nodes, alerts and the forge.
    pub endpoints: Vec<Endpoint>,
    /// The CloudEvents `source`, see [`super::payload::source_of`].
    pub source: String,
    /// What tells this agent from others on the same machine, in a few letters.
    pub place: String,
    /// Bytes in one body.
    pub body_bytes_max: usize,
}

impl Audience {
    fn voice(&self) -> Arc<Voice> {
        Arc::new(Voice {
            source: self.source.clone(),
            place: self.place.clone(),
            body_bytes_max: self.body_bytes_max,
        })
    }
}

/// Delivers what is in the outbox.
pub struct Deliverer {
    journal: Arc<Journal>,
    clock: Arc<dyn Clock>,
    audience: watch::Receiver<Arc<Audience>>,
    handle: Handle,
    outcomes: watch::Sender<u64>,
    clients: Clients,
    lanes: BTreeMap<String, Lane>,
    /// Nodes with an attempt in flight, also those that have left the settings since.
    busy: BTreeSet<String>,
    voice: Arc<Voice>,
    next_upkeep: Timestamp,
    /// When attempts must have ended.
    until: Option<Instant>,
    report: DeliveryReport,
}

/// What others may ask of a running [`Deliverer`].
#[derive(Clone)]
pub struct Handle {
    wake: Arc<Notify>,
    audience: Arc<watch::Sender<Arc<Audience>>>,
    outcomes: watch::Receiver<u64>,
}

impl Handle {
    /// Says that an event was recorded or a delivery queued again. Never blocks.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Takes over new settings: what waits for nodes that are gone from them is given up, and what
    /// waits for the others is tried at once. Never blocks.
    pub fn reconfigure(&self, audience: Audience) {
        self.audience.send_replace(Arc::new(audience));
    }

    /// Counts the attempts that have ended and whose outcome is recorded.
    #[must_use]
    pub fn outcomes(&self) -> watch::Receiver<u64> {
        self.outcomes.clone()
    }
}

/// What [`Deliverer::deliver_once`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryReport {
    /// Deliveries that nodes took.
    pub delivered: u64,
    /// Deliveries that were given up now.
    pub given_up: u64,
    /// What the outbox holds afterwards. Its `failed` counts earlier ones too.
    pub left: OutboxCounts,
    /// For each node whose last attempt failed: its name and why.
    pub problems: BTreeMap<String, String>,
}

impl DeliveryReport {
    /// Whether nothing is left and nothing was given up; else `sync --once` ends with 18.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.left.pending == 0 && self.given_up == 0
    }
}

/// One endpoint.
struct Lane {
    endpoint: Arc<Endpoint>,
    /// When its next delivery is due; `None`: nothing waits.
    due: Option<Timestamp>,
}

/// A node's name and what became of its attempt.
type Landed = (String, Outcome);
type Flying = FuturesUnordered<BoxFuture<'static, Landed>>;

impl Deliverer {
    /// Makes a deliverer, which does nothing before it runs.
    #[must_use]
    pub fn new(journal: Arc<Journal>, clock: Arc<dyn Clock>, audience: Audience) -> Self {
        let voice = audience.voice();
        let (sender, audience) = watch::channel(Arc::new(audience));
        let (outcomes, counted) = watch::channel(0);
        let (wake, sender) = (Arc::new(Notify::new()), Arc::new(sender));
        Self {
            journal,
            clock,
            audience,
            handle: Handle { wake, audience: sender, outcomes: counted },
            outcomes,
            clients: Clients::default(),
            lanes: BTreeMap::new(),
            busy: BTreeSet::new(),
            voice,
            next_upkeep: Timestamp::default(),
            until: None,
            report: DeliveryReport::default(),
        }
    }

    /// What others may ask of it while it runs.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Delivers until `shutdown` is done; attempts in flight then have `grace` to end. What is
    /// aborted stays in the outbox and goes out again at the next start.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>, grace: Duration) {
        let mut shutdown = pin!(shutdown);
        let mut flying = Flying::new();
        let wake = Arc::clone(&self.handle.wake);
        self.take_audience().await;
        loop {
            self.upkeep().await;
            self.launch(&flying);
            let pause = self.pause(flying.len());
            tokio::select! {
                () = &mut shutdown => break,
                Some(landed) = flying.next() => self.land(landed).await,
                Ok(()) = self.audience.changed() => self.take_audience().await,
                () = wake.notified() => self.look(None).await,
                () = tokio::time::sleep(pause) => {}
            }
        }
        let drain = async {
            while let Some(landed) = flying.next().await {
                self.land(landed).await;
            }
        };
        if tokio::time::timeout(grace, drain).await.is_err() {
            tracing::info!("deliveries in flight were left for the next start");
        }
    }

    /// Tries what waits at once, and again by the schedule, until nothing is left or `limit` has
    /// passed; for `sync --once` and the verbs.
    pub async fn deliver_once(mut self, limit: Duration) -> DeliveryReport {
        let until = Instant::now() + limit;
        self.until = Some(until);
        let mut flying = Flying::new();
        self.take_audience().await;
        self.upkeep().await;
        loop {
            let pause = if Instant::now() < until {
                self.launch(&flying);
                self.pause(flying.len())
            } else {
                PAUSE_MAX
            };
            if flying.is_empty() && Instant::now() + pause >= until {
                break;
            }
            tokio::select! {
                Some(landed) = flying.next() => self.land(landed).await,
                () = tokio::time::sleep(pause) => {}
                () = tokio::time::sleep_until(until + RECORDING_GRACE) => break,
            }
        }
        let journal = Arc::clone(&self.journal);
        match blocking(move || journal.outbox_counts()).await {
            Ok(left) => self.report.left = left,
            Err(error) => {
                // Nobody can say that it is empty.
                self.report.left.pending = 1;
                tracing::error!("the outbox cannot be read: {error}");
            }
        }
        self.report
    }

    /// Starts an attempt for each node whose delivery is due, the longest due first.
    fn launch(&mut self, flying: &Flying) {
        let now = self.clock.now();
        let mut due: Vec<(Timestamp, Arc<Endpoint>)> = self
            .lanes
            .iter()
            .filter(|(name, _)| !self.busy.contains(*name))
            .filter_map(|(_, lane)| Some((lane.due?, Arc::clone(&lane.endpoint))))
            .filter(|(due, _)| attempt::is_due(*due, now))
            .collect();
        due.sort_by_key(|(due, _)| *due);
        for (_, endpoint) in due.into_iter().take(IN_FLIGHT_MAX.saturating_sub(flying.len())) {
            let name = endpoint.name.clone();
            self.busy.insert(name.clone());
            let attempt = Attempt {
                journal: Arc::clone(&self.journal),
                clock: Arc::clone(&self.clock),
                clients: self.clients.clone(),
                endpoint,
                voice: Arc::clone(&self.voice),
                until: self.until,
            };
            flying.push(Box::pin(async move { (name, attempt.make().await) }));
        }
    }

    /// How long there is nothing to start.
    fn pause(&self, in_flight: usize) -> Duration {
        if in_flight >= IN_FLIGHT_MAX {
            return PAUSE_MAX;
        }
        let now = self.clock.now();
        let waiting = self.lanes.iter().filter(|(name, _)| !self.busy.contains(*name));
        let next = waiting.filter_map(|(_, lane)| lane.due).min();
        next.map_or(PAUSE_MAX, |next| next.since(now).min(PAUSE_MAX))
    }

    /// Takes note of an attempt that ended, and looks for the node's next delivery.
    async fn land(&mut self, (name, outcome): Landed) {
        self.busy.remove(&name);
        match &outcome {
            Outcome::Idle | Outcome::Unrecorded => {}
            Outcome::Delivered => {
                self.report.delivered += 1;
                self.report.problems.remove(&name);
            }
            Outcome::PutOff(error) | Outcome::GivenUp(error) => {
                self.report.given_up += u64::from(matches!(outcome, Outcome::GivenUp(_)));
                self.report.problems.insert(name.clone(), error.clone());
            }
        }
        if outcome == Outcome::Unrecorded {
            let rested = self.clock.now().plus(JOURNAL_PAUSE);
            if let Some(lane) = self.lanes.get_mut(&name) {
                lane.due = Some(rested);
            }
        } else {
            self.look(Some(name)).await;
        }
        self.outcomes.send_modify(|count| *count += 1);
    }

    /// Reads from the journal when the next delivery of a node (or of each) is due.
    async fn look(&mut self, only: Option<String>) {
        let nodes = only.map_or_else(|| self.lanes.keys().cloned().collect(), |name| vec![name]);
        let journal = Arc::clone(&self.journal);
        let asked = nodes.clone();
        let found = blocking(move || journal.heads(&asked)).await;
        let found = found.map(|heads| {
            heads.into_iter().map(|head| (head.node, head.next_at)).collect::<BTreeMap<_, _>>()
        });
        let rested = self.clock.now().plus(JOURNAL_PAUSE);
        if let Err(error) = &found {
            tracing::error!("the outbox cannot be read: {error}");
        }
        for name in &nodes {
            let Some(lane) = self.lanes.get_mut(name) else { continue };
            lane.due = match &found {
                Ok(heads) => heads.get(name).copied(),
                // Nobody knows whether something waits: look again soon, by way of an attempt.
                Err(_) => Some(rested),
            };
        }
    }

    /// Takes over the settings, at the start and when they change.
    async fn take_audience(&mut self) {
        let audience = Arc::clone(&self.audience.borrow_and_update());
        self.voice = audience.voice();
        let lane = |endpoint: &Endpoint| Lane { endpoint: Arc::new(endpoint.clone()), due: None };
        self.lanes = audience.endpoints.iter().map(|e| (e.name.clone(), lane(e))).collect();
        let (journal, now) = (Arc::clone(&self.journal), self.clock.now());
        let set = move || {
            let named = |endpoint: &Endpoint| (endpoint.name.clone(), endpoint.fingerprint());
            let nodes: Vec<_> = audience.endpoints.iter().map(named).collect();
            journal.set_nodes(&nodes, now)
        };
        if let Err(error) = blocking(set).await {
            tracing::error!("the outbox cannot be brought in line with the nodes: {error}");
        }
        self.look(None).await;
    }

    /// Retention, a few times a day.
    async fn upkeep(&mut self) {
        let now = self.clock.now();
        if now < self.next_upkeep {
            return;
        }
        self.next_upkeep = now.plus(UPKEEP_INTERVAL);
        let journal = Arc::clone(&self.journal);
        if let Err(error) = blocking(move || journal.prune_outbox(now.minus(DELIVERED_KEPT))).await
        {
            tracing::warn!("old deliveries could not be forgotten: {error}");
        }
    }
}

#[cfg(test)]
mod tests;
