use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::Api;
use super::guard::Visitor;
use super::shell::{Failed, Shell, Shown, show};
use crate::http::extract::Asked;
use crate::http::search::{self, Sought};
use crate::http::wire::SearchBody;

#[derive(Template)]
#[template(path = "search.html")]
struct Page {
    shell: Shell,
    q: String,
    at: String,
    /// What was found, or why nothing could be; `None`: nothing was asked for.
    found: Option<Result<SearchBody, String>>,
}

/// `/search`: where a tree says something.
pub(super) async fn page(
    State(api): State<Api>,
    visitor: Visitor,
    Asked(sought): Asked<Sought>,
) -> Shown {
    let text = |text: &Option<String>| text.as_deref().unwrap_or_default().trim().to_owned();
    let (q, at) = (text(&sought.q), text(&sought.at));
    let found = if q.is_empty() {
        None
    } else {
        let at = Some(at.clone()).filter(|at| !at.is_empty());
        let sought = Asked(Sought { q: Some(q.clone()), at });
        match search::search(State(api.clone()), visitor.caller.clone(), sought).await {
            Ok(Json(found)) => Some(Ok(found)),
            Err(problem) if problem.status().is_server_error() => {
                return Err(Failed::known(&api, &visitor, problem));
            }
            Err(problem) => Some(Err(problem.detail().to_owned())),
        }
    };
    let shell = Shell::new(&api, &visitor, "/search");
    Ok(show(StatusCode::OK, &Page { shell, q, at, found }))
}
