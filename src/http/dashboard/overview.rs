use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::Api;
use super::guard::Visitor;
use super::history::{Entry, entries};
use super::shell::{Failed, Shell, Shown, show};
use super::words::plain;
use crate::http::problem::Problem;
use crate::http::reading;
use crate::http::wire::StatusBody;

/// Deployments that the page shows.
const ROWS: usize = 5;

#[derive(Template)]
#[template(path = "overview.html")]
struct Page {
    shell: Shell,
    status: StatusBody,
    profile: Option<String>,
    entries: Vec<Entry>,
    mood: &'static str,
    headline: String,
    /// What waits can be applied by an order.
    may_wait_be_ended: bool,
}

/// `/`: how things stand.
pub(super) async fn page(State(api): State<Api>, visitor: Visitor) -> Shown {
    let page = made(&api, &visitor).await;
    let page = page.map_err(|problem| Failed::known(&api, &visitor, problem))?;
    Ok(show(StatusCode::OK, &page))
}

async fn made(api: &Api, visitor: &Visitor) -> Result<Page, Problem> {
    let Json(status) = reading::status(State(api.clone()), visitor.caller.clone()).await?;
    let (entries, _) = entries(api, &visitor.caller, ROWS, None).await?;
    let (mood, headline) = mood(&status);
    Ok(Page {
        shell: Shell::new(api, visitor, "/"),
        profile: api.settings.borrow().profile.clone(),
        entries,
        mood,
        headline,
        may_wait_be_ended: waits_for_a_person(&status),
        status,
    })
}

/// How bad it is, as a class of the style sheet, and in a few words.
fn mood(status: &StatusBody) -> (&'static str, String) {
    if status.live.is_none() {
        return ("waits", "Nothing is live yet".to_owned());
    }
    match status.state.as_str() {
        "in_sync" if !status.drift.paths.is_empty() => ("waits", "In sync, with drift".to_owned()),
        "in_sync" if status.source.error.is_some() => {
            ("waits", "The source does not answer".to_owned())
        }
        "in_sync" => ("good", "In sync".to_owned()),
        "held" => ("waits", "A revision waits".to_owned()),
        "suspended" => ("waits", "Suspended".to_owned()),
        "baking" => ("busy", "Watching the health of what is live".to_owned()),
        "out_of_sync" | "applying" | "starting" => ("busy", plain_capital(&status.state)),
        "degraded" => ("bad", "Degraded: what is newest is not live".to_owned()),
        other => ("bad", plain_capital(other)),
    }
}

fn plain_capital(word: &str) -> String {
    let plain = plain(word);
    let mut letters = plain.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Whether `apply` would end the wait: it overrides these, and never trust, gates or checks.
fn waits_for_a_person(status: &StatusBody) -> bool {
    let reason = status.reason.as_deref().unwrap_or_default();
    let is_behind = match (&status.live, &status.desired) {
        (Some(live), Some(desired)) => live.revision != desired.revision,
        _ => false,
    };
    is_behind
        && (status.suspended.is_some()
            || matches!(
                reason,
                "awaiting_approval"
                    | "outside_window"
                    | "suspicious_deletion"
                    | "history_rewritten"
                    | "rolled_back"
                    | "suspended"
            ))
}
