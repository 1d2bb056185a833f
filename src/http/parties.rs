//! Everybody outside with its circuit breaker, put together from what is known of each.

use crate::config::{AlertSettings, CommitStatusSettings, Settings};
use crate::decide::parties::{first, party, queue, source};
use crate::model::{Party, PartyKind, Status, Timestamp};

/// What the source is called.
const SOURCE: &str = "repository";

/// The parties that the settings name; without settings, the source and who fails. `next_ask` is
/// when the source is asked next.
#[must_use]
pub fn parties(
    settings: Option<&Settings>,
    status: &Status,
    next_ask: Option<Timestamp>,
    now: Timestamp,
) -> Vec<Party> {
    let failing = &status.failing;
    let mut parties =
        vec![party(PartyKind::Source, SOURCE, source(&status.source, next_ask).as_ref(), now)];
    match settings {
        Some(settings) => parties.extend(queues(settings).map(|(kind, name, of)| {
            let failing = queue(failing, &of);
            party(kind, name, failing, now)
        })),
        None => parties.extend(failing.iter().map(|queue| {
            let (kind, name) = named(&queue.node);
            party(kind, name, Some(&queue.failing), now)
        })),
    }
    first(parties)
}

/// Who has a queue in the outbox: its kind, its name, and what the queue is called.
fn queues(settings: &Settings) -> impl Iterator<Item = (PartyKind, &str, String)> {
    let nodes = settings.nodes.iter();
    let nodes = nodes.map(|node| (PartyKind::Node, node.name.as_str(), node.name.clone()));
    let alerts = settings.alerts.iter();
    let alerts = alerts.map(|alert| (PartyKind::Alert, alert.name.as_str(), alert.queue()));
    let forge = settings.source.commit_status.iter();
    let forge = forge.map(|forge| (PartyKind::Forge, forge.forge.as_str(), forge.queue()));
    nodes.chain(alerts).chain(forge)
}

/// Whose a queue is.
fn named(queue: &str) -> (PartyKind, &str) {
    match queue.split_once(':') {
        Some((_, name)) if AlertSettings::is_queue(queue) => (PartyKind::Alert, name),
        Some((_, name)) if CommitStatusSettings::is_queue(queue) => (PartyKind::Forge, name),
        _ => (PartyKind::Node, queue),
    }
}
