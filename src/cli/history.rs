use super::args::{Global, HistoryArgs};
use super::exit::{Exit, Failure};
use super::render::{Output, Page as Printed, short};
use super::status::{Reading, reading, since};
use crate::clock::{Clock as _, SystemClock};
use crate::http::wire::{DeploymentBody, Page};
use crate::model::{DeploymentId, Timestamp};

/// `history`: the deployments, newest first.
pub(super) async fn run(
    global: &Global,
    args: HistoryArgs,
    output: &Output,
) -> Result<Exit, Failure> {
    let state_dir = super::sync::state_dir(global)?;
    let body: Page<DeploymentBody> = match reading(&state_dir).await? {
        Reading::Agent(client) => {
            let before = args.before.map_or_else(String::new, |id| format!("&before={id}"));
            client.get(&format!("/api/config/history?limit={}{before}", args.limit)).await?
        }
        Reading::Journal(journal) => {
            let page = journal.history(args.limit.max(1), args.before.map(DeploymentId))?;
            let items = page.items.iter().map(Into::into).collect();
            Page::new(items, page.next.map(|id| id.0))
        }
    };
    output.result(&body, |page| words(page, &body, SystemClock.now()))?;
    Ok(Exit::Done)
}

fn words(page: &mut Printed, body: &Page<DeploymentBody>, now: Timestamp) {
    if body.items.is_empty() {
        page.line("no deployment yet");
        return;
    }
    let rows: Vec<Vec<String>> = body.items.iter().map(|d| row(d, now)).collect();
    page.table(&["ID", "REVISION", "OUTCOME", "ORIGIN", "AGE", "CHANGES", "REASON"], &rows);
    if let Some(next) = body.next {
        page.line(format!("older ones: kconfigd history --before {next}"));
    }
}

fn row(d: &DeploymentBody, now: Timestamp) -> Vec<String> {
    const REASON_CHARS: usize = 60;
    let reason = d.reason.as_deref().unwrap_or_default();
    vec![
        d.deployment.to_string(),
        short(&d.revision).to_owned(),
        d.outcome.replace('_', " "),
        d.actor.as_ref().map_or_else(|| d.origin.clone(), |who| format!("{} by {who}", d.origin)),
        since(&d.finished_at, now),
        format!("+{} ~{} -{}", d.changes.added, d.changes.modified, d.changes.removed),
        reason.chars().take(REASON_CHARS).collect(),
    ]
}
