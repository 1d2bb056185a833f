use std::path::Path;

use super::args::{Global, StatusArgs};
use super::client::Client;
use super::exit::{Exit, Failure};
use super::render::{BAD, BOLD, GOOD, Output, Page, WARN, ago, short};
use crate::app::journal_file;
use crate::clock::{Clock as _, SystemClock};
use crate::http::parties::parties;
use crate::http::standing::status_of;
use crate::http::wire::{PartyBody, StatusBody};
use crate::journal::Journal;
use crate::model::Timestamp;

/// Where a verb that only reads gets what it tells.
pub(super) enum Reading {
    /// From the running agent.
    Agent(Client),
    /// From the journal, since none runs.
    Journal(Journal),
}

/// Finds the agent or its journal.
pub(super) async fn reading(state_dir: &Path) -> Result<Reading, Failure> {
    if let Some(client) = Client::connect(state_dir).await? {
        return Ok(Reading::Agent(client));
    }
    match Journal::open_to_read(&journal_file(state_dir))? {
        Some(journal) => Ok(Reading::Journal(journal)),
        None => Err(nothing_there(state_dir)),
    }
}

/// A verb that finds nothing says where it looked and what to try.
pub(super) fn nothing_there(state_dir: &Path) -> Failure {
    let folder = state_dir.display();
    Failure::new(Exit::Error, format!("there is nothing of kconfigd in {folder}")).hint(
        "name the right folder with --state-dir or its settings with --config; where the agent runs as root, use sudo",
    )
}

pub(super) async fn run(
    global: &Global,
    args: StatusArgs,
    output: &Output,
) -> Result<Exit, Failure> {
    let state_dir = super::sync::state_dir(global)?;
    let now = SystemClock.now();
    let body: StatusBody = match reading(&state_dir).await? {
        Reading::Agent(client) => client.get("/api/config/status").await?,
        Reading::Journal(journal) => {
            let status = status_of(&journal)?;
            StatusBody::new(&status, &parties(None, &status, None, now), now, false)
        }
    };
    output.result(&body, |page| words(page, &body, now))?;
    Ok(if args.exit_code { exit_of(&body.state) } else { Exit::Done })
}

fn exit_of(state: &str) -> Exit {
    match state {
        "in_sync" => Exit::Done,
        "held" | "suspended" | "out_of_sync" => Exit::Waiting,
        _ => Exit::Error,
    }
}

/// One look: state, live revision and its age, what waits and why, freshness, undelivered events.
fn words(page: &mut Page, status: &StatusBody, now: Timestamp) {
    let style = match status.state.as_str() {
        "in_sync" => GOOD,
        "degraded" => BAD,
        _ => WARN,
    };
    let state = page.styled(style.bold(), status.state.replace('_', " "));
    let reason = status.reason.as_deref().map_or_else(String::new, |r| format!(" ({r})"));
    page.line(format!("{state}{reason}: {}", status.message));
    let mut row = |name: &str, text: String| {
        let name = page.styled(BOLD, format!("{name:<10}"));
        page.line(format!("  {name} {text}"));
    };
    match &status.live {
        Some(live) => row(
            "live",
            format!(
                "{} deployment {}, {} ago ({})",
                short(&live.revision),
                live.deployment,
                since(&live.since, now),
                live.origin
            ),
        ),
        None => row("live", "nothing yet".to_owned()),
    }
    if let Some(desired) = &status.desired {
        let same = status.live.as_ref().is_some_and(|live| live.revision == desired.revision);
        let waits = if same { "is live" } else { "waits" };
        let seen = since(&desired.detected_at, now);
        row("head", format!("{} {waits}, seen {seen} ago", short(&desired.revision)));
    }
    let fresh = match (status.source.stale_seconds, &status.source.error) {
        (Some(seconds), None) => format!("answered {} ago", ago(seconds)),
        (Some(seconds), Some(error)) => {
            format!("last answered {} ago; {}: {}", ago(seconds), error.reason, error.message)
        }
        (None, Some(error)) => format!("never answered; {}: {}", error.reason, error.message),
        (None, None) => "not asked yet".to_owned(),
    };
    row("source", fresh);
    if let Some(stop) = &status.suspended {
        let until = stop.until.as_deref().map_or_else(String::new, |t| format!(" until {t}"));
        let why = stop.reason.as_deref().map_or_else(String::new, |r| format!(": {r}"));
        row("suspended", format!("by {}{until}{why}", stop.actor));
    }
    if !status.drift.paths.is_empty() {
        row("drift", format!("{} paths differ: see `kconfigd drift`", status.drift.paths.len()));
    }
    if !status.quarantine.is_empty() {
        row(
            "quarantine",
            match status.quarantine.len() {
                1 => "1 entry".to_owned(),
                count => format!("{count} entries"),
            },
        );
    }
    let outbox = status.outbox;
    row(
        "events",
        match (outbox.pending, outbox.failed) {
            (0, 0) => "all delivered".to_owned(),
            (pending, failed) => {
                format!("{pending} on their way, {failed} given up: see `kconfigd deliveries`")
            }
        },
    );
    let failing: Vec<&PartyBody> = status.parties.iter().filter(|p| p.state != "closed").collect();
    for party in failing.iter().take(PARTIES_SHOWN) {
        row("outside", outside(party, now));
    }
    if failing.len() > PARTIES_SHOWN {
        row("outside", format!("and {} more: see -o json", failing.len() - PARTIES_SHOWN));
    }
    if !status.agent_running {
        row("agent", "not running; this is what it wrote down last".to_owned());
    }
}

/// Parties that fail and are shown one by one.
const PARTIES_SHOWN: usize = 8;

/// Somebody outside who fails: since when, how often, when it is tried next, and why.
fn outside(party: &PartyBody, now: Timestamp) -> String {
    let lasting =
        party.since.as_deref().map_or_else(String::new, |at| format!(" for {}", since(at, now)));
    let next = party.next_try_at.as_deref().and_then(|at| Timestamp::parse(at).ok());
    let next = match next.map(|at| at.since(now).as_secs()) {
        None => String::new(),
        Some(0) => ", tried now".to_owned(),
        Some(seconds) => format!(", next in {}", ago(seconds)),
    };
    // The row of the source says why.
    let why = party.error.as_deref().filter(|_| party.kind != "source");
    let why = why.map_or_else(String::new, |error| format!(": {error}"));
    let times = match party.failures {
        1 => "1 failure".to_owned(),
        failures => format!("{failures} failures"),
    };
    format!("{} {} fails{lasting}, {times}{next}{why}", party.kind, party.name)
}

/// How long ago an RFC 3339 moment was.
pub(super) fn since(text: &str, now: Timestamp) -> String {
    Timestamp::parse(text).map_or_else(|_| text.to_owned(), |at| ago(now.since(at).as_secs()))
}
