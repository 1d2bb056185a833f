use std::net::IpAddr;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};

use super::Api;
use super::shell::Failed;
use crate::http::access::{Caller, Needs, Peer, Weight, lock, what};
use crate::http::problem::Problem;
use crate::http::tls::Encrypted;
use crate::model::{Action, Known};

/// With this header our script says that it looks at a page again, and not a person.
const AGAIN: &str = "x-kconfigd-again";

/// What pages may do and load: only what comes from here.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What a page needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Gate {
    /// Nothing: everybody may see it.
    Open,
    /// Somebody who signed in.
    Known,
    /// Somebody who has this right.
    Needs(Action),
}

impl Gate {
    pub(super) const fn needs(action: Action) -> Self {
        Self::Needs(action)
    }
}

/// A gate in front of a page.
#[derive(Clone)]
pub(in crate::http) struct Door {
    pub(in crate::http) api: Api,
    pub(in crate::http) gate: Gate,
}

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub(in crate::http) struct Visitor {
    pub(super) caller: Caller,
    /// The id of the session.
    pub(super) session: String,
    /// What each form has to bring.
    pub(super) form: String,
    /// Where the browser keeps that id.
    pub(super) cookie: Cookie,
}

/// The cookie with a session's id. Browsers send one to all ports of a host, so the port is in its
/// name; over TLS nothing but this host can set it.
#[derive(Clone, Debug)]
pub(super) struct Cookie {
    name: String,
    is_encrypted: bool,
}

/// Lets a request through to its page, sends who is not signed in to do so, and says to all answers
/// what pages may load.
pub(in crate::http) async fn guard(
    State(door): State<Door>,
    mut request: Request,
    next: Next,
) -> Response {
    let mut response = match door.visitor(&request) {
        Some(visitor) => match door.gate {
            Gate::Needs(action) if !visitor.caller.may(action) => {
                let weight = Weight::Read;
                let needs = Needs { api: door.api.clone(), action, weight };
                let problem = needs.forbid(&visitor.caller, &what(&request));
                Failed::known(&door.api, &visitor, problem).into_response()
            }
            Gate::Open | Gate::Known | Gate::Needs(_) => {
                request.extensions_mut().insert(visitor.caller.clone());
                request.extensions_mut().insert(visitor);
                next.run(request).await
            }
        },
        None if door.gate == Gate::Open => next.run(request).await,
        None => sign_in(&request),
    };
    protect(response.headers_mut());
    response
}

/// Where who is not known signs in, to come back after.
fn sign_in(request: &Request) -> Response {
    let accepts = request.headers().get(header::ACCEPT).and_then(|v| v.to_str().ok());
    if accepts.is_some_and(|accepts| accepts.starts_with("text/event-stream")) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let back = match *request.method() {
        Method::GET => request.uri().path_and_query().map_or("/", |path| path.as_str()),
        _ => "/",
    };
    let mut query = form_urlencoded::Serializer::new(String::new());
    if back != "/" {
        query.append_pair("back", back);
    }
    let query = query.finish();
    let mark = if query.is_empty() { "" } else { "?" };
    Redirect::to(&format!("/sign-in{mark}{query}")).into_response()
}

fn protect(headers: &mut HeaderMap) {
    let mut set = |name: header::HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(header::CONTENT_SECURITY_POLICY, POLICY);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "same-origin");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(header::CACHE_CONTROL, "no-store");
}

impl Door {
    fn visitor(&self, request: &Request) -> Option<Visitor> {
        let Some(Peer::Address(from)) = request.extensions().get::<Peer>() else { return None };
        let cookie = Cookie::of(&self.api, request.extensions());
        let id = cookie.find(request.headers())?;
        let now = self.api.clock.now();
        let session = match is_of_person(request.headers()) {
            true => lock(&self.api.access.sessions).find(id, now)?,
            false => lock(&self.api.access.sessions).peek(id, now)?,
        };
        let settings = self.api.settings.borrow().clone();
        let mut caller = self.api.access.by_credential(&settings.api, &session.shown)?;
        caller.by.known = Known::Session;
        caller.by.from = Some(from.to_string());
        Some(Visitor { caller, session: id.to_owned(), form: session.form, cookie })
    }
}

impl Visitor {
    /// Who this is by now; `None`: the session or its token does not count any more.
    pub(in crate::http) fn again(&self, api: &Api) -> Option<Caller> {
        let session = lock(&api.access.sessions).peek(&self.session, api.clock.now())?;
        let settings = api.settings.borrow().clone();
        let mut caller = api.access.by_credential(&settings.api, &session.shown)?;
        caller.by = self.caller.by.clone();
        Some(caller)
    }
}

/// Whether a person asks: what a page that lies open asks for by itself is no use of the session.
fn is_of_person(headers: &HeaderMap) -> bool {
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let listens = accepts.is_some_and(|accepts| accepts.starts_with("text/event-stream"));
    !listens && !headers.contains_key(AGAIN)
}

impl Cookie {
    /// The one for a request with these extensions.
    pub(super) fn of(api: &Api, extensions: &Extensions) -> Self {
        let port = api.settings.borrow().api.listen.port();
        let is_encrypted = extensions.get::<Encrypted>().is_some();
        let only_here = if is_encrypted { "__Host-" } else { "" };
        Self { name: format!("{only_here}kconfigd-{port}"), is_encrypted }
    }

    /// What a request has in it.
    fn find<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
        let mut pairs = cookies.flat_map(|text| text.split(';'));
        pairs.find_map(|pair| pair.trim().strip_prefix(self.name.as_str())?.strip_prefix('='))
    }

    /// The header that keeps a session's id. No script reads it, and no other site's request
    /// brings it.
    pub(super) fn keeps(&self, id: &str) -> HeaderValue {
        self.set(id, "")
    }

    /// The header that forgets it.
    pub(super) fn forgets(&self) -> HeaderValue {
        self.set("", "; Max-Age=0")
    }

    fn set(&self, id: &str, age: &str) -> HeaderValue {
        let secure = if self.is_encrypted { "; Secure" } else { "" };
        let name = &self.name;
        let text = format!("{name}={id}; Path=/; HttpOnly; SameSite=Strict{secure}{age}");
        HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
    }
}

impl FromRequestParts<Api> for Visitor {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Failed> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| {
            let problem = Problem::unauthorized("no_session", "you are not signed in");
            Failed::unknown(api, problem)
        })
    }
}

/// The address of who calls.
pub(super) struct From(pub(super) IpAddr);

impl FromRequestParts<Api> for From {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Failed> {
        match parts.extensions.get::<Peer>() {
            Some(Peer::Address(from)) => Ok(Self(*from)),
            _ => Err(Failed::unknown(api, Problem::unknown("there is no such page"))),
        }
    }
}
