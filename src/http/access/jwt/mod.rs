//! JSON Web Tokens: who shows one that the issuer of the settings signed, for us, and in its time.
//!
//! Verified with ring, which is here for TLS: what is asked of it is a dozen lines a kind of key, and
//! the crates that do the rest bring a second cryptography with them. The keys are kept; when they
//! are asked for is decided by [`crate::decide::issuer`].

mod der;
mod fetch;
mod keys;
#[cfg(test)]
mod tests;
mod token;

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use tokio::sync::{Notify, watch};

use super::lock;
use crate::clock::Clock;
use crate::config::{JwtKeys, JwtSettings};
use crate::decide::issuer::{Breaker, Issuer as Known, Step};
use crate::model::Timestamp;
use keys::Keys;
use token::Token;
pub(in crate::http) use token::{Claimed, Refused};

pub(super) use token::has_shape;

/// The issuer of the settings, and its keys.
#[derive(Clone, Default)]
pub(in crate::http) struct Issuer {
    state: Arc<Mutex<State>>,
    /// Keys are wanted.
    news: Arc<Notify>,
}

#[derive(Default)]
struct State {
    /// The settings that the rest is of.
    of: Option<JwtSettings>,
    known: Known,
    keys: Arc<Keys>,
    /// Why they could not be had the last time.
    error: Option<String>,
    /// Keys that are to be asked for.
    wanted: Option<Wanted>,
    /// Ends when the keys came, or did not.
    asking: Option<watch::Receiver<bool>>,
    /// The file that they were read from.
    file: Option<Stamp>,
}

/// Keys that somebody waits for.
struct Wanted {
    of: JwtSettings,
    ended: watch::Sender<bool>,
}

type Stamp = (u64, u64, u64, i64, i64);

/// How it stands with the issuer, for those who watch over it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::http) struct Standing {
    pub(in crate::http) breaker: Breaker,
    /// When the keys came last.
    pub(in crate::http) keys_at: Option<Timestamp>,
    /// Why they did not come the last time; `None`: they did.
    pub(in crate::http) error: Option<String>,
}

impl Issuer {
    /// Who shows this token.
    pub(in crate::http) async fn claimed(
        &self,
        settings: &JwtSettings,
        token: &str,
        clock: &Arc<dyn Clock>,
    ) -> Result<Claimed, Refused> {
        let token = Token::read(token, &settings.algorithms)?;
        token.is_for(settings)?;
        let verify = |keys: &Keys| keys.verify(&token.header, token.signed, &token.signature);
        let keys = self.keys(settings, |keys| keys.has(&token.header), clock).await?;
        if !keys.has(&token.header) {
            return Err(Refused::UnknownKey);
        }
        let mut verified = verify(&keys);
        if !verified && token.header.key.is_none() {
            // It names no key: perhaps there is another one by now.
            let newer = self.keys(settings, |_| false, clock).await?;
            verified = verify(&newer);
        }
        if !verified {
            return Err(Refused::Signature);
        }
        token.claimed(settings, clock.now())
    }

    /// How it stands; `None`: no network is needed for its keys, or none were needed yet.
    pub(in crate::http) fn standing(&self, now: Timestamp) -> Option<Standing> {
        let state = lock(&self.state);
        state.known.asked_at?;
        Some(Standing {
            breaker: state.known.breaker(now),
            keys_at: state.known.came_at,
            error: state.error.clone(),
        })
    }

    /// The keys, with the wanted one among them.
    async fn keys(
        &self,
        settings: &JwtSettings,
        is_wanted: impl Fn(&Keys) -> bool,
        clock: &Arc<dyn Clock>,
    ) -> Result<Arc<Keys>, Refused> {
        let asking = {
            let mut state = lock(&self.state);
            if state.of.as_ref() != Some(settings) {
                *state = State { of: Some(settings.clone()), ..State::default() };
            }
            if let JwtKeys::File(path) = &settings.keys {
                return state.of_file(path, is_wanted);
            }
            let has = is_wanted(&state.keys);
            if let Some(asking) = state.asking().filter(|_| !has) {
                asking
            } else {
                match state.known.step(has, settings.keep_keys, clock.now()) {
                    Step::Use => return Ok(Arc::clone(&state.keys)),
                    Step::UseAndAsk => {
                        self.ask(&mut state, settings, clock.now());
                        return Ok(Arc::clone(&state.keys));
                    }
                    Step::Unknown => return Err(Refused::UnknownKey),
                    Step::Unavailable(wait) => return Err(Refused::Unavailable(wait)),
                    Step::Ask => self.ask(&mut state, settings, clock.now()),
                }
            }
        };
        self.came(settings, asking, clock.now()).await
    }

