use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::Api;
use super::access::IssuerStanding;
use super::problem::Problem;
use crate::decide::issuer::Breaker;
use crate::decide::next::is_suspended;
use crate::meters::meters;
use crate::model;

pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    state: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BuildLabel {
    version: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RevisionLabel {
    revision: String,
    digest: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PartyLabel {
    kind: &'static str,
    name: String,
}

/// What Prometheus is told. Worked out when it asks, so that nothing is counted twice.
pub(super) async fn metrics(State(api): State<Api>) -> Result<impl IntoResponse, Problem> {
    let mut registry = Registry::with_prefix("kconfigd");
    let status = api.board.status();
    let passes = api.board.follow().borrow().ended;
    gauge(&mut registry, "passes", "Passes ended since the start", passes);
    let build = Family::<BuildLabel, Gauge>::default();
    build.get_or_create(&BuildLabel { version: env!("CARGO_PKG_VERSION") }).set(1);
    registry.register("build_info", "The program", build);
    meters().register(&mut registry);
    let oldest = api.journal.oldest_pending()?;
    let age = oldest.map_or(0, |at| api.clock.now().since(at).as_secs());
    gauge(
        &mut registry,
        "outbox_oldest_age_seconds",
        "Age of the oldest delivery that is still to be made",
        age,
    );
    let outbox = api.journal.outbox_counts()?;
    gauge(&mut registry, "outbox_pending", "Deliveries that are still to be made", outbox.pending);
    gauge(&mut registry, "outbox_failed", "Deliveries that were given up", outbox.failed);
    if let Some(issuer) = api.access.issuer(api.clock.now()) {
        of_issuer(&mut registry, &issuer);
    }
    if let Some(mut status) = status {
        (_, _, status.failing) = api.of_journal()?;
        let up = Family::<PartyLabel, Gauge>::default();
        for party in api.parties(&status) {
            let label = PartyLabel { kind: party.kind.as_str(), name: party.name };
            up.get_or_create(&label).set(i64::from(party.breaker == model::Breaker::Closed));
        }
        registry.register(
            "party_up",
            "1 while the circuit breaker of an outside party is closed",
            up,
        );
        of_status(&mut registry, &status, api.clock.now());
    }
    let mut text = String::new();
    encode(&mut text, &registry).map_err(|error| {
        Problem::new(axum::http::StatusCode::INTERNAL_SERVER_ERROR, "metrics", error.to_string())
    })?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text))
}

/// Who issues JSON Web Tokens, once its keys were asked for.
fn of_issuer(registry: &mut Registry, issuer: &IssuerStanding) {
    let help = "1 while the issuer of JSON Web Tokens gives its keys";
    gauge(registry, "jwt_issuer_up", help, u64::from(issuer.error.is_none()));
    let is_open = matches!(issuer.breaker, Breaker::Open(_));
    let help = "1 while the issuer of JSON Web Tokens is left alone after failures";
    gauge(registry, "jwt_issuer_breaker_open", help, u64::from(is_open));
    if let Some(at) = issuer.keys_at {
        let name = "jwt_issuer_last_success_timestamp_seconds";
        gauge_i64(registry, name, "When the issuer gave its keys last", at.seconds());
    }
}

fn of_status(registry: &mut Registry, status: &model::Status, now: model::Timestamp) {
    let states = Family::<StateLabel, Gauge>::default();
    for state in model::State::ALL {
        let label = StateLabel { state: state.as_str().to_owned() };
        states.get_or_create(&label).set(i64::from(*state == status.state));
    }
    registry.register("state", "1 for the state the agent is in", states);
    if let Some(live) = &status.live {
        let info = Family::<RevisionLabel, Gauge>::default();
        let label =
            RevisionLabel { revision: live.revision.to_string(), digest: live.digest.to_string() };
        info.get_or_create(&label).set(1);
        registry.register("live_info", "The live revision", info);
        let name = "live_since_timestamp_seconds";
        gauge_i64(registry, name, "When it became live", live.since.seconds());
    }
    if let Some(at) = status.source.last_attempt_at {
        let name = "source_last_attempt_timestamp_seconds";
        gauge_i64(registry, name, "When the source was asked last", at.seconds());
    }
    gauge(
        registry,
        "source_up",
        "1 while the source answers",
        u64::from(status.source.error.is_none()),
    );
    if let Some(at) = status.drift.checked_at {
        let name = "drift_last_check_timestamp_seconds";
        gauge_i64(registry, name, "When the live tree was compared last", at.seconds());
    }
    if let Some(at) = status.source.last_success_at {
        let name = "source_last_success_timestamp_seconds";
        gauge_i64(registry, name, "When the source answered last", at.seconds());
    }
    let drifted = status.drift.paths.len() as u64;
    gauge(registry, "drift_paths", "Paths of the live tree that differ", drifted);
    let quarantined = status.quarantine.len() as u64;
    gauge(registry, "quarantine_entries", "Revisions and digests in quarantine", quarantined);
    let suspended = status.suspended.as_ref().is_some_and(|stop| is_suspended(stop, now));
    let suspended = u64::from(suspended);
    gauge(registry, "suspended", "1 while an operator stopped the agent", suspended);
}

fn gauge(registry: &mut Registry, name: &str, help: &str, value: u64) {
    gauge_i64(registry, name, help, i64::try_from(value).unwrap_or(i64::MAX));
}

fn gauge_i64(registry: &mut Registry, name: &str, help: &str, value: i64) {
    let gauge: Gauge = Gauge::default();
    gauge.set(value);
    registry.register(name, help, gauge);
}
