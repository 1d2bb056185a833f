use super::attempt::Attempt;
use super::live::{Next, WayBack};
use super::{Agent, SyncError};
use crate::model::{
    Deployment, DeploymentId, Digest, Origin, Plan, Quarantine, QuarantineKey, Reason, Report,
    Suspension, Trigger, Wish,
};
use crate::objects::{Mirror, Summary};
use crate::trees::Manifest;

impl Agent {
    /// Goes back to an earlier deployment: a new deployment of its tree, by the way of all. Gates
    /// are not passed again and windows do not hold it; what is left goes into quarantine.
    pub(super) fn go_back(
        &mut self,
        to: Option<DeploymentId>,
        hold: bool,
        trigger: Trigger,
        wish: &Wish,
    ) -> Result<Report, SyncError> {
        let target = self.find_target(to)?;
        let digest =
            target.digest.ok_or_else(|| order(&format!("deployment {} has no tree", target.id)))?;
        if self.standing.live.as_ref().is_some_and(|live| live.digest == digest) {
            return Err(order(&format!(
                "deployment {} has the content that is live already",
                target.id
            )));
        }
        let now = self.clock.now();
        let mut back = WayBack::default();
        if let Some(live) = &self.standing.live {
            back.quarantine.push(Quarantine {
                key: QuarantineKey::Digest(live.digest),
                revision: live.revision.clone(),
                reason: Reason::RolledBack,
                rules: String::new(),
                message: rolled_back_text(live.deployment, &live.revision.short(), wish),
                since: now,
            });
        }
        if hold {
            back.suspend = Some(Suspension {
                since: now,
                until: None,
                actor: wish.actor.clone(),
                reason: wish.reason.clone().or_else(|| Some("rollback --hold".to_owned())),
            });
        }
        self.return_to(&target, trigger, Some(wish), back)
    }

    /// Makes the tree of an earlier deployment live again.
    pub(super) fn return_to(
        &mut self,
        target: &Deployment,
        trigger: Trigger,
        wish: Option<&Wish>,
        back: WayBack,
    ) -> Result<Report, SyncError> {
        let digest =
            target.digest.ok_or_else(|| order(&format!("deployment {} has no tree", target.id)))?;
        let mirror = self.mirror()?;
        let Manifest { name, tree, files, seals, .. } = self.tree_of(target, digest)?;
        let attempt = Attempt {
            revision: target.revision.clone(),
            trigger,
            wish,
            started_at: self.clock.now(),
            trust: String::new(),
            passes_over: self.standing.desired.as_ref().map(|d| d.revision.clone()),
        };
        // A way back needs neither the mirror nor the source, as long as its tree on disk is whole;
        // without what is live, the plan just says less.
        if let Some(live) = self.standing.live.as_ref().zip(self.live_tree()) {
            self.regain_from_disk(&mirror, &live.0.tree, live.1);
        }
        if let Err(error) = self.regain(&mirror, &name, &target.revision, (tree, digest)) {
            tracing::warn!(error = %error.chain(), "the mirror has lost what this goes back to");
        }
        let plan = self.plan_back(&mirror, tree, files, digest)?;
        let next = Next {
            origin: Origin::Rollback,
            tree,
            summary: Summary { digest, files, bytes: 0 },
            plan,
            findings: Vec::new(),
            seals,
            accepted: None,
        };
        self.deploy_with(&mirror, &attempt, next, Some(back))
    }

    /// The deployment to go back to. Without a number: the newest earlier one whose digest is
    /// neither live nor in quarantine, so that a second way back goes further.
    fn find_target(&self, to: Option<DeploymentId>) -> Result<Deployment, SyncError> {
        if let Some(id) = to {
            return self.journal.deployment(id)?.ok_or_else(|| {
                order(&format!("there is no deployment {id}: see `kconfigd history`"))
            });
        }
        let live = self.standing.live.as_ref();
        let limit = usize::try_from(self.settings.policy.rollback_limit).unwrap_or(usize::MAX - 1);
        let bad = |digest: &Digest| {
            self.standing.quarantine.iter().any(|q| q.key == QuarantineKey::Digest(*digest))
        };
        self.journal
            .returnable(limit + 1)?
            .into_iter()
            .find(|d| {
                d.digest.is_some_and(|digest| {
                    live.is_none_or(|live| live.digest != digest) && !bad(&digest)
                })
            })
            .ok_or_else(|| {
                order("there is no earlier deployment to go back to: see `kconfigd history`")
            })
    }

    /// The tree of an earlier deployment, from what is on disk.
    fn tree_of(&self, target: &Deployment, digest: Digest) -> Result<Manifest, SyncError> {
        // Of two of one content, the younger took the place of one that somebody changed.
        let all = self.trees.manifests().values().filter(|m| m.digest == digest);
        let manifest = all.max_by_key(|m| m.sealed_at);
        manifest.cloned().ok_or_else(|| {
            order(&format!(
                "the tree of deployment {} is not kept any more (gitops.rollback_limit); `kconfigd apply {}` makes it from the repository again",
                target.id, target.revision
            ))
        })
    }

    fn plan_back(
        &self,
        mirror: &Mirror,
        tree: crate::model::ObjectId,
        files: u64,
        to: Digest,
    ) -> Result<Plan, SyncError> {
        let live = self.standing.live.as_ref();
        let manifest = live.and_then(|live| self.trees.manifests().get(&live.tree));
        let from = manifest.map(|m| m.tree);
        let known = mirror.has(tree) && from.is_none_or(|from| mirror.has(from));
        let changes = if known { mirror.changes(from, tree)? } else { Vec::new() };
        Ok(Plan {
            from: live.map(|live| live.digest),
            to,
            from_tree: from.filter(|_| known),
            to_tree: tree,
            changes,
            files_before: manifest.map_or(0, |m| m.files),
            files_after: files,
        })
    }
}

fn order(text: &str) -> SyncError {
    SyncError::Order(text.to_owned())
}

fn rolled_back_text(id: DeploymentId, revision: &str, wish: &Wish) -> String {
    let mut text = format!("deployment {id} ({revision}) was rolled back by {}", wish.actor);
    if let Some(reason) = &wish.reason {
        text.push_str(": ");
        text.push_str(reason);
    }
    text
}
