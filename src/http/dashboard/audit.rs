use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::Api;
use super::guard::Visitor;
use super::shell::{Failed, Shell, Shown, show};
use crate::http::extract::Asked;
use crate::http::reading::{self, Trail};
use crate::http::wire::AuditBody;

/// Records on a page.
const ROWS: usize = 100;

#[derive(Template)]
#[template(path = "audit.html")]
struct Page {
    shell: Shell,
    asked: Trail,
    records: Vec<AuditBody>,
    /// The query of the next page.
    next: Option<String>,
}

/// `/audit`: who did or tried what.
pub(super) async fn page(
    State(api): State<Api>,
    visitor: Visitor,
    Asked(asked): Asked<Trail>,
) -> Shown {
    let filled = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    let asked = Trail {
        limit: Some(ROWS),
        before: asked.before,
        cursor: None,
        name: filled(asked.name),
        action: filled(asked.action),
        outcome: filled(asked.outcome),
        since: filled(asked.since),
        until: filled(asked.until),
    };
    let found =
        reading::audit(State(api.clone()), visitor.caller.clone(), Asked(asked.clone())).await;
    let Json(found) = found.map_err(|problem| Failed::known(&api, &visitor, problem))?;
    let next = found.next.map(|next| query(&asked, next));
    let shell = Shell::new(&api, &visitor, "/audit");
    let page = Page { shell, asked, records: found.items, next };
    Ok(show(StatusCode::OK, &page))
}

fn query(asked: &Trail, before: u64) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("before", &before.to_string());
    let fields = [
        ("name", &asked.name),
        ("action", &asked.action),
        ("outcome", &asked.outcome),
        ("since", &asked.since),
        ("until", &asked.until),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    query.finish()
}
