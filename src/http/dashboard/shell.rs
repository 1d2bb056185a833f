use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::assets::STAMP;
use super::guard::Visitor;
use super::{Api, words};
use crate::http::access::lock;
use crate::http::problem::Problem;
use crate::http::wire::FindingBody;
use crate::model::{Action, EventKind, Timestamp};

/// What every page has around it.
#[derive(Debug)]
pub(super) struct Shell {
    /// This machine.
    pub(super) machine: String,
    /// The path of the page, for the menu.
    pub(super) place: &'static str,
    /// Who is signed in; `None`: nobody.
    pub(super) user: Option<User>,
    /// What was done, and whether it went well.
    pub(super) said: Option<(bool, String)>,
    now: Timestamp,
}

/// Somebody who is signed in, as pages know them.
#[derive(Debug)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) role: String,
    /// What each form has to bring.
    pub(super) form: String,
    rights: Vec<Action>,
}

impl Shell {
    pub(super) fn new(api: &Api, visitor: &Visitor, place: &'static str) -> Self {
        let caller = &visitor.caller;
        let user = User {
            name: caller.by.name.clone(),
            role: caller.role().to_owned(),
            form: visitor.form.clone(),
            rights: Action::ALL.iter().copied().filter(|action| caller.may(*action)).collect(),
        };
        let said = lock(&api.access.sessions).said(&visitor.session);
        Self { user: Some(user), said, ..Self::bare(api, place) }
    }

    /// For who is not signed in.
    pub(super) fn bare(api: &Api, place: &'static str) -> Self {
        let machine = api.name.rsplit(':').next().unwrap_or_default().to_owned();
        Self { machine, place, user: None, said: None, now: api.clock.now() }
    }

    /// Whether who sees the page may do this.
    pub(super) fn may(&self, word: &str) -> bool {
        let action = Action::from_word(word);
        self.user
            .as_ref()
            .is_some_and(|user| action.is_some_and(|action| user.rights.contains(&action)))
    }

    /// What forms have to bring.
    pub(super) fn form(&self) -> &str {
        self.user.as_ref().map_or("", |user| &user.form)
    }

    /// How long ago a moment in RFC 3339 was.
    pub(super) fn ago(&self, at: &str) -> String {
        words::ago(self.now, at)
    }

    /// What changes with the files of the style and the script, so that browsers keep no old ones.
    pub(super) fn stamp(&self) -> &'static str {
        STAMP.as_str()
    }

    /// The events after which a page is looked at again.
    pub(super) fn events(&self) -> String {
        EventKind::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// The 12 digits of a revision or a hash that people read.
    pub(super) fn short<'t>(&self, text: &'t str) -> &'t str {
        words::short(text)
    }

    /// A stable word, as a person would write it.
    pub(super) fn plain(&self, word: &str) -> String {
        words::plain(word)
    }

    /// Milliseconds.
    pub(super) fn took(&self, ms: &u64) -> String {
        words::took(*ms)
    }

    /// Whether the page is at this place of the menu.
    pub(super) fn is_at(&self, place: &str) -> bool {
        self.place == place
    }
}

/// A page, or what went wrong on the way to it.
pub(super) type Shown = Result<Response, Failed>;

/// Makes a page.
pub(super) fn show(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => {
            (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "a page could not be made");
            (StatusCode::INTERNAL_SERVER_ERROR, "this page could not be made\n").into_response()
        }
    }
}

/// A page that tells what went wrong.
#[derive(Template)]
#[template(path = "failed.html")]
struct FailedPage {
    shell: Shell,
    status: u16,
    title: String,
    detail: String,
    findings: Vec<FindingBody>,
}

/// Why there is no page.
#[derive(Debug)]
pub(in crate::http) struct Failed(Box<(Shell, Problem)>);

impl Failed {
    /// For somebody who is signed in.
    pub(super) fn known(api: &Api, visitor: &Visitor, problem: Problem) -> Self {
        Self(Box::new((Shell::new(api, visitor, ""), problem)))
    }

    /// For anybody.
    pub(super) fn unknown(api: &Api, problem: Problem) -> Self {
        Self(Box::new((Shell::bare(api, ""), problem)))
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let (shell, problem) = *self.0;
        let status = problem.status();
        let page = FailedPage {
            shell,
            status: status.as_u16(),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            detail: problem.detail().to_owned(),
            findings: problem.findings().to_vec(),
        };
        let mut response = show(status, &page);
        response.headers_mut().extend(problem.into_headers());
        response
    }
}
