use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::{Caller, Peer};
use crate::config::ApiSettings;
use crate::http::Api;
use crate::http::problem::Problem;
use crate::http::tls::Encrypted;
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
        Ok(caller) => needs.forbid(&caller, &what(&request)).into_response(),
        Err(problem) => problem.into_response(),
    }
}

impl Needs {
    /// Who calls.
    pub(in crate::http) fn caller(&self, request: &Request) -> Result<Caller, Problem> {
        let peer = request.extensions().get::<Peer>().ok_or_else(unknown_caller)?;
        let Peer::Address(from) = peer else { return Ok(operator(request)) };
        let what = what(request);
        self.heard(*from)?;
        if !request.headers().contains_key(header::AUTHORIZATION)
            && let Some(encrypted) = request.extensions().get::<Encrypted>()
            && let Some(mut caller) = by_certificate(&self.api.settings.borrow().api, encrypted)
        {
            caller.by.from = Some(from.to_string());
            return Ok(caller);
        }
        self.holder(bearer(request.headers())?, *from, &what)
    }

    /// Whether an address is listened to, after credentials from there that were wrong.
    pub(in crate::http) fn heard(&self, from: IpAddr) -> Result<(), Problem> {
        let now = self.api.clock.now();
        let Some(seconds) = self.throttle(|throttle| throttle.wait(from, now)) else {
            return Ok(());
        };
        let detail = format!("too many wrong credentials came from here: wait {seconds} s");
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_failures", detail);
        Err(problem.after(seconds))
    }

    /// Who shows this token, from this address, for this request.
    pub(in crate::http) fn holder(
        &self,
        token: &str,
        from: IpAddr,
        what: &str,
    ) -> Result<Caller, Problem> {
        if let Some(mut caller) = self.api.access.by_token(&self.api.settings.borrow().api, token) {
            self.throttle(|throttle| throttle.succeeded(from));
            caller.by.from = Some(from.to_string());
            return Ok(caller);
        }
        self.throttle(|throttle| throttle.failed(from, self.api.clock.now()));
        let by =
            By { name: "unknown".to_owned(), known: Known::Nobody, from: Some(from.to_string()) };
        self.audit(by, "access.unknown_token", what);
        Err(Problem::unauthorized("unknown_token", "this token is not known here"))
    }

    /// What somebody is told who has no right to it.
    pub(in crate::http) fn forbid(&self, caller: &Caller, what: &str) -> Problem {
        self.audit(caller.by.clone(), "access.forbidden", what);
        let detail = format!(
            "the role `{}` of {} has no right to `{}`",
            caller.role(),
            caller.by.name,
            self.action
        );
        Problem::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    fn audit(&self, by: By, action: &str, target: &str) {
        let now = self.api.clock.now();
        if !self.throttle(|throttle| throttle.may_audit(now)) {
            return;
        }
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

/// A request in words, for the audit trail.
pub(in crate::http) fn what(request: &Request) -> String {
    format!("{} {}", request.method(), request.uri().path())
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

/// Who shows a certificate that the settings name.
fn by_certificate(settings: &ApiSettings, encrypted: &Encrypted) -> Option<Caller> {
    let clients = &settings.tls.as_ref()?.clients;
    let client = clients.iter().find(|client| encrypted.is_for(&client.name))?;
    let by = By { name: client.name.clone(), known: Known::Certificate, from: None };
    Some(Caller::new(by, settings.role(&client.role)?.clone()))
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
