use askama::Template;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::Api;
use super::form::{Fields, Form, SIGN_IN_FORM};
use super::guard::{Cookie, From, Visitor};
use super::shell::{Failed, Shell, Shown, show};
use crate::http::access::{Caller, Credential, Needs, Weight, lock};
use crate::http::extract::Asked;
use crate::http::problem::Problem;
use crate::model::{Action, AuditOutcome, AuditRecord};

#[derive(Template)]
#[template(path = "sign_in.html")]
struct Page {
    shell: Shell,
    /// Where to go after.
    back: String,
    wrong: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Back {
    back: Option<String>,
}

/// `/sign-in`: a token is shown once.
pub(super) async fn page(
    State(api): State<Api>,
    visitor: Result<Visitor, Failed>,
    Asked(Back { back }): Asked<Back>,
) -> Response {
    let back = here(back.as_deref());
    if visitor.is_ok() {
        // With an end of its own, or the browser would keep the token that may stand behind `#`.
        return Redirect::to(&format!("{back}#")).into_response();
    }
    let page = Page { shell: Shell::bare(&api, ""), back, wrong: None };
    show(StatusCode::OK, &page)
}

/// The form of that page.
pub(super) async fn enter(State(api): State<Api>, From(from): From, request: Request) -> Shown {
    let cookie = Cookie::of(&api, request.extensions());
    let needs = Needs { api: api.clone(), action: Action::Read, weight: Weight::Read };
    // Of who has to wait nothing is read.
    if let Err(problem) = needs.heard(from) {
        return Ok(refused(&api, here(None), problem));
    }
    let fields = Fields::read(request, SIGN_IN_FORM).await;
    let fields = fields.map_err(|problem| Failed::unknown(&api, problem))?;
    let back = here(fields.text("back"));
    let token = fields.text("token").unwrap_or_default().trim();
    let known = match needs.heard(from) {
        Ok(()) => needs.holder(token, from, "POST /sign-in").await,
        Err(problem) => Err(problem),
    };
    let (caller, shown) = match known {
        Ok(known) => known,
        Err(problem) => return Ok(refused(&api, back, problem)),
    };
    let begun = begin(&api, &caller, shown);
    let id = begun.map_err(|problem| Failed::unknown(&api, problem))?;
    Ok(([(header::SET_COOKIE, cookie.keeps(&id))], Redirect::to(&back)).into_response())
}

/// The form once more, with why it did not help.
fn refused(api: &Api, back: String, problem: Problem) -> Response {
    let wrong = Some(problem.detail().to_owned());
    let page = Page { shell: Shell::bare(api, ""), back, wrong };
    let mut response = show(problem.status(), &page);
    response.headers_mut().extend(problem.into_headers());
    response
}

fn begin(api: &Api, caller: &Caller, shown: Credential) -> Result<String, Problem> {
    let now = api.clock.now();
    let by = caller.by.clone();
    api.journal.audit(&AuditRecord::new(now, by, "session.begin", AuditOutcome::Done))?;
    let begun = lock(&api.access.sessions).begin(shown, now);
    begun.ok_or_else(|| {
        let detail = "the system has no random bytes";
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    })
}

/// `/sign-out`.
pub(super) async fn leave(State(api): State<Api>, form: Form) -> Response {
    lock(&api.access.sessions).end(&form.visitor.session);
    let cleared = HeaderValue::from_static("\"cache\", \"storage\"");
    let headers = [
        (header::SET_COOKIE, form.visitor.cookie.forgets()),
        (header::HeaderName::from_static("clear-site-data"), cleared),
    ];
    (headers, Redirect::to("/sign-in")).into_response()
}

/// A path of this dashboard, and no other place.
fn here(path: Option<&str>) -> String {
    // Browsers leave tabs and the like out of an address, and take `\` for `/`.
    let is_plain = |path: &str| path.bytes().all(|b| matches!(b, 0x21..=0x7e) && b != b'\\');
    let is_here = |path: &&str| path.starts_with('/') && !path.starts_with("//") && is_plain(path);
    path.filter(is_here).unwrap_or("/").to_owned()
}

#[cfg(test)]
mod tests {
    use super::here;

    #[test]
    fn nobody_is_sent_elsewhere() {
        assert_eq!(here(Some("/diff?from=1&to=2")), "/diff?from=1&to=2");
        for path in ["", "//evil.example", "https://evil.example", "/\\evil", "/a\u{7f}"] {
            assert_eq!(here(Some(path)), "/", "{path:?}");
        }
        for sign in (0..=0x20).map(char::from) {
            assert_eq!(here(Some(&format!("/{sign}/evil.example"))), "/", "{sign:?}");
        }
        assert_eq!(here(None), "/");
    }
}