    /// Waits for keys that are asked for, no longer than that may take.
    async fn came(
        &self,
        settings: &JwtSettings,
        mut asking: watch::Receiver<bool>,
        now: Timestamp,
    ) -> Result<Arc<Keys>, Refused> {
        let ended = tokio::time::timeout(fetch::TIME_MAX, asking.wait_for(|done| *done)).await;
        let has_ended = matches!(ended, Ok(Ok(_)));
        let mut state = lock(&self.state);
        let is_answered = has_ended && state.known.failures == 0 && state.known.came_at.is_some();
        if is_answered && state.of.as_ref() == Some(settings) {
            return Ok(Arc::clone(&state.keys));
        }
        match state.known.step(true, settings.keep_keys, now) {
            Step::Unavailable(wait) => Err(Refused::Unavailable(wait)),
            _ => Err(Refused::Unavailable(fetch::TIME_MAX)),
        }
    }

    /// Has the keys asked for beside whoever calls; one asks at a time.
    fn ask(
        &self,
        state: &mut State,
        settings: &JwtSettings,
        now: Timestamp,
    ) -> watch::Receiver<bool> {
        if let Some(asking) = state.asking() {
            return asking;
        }
        let (ended, asking) = watch::channel(false);
        state.asking = Some(asking.clone());
        state.wanted = Some(Wanted { of: settings.clone(), ended });
        state.known = state.known.asked(now);
        self.news.notify_one();
        asking
    }

    /// Asks for keys whenever some are wanted, until it is dropped.
    pub(super) async fn run(self, clock: Arc<dyn Clock>) {
        loop {
            self.news.notified().await;
            let wanted = lock(&self.state).wanted.take();
            let Some(wanted) = wanted else { continue };
            let came = fetch::keys(&wanted.of).await;
            let mut state = lock(&self.state);
            // Settings that were changed meanwhile have nothing of it.
            if state.of.as_ref() == Some(&wanted.of) {
                state.take(came, clock.now());
            }
            drop(state);
            wanted.ended.send_replace(true);
        }
    }
}

impl State {
    /// Keys that are on their way. Of whoever ended without an answer nothing comes any more.
    fn asking(&self) -> Option<watch::Receiver<bool>> {
        self.asking
            .as_ref()
            .filter(|asking| asking.has_changed().is_ok() && !*asking.borrow())
            .cloned()
    }

    fn take(
        &mut self,
        came: Result<(Keys, Option<std::time::Duration>), fetch::FetchError>,
        now: Timestamp,
    ) {
        self.asking = None;
        match came {
            Ok((keys, fresh_for)) => {
                if self.error.take().is_some() {
                    tracing::info!("the issuer of tokens gives its keys again");
                }
                self.keys = Arc::new(keys);
                self.known = self.known.came(fresh_for, now);
            }
            Err(error) => {
                let kept = self.known.came_at.map(|at| now.since(at).as_secs());
                tracing::warn!(%error, keys_of_seconds_ago = kept, "the keys of the issuer of tokens (api.jwt) cannot be had; those that are there count for api.jwt.keep_keys");
                self.error = Some(error.to_string());
                self.known = self.known.failed();
            }
        }
    }

    /// The keys in a file, read again when it changed.
    fn of_file(
        &mut self,
        path: &Path,
        is_wanted: impl Fn(&Keys) -> bool,
    ) -> Result<Arc<Keys>, Refused> {
        let stamp = std::fs::metadata(path).ok().map(|metadata| stamp_of(&metadata));
        if stamp.is_none() || stamp != self.file {
            let (keys, error) = match fetch::of_file(path) {
                Ok(keys) => (keys, None),
                Err(error) => (Keys::default(), Some(error.to_string())),
            };
            if let Some(error) = error.as_ref().filter(|_| error != self.error) {
                tracing::error!(error, "no JSON Web Token can be verified");
            }
            (self.keys, self.error, self.file) = (Arc::new(keys), error, stamp);
        }
        match &self.error {
            Some(_) => Err(Refused::Unavailable(fetch::TIME_MAX)),
            None if is_wanted(&self.keys) => Ok(Arc::clone(&self.keys)),
            None => Err(Refused::UnknownKey),
        }
    }
}

fn stamp_of(m: &Metadata) -> Stamp {
    (m.dev(), m.ino(), m.size(), m.mtime(), m.mtime_nsec())
}
