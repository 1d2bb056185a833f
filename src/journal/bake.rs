use super::open::write_meta;
use super::wire::{self, WireBake};
use super::{Journal, JournalError, outbox};
use crate::model::{Bake, DeploymentId, Event};

impl Journal {
    /// Writes down how far the bake of what is live is.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn note_bake(&self, bake: &Bake) -> Result<(), JournalError> {
        let text = wire::to_json(&WireBake::from(bake));
        self.transaction("note how a bake goes", |tx| write_meta(tx, "bake", Some(&text)))
    }

    /// Ends the bake of a deployment. `unhealthy` is why its health did not hold.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn end_bake(
        &self,
        id: DeploymentId,
        unhealthy: Option<&str>,
        events: &[(Event, Vec<String>)],
    ) -> Result<(), JournalError> {
        self.transaction("end a bake", |tx| {
            tx.prepare_cached("UPDATE deployments SET confirmed = ?1 WHERE id = ?2")?
                .execute(rusqlite::params![unhealthy.is_none(), id.0])?;
            write_meta(tx, "bake", None)?;
            write_meta(tx, "unhealthy", unhealthy)?;
            for (event, nodes) in events {
                outbox::record(tx, event, nodes)?;
            }
            Ok(())
        })
    }

    /// Notes that the health of a deployment did not hold, and that it is to be left: what is
    /// known survives a crash before the way back.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn fail_bake(&self, bake: &Bake) -> Result<(), JournalError> {
        let text = wire::to_json(&WireBake::from(bake));
        self.transaction("note that a bake failed", |tx| {
            tx.prepare_cached("UPDATE deployments SET confirmed = 0 WHERE id = ?1")?
                .execute([bake.deployment.0])?;
            write_meta(tx, "bake", Some(&text))
        })
    }

    /// Forgets a bake of something that is not live any more.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn forget_bake(&self) -> Result<(), JournalError> {
        self.transaction("forget a bake", |tx| write_meta(tx, "bake", None))
    }
}
