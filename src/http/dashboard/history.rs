use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::Api;
use super::guard::Visitor;
use super::shell::{Failed, Shell, Shown, show};
use crate::http::access::Caller;
use crate::http::extract::Asked;
use crate::http::problem::Problem;
use crate::http::reading::{self, Paging};
use crate::http::wire::DeploymentBody;
use crate::model::Revision;
use crate::objects::CommitWords;

/// Deployments on a page.
const ROWS: usize = 40;

/// A deployment, and what its commit says of itself.
pub(super) struct Entry {
    pub(super) row: DeploymentBody,
    pub(super) words: Option<CommitWords>,
}

/// The newest deployments below a number, and where the next page begins.
pub(super) async fn entries(
    api: &Api,
    caller: &Caller,
    rows: usize,
    before: Option<u64>,
) -> Result<(Vec<Entry>, Option<u64>), Problem> {
    let paging = Asked(Paging { limit: Some(rows), before, ..Paging::default() });
    let Json(page) = reading::history(State(api.clone()), caller.clone(), paging).await?;
    let revisions: Vec<_> =
        page.items.iter().map(|row| Revision::parse(&row.revision).ok()).collect();
    // A message may name files; and before anything was fetched there is nothing to look at.
    let words = match caller.sees_all() {
        true => {
            let looked = api.look(caller, move |view| {
                let words = revisions.iter().map(|one| view.words_of(one.as_ref()?));
                Ok(words.collect::<Vec<_>>())
            });
            looked.await.unwrap_or_default()
        }
        false => Vec::new(),
    };
    let mut words = words.into_iter();
    let entry = |row| Entry { row, words: words.next().flatten() };
    Ok((page.items.into_iter().map(entry).collect(), page.next))
}

#[derive(Template)]
#[template(path = "history.html")]
struct Page {
    shell: Shell,
    entries: Vec<Entry>,
    next: Option<u64>,
    is_first: bool,
}

/// `/history`: what was live, when, why and by whom.
pub(super) async fn page(
    State(api): State<Api>,
    visitor: Visitor,
    Asked(paging): Asked<Paging>,
) -> Shown {
    let found = entries(&api, &visitor.caller, ROWS, paging.before).await;
    let (entries, next) = found.map_err(|problem| Failed::known(&api, &visitor, problem))?;
    let shell = Shell::new(&api, &visitor, "/history");
    let page = Page { shell, entries, next, is_first: paging.before.is_none() };
    Ok(show(StatusCode::OK, &page))
}
