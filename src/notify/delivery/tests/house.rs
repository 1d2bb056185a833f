//! What a test of the delivery loop needs around it.

use std::path::Path;

use tempfile::TempDir;

use super::super::*;
use super::node::Received;
use crate::clock::ManualClock;
use crate::config::NodeSettings;
use crate::model::{DeliveryState, DeploymentId, Event, EventFacts, EventKind};
use crate::notify::VerifyingKeys;
use crate::notify::verify::{Headers, TOLERANCE};

pub(super) const T0: Timestamp = Timestamp(1_700_000_000_000);
pub(super) const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n";
pub(super) const OTHER_KEY: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n";

/// A journal, a clock that stands, and settings for nodes.
pub(super) struct House {
    pub(super) journal: Arc<Journal>,
    pub(super) clock: ManualClock,
    pub(super) folder: TempDir,
}

impl House {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key"), KEY).unwrap();
        let journal = Arc::new(Journal::open_in_memory().unwrap());
        Self { journal, clock: ManualClock::at(T0), folder }
    }

    pub(super) fn settings(&self, name: &str, url: &str) -> NodeSettings {
        NodeSettings {
            name: name.to_owned(),
            url: url.to_owned(),
            secret_file: self.folder.path().join("key"),
            timeout: Duration::from_secs(60),
            labels: Vec::new(),
            events: Vec::new(),
            paths: Vec::new(),
            deliver_for: Duration::from_secs(600),
        }
    }

    pub(super) fn deliverer(&self, nodes: &[NodeSettings]) -> Deliverer {
        let clock = Arc::new(self.clock.clone());
        Deliverer::new(Arc::clone(&self.journal), clock, audience(nodes))
    }

    pub(super) fn event(&self, number: u64, nodes: &[&str]) {
        let facts = EventFacts { deployment: Some(DeploymentId(number)), ..EventFacts::default() };
        let at = self.clock.now();
        let id = format!("evt_{number:032x}");
        let event = Event { id, sequence: 0, kind: EventKind::Applied, at, facts, trace: None };
        let nodes: Vec<_> = nodes.iter().map(|&n| n.to_owned()).collect();
        self.journal.record_event(&event, &nodes).unwrap();
    }

    /// Puts a delivery so far on in the schedule that a failure ends `deliver_once`.
    pub(super) fn is_tried_each_minute(&self, id: u64) {
        for _ in 0..5 {
            self.journal.failed_attempt(id, None, "", T0, None, T0).unwrap();
        }
    }

    pub(super) fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub(super) fn states(&self) -> Vec<(DeliveryState, String)> {
        let deliveries = self.journal.deliveries(false, 100, None).unwrap();
        let state = |d: crate::model::Delivery| (d.state, d.last_error.unwrap_or_default());
        deliveries.into_iter().rev().map(state).collect()
    }

    pub(super) fn due_in(&self, node: &str) -> Duration {
        let heads = self.journal.heads(&[node.to_owned()]).unwrap();
        heads[0].next_at.since(self.clock.now())
    }
}

pub(super) fn audience(nodes: &[NodeSettings]) -> Audience {
    Audience {
        endpoints: nodes.iter().map(Endpoint::of_node).collect(),
        source: "urn:kconfigd:test".to_owned(),
        place: "0a1b".to_owned(),
        body_bytes_max: 20 * 1024,
    }
}

/// Runs the deliverer as long as `test` does.
pub(super) async fn while_running(deliverer: Deliverer, test: impl Future<Output = ()>) {
    tokio::select! {
        () = deliverer.run(std::future::pending(), Duration::ZERO) => panic!("it ended by itself"),
        () = test => {}
    }
}

pub(super) async fn attempts(handle: &Handle, count: u64) {
    handle.outcomes().wait_for(|ended| *ended >= count).await.unwrap();
}

pub(super) fn verified_by(received: &Received, key: &str) -> bool {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), key).unwrap();
    let header = |name: &str| received.headers.get(name).map(String::as_str);
    let headers = Headers {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
    };
    let keys = VerifyingKeys::read(&[file]).unwrap();
    keys.verify(headers, &received.body, T0, TOLERANCE).is_ok()
}

pub(super) fn set_key(folder: &Path, text: &str) {
    std::fs::write(folder.join("key"), text).unwrap();
}
