use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::Api;
use super::guard::Visitor;
use super::shell::{Failed, Shell, Shown, show};
use crate::http::extract::Asked;
use crate::http::problem::Problem;
use crate::http::reading::{self, Paging};
use crate::http::wire::{DeliveryBody, NodeBody};

/// Deliveries of a node on the page.
const ROWS: u32 = 15;

/// A node with its newest deliveries.
struct Entry {
    node: NodeBody,
    deliveries: Vec<DeliveryBody>,
}

#[derive(Template)]
#[template(path = "nodes.html")]
struct Page {
    shell: Shell,
    entries: Vec<Entry>,
}

/// `/nodes`: who is told, and how that went.
pub(super) async fn page(State(api): State<Api>, visitor: Visitor) -> Shown {
    let page = made(&api, &visitor).await;
    let page = page.map_err(|problem| Failed::known(&api, &visitor, problem))?;
    Ok(show(StatusCode::OK, &page))
}

async fn made(api: &Api, visitor: &Visitor) -> Result<Page, Problem> {
    let Json(nodes) = {
        let all = Asked(Paging::default());
        reading::nodes(State(api.clone()), visitor.caller.clone(), all).await?
    };
    let mut entries = Vec::new();
    for node in nodes.items {
        let deliveries = api.journal.deliveries_to(&node.name, ROWS)?;
        entries.push(Entry { node, deliveries: deliveries.iter().map(Into::into).collect() });
    }
    Ok(Page { shell: Shell::new(api, visitor, "/nodes"), entries })
}
