//! A document held against the gates, before anybody commits it.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;

use super::Api;
use super::form::{Form, LongForm, TRIED_BYTES_MAX};
use super::guard::Visitor;
use super::highlight::Language;
use super::lines::{Row, place, written};
use super::shell::{Failed, Shell, Shown, show};
use crate::http::looking::{self, Trying};
use crate::http::problem::Problem;
use crate::http::wire::FindingBody;

#[derive(Template)]
#[template(path = "try.html")]
struct Page {
    shell: Shell,
    path: String,
    text: String,
    tried: Option<Tried>,
}

/// What the gates said.
struct Tried {
    valid: bool,
    /// The document, with findings beside their lines.
    rows: Vec<Row>,
    /// What is said of other files, or of no line.
    findings: Vec<FindingBody>,
}

/// `/try`: asks for a document.
pub(super) async fn page(State(api): State<Api>, visitor: Visitor) -> Shown {
    let shell = Shell::new(&api, &visitor, "/try");
    let (path, text) = (String::new(), String::new());
    Ok(show(StatusCode::OK, &Page { shell, path, text, tried: None }))
}

/// `/try`, with a document: what the API's `validate` says of it.
pub(super) async fn validate(State(api): State<Api>, form: LongForm) -> Shown {
    let LongForm(Form { visitor, fields }) = form;
    let path = fields.text("path").unwrap_or_default().to_owned();
    let text = fields.raw("text").replace("\r\n", "\n");
    let tried = made(&api, &visitor, &path, &text).await;
    let tried = tried.map_err(|problem| Failed::known(&api, &visitor, problem))?;
    let shell = Shell::new(&api, &visitor, "/try");
    Ok(show(StatusCode::OK, &Page { shell, path, text, tried: Some(tried) }))
}

async fn made(api: &Api, visitor: &Visitor, path: &str, text: &str) -> Result<Tried, Problem> {
    if path.is_empty() {
        return Err(Problem::bad_request("which file is this? Say so, such as `profiles/x.yaml`"));
    }
    if text.len() > TRIED_BYTES_MAX {
        let detail = format!(
            "the document is larger than {TRIED_BYTES_MAX} bytes, which is the most that this page tries; `kconfigd validate` and the API take more"
        );
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail));
    }
    let files = BTreeMap::from([(path.to_owned(), text.as_bytes().to_vec())]);
    let body = looking::tried(api, visitor.caller.clone(), Trying::Files(files)).await?;
    let (about, mut findings): (Vec<_>, Vec<_>) =
        body.findings.into_iter().partition(|finding| finding.file.as_deref() == Some(path));
    let mut rows = written(text, Language::of(path));
    findings.extend(place(&mut rows, about));
    Ok(Tried { valid: body.valid, rows, findings })
}
