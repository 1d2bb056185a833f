//! Orders: what an operator wants is written down, then the loop is woken.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Api;
use super::access::Caller;
use super::extract::{Asked, Body, Named};
use super::problem::Problem;
use super::wire::ReportBody;
use crate::board::Passes;
use crate::config::Settings;
use crate::journal::Journal;
use crate::model::{
    DeploymentId, PassOutcome, Report, Sought, Suspension, Timestamp, Trigger, WishKind,
};
use crate::view::{View, ViewError};

/// How long a request may wait for a pass.
const WAIT_MAX: Duration = Duration::from_secs(30 * 60);
/// How long a look waits for a commit to be brought.
const FETCH_WAIT: Duration = Duration::from_secs(60);
/// How long an order that nobody waits for is given to get a deployment's number.
const NUMBER_WAIT: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Waiting {
    /// Seconds, as `30` or `30s`.
    wait: Option<String>,
}

impl Waiting {
    fn limit(&self) -> Result<Option<Duration>, Problem> {
        let Some(text) = &self.wait else { return Ok(None) };
        let seconds = text.strip_suffix('s').unwrap_or(text).parse::<u64>();
        let seconds = seconds
            .map_err(|_| Problem::bad_request(format!("wait={text} is not a number of seconds")))?;
        Ok(Some(Duration::from_secs(seconds).min(WAIT_MAX)))
    }
}

/// The body of every order; each route reads what is its own.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OrderBody {
    /// `apply`: the commit by its id, for a dry run also a branch or a tag; `null`: the head.
    pub revision: Option<String>,
    /// `apply`: say what would be done, and do nothing.
    pub dry_run: bool,
    /// `rollback`: the deployment; `null`: the one before.
    pub to: Option<u64>,
    /// `rollback`: suspend afterwards.
    pub hold: bool,
    /// `drift`: put it right.
    pub repair: bool,
    /// `suspend`: until when, RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    pub until: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

/// An order that is written down and not followed yet.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct OrderedBody {
    /// The order's number.
    pub order: u64,
    /// The deployment that it makes, to be followed at `/api/config/history/{id}` once that is
    /// recorded; `null` where the loop had not come to it within a moment, or it makes none.
    pub deployment: Option<u64>,
}

pub(super) async fn look(
    State(api): State<Api>,
    caller: Caller,
    Asked(waiting): Asked<Waiting>,
) -> Result<Response, Problem> {
    let limit = waiting.limit()?;
    let followed = looked(&api);
    let Some(limit) = limit else { return Ok(StatusCode::ACCEPTED.into_response()) };
    let report = tokio::time::timeout(limit, followed).await.ok().flatten();
    answer(&api, &caller, report).await
}

/// Wakes the loop at once; what is given back ends with the report of a pass that asked the source
/// after now.
pub(super) fn looked(api: &Api) -> impl Future<Output = Option<Arc<Report>>> + use<> {
    let (mut passes, bell) = (api.board.follow(), api.bell.clone());
    // A pass under way may have asked the source before now: the one after it counts.
    let wanted = passes.borrow().begun + 1;
    bell.ring(Trigger::Command);
    async move {
        let mut ended = wanted;
        loop {
            let seen = passes.wait_for(|passes| passes.ended >= ended).await.ok()?.clone();
            if seen.followed >= wanted {
                return seen.last;
            }
            // That one was an order's, or a look at the live tree: ours is still to come.
            ended = seen.ended + 1;
            bell.ring(Trigger::Command);
        }
    }
}

pub(super) async fn apply(
    State(api): State<Api>,
    caller: Caller,
    Asked(waiting): Asked<Waiting>,
    Body(order): Body<OrderBody>,
) -> Result<Response, Problem> {
    let sought = order.revision.as_deref().map(Sought::of);
    let kind = match sought {
        sought if order.dry_run => WishKind::Plan(sought),
        None => WishKind::Apply(None),
        Some(Sought::Revision(revision)) => WishKind::Apply(Some(revision)),
        Some(Sought::Reference(name)) => {
            return Err(Problem::bad_request(format!(
                "`{name}` is not a full commit id; only a dry run takes the name of a branch or tag, since that may move on before it is applied"
            )));
        }
    };
    fulfil(&api, &caller, &waiting, kind, order.reason.as_deref()).await
}

