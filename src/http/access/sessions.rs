use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom as _, SystemRandom};
use sha2::{Digest as _, Sha256};

use super::jwt::Claimed;
use crate::model::Timestamp;

/// Those who are signed in at once; beyond, who was seen least recently has to sign in again.
const SESSIONS_MAX: usize = 1000;
/// Those of one token, or of whom an issuer says they are; beyond, its own that was seen least recently ends, and nobody else's.
const SESSIONS_OF_HOLDER_MAX: usize = 20;
/// A session that is not used ends after eight hours.
const IDLE_MAX_MS: i64 = 8 * 60 * 60 * 1000;
/// A session ends after a day, however it is used.
const AGE_MAX_MS: i64 = 24 * 60 * 60 * 1000;

/// The sessions of the dashboard, by the hash of each id. They are not kept on a disk: after a
/// restart everybody signs in again.
#[derive(Debug, Default)]
pub(in crate::http) struct Sessions(HashMap<[u8; 32], Session>);

/// Somebody who signed in.
#[derive(Clone, Debug)]
pub(in crate::http) struct Session {
    /// What was shown. What it may do is looked up at each request, so a token or a role that is
    /// taken away ends its sessions.
    pub(in crate::http) shown: Credential,
    /// What each form has to bring, so that no other site sends one.
    pub(in crate::http) form: String,
    /// What is told on the next page.
    said: Option<(bool, String)>,
    begun: Timestamp,
    seen: Timestamp,
}

/// What somebody signed in with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::http) enum Credential {
    /// A token, of which the hash is kept.
    Token([u8; 32]),
    /// A JSON Web Token: what it said, and which issuer and audience it was for.
    Jwt { claimed: Claimed, issuer: String, audience: String },
}

impl Credential {
    /// Whether both are of the same token, or of the same person as an issuer knows them.
    fn is_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Token(one), Self::Token(other)) => one == other,
            (
                Self::Jwt { claimed: one, issuer: from, .. },
                Self::Jwt { claimed: other, issuer, .. },
            ) => one.name == other.name && from == issuer,
            _ => false,
        }
    }

    /// Whether it has ended by itself.
    fn has_ended(&self, now: Timestamp) -> bool {
        matches!(self, Self::Jwt { claimed, .. } if now >= claimed.until)
    }
}

impl Sessions {
    /// Begins one, and gives its id for the cookie; `None` when the system has no random bytes.
    pub(in crate::http) fn begin(&mut self, shown: Credential, now: Timestamp) -> Option<String> {
        let (id, form) = (random()?, random()?);
        self.0.retain(|_, session| session.counts(now));
        self.keep_below(SESSIONS_OF_HOLDER_MAX, |session| session.shown.is_of(&shown));
        self.keep_below(SESSIONS_MAX, |_| true);
        let session = Session { shown, form, said: None, begun: now, seen: now };
        self.0.insert(key(&id), session);
        Some(id)
    }

    /// Makes room for one more of those that are meant.
    fn keep_below(&mut self, max: usize, is_meant: impl Fn(&Session) -> bool) {
        let meant = || self.0.iter().filter(|(_, session)| is_meant(session));
        if meant().count() >= max
            && let Some(oldest) = meant().min_by_key(|(_, s)| s.seen).map(|(key, _)| *key)
        {
            self.0.remove(&oldest);
        }
    }

    /// The session of an id, which is not seen by that.
    pub(in crate::http) fn peek(&self, id: &str, now: Timestamp) -> Option<Session> {
        self.0.get(&key(id)).filter(|session| session.counts(now)).cloned()
    }

    /// The session of an id, which is seen now.
    pub(in crate::http) fn find(&mut self, id: &str, now: Timestamp) -> Option<Session> {
        let session = self.0.get_mut(&key(id)).filter(|session| session.counts(now))?;
        session.seen = now;
        Some(session.clone())
    }

    /// Ends one.
    pub(in crate::http) fn end(&mut self, id: &str) {
        self.0.remove(&key(id));
    }

    /// Keeps a sentence for the next page; `good` says whether it went well.
    pub(in crate::http) fn say(&mut self, id: &str, good: bool, sentence: String) {
        if let Some(session) = self.0.get_mut(&key(id)) {
            session.said = Some((good, sentence));
        }
    }

