//! What forms ask for: the same orders as the API's and the verbs'.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};

use super::Api;
use super::form::{Fields, Form};
use super::guard::Visitor;
use super::shell::{Failed, Shown};
use crate::http::access::lock;
use crate::http::orders;
use crate::http::problem::Problem;
use crate::http::wire::outcome_words;
use crate::model::{DeploymentId, PassOutcome, Report, Revision, Timestamp, WishKind};

/// How long a page waits for the outcome; after that it says that the work goes on.
pub(super) const WAIT: Duration = Duration::from_secs(20);

/// What is said on the next page, and whether it went well.
pub(super) type Said = (bool, String);

pub(super) async fn look(State(api): State<Api>, form: Form) -> Shown {
    let report = tokio::time::timeout(WAIT, orders::looked(&api)).await.ok().flatten();
    let said = report.map_or_else(goes_on, |report| told(&form.visitor, &report));
    Ok(back(&api, &form.visitor, "/", said))
}

pub(super) async fn apply(State(api): State<Api>, form: Form) -> Shown {
    let revision = match form.fields.text("revision").map(Revision::parse).transpose() {
        Ok(revision) => revision,
        Err(error) => {
            let problem = Problem::bad_request(error.to_string());
            return Err(Failed::known(&api, &form.visitor, problem));
        }
    };
    ordered(&api, form, WishKind::Apply(revision), "/").await
}

pub(super) async fn rollback(State(api): State<Api>, form: Form) -> Shown {
    // One that cannot be read is not the one before.
    let to = match form.fields.text("to").map(str::parse).transpose() {
        Ok(to) => to.map(DeploymentId),
        Err(_) => {
            let problem = Problem::bad_request("the form names no deployment to go back to");
            return Err(Failed::known(&api, &form.visitor, problem));
        }
    };
    let hold = form.fields.has("hold");
    ordered(&api, form, WishKind::Rollback { to, hold }, "/").await
}

pub(super) async fn compare(State(api): State<Api>, form: Form) -> Shown {
    ordered(&api, form, WishKind::Compare, "/").await
}

pub(super) async fn repair(State(api): State<Api>, form: Form) -> Shown {
    ordered(&api, form, WishKind::Repair, "/").await
}

pub(super) async fn suspend(State(api): State<Api>, form: Form) -> Shown {
    let Form { visitor, fields } = form;
    let until = until(&api, &fields);
    let stopped =
        until.and_then(|until| orders::stop(&api, visitor.caller.clone(), until, reason(&fields)));
    stopped.map_err(|problem| Failed::known(&api, &visitor, problem))?;
    Ok(back(
        &api,
        &visitor,
        "/",
        (true, "suspended: nothing is applied until it is resumed".to_owned()),
    ))
}

pub(super) async fn resume(State(api): State<Api>, form: Form) -> Shown {
    let Form { visitor, fields } = form;
    let resumed = orders::let_go_on(&api, visitor.caller.clone(), reason(&fields).as_deref());
    resumed.map_err(|problem| Failed::known(&api, &visitor, problem))?;
    Ok(back(
        &api,
        &visitor,
        "/",
        (true, "resumed: what waited is applied by the next pass".to_owned()),
    ))
}

pub(super) async fn redeliver(State(api): State<Api>, form: Form) -> Shown {
    let Form { visitor, fields } = form;
    let id = fields.text("id").and_then(|text| text.parse().ok());
    let id = id.ok_or_else(|| {
        Failed::known(&api, &visitor, Problem::bad_request("the form names no delivery"))
    })?;
    let queued = orders::send_again(&api, visitor.caller.clone(), id);
    queued.map_err(|problem| Failed::known(&api, &visitor, problem))?;
    Ok(back(&api, &visitor, "/nodes", (true, format!("delivery {id} is sent again"))))
}

async fn ordered(api: &Api, form: Form, kind: WishKind, place: &str) -> Shown {
    let Form { visitor, fields } = form;
    let reason = reason(&fields);
    let report = orders::order_and_wait(api, &visitor.caller, &kind, reason.as_deref(), WAIT).await;
    let report = report.map_err(|problem| Failed::known(api, &visitor, problem))?;
    let said = report.map_or_else(goes_on, |report| told(&visitor, &report));
    Ok(back(api, &visitor, place, said))
}

fn goes_on() -> Said {
    (true, "it was ordered, and goes on: this page tells when it is done".to_owned())
}

/// A report in one sentence, for who may read all of it; in its stable words for others.
pub(super) fn told(visitor: &Visitor, report: &Report) -> Said {
    let (outcome, reason) = outcome_words(&report.outcome);
    let words = super::words::plain(outcome);
    let good = matches!(
        report.outcome,
        PassOutcome::InSync
            | PassOutcome::Applied
            | PassOutcome::Returned
            | PassOutcome::Repaired
            | PassOutcome::Planned
    );
    let more = match visitor.caller.sees_all() {
        true => report.message.clone(),
        false => reason.map_or_else(String::new, |reason| super::words::plain(reason.as_str())),
    };
    (good, if more.is_empty() { words } else { format!("{words}: {more}") })
}

fn reason(fields: &Fields) -> Option<String> {
    const REASON_CHARS_MAX: usize = 1_000;
    fields.text("reason").map(|text| text.chars().take(REASON_CHARS_MAX).collect())
}

/// How long a suspension lasts: so many minutes, or until somebody resumes.
fn until(api: &Api, fields: &Fields) -> Result<Option<Timestamp>, Problem> {
    const MINUTES_MAX: i64 = 60 * 24 * 365;
    let Some(text) = fields.text("minutes") else { return Ok(None) };
    let minutes = text.parse::<i64>().ok().filter(|minutes| (1..=MINUTES_MAX).contains(minutes));
    let minutes = minutes.ok_or_else(|| {
        Problem::bad_request("the time is not a number of minutes, a year at most")
    })?;
    Ok(Some(Timestamp(api.clock.now().0 + minutes * 60_000)))
}

/// The next page, which says how it went; sent so that loading it again orders nothing.
fn back(api: &Api, visitor: &Visitor, place: &str, (good, sentence): Said) -> Response {
    lock(&api.access.sessions).say(&visitor.session, good, sentence);
    Redirect::to(place).into_response()
}
