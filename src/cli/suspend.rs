use std::path::Path;

use super::args::{Global, ReasonArgs, SuspendArgs};
use super::client::{Client, actor};
use super::exit::{Exit, Failure};
use super::render::Output;
use crate::app::open_journal;
use crate::clock::{Clock as _, SystemClock};
use crate::config::parse_duration;
use crate::http::orders::OrderBody;
use crate::journal::Journal;
use crate::model::{By, Suspension, Timestamp};

/// `suspend`: the agent goes on watching, and applies nothing.
pub(super) async fn suspend(
    global: &Global,
    args: SuspendArgs,
    output: &Output,
) -> Result<Exit, Failure> {
    let state_dir = super::sync::state_dir(global)?;
    let now = SystemClock.now();
    let until = args.until.as_deref().map(|text| moment(text, now)).transpose()?;
    let body = OrderBody {
        until: until.map(|t| t.to_string()),
        reason: args.reason.clone(),
        ..OrderBody::default()
    };
    if let Some(client) = Client::connect(&state_dir).await? {
        client.tell("/api/config/suspend", &body).await?;
    } else {
        let suspension = Suspension { since: now, until, actor: actor(), reason: args.reason };
        journal(&state_dir)?.suspend(&suspension, By::operator(actor()))?;
    }
    let until = until.map_or_else(|| "`kconfigd resume`".to_owned(), |t| t.to_string());
    output.words(|page| page.line(format!("suspended until {until}; what is live stays")))?;
    Ok(Exit::Done)
}

/// `resume`: the agent applies again.
pub(super) async fn resume(
    global: &Global,
    args: ReasonArgs,
    output: &Output,
) -> Result<Exit, Failure> {
    let state_dir = super::sync::state_dir(global)?;
    if let Some(client) = Client::connect(&state_dir).await? {
        let body = OrderBody { reason: args.reason, ..OrderBody::default() };
        client.tell("/api/config/resume", &body).await?;
    } else {
        let by = By::operator(actor());
        journal(&state_dir)?.resume(by, args.reason.as_deref(), SystemClock.now())?;
    }
    output.words(|page| page.line("resumed"))?;
    Ok(Exit::Done)
}

fn journal(state_dir: &Path) -> Result<Journal, Failure> {
    let path = crate::app::journal_file(state_dir);
    if !path.exists() {
        let folder = state_dir.display();
        return Err(Failure::new(Exit::Error, format!("there is nothing of kconfigd in {folder}"))
            .hint("name the right folder with --state-dir or its settings with --config"));
    }
    Ok(open_journal(state_dir, SystemClock.now())?.0)
}

/// A moment as people give it: RFC 3339, or a time from now on.
fn moment(text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    if let Some(duration) = parse_duration(text) {
        return Ok(now.plus(duration));
    }
    let moment = Timestamp::parse(text).map_err(|_| {
        Failure::new(Exit::Usage, format!("--until {text} is no time"))
            .hint("write 2026-01-31T18:00:00Z, or a time from now on: 30m, 2h, 7d")
    })?;
    if moment <= now {
        return Err(Failure::new(Exit::Usage, format!("--until {text} has passed already")));
    }
    Ok(moment)
}
