//! Search: where in a tree something is said.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use super::Api;
use super::access::Caller;
use super::extract::Asked;
use super::orders;
use super::problem::Problem;
use super::wire::{FORMAT_VERSION, HitBody, PointBody, SearchBody};

/// Characters that a search has at least, and at most.
const CHARS: std::ops::RangeInclusive<usize> = 2..=200;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sought {
    pub(super) q: Option<String>,
    pub(super) at: Option<String>,
}

pub(super) async fn search(
    State(api): State<Api>,
    caller: Caller,
    Asked(sought): Asked<Sought>,
) -> Result<Json<SearchBody>, Problem> {
    let text = sought.q.as_deref().unwrap_or_default().trim().to_owned();
    if !CHARS.contains(&text.chars().count()) {
        let (least, most) = CHARS.into_inner();
        return Err(Problem::bad_request(format!(
            "say what to look for, in {least} to {most} characters: `?q=redis`"
        )));
    }
    let at = orders::brought(&api, &caller, sought.at.as_deref().unwrap_or("live")).await?;
    let by = caller.clone();
    api.look(&caller, move |view| {
        let at = view.point(&at)?;
        let found = view.search(&at, &text, |path| by.sees(path))?;
        let items = found.hits.into_iter().map(|hit| {
            let (line, text) = hit.line.unzip();
            HitBody { path: hit.path, line, text }
        });
        Ok(SearchBody {
            format_version: FORMAT_VERSION,
            at: PointBody::from(&at),
            items: items.collect(),
            truncated: !found.is_whole,
        })
    })
    .await
    .map(Json)
}
