use serde::{Deserialize, Serialize};

use super::deployments::Completion;
use super::error::query;
use super::facts;
use super::wire::{self, WireBake, WireDeployment, WireLive, WireQuarantine, WireSuspension};
use super::{Journal, JournalError};
use crate::model::{Event, EventKind, Revision, Timestamp};

/// What is about to be published: enough to finish the deployment after a crash, whatever the
/// settings are by then.
#[derive(Clone, Debug, PartialEq)]
pub struct Intent {
    /// The tree that was live when it was written.
    pub old_tree: Option<String>,
    /// The tree that is to be live.
    pub new_tree: String,
    /// What is recorded once it is.
    pub completion: Completion,
}

/// What kind of change an intent is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntentKind {
    /// A deployment: it gets a row in the history.
    Deployment,
    /// A fresh copy of what is live: an event, not history.
    Repair,
}

#[derive(Serialize, Deserialize)]
struct WireIntent {
    old_tree: Option<String>,
    new_tree: String,
    kind: String,
    deployment: WireDeployment,
    live: WireLive,
    line: String,
    recipe: String,
    rules: String,
    accepted: Option<String>,
    passed_over: Option<String>,
    quarantine: Vec<WireQuarantine>,
    rolled_back: bool,
    suspend: Option<WireSuspension>,
    wish: Option<u64>,
    events: Vec<WireRecorded>,
    #[serde(default)]
    bake: Option<WireBake>,
}

#[derive(Serialize, Deserialize)]
struct WireRecorded {
    id: String,
    kind: String,
    at: i64,
    facts: String,
    nodes: Vec<String>,
}

impl Journal {
    /// Writes down what is about to be published. Durable when this returns.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn intend(&self, intent: &Intent) -> Result<(), JournalError> {
        let body = wire::to_json(&WireIntent::from(intent));
        self.transaction("write the intent", |tx| {
            tx.prepare_cached("INSERT OR REPLACE INTO intent (id, body) VALUES (1, ?1)")?
                .execute([&body])?;
            Ok(())
        })
    }

    /// The intent that no completion has followed.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn intent(&self) -> Result<Option<Intent>, JournalError> {
        use rusqlite::OptionalExtension as _;
        let connection = self.reader();
        let body: Option<String> = connection
            .query_row("SELECT body FROM intent WHERE id = 1", [], |row| row.get(0))
            .optional()
            .map_err(query("read the intent"))?;
        let wire: Option<WireIntent> = body.as_deref().and_then(wire::from_json);
        Ok(wire.and_then(WireIntent::into_intent))
    }

    /// Drops an intent whose tree did not become live.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn drop_intent(&self) -> Result<(), JournalError> {
        self.transaction("drop the intent", |tx| {
            tx.execute("DELETE FROM intent", [])?;
            Ok(())
        })
    }
}

impl From<&Intent> for WireIntent {
    fn from(intent: &Intent) -> Self {
        let done = &intent.completion;
        Self {
            old_tree: intent.old_tree.clone(),
            new_tree: intent.new_tree.clone(),
            kind: match done.kind {
                IntentKind::Deployment => "deployment".to_owned(),
                IntentKind::Repair => "repair".to_owned(),
            },
            deployment: (&done.deployment).into(),
            live: (&done.live).into(),
            line: done.line.clone(),
            recipe: done.recipe.clone(),
            rules: done.rules.clone(),
            accepted: done.accepted.as_ref().map(ToString::to_string),
            passed_over: done.passed_over.as_ref().map(ToString::to_string),
            quarantine: done.quarantine.iter().map(Into::into).collect(),
            rolled_back: done.rolled_back,
            suspend: done.suspend.as_ref().map(Into::into),
            wish: done.wish,
            events: done
                .events
                .iter()
                .map(|(event, nodes)| WireRecorded {
                    id: event.id.clone(),
                    kind: event.kind.as_str().to_owned(),
                    at: event.at.0,
                    facts: facts::to_json(&event.facts, event.trace.as_deref()).unwrap_or_default(),
                    nodes: nodes.clone(),
                })
                .collect(),
            bake: done.bake.as_ref().map(Into::into),
        }
    }
}

impl WireIntent {
    fn into_intent(self) -> Option<Intent> {
        let events = self.events.into_iter().map(WireRecorded::into_event);
        Some(Intent {
            old_tree: self.old_tree,
            new_tree: self.new_tree,
            completion: Completion {
                kind: match self.kind.as_str() {
                    "deployment" => IntentKind::Deployment,
                    "repair" => IntentKind::Repair,
                    _ => return None,
                },
                deployment: self.deployment.into_deployment()?,
                live: self.live.into_live()?,
                line: self.line,
                recipe: self.recipe,
                rules: self.rules,
                accepted: revision(self.accepted)?,
                passed_over: revision(self.passed_over)?,
                quarantine: self
                    .quarantine
                    .into_iter()
                    .map(WireQuarantine::into_quarantine)
                    .collect::<Option<_>>()?,
                rolled_back: self.rolled_back,
                suspend: self.suspend.map(Into::into),
                wish: self.wish,
                events: events.collect::<Option<_>>()?,
                bake: self.bake.map(Into::into),
            },
        })
    }
}

/// The outer `None` is text that is no commit id.
fn revision(text: Option<String>) -> Option<Option<Revision>> {
    text.map(|text| Revision::parse(&text).ok()).map_or(Some(None), |r| r.map(Some))
}

impl WireRecorded {
    fn into_event(self) -> Option<(Event, Vec<String>)> {
        let (facts, trace) = facts::from_json(&self.facts).ok()?;
        let event = Event {
            id: self.id,
            sequence: 0,
            kind: EventKind::from_word(&self.kind)?,
            at: Timestamp(self.at),
            facts,
            trace,
        };
        Some((event, self.nodes))
    }
}
