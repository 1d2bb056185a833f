use super::args::{DeliveriesAction, DeliveriesArgs, Global};
use super::exit::{Exit, Failure};
use super::render::{Output, Page as Printed};
use super::status::{Reading, reading, since};
use crate::clock::{Clock as _, SystemClock};
use crate::http::orders::OrderBody;
use crate::http::wire::{DeliveryBody, Page};
use crate::model::{By, Timestamp};

/// `deliveries`: events on their way, and those that were given up; `redeliver` sends one again.
pub(super) async fn run(
    global: &Global,
    args: DeliveriesArgs,
    output: &Output,
) -> Result<Exit, Failure> {
    let state_dir = super::sync::state_dir(global)?;
    let reading = reading(&state_dir).await?;
    if let Some(DeliveriesAction::Redeliver { id }) = args.action {
        let Reading::Agent(client) = reading else {
            return redeliver_offline(&state_dir, id, output);
        };
        client.tell(&format!("/api/deliveries/{id}/redeliver"), &OrderBody::default()).await?;
        output.words(|page| page.line(format!("delivery {id} is sent again")))?;
        return Ok(Exit::Done);
    }
    let body: Page<DeliveryBody> = match reading {
        Reading::Agent(client) => {
            let path = format!("/api/deliveries?limit={}&failed={}", args.limit, args.failed);
            client.get(&path).await?
        }
        Reading::Journal(journal) => {
            let items = journal.deliveries(args.failed, args.limit.max(1), None)?;
            Page::new(items.iter().map(Into::into).collect(), None)
        }
    };
    output.result(&body, |page| words(page, &body, SystemClock.now()))?;
    Ok(Exit::Done)
}

fn redeliver_offline(
    state_dir: &std::path::Path,
    id: u64,
    output: &Output,
) -> Result<Exit, Failure> {
    let now = SystemClock.now();
    let (journal, _) = crate::app::open_journal(state_dir, now)?;
    if journal.redeliver(id, By::operator(super::client::actor()), now)?.is_none() {
        return Err(Failure::new(Exit::Error, format!("there is no delivery {id}"))
            .hint("see `kconfigd deliveries`"));
    }
    output.words(|page| {
        page.line(format!("delivery {id} goes out with the next `kconfigd sync`"));
    })?;
    Ok(Exit::Done)
}

fn words(page: &mut Printed, body: &Page<DeliveryBody>, now: Timestamp) {
    if body.items.is_empty() {
        page.line("no deliveries");
        return;
    }
    let rows: Vec<Vec<String>> = body
        .items
        .iter()
        .map(|d| {
            vec![
                d.id.to_string(),
                d.node.clone(),
                d.kind.clone(),
                d.state.clone(),
                d.attempts.to_string(),
                since(&d.queued_at, now),
                d.last_error.clone().unwrap_or_default(),
            ]
        })
        .collect();
    page.table(&["ID", "NODE", "EVENT", "STATE", "TRIES", "AGE", "LAST ERROR"], &rows);
}