pub(super) async fn rollback(
    State(api): State<Api>,
    caller: Caller,
    Asked(waiting): Asked<Waiting>,
    Body(order): Body<OrderBody>,
) -> Result<Response, Problem> {
    let kind = WishKind::Rollback { to: order.to.map(DeploymentId), hold: order.hold };
    fulfil(&api, &caller, &waiting, kind, order.reason.as_deref()).await
}

pub(super) async fn drift(
    State(api): State<Api>,
    caller: Caller,
    Asked(waiting): Asked<Waiting>,
    Body(order): Body<OrderBody>,
) -> Result<Response, Problem> {
    let kind = if order.repair { WishKind::Repair } else { WishKind::Compare };
    fulfil(&api, &caller, &waiting, kind, order.reason.as_deref()).await
}

pub(super) async fn suspend(
    State(api): State<Api>,
    caller: Caller,
    Body(order): Body<OrderBody>,
) -> Result<StatusCode, Problem> {
    let until = match &order.until {
        Some(text) => Some(Timestamp::parse(text).map_err(|_| {
            Problem::bad_request(format!("until={text} is not RFC 3339: 2026-01-31T18:00:00Z"))
        })?),
        None => None,
    };
    stop(&api, caller, until, order.reason)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Stops the agent from applying anything.
pub(super) fn stop(
    api: &Api,
    caller: Caller,
    until: Option<Timestamp>,
    reason: Option<String>,
) -> Result<(), Problem> {
    let since = api.clock.now();
    let actor = caller.by.name.clone();
    caller.journal(api).suspend(&Suspension { since, until, actor, reason }, caller.by)?;
    api.bell.ring(Trigger::Command);
    Ok(())
}

pub(super) async fn resume(
    State(api): State<Api>,
    caller: Caller,
    Body(order): Body<OrderBody>,
) -> Result<StatusCode, Problem> {
    let_go_on(&api, caller, order.reason.as_deref())?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets it go on.
pub(super) fn let_go_on(api: &Api, caller: Caller, reason: Option<&str>) -> Result<(), Problem> {
    caller.journal(api).resume(caller.by, reason, api.clock.now())?;
    api.bell.ring(Trigger::Command);
    Ok(())
}

pub(super) async fn redeliver(
    State(api): State<Api>,
    caller: Caller,
    id: Named,
) -> Result<StatusCode, Problem> {
    send_again(&api, caller, id.number()?)?;
    Ok(StatusCode::ACCEPTED)
}

/// Queues a delivery again.
pub(super) fn send_again(api: &Api, caller: Caller, id: u64) -> Result<(), Problem> {
    if caller.journal(api).redeliver(id, caller.by, api.clock.now())?.is_none() {
        return Err(Problem::unknown(format!("there is no delivery {id}")));
    }
    api.bell.ring(Trigger::Command);
    Ok(())
}

/// Writes down what is wanted, wakes the loop, and waits for the outcome where that is asked for.
async fn fulfil(
    api: &Api,
    caller: &Caller,
    waiting: &Waiting,
    kind: WishKind,
    reason: Option<&str>,
) -> Result<Response, Problem> {
    let limit = waiting.limit()?;
    let (wish, mut passes) = order(api, caller, &kind, reason)?;
    let Some(limit) = limit else { return Ok(ordered(wish, passes).await) };
    let report = wait_for(&mut passes, limit, |passes| passes.ended_wish(wish).cloned());
    answer(api, caller, report.await).await
}

/// Writes down what is wanted and wakes the loop.
fn order(
    api: &Api,
    caller: &Caller,
    kind: &WishKind,
    reason: Option<&str>,
) -> Result<(u64, tokio::sync::watch::Receiver<Passes>), Problem> {
    let passes = api.board.follow();
    let wish = caller.journal(api).wish(kind, &caller.by, reason, api.clock.now())?;
    api.bell.ring(Trigger::Command);
    Ok((wish, passes))
}

/// The same, and waits for the outcome; `None`: it had none within `limit`, and comes later.
pub(super) async fn order_and_wait(
    api: &Api,
    caller: &Caller,
    kind: &WishKind,
    reason: Option<&str>,
    limit: Duration,
) -> Result<Option<Arc<Report>>, Problem> {
    let (wish, mut passes) = order(api, caller, kind, reason)?;
    Ok(wait_for(&mut passes, limit, |passes| passes.ended_wish(wish).cloned()).await)
}

/// What a name stands for in a look: itself, or the commit that the source has under it, which is
/// brought here first when it is not known yet.
pub(super) async fn brought(api: &Api, caller: &Caller, name: &str) -> Result<String, Problem> {
    let of_view = name.to_owned();
    let known = api.look(caller, move |view| match view.point(&of_view) {
        Err(ViewError::Unknown { .. } | ViewError::NotFetched { .. } | ViewError::Nothing) => {
            Ok(false)
        }
        // What else is wrong with it is told by the look itself.
        Ok(_) | Err(_) => Ok(true),
    });
    if is_word(name) || known.await? {
        return Ok(name.to_owned());
    }
    let kind = WishKind::Fetch(Sought::of(name));
    let report = order_and_wait(api, caller, &kind, None, FETCH_WAIT).await?;
    let report = report.ok_or_else(still_running)?;
    match (&report.outcome, &report.revision) {
        (PassOutcome::Planned, Some(revision)) => Ok(revision.to_string()),
        (PassOutcome::Refused(_), _) => {
            let detail = report.message.clone();
            let problem = Problem::new(StatusCode::CONFLICT, "revision_refused", detail);
            Err(problem.of_files().seen_by(caller))
        }
        _ => {
            let detail = format!("`{name}` cannot be had from the source: {}", report.message);
            let problem = Problem::new(StatusCode::CONFLICT, "revision_not_fetched", detail);
            Err(problem.of_files().seen_by(caller))
        }
    }
}

/// Names that the source has no part in: what is live or wanted here, and deployments.
fn is_word(name: &str) -> bool {
    matches!(name, "" | "live" | "desired") || name.len() < 12 && name.parse::<u64>().is_ok()
}

/// The order's number, and that of its deployment as soon as the loop gave it one.
pub(super) async fn ordered(
    wish: u64,
    mut passes: tokio::sync::watch::Receiver<Passes>,
) -> Response {
    let numbered = tokio::time::timeout(
        NUMBER_WAIT,
        passes.wait_for(|passes| {
            passes.numbered(wish).is_some() || passes.ended_wish(wish).is_some()
        }),
    );
    let deployment = match numbered.await {
        Ok(Ok(passes)) => passes
            .numbered(wish)
            .or_else(|| passes.ended_wish(wish).and_then(|report| report.deployment)),
        _ => None,
    };
    let location = deployment.map(|id| format!("/api/config/history/{id}"));
    let body = OrderedBody { order: wish, deployment: deployment.map(|id| id.0) };
    let location = location.map(|path| [(header::LOCATION, path)]);
    (StatusCode::ACCEPTED, location, Json(body)).into_response()
}

async fn wait_for(
    passes: &mut tokio::sync::watch::Receiver<Passes>,
    limit: Duration,
    find: impl Fn(&Passes) -> Option<Arc<Report>>,
) -> Option<Arc<Report>> {
    let found = tokio::time::timeout(limit, passes.wait_for(|passes| find(passes).is_some()));
    find(&*found.await.ok()?.ok()?)
}

/// What is told whose wait is over before the pass is.
pub(super) fn still_running() -> Problem {
    let detail = "the pass has not ended within the time to wait; it goes on";
    Problem::new(StatusCode::GATEWAY_TIMEOUT, "still_running", detail)
}

async fn answer(
    api: &Api,
    caller: &Caller,
    report: Option<Arc<Report>>,
) -> Result<Response, Problem> {
    let report = report.ok_or_else(still_running)?;
    let (settings, journal) = (api.settings.borrow().clone(), api.journal.clone());
    let caller = caller.clone();
    let answered = tokio::task::spawn_blocking(move || {
        Json(full(&report, settings, journal).seen_by(&caller)).into_response()
    });
    answered.await.map_err(|_| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the diff ended unexpectedly")
    })
}

/// A report with its plan told in full, as far as the mirror can.
#[must_use]
pub fn full(report: &Report, settings: Arc<Settings>, journal: Journal) -> ReportBody {
    let told = report.plan.as_ref().and_then(|plan| {
        let told = View::open(settings, journal).and_then(|view| view.told(plan));
        told.inspect_err(|error| tracing::warn!(%error, "a plan is told without its details")).ok()
    });
    ReportBody::new(report, &told.unwrap_or_default())
}
