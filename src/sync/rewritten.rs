use super::attempt::Attempt;
use super::{Agent, SyncError};
use crate::config::{HistoryRewrite, Reference};
use crate::model::{Finding, Quarantine, QuarantineKey, Reason, Report, Revision};

impl Agent {
    /// A tag or a commit is meant to move; a branch, HEAD or another reference is followed.
    pub(super) fn refuses_rewrites(&self) -> bool {
        let source = &self.settings.source;
        let followed =
            matches!(source.reference, Reference::Head | Reference::Branch(_) | Reference::Ref(_));
        followed && source.history_rewrite == HistoryRewrite::Refuse
    }

    /// Nothing of a rewritten history is taken by itself.
    pub(super) fn refuse_rewrite(&mut self, attempt: &Attempt<'_>) -> Result<Report, SyncError> {
        let accepted = self.standing.accepted.as_ref().map_or_else(String::new, Revision::short);
        let message = format!(
            "history was rewritten: {} does not descend from {accepted}, the last accepted commit; if that is meant, `kconfigd apply` takes it, and `history_rewrite: allow` always does",
            attempt.revision.short()
        );
        let quarantine = Quarantine {
            key: QuarantineKey::Revision(attempt.revision.clone()),
            revision: attempt.revision.clone(),
            reason: Reason::HistoryRewritten,
            rules: attempt.trust.clone(),
            message: message.clone(),
            since: self.clock.now(),
        };
        let finding = Finding::error("trust.history_rewritten", message);
        self.record_refusal(attempt, None, quarantine, vec![finding])
    }
}
