//! What differs between two trees, as pages show it.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;

use super::Api;
use super::guard::Visitor;
use super::highlight::Language;
use super::lines::{Row, place, rows};
use super::shell::{Failed, Shell, Shown, show};
use crate::diff::Told;
use crate::http::access::Caller;
use crate::http::extract::Asked;
use crate::http::orders;
use crate::http::problem::Problem;
use crate::http::wire::{DetailBody, FileBody, FindingBody, KeyBody, PlanBody, PointBody};
use crate::model::Plan;
use crate::view::View;

/// Files whose texts are on the page; of the others their keys are.
const TEXTS_MAX: usize = 60;
/// Rows of a page, of all files together.
const ROWS_MAX: usize = 6_000;

/// Two trees, and how to show what differs.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Between {
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
    /// `split`: side by side.
    pub(super) view: Option<String>,
}

/// What differs, ready to be shown.
pub(super) struct Differing {
    /// The two trees, where both have a name.
    pub(super) points: Option<(PointBody, PointBody)>,
    pub(super) plan: PlanBody,
    pub(super) files: Vec<FileShown>,
    /// Whether lines are shown side by side.
    pub(super) is_split: bool,
}

impl Differing {
    /// Whether a finding's file is among those that are shown, where it stands beside its line.
    pub(super) fn shows(&self, finding: &FindingBody) -> bool {
        self.files.iter().any(|file| Some(&file.path) == finding.file.as_ref())
    }

    /// Whether more is known of what it touches than the names of the files.
    pub(super) fn has_impact(&self) -> bool {
        let impact = &self.plan.impact;
        let is_known = impact.units.iter().any(|unit| unit.needs.is_some());
        is_known || !impact.reloads.is_empty() || !impact.nodes.is_empty()
    }
}

/// A file of it.
pub(super) struct FileShown {
    pub(super) path: String,
    pub(super) kind: String,
    pub(super) keys: Vec<KeyBody>,
    /// In one sentence, where there are neither keys nor lines.
    pub(super) note: String,
    pub(super) rows: Vec<Row>,
    /// What was found in it, without a line that is shown.
    pub(super) findings: Vec<FindingBody>,
}

/// Looks at what differs between two trees; `findings` are put beside their lines.
pub(super) fn look(
    view: &View,
    caller: &Caller,
    (from, to): (&str, &str),
    is_split: bool,
    findings: Vec<FindingBody>,
) -> Result<Differing, Problem> {
    let (from, to) = (view.point(from)?, view.point(to)?);
    let (plan, told) = view.between(&from, &to)?;
    let differing = look_at(view, caller, (&plan, &told), is_split, findings)?;
    Ok(Differing { points: Some(((&from).into(), (&to).into())), ..differing })
}

/// Looks at what a plan changes; `findings` are put beside their lines.
pub(super) fn look_at(
    view: &View,
    caller: &Caller,
    (plan, told): (&Plan, &Told),
    is_split: bool,
    mut findings: Vec<FindingBody>,
) -> Result<Differing, Problem> {
    let texts = view.texts(plan, TEXTS_MAX)?;
    let paths = plan.changes.iter().map(|change| change.path.to_string());
    let mut texts: std::collections::BTreeMap<String, String> =
        paths.zip(texts).filter_map(|(path, text)| Some((path, text?))).collect();
    let body = PlanBody::new(plan, told).seen_by(caller);
    let mut left = ROWS_MAX;
    let files = body.files.iter().map(|file| {
        let about: Vec<_> =
            findings.extract_if(.., |f| f.file.as_deref() == Some(file.path.as_str())).collect();
        shown(file, texts.remove(&file.path), is_split, &mut left, about)
    });
    let files = files.collect();
    Ok(Differing { points: None, plan: body, files, is_split })
}

fn shown(
    file: &FileBody,
    text: Option<String>,
    is_split: bool,
    left: &mut usize,
    findings: Vec<FindingBody>,
) -> FileShown {
    let mut rows = match text {
        Some(text) => rows(&text, Language::of(&file.path), is_split),
        None => match file.detail.as_deref() {
            Some(DetailBody::Text(text)) => rows(text, Language::of(&file.path), is_split),
            _ => Vec::new(),
        },
    };
    let is_cut = rows.len() > *left;
    rows.truncate(*left);
    *left -= rows.len();
    let findings = place(&mut rows, findings);
    let keys = match file.detail.as_deref() {
        // A new or a removed file is shown whole.
        Some(DetailBody::Keys(keys)) if file.kind == "modified" || rows.is_empty() => keys.clone(),
        _ => Vec::new(),
    };
    let note =
        if is_cut { "the rest of this page would be too long".to_owned() } else { note(file) };
    FileShown {
        path: file.path.clone(),
        kind: file.kind.clone().into_owned(),
        keys,
        note,
        rows,
        findings,
    }
}

fn note(file: &FileBody) -> String {
    match file.detail.as_deref() {
        None => "not looked into: too many files differ".to_owned(),
        Some(DetailBody::Keys(keys)) if keys.is_empty() => {
            "only comments or formatting differ, in a file with secrets".to_owned()
        }
        Some(DetailBody::Keys(_) | DetailBody::Text(_)) => String::new(),
        Some(DetailBody::Mode) => "only its mode differs".to_owned(),
        Some(DetailBody::Secret) => "a secret changed; it is shown nowhere".to_owned(),
        Some(DetailBody::Binary { old, new }) => {
            let bytes = |side: &Option<crate::http::wire::BinaryBody>| {
                side.as_ref().map_or("nothing".to_owned(), |side| format!("{} bytes", side.bytes))
            };
            format!("not text: {} → {}", bytes(old), bytes(new))
        }
        Some(DetailBody::Link { old, new }) => {
            let target = |side: &Option<String>| side.clone().unwrap_or("nothing".to_owned());
            format!("a link: {} → {}", target(old), target(new))
        }
    }
}

#[derive(Template)]
#[template(path = "diff.html")]
struct Page {
    shell: Shell,
    between: Between,
    differing: Result<Differing, String>,
}

async fn between_of(api: &Api, visitor: &Visitor, asked: &Between) -> Result<Differing, Problem> {
    let caller = visitor.caller.clone();
    let from = orders::brought(api, &caller, asked.from.as_deref().unwrap_or("live")).await?;
    let to = orders::brought(api, &caller, asked.to.as_deref().unwrap_or("desired")).await?;
    let is_split = asked.view.as_deref() == Some("split");
    let by = caller.clone();
    api.look(&caller, move |view| look(view, &by, (&from, &to), is_split, Vec::new())).await
}

/// `/diff`: any two trees.
pub(super) async fn page(
    State(api): State<Api>,
    visitor: Visitor,
    Asked(between): Asked<Between>,
) -> Shown {
    let asked = Between {
        from: Some(between.from.filter(|text| !text.trim().is_empty()).unwrap_or("live".into())),
        to: Some(between.to.filter(|text| !text.trim().is_empty()).unwrap_or("desired".into())),
        view: between.view,
    };
    let differing = match between_of(&api, &visitor, &asked).await {
        Ok(differing) => Ok(differing),
        Err(problem) if problem.status() == StatusCode::INTERNAL_SERVER_ERROR => {
            return Err(Failed::known(&api, &visitor, problem));
        }
        Err(problem) => Err(problem.detail().to_owned()),
    };
    let page = Page { shell: Shell::new(&api, &visitor, "/diff"), between: asked, differing };
    Ok(show(StatusCode::OK, &page))
}
