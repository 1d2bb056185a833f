use std::time::Duration;

use super::attempt::Attempt;
use super::{Agent, SyncError};
use crate::config::VerifyMode;
use crate::decide::next::rules_until;
use crate::model::{Finding, Held, Quarantine, QuarantineKey, Reason, Report};
use crate::objects::Mirror;
use crate::source::Fetched;
use crate::trust::{self, Candidate, Keys, TrustError};

/// The longest wait until keys that could not be read are looked for again.
const KEYS_RETRY_MAX: Duration = Duration::from_secs(10);

/// Whether a revision comes from somebody who may say what is live.
pub(super) enum Trusted {
    /// It goes on, with what is to be told of it.
    Yes(Vec<Finding>),
    /// It ends here.
    No(Box<Report>),
}

impl Agent {
    /// Verifies the signatures that the settings want, before anything of the commit is read as
    /// configuration. No order passes over this.
    pub(super) fn verify(
        &mut self,
        mirror: &Mirror,
        attempt: &Attempt<'_>,
        fetched: &Fetched,
    ) -> Result<Trusted, SyncError> {
        let settings = std::sync::Arc::clone(&self.settings);
        let verify = &settings.source.verify;
        if verify.mode == VerifyMode::Off {
            return Ok(Trusted::Yes(Vec::new()));
        }
        let keys = match Keys::read(verify) {
            Ok(keys) => keys,
            Err(error) => return self.without_keys(attempt, verify.mode, error),
        };
        let id = attempt.revision.to_string();
        let candidate = Candidate {
            head: &attempt.revision,
            reference: fetched.tag.as_ref().map_or(&id, |tag| &tag.name),
            tag: fetched.tag.as_ref().and_then(|tag| tag.id),
            since: &fetched.since,
        };
        let verdict = trust::check(mirror, &keys, verify, &candidate, self.clock.now())?;
        if let Some(who) = &verdict.signed_by {
            tracing::info!(revision = %attempt.revision, "signed by {who}");
        }
        let findings = verdict.findings;
        match findings.iter().find(|finding| finding.is_error()) {
            None => {
                for doubt in &findings {
                    tracing::warn!(rule = %doubt.rule, revision = %attempt.revision, "{}", doubt.message);
                }
                Ok(Trusted::Yes(findings))
            }
            Some(first) => {
                let of_head = format!("commit {}", attempt.revision.short());
                let mut message = match first.message.starts_with(&of_head) {
                    true => first.message.clone(),
                    false => format!("{} is refused: {}", attempt.revision.short(), first.message),
                };
                let errors = findings.iter().filter(|it| it.is_error()).count();
                if errors > 1 {
                    message.push_str(&format!(" (and {} more)", errors - 1));
                }
                let rules = match verdict.valid_from {
                    Some(from) => rules_until(&attempt.trust, from),
                    None => attempt.trust.clone(),
                };
                self.distrust(attempt, rules, message, findings)
                    .map(|report| Trusted::No(Box::new(report)))
            }
        }
    }

    /// Remembered by the revision and never by the digest: the same content, signed properly, goes
    /// through.
    fn distrust(
        &mut self,
        attempt: &Attempt<'_>,
        rules: String,
        message: String,
        findings: Vec<Finding>,
    ) -> Result<Report, SyncError> {
        let quarantine = Quarantine {
            key: QuarantineKey::Revision(attempt.revision.clone()),
            revision: attempt.revision.clone(),
            reason: Reason::VerificationRefused,
            rules,
            message,
            since: self.clock.now(),
        };
        self.record_refusal(attempt, None, quarantine, findings)
    }

    /// Keys that cannot be read are not the revision's fault: it waits for them.
    fn without_keys(
        &mut self,
        attempt: &Attempt<'_>,
        mode: VerifyMode,
        error: TrustError,
    ) -> Result<Trusted, SyncError> {
        let message = format!("signatures cannot be verified: {}", super::error::chain(&error));
        if mode == VerifyMode::Warn {
            tracing::warn!(revision = %attempt.revision, "{message}");
            return Ok(Trusted::Yes(vec![Finding::warning("trust.keys", message)]));
        }
        let now = self.clock.now();
        let held = Held {
            revision: attempt.revision.clone(),
            digest: None,
            reason: Reason::VerificationUnavailable,
            message: format!("{message}; it is tried again by itself"),
            since: now,
            until: Some(now.plus(self.settings.source.interval.min(KEYS_RETRY_MAX))),
        };
        self.hold(held, None, Vec::new()).map(|report| Trusted::No(Box::new(report)))
    }
}