    /// The sentence that was kept, once.
    pub(in crate::http) fn said(&mut self, id: &str) -> Option<(bool, String)> {
        self.0.get_mut(&key(id))?.said.take()
    }
}

impl Session {
    fn counts(&self, now: Timestamp) -> bool {
        now.0 - self.seen.0 < IDLE_MAX_MS
            && now.0 - self.begun.0 < AGE_MAX_MS
            && !self.shown.has_ended(now)
    }
}

fn key(id: &str) -> [u8; 32] {
    Sha256::digest(id).into()
}

fn random() -> Option<String> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 60 * 60 * 1000;

    fn token() -> Credential {
        Credential::Token([1; 32])
    }

    #[test]
    fn a_session_of_a_json_web_token_ends_with_it() {
        let mut sessions = Sessions::default();
        let until = Timestamp(HOUR);
        let claimed = Claimed { name: "ann".to_owned(), roles: Vec::new(), until };
        let shown = Credential::Jwt { claimed, issuer: String::new(), audience: String::new() };
        let id = sessions.begin(shown, Timestamp(0)).unwrap();
        assert!(sessions.find(&id, Timestamp(HOUR - 1)).is_some());
        assert!(sessions.find(&id, Timestamp(HOUR)).is_none());
    }

    #[test]
    fn a_session_ends_when_it_is_not_used_when_it_is_old_and_when_it_is_ended() {
        let mut sessions = Sessions::default();
        let id = sessions.begin(token(), Timestamp(0)).unwrap();
        for hour in [7, 14, 21] {
            assert!(sessions.find(&id, Timestamp(hour * HOUR)).is_some());
        }
        assert!(sessions.find(&id, Timestamp(24 * HOUR)).is_none(), "a day is over");
        let id = sessions.begin(token(), Timestamp(0)).unwrap();
        assert!(sessions.peek(&id, Timestamp(7 * HOUR)).is_some());
        assert!(sessions.find(&id, Timestamp(8 * HOUR)).is_none(), "a look is no use");
        let id = sessions.begin(token(), Timestamp(0)).unwrap();
        sessions.end(&id);
        assert!(sessions.find(&id, Timestamp(0)).is_none());
        assert!(sessions.find("", Timestamp(0)).is_none());
    }

    #[test]
    fn there_are_never_more_than_the_limit_and_who_was_seen_last_stays() {
        let mut sessions = Sessions::default();
        let ids: Vec<String> = (0..=SESSIONS_MAX as i64)
            .map(|n| sessions.begin(hash(n), Timestamp(n)).unwrap())
            .collect();
        let now = Timestamp(HOUR);
        assert!(sessions.find(&ids[0], now).is_none());
        assert!(
            sessions.find(&ids[1], now).is_some()
                && sessions.find(&ids[SESSIONS_MAX], now).is_some()
        );
    }

    #[test]
    fn whoever_signs_in_again_and_again_ends_nobody_elses_session() {
        let mut sessions = Sessions::default();
        let other = sessions.begin(hash(1), Timestamp(0)).unwrap();
        let first = sessions.begin(hash(2), Timestamp(1)).unwrap();
        for n in 0..2 * SESSIONS_MAX as i64 {
            sessions.begin(hash(2), Timestamp(2 + n)).unwrap();
        }
        let now = Timestamp(HOUR);
        assert!(sessions.find(&other, now).is_some());
        assert!(sessions.find(&first, now).is_none());
        assert_eq!(sessions.0.len(), 1 + SESSIONS_OF_HOLDER_MAX);
    }

    fn hash(n: i64) -> Credential {
        Credential::Token(Sha256::digest(n.to_le_bytes()).into())
    }

    #[test]
    fn what_was_said_is_told_once() {
        let mut sessions = Sessions::default();
        let id = sessions.begin(token(), Timestamp(0)).unwrap();
        sessions.say(&id, true, "done".to_owned());
        assert_eq!(sessions.said(&id), Some((true, "done".to_owned())));
        assert_eq!(sessions.said(&id), None);
    }
}
