//! What was lost beside the live tree is had again: from the disk, or from the source.

use super::{Agent, SyncError};
use crate::model::{Digest, ObjectId, Revision};
use crate::objects::Mirror;
use crate::render::{self, Input};
use crate::source::Head;
use crate::trees::{Found, TreesError};

impl Agent {
    /// Where the manifest of the live tree was lost, and the journal was not: the tree is known
    /// again by its content, and stays. Best effort: what is not known again is replaced.
    pub(super) fn regain_manifest(&mut self) {
        let Some(live) = self.standing.live.clone() else { return };
        if self.trees.manifests().contains_key(&live.tree) || !self.was_live_here() {
            return;
        }
        let known = self.mirror().and_then(|mirror| Ok(self.trees.know_again(&mirror, &live)?));
        match known {
            Ok(true) => tracing::warn!(
                revision = %live.revision,
                "the manifest of the live tree was lost; it is known again by its content"
            ),
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(error = %error.chain(), "what the live path shows cannot be known again");
            }
        }
    }

    /// Whether what is recorded as live was live at this path: in another one, what is there is
    /// somebody else's, whatever the journal says.
    pub(super) fn was_live_here(&self) -> bool {
        self.standing.place.as_ref() == Some(&self.place())
    }

    /// Notes where something of ours is live, when it is another place than before.
    pub(super) fn note_place(&mut self) -> Result<(), SyncError> {
        if !self.was_live_here() {
            self.journal.note_place(&self.place())?;
            self.standing.place = Some(self.place());
        }
        Ok(())
    }

    fn place(&self) -> String {
        self.trees.layout().live().to_string_lossy().into_owned()
    }

    /// Whether what the live path shows is ours by the journal alone: its manifest is gone, and its
    /// content is another by now.
    pub(super) fn is_ours_by_the_journal(&self) -> Result<bool, SyncError> {
        Ok(self.standing.live.is_some()
            && self.was_live_here()
            && self.live_tree().is_none()
            && self.trees.found()? == Found::Foreign)
    }

    /// Sees to it that the mirror has the live tree, so that others can be compared with it.
    pub(super) fn regain_live(&mut self, mirror: &Mirror) -> Result<(), SyncError> {
        let Some(live) = self.standing.live.clone() else { return Ok(()) };
        let Some(tree) = self.live_tree() else { return Ok(()) };
        self.regain(mirror, &live.tree, &live.revision, (tree, live.digest))
    }

    /// Whether the mirror has a tree, if need be from its folder.
    pub(super) fn regain_from_disk(&self, mirror: &Mirror, name: &str, tree: ObjectId) -> bool {
        mirror.has(tree) || self.trees.give_objects(name, mirror).is_ok_and(|id| id == tree)
    }

    /// Sees to it that the mirror has a tree that is on disk under `name`: where it was lost, from
    /// there, and where somebody changed that, from the commit that it was made of.
    pub(super) fn regain(
        &mut self,
        mirror: &Mirror,
        name: &str,
        revision: &Revision,
        (tree, digest): (ObjectId, Digest),
    ) -> Result<(), SyncError> {
        if self.regain_from_disk(mirror, name, tree) {
            return Ok(());
        }
        self.source.fetch(&Head::of(revision.clone()), None, mirror, &|| {})?;
        let submodules = self.source.submodules(revision, mirror)?;
        self.untidy.rest = true;
        let input = Input {
            commit: revision,
            settings: &self.settings.render,
            submodules: &submodules,
            limits: &self.settings.limits,
            hint: None,
        };
        let rendered = render::render(mirror, &input)?;
        if rendered.tree == Some(tree) { Ok(()) } else { Err(TreesError::Gone(digest).into()) }
    }
}
