use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;

use super::Api;
use super::differing::{Between, Differing, look};
use super::guard::Visitor;
use super::shell::{Failed, Shell, Shown, show};
use crate::http::extract::{Asked, Named};
use crate::http::problem::Problem;
use crate::http::reading;
use crate::http::wire::{DeliveryBody, DeploymentBody, FindingBody};
use crate::model::{Deployment, DeploymentId, Outcome, Revision};
use crate::objects::CommitWords;

/// Earlier deployments among which the one is looked for that was live before.
const BEFORE_MAX: usize = 200;

#[derive(Template)]
#[template(path = "deployment.html")]
struct Page {
    shell: Shell,
    deployment: DeploymentBody,
    words: Option<CommitWords>,
    /// The deployment that was live before; `None`: the first, or it is forgotten.
    before: Option<u64>,
    /// What it changed, or why that cannot be shown.
    differing: Result<Differing, String>,
    /// What was found, beside what stands at its lines.
    findings: Vec<FindingBody>,
    deliveries: Vec<DeliveryBody>,
    /// Whether one can go back to it.
    is_returnable: bool,
}

/// `/deployments/{id}`: one deployment, whole.
pub(super) async fn page(
    State(api): State<Api>,
    visitor: Visitor,
    id: Named,
    Asked(asked): Asked<Between>,
) -> Shown {
    let page = made(&api, &visitor, id, asked).await;
    let page = page.map_err(|problem| Failed::known(&api, &visitor, problem))?;
    Ok(show(StatusCode::OK, &page))
}

async fn made(api: &Api, visitor: &Visitor, id: Named, asked: Between) -> Result<Page, Problem> {
    let number: u64 = id.number()?;
    let caller = visitor.caller.clone();
    let axum::Json(deployment) =
        reading::deployment(State(api.clone()), caller.clone(), id).await?;
    let earlier = api.journal.history(BEFORE_MAX, Some(DeploymentId(number)))?.items;
    let before = earlier.iter().find(|row| was_live(row)).map(|row| row.id.0);
    let revision = Revision::parse(&deployment.revision).ok();
    let found = deployment.findings.clone();
    let of_page = found.clone();
    let is_split = asked.view.as_deref() == Some("split");
    let (sees_all, by) = (caller.sees_all(), caller.clone());
    let looked = api.look(&caller, move |view| {
        let words = revision.filter(|_| sees_all).and_then(|revision| view.words_of(&revision));
        let differing = match before {
            Some(before) => {
                let names = (before.to_string(), number.to_string());
                look(view, &by, (&names.0, &names.1), is_split, found)
                    .map_err(|problem| problem.seen_by(&by).detail().to_owned())
            }
            None => Err("it is the first of this history: all of it was new".to_owned()),
        };
        Ok((words, differing))
    });
    let (words, differing) = looked.await?;
    let findings = match &differing {
        Ok(differing) => of_page.into_iter().filter(|finding| !differing.shows(finding)).collect(),
        Err(_) => of_page,
    };
    let deliveries = api.read(move |journal| journal.deliveries_of(DeploymentId(number))).await?;
    let returnable = api.journal.returnable(BEFORE_MAX)?;
    let is_live = deployment.outcome == Outcome::Live.as_str();
    Ok(Page {
        shell: Shell::new(api, visitor, "/history"),
        words,
        before,
        differing,
        findings,
        deliveries: deliveries.iter().map(Into::into).collect(),
        is_returnable: !is_live && returnable.iter().any(|row| row.id.0 == number),
        deployment,
    })
}

fn was_live(row: &Deployment) -> bool {
    !matches!(row.outcome, Outcome::Refused | Outcome::Failed)
}
