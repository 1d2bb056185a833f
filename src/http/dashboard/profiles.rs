use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::Api;
use super::guard::Visitor;
use super::highlight::{Language, highlight};
use super::shell::{Failed, Shell, Shown, show};
use crate::http::extract::{Asked, Named};
use crate::http::looking::{self, Which};
use crate::http::reading::Paging;
use crate::http::wire::{ProfileBody, ProfileEntryBody, ValueBody};

#[derive(Template)]
#[template(path = "profiles.html")]
struct ListPage {
    shell: Shell,
    profiles: Result<Vec<ProfileEntryBody>, String>,
}

/// `/profiles`: those of the live tree.
pub(super) async fn list(State(api): State<Api>, visitor: Visitor) -> Shown {
    let all = Asked(Paging::default());
    let found = looking::profiles(State(api.clone()), visitor.caller.clone(), all).await;
    let profiles = match found {
        Ok(Json(page)) => Ok(page.items),
        Err(problem) if problem.status().is_server_error() => {
            return Err(Failed::known(&api, &visitor, problem));
        }
        Err(problem) => Err(problem.detail().to_owned()),
    };
    let page = ListPage { shell: Shell::new(&api, &visitor, "/profiles"), profiles };
    Ok(show(StatusCode::OK, &page))
}

#[derive(Template)]
#[template(path = "profile.html")]
struct Page {
    shell: Shell,
    profile: ProfileBody,
    values: Vec<ValueBody>,
    /// The whole of it, a line each, as HTML.
    lines: Vec<String>,
}

/// `/profiles/{id}`: one with all that it extends, and where each value comes from.
pub(super) async fn page(
    State(api): State<Api>,
    visitor: Visitor,
    id: Named,
    Asked(which): Asked<Which>,
) -> Shown {
    let which = Asked(Which { explain: true, ..which });
    let found = looking::profile_by_id(State(api.clone()), visitor.caller.clone(), id, which).await;
    let (_, Json(mut profile)) = found.map_err(|problem| Failed::known(&api, &visitor, problem))?;
    let values = profile.values.take().unwrap_or_default();
    let lines = profile.yaml.lines().map(|line| highlight(line, Language::Yaml)).collect();
    let page = Page { shell: Shell::new(&api, &visitor, "/profiles"), profile, values, lines };
    Ok(show(StatusCode::OK, &page))
}
