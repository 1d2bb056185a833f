use std::sync::Arc;
use std::time::Duration;

use super::attempt::Attempt;
use super::{Agent, SyncError};
use crate::model::{Finding, Held, Plan, Reason};
use crate::objects::Mirror;
use crate::trees::{Seals, Unsealed};

/// The longest wait until identities that are missing are looked for again.
const IDENTITIES_RETRY_MAX: Duration = Duration::from_secs(10);

impl Agent {
    /// Decrypts, in memory, what is encrypted in a tree that passed the gates: all of it can be
    /// decrypted, or nothing of the tree goes live. What is wrong joins the findings; what is
    /// missing here is a hold, since it is not the revision's fault.
    pub(super) fn unseal(
        &self,
        mirror: &Mirror,
        attempt: &Attempt<'_>,
        plan: &Plan,
        findings: &mut Vec<Finding>,
    ) -> Result<Result<Arc<Seals>, Box<Held>>, SyncError> {
        if findings.iter().any(Finding::is_error) {
            return Ok(Ok(Arc::default()));
        }
        let (path, error) = match self.trees.unseal(mirror, plan)? {
            Unsealed::Whole(seals) => return Ok(Ok(seals)),
            Unsealed::Refused(wrong) => {
                findings.extend(wrong);
                return Ok(Ok(Arc::default()));
            }
            Unsealed::Missing { path, error } => (path, error),
        };
        let what = path.map_or_else(|| "secrets".to_owned(), |path| path.as_str().to_owned());
        let now = self.clock.now();
        Ok(Err(Box::new(Held {
            revision: attempt.revision.clone(),
            digest: Some(plan.to),
            reason: Reason::SecretsUnavailable,
            message: format!(
                "{what} cannot be decrypted: {}; it is tried again by itself",
                super::error::chain(&error)
            ),
            since: now,
            until: Some(now.plus(self.settings.source.interval.min(IDENTITIES_RETRY_MAX))),
        })))
    }
}
