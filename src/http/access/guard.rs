use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::{Caller, Peer};
use crate::http::Api;
use crate::http::problem::Problem;
use crate::model::{Action, AuditOutcome, AuditRecord, By, Known, Role};

/// What a route needs.
#[derive(Clone)]
pub(in crate::http) struct Needs {
    pub(in crate::http) api: Api,
    pub(in crate::http) action: Action,
}

/// Lets a request through to its handler when its caller is known and has the right.
pub(in crate::http) async fn guard(
    State(needs): State<Needs>,
    mut request: Request,
    next: Next,
) -> Response {
    match needs.caller(&request) {
        Ok(caller) if caller.may(needs.action) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Ok(caller) => needs.forbid(&caller, &request).into_response(),
        Err(problem) => problem.into_response(),
    }
}

impl Needs {
    /// Who calls.
    fn caller(&self, request: &Request) -> Result<Caller, Problem> {
        let peer = request.extensions().get::<Peer>().ok_or_else(unknown_caller)?;
        let Peer::Address(from) = peer else { return Ok(operator(request)) };
        let now = self.api.clock.now();
        if let Some(seconds) = self.throttle(|throttle| throttle.wait(*from, now)) {
            let detail = format!("too many wrong credentials came from here: wait {seconds} s");
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_failures", detail)
                .after(seconds));
        }
        let token = bearer(request.headers())?;
        let settings = self.api.settings.borrow().clone();
        let mut tokens =
            self.api.access.tokens.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let holder = tokens.holder(&settings.api, token);
        drop(tokens);
        match holder {
            Some(mut caller) => {
                self.throttle(|throttle| throttle.succeeded(*from));
                caller.by.from = Some(from.to_string());
                Ok(caller)
            }
            None => {
                self.throttle(|throttle| throttle.failed(*from, now));
                let by = By {
                    name: "unknown".to_owned(),
                    known: Known::Nobody,
                    from: Some(from.to_string()),
                };
                self.audit(by, "access.unknown_token", request);
                Err(Problem::unauthorized("unknown_token", "this token is not known here"))
            }
        }
    }

    fn forbid(&self, caller: &Caller, request: &Request) -> Problem {
        self.audit(caller.by.clone(), "access.forbidden", request);
        let detail = format!(
            "the role `{}` of {} has no right to `{}`",
            caller.role(),
            caller.by.name,
            self.action
        );
        Problem::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    fn audit(&self, by: By, action: &str, request: &Request) {
        let now = self.api.clock.now();
        if !self.throttle(|throttle| throttle.may_audit(now)) {
            return;
        }
        let target = format!("{} {}", request.method(), request.uri().path());
        let record = AuditRecord {
            detail: Some(format!("needs `{}`", self.action)),
            ..AuditRecord::new(now, by, action, AuditOutcome::Refused)
        };
        if let Err(error) = self.api.journal.audit(&record.of(target)) {
            tracing::error!(error = %error, "a refused request could not be audited");
        }
    }

    fn throttle<T>(&self, ask: impl FnOnce(&mut super::Throttle) -> T) -> T {
        let mut throttle =
            self.api.access.throttle.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        ask(&mut throttle)
    }
}

/// Somebody at the control socket, who may do everything, by the name that they give themselves.
fn operator(request: &Request) -> Caller {
    let query = request.uri().query().unwrap_or_default();
    let actor = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "actor");
    let name = actor.map_or_else(|| "control socket".into(), |(_, name)| name);
    let admin = Role::built_in().into_iter().next_back();
    let admin =
        admin.unwrap_or(Role { name: "admin".to_owned(), actions: Vec::new(), paths: Vec::new() });
    Caller::new(By::operator(name), admin)
}

fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Err(Problem::unauthorized(
            "no_credentials",
            "this needs `Authorization: Bearer` and a token",
        ));
    };
    let token = value.to_str().ok().and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    token.filter(|token| !token.is_empty()).ok_or_else(|| {
        Problem::unauthorized(
            "unreadable_credentials",
            "`Authorization` is not `Bearer` and a token",
        )
    })
}

/// A request that came to a handler without a caller: a fault of ours, and no way in.
pub(super) fn unknown_caller() -> Problem {
    Problem::unauthorized("no_credentials", "who calls is not known")
}
