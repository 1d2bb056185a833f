//! What a commit or a branch would change, and the button that makes it live.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;

use super::Api;
use super::actions::{WAIT, told};
use super::differing::{Differing, look_at};
use super::form::Form;
use super::guard::Visitor;
use super::shell::{Failed, Shell, Shown, show};
use crate::diff::Told;
use crate::http::orders;
use crate::http::problem::Problem;
use crate::http::wire::{FindingBody, ReportBody};
use crate::model::{PassOutcome, Plan, Report, Sought, WishKind};

#[derive(Template)]
#[template(path = "plan.html")]
struct Page {
    shell: Shell,
    /// What was asked for; empty: the head.
    sought: String,
    planned: Option<Planned>,
}

/// What came of a plan.
struct Planned {
    good: bool,
    sentence: String,
    /// The commit that it is about.
    revision: Option<String>,
    /// Whether it could be made live now.
    is_applicable: bool,
    /// What would change, or why that cannot be shown.
    differing: Result<Differing, String>,
    /// What was found where nothing of it is shown.
    findings: Vec<FindingBody>,
}

/// `/plan`: asks what to plan.
pub(super) async fn page(State(api): State<Api>, visitor: Visitor) -> Shown {
    let shell = Shell::new(&api, &visitor, "/plan");
    Ok(show(StatusCode::OK, &Page { shell, sought: String::new(), planned: None }))
}

/// `/plan`, asked: goes the way that an apply would go, up to what it would change.
pub(super) async fn plan(State(api): State<Api>, form: Form) -> Shown {
    let Form { visitor, fields } = form;
    let sought = fields.text("revision").unwrap_or_default().to_owned();
    let planned = made(&api, &visitor, &sought, fields.text("view") == Some("split")).await;
    let planned = planned.map_err(|problem| Failed::known(&api, &visitor, problem))?;
    let shell = Shell::new(&api, &visitor, "/plan");
    Ok(show(StatusCode::OK, &Page { shell, sought, planned: Some(planned) }))
}

async fn made(
    api: &Api,
    visitor: &Visitor,
    sought: &str,
    is_split: bool,
) -> Result<Planned, Problem> {
    let kind = WishKind::Plan((!sought.is_empty()).then(|| Sought::of(sought)));
    let report = orders::order_and_wait(api, &visitor.caller, &kind, None, WAIT).await?;
    let report = report.ok_or_else(orders::still_running)?;
    let (good, sentence) = told(visitor, &report);
    let body = ReportBody::new(&report, &Told::default()).seen_by(&visitor.caller);
    let (differing, findings) = match report.plan.clone() {
        Some(plan) => shown(api, visitor, plan, is_split, body.findings).await?,
        None => (Err("There is nothing to show of it.".to_owned()), body.findings),
    };
    Ok(Planned {
        good,
        sentence,
        revision: body.revision,
        is_applicable: is_applicable(&report),
        differing,
        findings,
    })
}

/// What differs, with findings beside their lines, and the findings that have none there.
async fn shown(
    api: &Api,
    visitor: &Visitor,
    plan: Plan,
    is_split: bool,
    findings: Vec<FindingBody>,
) -> Result<(Result<Differing, String>, Vec<FindingBody>), Problem> {
    let (caller, of_page) = (visitor.caller.clone(), findings.clone());
    // As the pass saw it: rendered once more, without its submodules, it would be another tree.
    let looked = api.look(&visitor.caller, move |view| {
        let told = view.told(&plan)?;
        look_at(view, &caller, (&plan, &told), is_split, of_page)
    });
    match looked.await {
        Ok(differing) => {
            let left = findings.into_iter().filter(|finding| !differing.shows(finding)).collect();
            Ok((Ok(differing), left))
        }
        Err(problem) if problem.status() == StatusCode::INTERNAL_SERVER_ERROR => Err(problem),
        Err(problem) => Ok((Err(problem.detail().to_owned()), findings)),
    }
}

/// Whether an order could make it live: what is refused stays refused, whoever orders it.
fn is_applicable(report: &Report) -> bool {
    matches!(report.outcome, PassOutcome::Planned | PassOutcome::Held(_))
        && report.plan.as_ref().is_some_and(|plan| !plan.changes.is_empty())
}
