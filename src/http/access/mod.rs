//! Who calls, and what they may do.
//!
//! Every route but the open ones is behind [`guard()`]: without a caller there is no request, and
//! without the right to its action there is no handler. What was tried without a right is audited
//! and costs time ([`throttle`]).

mod guard;
mod jwt;
mod limits;
mod sessions;
mod throttle;
mod tokens;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::Api;
use super::problem::Problem;
use crate::clock::Clock;
use crate::config::{ApiSettings, Rates};
use crate::decide::patterns::Patterns;
use crate::journal::{Journal, Once};
use crate::model::{Action, By, Known, Role, Timestamp};

pub(super) use guard::{Needs, Shown, guard, what};
pub(super) use jwt::Standing as IssuerStanding;
use jwt::{Claimed, Issuer};
use limits::Limits;
pub(super) use limits::Weight;
pub(super) use sessions::Credential;
use sessions::Sessions;
use throttle::Throttle;
use tokens::Tokens;
use tokens::hash_of;

/// Where a request came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// The control socket: whoever may open it is admin.
    Socket,
    /// An address.
    Address(IpAddr),
}

/// What is known of those who may call.
#[derive(Clone)]
pub struct Access {
    tokens: Arc<Mutex<Tokens>>,
    throttle: Arc<Mutex<Throttle>>,
    limits: Arc<Mutex<Limits>>,
    /// Who issues JSON Web Tokens.
    issuer: Issuer,
    /// Those who are signed in to the dashboard.
    pub(super) sessions: Arc<Mutex<Sessions>>,
}

impl Access {
    /// Those of the settings, and whoever has the first admin token, where there is its file.
    #[must_use]
    pub fn new(admin_token: Option<PathBuf>) -> Self {
        Self {
            tokens: Arc::new(Mutex::new(Tokens::new(admin_token))),
            throttle: Arc::default(),
            limits: Arc::default(),
            issuer: Issuer::default(),
            sessions: Arc::default(),
        }
    }

    fn by_token(&self, settings: &ApiSettings, token: &str) -> Option<Caller> {
        lock(&self.tokens).holder(settings, token)
    }

    /// Who signed in with this, as long as it counts.
    pub(super) fn by_credential(
        &self,
        settings: &ApiSettings,
        shown: &Credential,
    ) -> Option<Caller> {
        match shown {
            Credential::Token(hash) => lock(&self.tokens).holder_of(settings, hash),
            Credential::Jwt { claimed, issuer, audience } => settings
                .jwt
                .as_ref()
                .filter(|jwt| jwt.issuer == *issuer && jwt.audience == *audience)
                .map(|_| Caller::claimed(settings, claimed)),
        }
    }

    /// Whether one more push webhook from an address is taken.
    pub(super) fn admit_hook(
        &self,
        rates: &Rates,
        from: IpAddr,
        now: Timestamp,
    ) -> Result<(), Problem> {
        lock(&self.limits).take_from(rates, Weight::Hook, &from.to_string(), now)
    }

    /// Asks for the keys of the issuer of JSON Web Tokens whenever they are needed, until it is
    /// dropped.
    pub async fn run(self, clock: Arc<dyn Clock>) {
        self.issuer.run(clock).await;
    }

    /// How it stands with the issuer of JSON Web Tokens; `None`: its keys were not asked for.
    pub(super) fn issuer(&self, now: Timestamp) -> Option<IssuerStanding> {
        self.issuer.standing(now)
    }
}

/// Each change under these locks is whole: a panic in between leaves nothing half done.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Somebody who is known, and what they may do.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// Who.
    pub(super) by: By,
    /// What they ask for, where that is to be done once.
    pub(super) once: Option<Arc<Once>>,
    rights: Arc<Rights>,
}

/// A role, ready to be asked.
#[derive(Clone, Debug)]
struct Rights {
    role: Role,
    /// `None`: all files.
    paths: Option<Patterns>,
}

impl Rights {
    fn new(role: Role) -> Self {
        let all = role.paths.is_empty() || role.paths.iter().any(|path| path == "**");
        // Patterns of the settings are valid; should one not be, it shows nothing.
        let paths = (!all)
            .then(|| Patterns::new(role.paths.iter().map(String::as_str)).unwrap_or_default());
        Self { role, paths }
    }
}

impl Caller {
    fn new(by: By, role: Role) -> Self {
        Self { by, once: None, rights: Arc::new(Rights::new(role)) }
    }

    /// Who a JSON Web Token is for, with the first of its roles that is one here. Without any they
    /// are known, and may do nothing.
    fn claimed(settings: &ApiSettings, claimed: &Claimed) -> Self {
        let by = By { name: claimed.name.clone(), known: Known::Jwt, from: None };
        let role = claimed.roles.iter().find_map(|name| settings.role(name)).cloned();
        let none = || Role { name: "none".to_owned(), actions: Vec::new(), paths: Vec::new() };
        Self::new(by, role.unwrap_or_else(none))
    }

    /// Whether they may do this.
    pub(super) fn may(&self, action: Action) -> bool {
        self.rights.role.may(action)
    }

    /// The journal for what they order.
    pub(super) fn journal(&self, api: &Api) -> Journal {
        match &self.once {
            Some(once) => api.journal.marking(Arc::clone(once)),
            None => api.journal.clone(),
        }
    }

    /// The name of their role.
    pub(super) fn role(&self) -> &str {
        &self.rights.role.name
    }

    /// Whether they may see a file of the tree, and write it where they may write at all.
    pub(super) fn sees(&self, path: &str) -> bool {
        self.rights.paths.as_ref().is_none_or(|paths| paths.mean_file(path))
    }

    /// Whether they may see what was found: in a file that they see; what is said of no file may
    /// name any.
    pub(super) fn sees_found(&self, file: Option<&str>) -> bool {
        file.map_or_else(|| self.sees_all(), |file| self.sees(file))
    }

    /// Whether a pattern of files tells them of no others than they may see.
    pub(super) fn sees_of(&self, pattern: &str) -> bool {
        self.sees_all() || self.rights.role.paths.iter().any(|own| own == pattern)
    }

    /// Whether they may see all files: what tells of files it does not name, such as a count, is for
    /// them alone.
    pub(super) fn sees_all(&self) -> bool {
        self.rights.paths.is_none()
    }
}

impl FromRequestParts<Api> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        // Only a route that is not behind the guard comes here without one.
        parts.extensions.get::<Self>().cloned().ok_or_else(guard::unknown_caller)
    }
}
