use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::jwt::{self, Refused};
use super::{Caller, Credential, Peer, Weight, hash_of, lock};
use crate::config::{ApiSettings, JwtSettings};
use crate::http::Api;
use crate::http::problem::Problem;
use crate::http::tls::Encrypted;
use crate::model::{Action, AuditOutcome, AuditRecord, By, Known, Role};

/// What a route needs.
#[derive(Clone)]
pub(in crate::http) struct Needs {
    pub(in crate::http) api: Api,
    pub(in crate::http) action: Action,
    pub(in crate::http) weight: Weight,
}

/// Lets a request through to its handler when its caller is known and has the right.
pub(in crate::http) async fn guard(
    State(needs): State<Needs>,
    mut request: Request,
    next: Next,
) -> Response {
    let caller = match needs.caller(&request) {
        Ok(Shown::By(caller)) => Ok(caller),
        Ok(Shown::Token(token, from)) => {
            let what = what(&request);
            needs.holder(&token, from, &what).await.map(|(caller, _)| caller)
        }
        Err(problem) => Err(problem),
    };
    let is_remote = !matches!(request.extensions().get(), Some(Peer::Socket));
    match caller {
        Ok(caller) if is_remote && let Err(problem) = needs.admit(&caller) => {
            problem.into_response()
        }
        Ok(caller) if caller.may(needs.action) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Ok(caller) => needs.forbid(&caller, &what(&request)).into_response(),
        Err(problem) => problem.into_response(),
    }
}

/// Who calls, as far as that is known without waiting.
pub(in crate::http) enum Shown {
    By(Caller),
    /// A bearer's token that is none of the settings', from an address.
    Token(String, IpAddr),
}

impl Needs {
    /// Who calls.
    pub(in crate::http) fn caller(&self, request: &Request) -> Result<Shown, Problem> {
        let peer = request.extensions().get::<Peer>().ok_or_else(unknown_caller)?;
        let Peer::Address(from) = peer else { return Ok(Shown::By(operator(request))) };
        self.heard(*from)?;
        if !request.headers().contains_key(header::AUTHORIZATION)
            && let Some(encrypted) = request.extensions().get::<Encrypted>()
            && let Some(mut caller) = by_certificate(&self.api.settings.borrow().api, encrypted)
        {
            caller.by.from = Some(from.to_string());
            return Ok(Shown::By(caller));
        }
        let token = bearer(request.headers())?;
        Ok(match self.by_token(token, *from) {
            Some(caller) => Shown::By(caller),
            None => Shown::Token(token.to_owned(), *from),
        })
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

    /// Who has a token of the settings.
    fn by_token(&self, token: &str, from: IpAddr) -> Option<Caller> {
        let mut caller = self.api.access.by_token(&self.api.settings.borrow().api, token)?;
        self.throttle(|throttle| throttle.succeeded(from));
        caller.by.from = Some(from.to_string());
        Some(caller)
    }

    /// Who shows this token, from this address, for this request, and what it is to be known by.
    pub(in crate::http) async fn holder(
        &self,
        token: &str,
        from: IpAddr,
        what: &str,
    ) -> Result<(Caller, Credential), Problem> {
        if let Some(caller) = self.by_token(token, from) {
            return Ok((caller, Credential::Token(hash_of(token))));
        }
        let jwt = self.api.settings.borrow().api.jwt.clone();
        let Some(jwt) = jwt.filter(|_| jwt::has_shape(token)) else {
            self.refused(from, "access.unknown_token", what, None);
            return Err(Problem::unauthorized("unknown_token", "this token is not known here"));
        };
        match self.api.access.issuer.claimed(&jwt, token, &self.api.clock).await {
            Ok(claimed) => {
                self.throttle(|throttle| throttle.succeeded(from));
                let mut caller = Caller::claimed(&self.api.settings.borrow().api, &claimed);
                caller.by.from = Some(from.to_string());
                let JwtSettings { issuer, audience, .. } = jwt;
                Ok((caller, Credential::Jwt { claimed, issuer, audience }))
            }
            Err(refused) => Err(self.disbelieved(&refused, from, what)),
        }
    }

    /// What is answered to a JSON Web Token that is not taken.
    fn disbelieved(&self, refused: &Refused, from: IpAddr, what: &str) -> Problem {
        match refused {
            Refused::Unavailable(wait) => {
                let detail =
                    "the issuer's keys cannot be had just now, so this token cannot be verified";
                let status = StatusCode::SERVICE_UNAVAILABLE;
                Problem::new(status, "issuer_unavailable", detail).after(wait.as_secs().max(1))
            }
            // Whoever had a right one is not guessing.
            Refused::Expired => Problem::unauthorized("token_expired", "this token has expired"),
            Refused::Early => Problem::unauthorized("token_early", "this token is not valid yet"),
            other => {
                self.refused(from, "access.invalid_token", what, Some(other.to_string()));
                let detail = format!("this token is not taken: {other}");
                Problem::unauthorized("invalid_token", detail)
            }
        }
    }

    /// A credential was wrong: that costs time, and is written down.
    fn refused(&self, from: IpAddr, action: &str, what: &str, why: Option<String>) {
        self.throttle(|throttle| throttle.failed(from, self.api.clock.now()));
        let by =
            By { name: "unknown".to_owned(), known: Known::Nobody, from: Some(from.to_string()) };
        self.audit(by, action, what, why);
    }

    /// Whether a caller may ask for more now, and all who come from its address.
    fn admit(&self, caller: &Caller) -> Result<(), Problem> {
        let rates = self.api.settings.borrow().api.rates;
        let now = self.api.clock.now();
        lock(&self.api.access.limits).take(&rates, self.weight, &caller.by, now)
    }

    /// What somebody is told who has no right to it.
    pub(in crate::http) fn forbid(&self, caller: &Caller, what: &str) -> Problem {
        self.audit(caller.by.clone(), "access.forbidden", what, None);
        let detail = format!(
            "the role `{}` of {} has no right to `{}`",
            caller.role(),
            caller.by.name,
            self.action
        );
        Problem::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    fn audit(&self, by: By, action: &str, target: &str, why: Option<String>) {
        let now = self.api.clock.now();
        if !self.throttle(|throttle| throttle.may_audit(now)) {
            return;
        }
        let record = AuditRecord {
            detail: Some(why.unwrap_or_else(|| format!("needs `{}`", self.action))),
            ..AuditRecord::new(now, by, action, AuditOutcome::Refused)
        };
        if let Err(error) = self.api.journal.audit(&record.of(target)) {
            tracing::error!(error = %error, "a refused request could not be audited");
        }
    }

    fn throttle<T>(&self, ask: impl FnOnce(&mut super::Throttle) -> T) -> T {
        ask(&mut lock(&self.api.access.throttle))
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
