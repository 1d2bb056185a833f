use super::{Agent, SyncError};
use crate::decide::recover::{Recovery, Shown, decide};
use crate::model::{
    By, ChangeCounts, Deployment, DeploymentId, Digest, LiveState, Origin, Outcome, Quarantine,
    QuarantineKey, Reason, Trigger,
};
use crate::trees::{Found, Live, Manifest, Use};

/// What recovery found, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Started {
    /// Journal and live path agreed.
    Agreed,
    /// A deployment that a crash interrupted after its rename was completed.
    Finished(DeploymentId),
    /// One that it interrupted before was dropped.
    Dropped,
    /// The journal follows what the live path shows.
    Followed(DeploymentId),
    /// Nothing is live.
    Nothing,
    /// The live path was changed by somebody else.
    Drifted,
}

impl Agent {
    /// Brings the journal into line with the disk, before the first pass. The live path is not
    /// changed. What the manifests tell is written into a journal that is new.
    ///
    /// # Errors
    /// When the disk or the journal cannot be used, or something that is not ours is at the live
    /// path and nothing of ours was ever live there.
    pub fn recover(&mut self) -> Result<Started, SyncError> {
        if !self.journal.has_learned()? {
            self.learn_from_manifests()?;
        }
        self.regain_manifest();
        let found = self.trees.found()?;
        let intent = self.journal.intent()?;
        let shown = match &found {
            Found::Nothing => Shown::Nothing,
            Found::Tree(live) => Shown::Tree(live.name()),
            Found::Unrecorded(_) | Found::Foreign => Shown::Unknown,
        };
        let recorded = self.standing.live.as_ref().map(|live| live.tree.clone());
        let intended = intent.as_ref().map(|intent| intent.new_tree.as_str());
        let recovery = decide(shown, recorded.as_deref(), intended);
        let started = match (recovery, &found) {
            (Recovery::Finish, Found::Tree(live)) => {
                let Some(intent) = &intent else { return Ok(Started::Agreed) };
                self.journal.complete(&intent.completion, live)?;
                Started::Finished(intent.completion.deployment.id)
            }
            (Recovery::Follow, Found::Tree(live)) => self.follow_link(live)?,
            (Recovery::Drop, _) => {
                if let Some(intent) = &intent {
                    // A manifest may tell of it: the number is not given to another attempt.
                    let dropped = intent.completion.deployment.id;
                    self.journal.number_from(DeploymentId(dropped.0 + 1))?;
                }
                self.journal.drop_intent()?;
                Started::Dropped
            }
            (Recovery::Clear, Found::Foreign) => {
                self.trees.may_move_aside()?;
                Started::Nothing
            }
            (Recovery::Clear, _) => Started::Nothing,
            // What is recorded was live elsewhere: the settings name another live path now.
            (Recovery::Drifted, Found::Foreign) if !self.was_live_here() => {
                self.trees.may_move_aside()?;
                Started::Nothing
            }
            (Recovery::Drifted, _) => {
                self.journal.drop_intent()?;
                Started::Drifted
            }
            (Recovery::Agreed, Found::Nothing) => Started::Nothing,
            _ => Started::Agreed,
        };
        self.read_standing()?;
        if matches!(found, Found::Tree(_)) {
            self.note_place()?;
        }
        self.show_standing();
        Ok(started)
    }

    /// The state folder was lost or its journal damaged: deployments go on counting, and what was
    /// live when is known again, from the manifests beside the trees.
    fn learn_from_manifests(&self) -> Result<(), SyncError> {
        let mut uses: Vec<(&Use, &Manifest)> = Vec::new();
        for manifest in self.trees.manifests().values() {
            uses.extend(manifest.uses.iter().map(|used| (used, manifest)));
        }
        uses.sort_by_key(|(used, _)| used.deployment);
        // After a repair two trees tell of the same deployment.
        uses.dedup_by_key(|(used, _)| used.deployment);
        let live = match self.trees.found()? {
            Found::Tree(live) => Some(live.digest()),
            _ => None,
        };
        let left = left_by_rollbacks(&uses, live);
        let rows: Vec<Deployment> = uses
            .iter()
            .map(|(used, manifest)| {
                let was_left = left.iter().any(|(id, _)| *id == used.deployment);
                let outcome = if was_left { Outcome::RolledBack } else { Outcome::Superseded };
                row_of(used, manifest, outcome)
            })
            .collect();
        let quarantine: Vec<Quarantine> = left.into_iter().map(|(_, entry)| entry).collect();
        Ok(self.journal.learn(&rows, &quarantine)?)
    }

    /// What the live path shows becomes the record.
    fn follow_link(&self, live: &Live) -> Result<Started, SyncError> {
        let Some(manifest) = self.trees.manifests().get(live.name()) else {
            return Ok(Started::Agreed);
        };
        let Some(used) = manifest.last_use() else { return Ok(Started::Agreed) };
        let state = LiveState {
            deployment: used.deployment,
            revision: used.revision.clone(),
            digest: manifest.digest,
            since: used.at,
            origin: used.origin,
            tree: live.name().to_owned(),
        };
        let known = self.journal.deployment(used.deployment)?.is_some();
        let row = row_of(used, manifest, Outcome::Live);
        let row = (!known).then_some(&row);
        self.journal.follow_link(Some((&state, live)), row, By::agent(), self.clock.now())?;
        Ok(Started::Followed(used.deployment))
    }
}

/// What ways back left, and did not become live again since: it must not come again by itself.
fn left_by_rollbacks(
    uses: &[(&Use, &Manifest)],
    live: Option<Digest>,
) -> Vec<(DeploymentId, Quarantine)> {
    let mut all: Vec<(DeploymentId, Quarantine)> = Vec::new();
    let key = |manifest: &Manifest| QuarantineKey::Digest(manifest.digest);
    for (at, (used, manifest)) in uses.iter().enumerate() {
        all.retain(|(_, entry)| entry.key != key(manifest));
        let Some((left, of)) = at.checked_sub(1).and_then(|before| uses.get(before)) else {
            continue;
        };
        if used.origin != Origin::Rollback || of.digest == manifest.digest {
            continue;
        }
        let message = format!(
            "deployment {} ({}) was rolled back, as the trees' manifests tell",
            left.deployment,
            left.revision.short()
        );
        let entry = Quarantine {
            key: key(of),
            revision: left.revision.clone(),
            reason: Reason::RolledBack,
            rules: String::new(),
            message,
            since: used.at,
        };
        all.push((left.deployment, entry));
    }
    all.retain(|(_, entry)| live.is_none_or(|live| entry.key != QuarantineKey::Digest(live)));
    all
}

fn row_of(used: &Use, manifest: &Manifest, outcome: Outcome) -> Deployment {
    Deployment {
        id: used.deployment,
        revision: used.revision.clone(),
        digest: Some(manifest.digest),
        origin: used.origin,
        trigger: Trigger::Start,
        actor: None,
        reason: Some("known from the tree's manifest".to_owned()),
        outcome,
        started_at: used.at,
        finished_at: used.at,
        duration_ms: 0,
        changes: ChangeCounts::default(),
        confirmed: None,
        findings: Vec::new(),
        tree: manifest.name.clone(),
    }
}
