//! Everybody outside with its circuit breaker, put together from what is known of each.

use super::access::IssuerStanding;
use crate::config::{AlertSettings, CommitStatusSettings, JwtKeys, Settings};
use crate::decide::issuer::Breaker;
use crate::decide::parties::{first, party, queue, source};
use crate::model::{Failing, Party, PartyKind, Status, Timestamp};

/// What the source is called.
const SOURCE: &str = "repository";
/// What the issuer of tokens is called.
const ISSUER: &str = "jwt";

/// The parties that the settings name; without settings, the source and who fails. `issuer` is
/// that of tokens, `next_ask` when the source is asked next.
#[must_use]
pub fn parties(
    settings: Option<&Settings>,
    status: &Status,
    issuer: Option<Party>,
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
    parties.extend(issuer);
    first(parties)
}

/// Who issues JSON Web Tokens, where its keys are asked for over the network. Its breaker opens after
/// a few failures; until then it is asked again at once.
pub(super) fn issuer(
    settings: &Settings,
    standing: Option<&IssuerStanding>,
    now: Timestamp,
) -> Option<Party> {
    let jwt = settings.api.jwt.as_ref()?;
    if matches!(jwt.keys, JwtKeys::File(_)) {
        return None;
    }
    let failing = standing.and_then(|standing| {
        let next_try_at = match standing.breaker {
            Breaker::Closed => return None,
            Breaker::Open(rest) => now.plus(rest),
            Breaker::HalfOpen => now,
        };
        Some(Failing {
            failures: standing.failures,
            since: standing.failing_since.unwrap_or(now),
            error: standing.error.clone().unwrap_or_default(),
            next_try_at: Some(next_try_at),
        })
    });
    Some(party(PartyKind::IdentityProvider, ISSUER, failing.as_ref(), now))
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
