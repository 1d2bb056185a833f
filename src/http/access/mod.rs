//! Who calls, and what they may do.
//!
//! Every route but the open ones is behind [`guard()`]: without a caller there is no request, and
//! without the right to its action there is no handler. What was tried without a right is audited
//! and costs time ([`throttle`]).

mod guard;
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
use crate::config::ApiSettings;
use crate::decide::patterns::Patterns;
use crate::model::{Action, By, Role};

pub(super) use guard::{Needs, guard, what};
use sessions::Sessions;
use throttle::Throttle;
use tokens::Tokens;
pub(super) use tokens::hash_of;

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
            sessions: Arc::default(),
        }
    }

    fn by_token(&self, settings: &ApiSettings, token: &str) -> Option<Caller> {
        lock(&self.tokens).holder(settings, token)
    }

    /// Who had a token of this hash, as long as it counts.
    pub(super) fn by_hash(&self, settings: &ApiSettings, hash: &[u8; 32]) -> Option<Caller> {
        lock(&self.tokens).holder_of(settings, hash)
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
        Self { by, rights: Arc::new(Rights::new(role)) }
    }

    /// Whether they may do this.
    pub(super) fn may(&self, action: Action) -> bool {
        self.rights.role.may(action)
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
