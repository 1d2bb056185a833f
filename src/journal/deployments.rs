use std::collections::HashSet;

use rusqlite::{OptionalExtension as _, Transaction};

use super::audit::{self, deeds};
use super::error::query;
use super::intent::IntentKind;
use super::open::{read_meta, write_meta};
use super::wire::{self, WireBake, WireDeployment, WireLive, WireSuspension, key_columns};
use super::wishes::FOLLOWED_MAX;
use super::{Journal, JournalError, outbox, publications};
use crate::model::{
    Attempt, Bake, By, Deployment, DeploymentId, Digest, Event, LiveState, Outcome, PackedFindings,
    Quarantine, QuarantineKey, Revision, Suspension, Timestamp,
};
use crate::trees::Live;

/// Everything that is recorded when a tree has become live, in one transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// A deployment or a repair.
    pub kind: IntentKind,
    /// The row of the history.
    pub deployment: Deployment,
    /// What is live then.
    pub live: LiveState,
    /// Which repository and reference it came from.
    pub line: String,
    /// What made of the commit this tree.
    pub recipe: String,
    /// The rules that it passed.
    pub rules: String,
    /// The last accepted commit of that line from now on; `None`: as before.
    pub accepted: Option<Revision>,
    /// The head that an operator's decision passes over.
    pub passed_over: Option<Revision>,
    /// What goes into quarantine.
    pub quarantine: Vec<Quarantine>,
    /// Whether the deployment before was taken back, rather than followed.
    pub rolled_back: bool,
    /// An operator's stop that comes with it.
    pub suspend: Option<Suspension>,
    /// The wish that it fulfils.
    pub wish: Option<u64>,
    /// What happened, and who is told.
    pub events: Vec<(Event, Vec<String>)>,
    /// What is still to be seen of it: reloads and health.
    pub bake: Option<Bake>,
}

/// A commit whose content is live already.
#[derive(Clone, Debug, PartialEq)]
pub struct Adoption {
    /// Which repository and reference it came from.
    pub line: String,
    /// What made of the commit this tree.
    pub recipe: String,
    /// The commit.
    pub revision: Revision,
    /// The rules that the content passed; `None`: as before.
    pub rules: Option<String>,
    /// Whether it is the last accepted one of its line from now on.
    pub accepted: bool,
    /// The head that an operator's decision passes over.
    pub passed_over: Option<Revision>,
    /// The wish that it fulfils.
    pub wish: Option<u64>,
    /// When.
    pub at: Timestamp,
    /// What is told of it.
    pub events: Vec<(Event, Vec<String>)>,
}

/// A page of the history, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HistoryPage {
    /// The rows.
    pub items: Vec<Deployment>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<DeploymentId>,
}

impl Journal {
    /// A number for the next attempt. It is never given again, also when the attempt comes to
    /// nothing.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn next_deployment(&self) -> Result<DeploymentId, JournalError> {
        let connection = self.reader();
        let stored: Option<u64> = read_meta(&connection, "next_deployment")
            .map_err(query("count the deployments"))?
            .and_then(|text| text.parse().ok());
        let newest: u64 = connection
            .prepare_cached("SELECT COALESCE(MAX(id), 0) FROM deployments")
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
            .map_err(query("count the deployments"))?;
        Ok(DeploymentId(stored.unwrap_or(1).max(newest + 1)))
    }

    /// Sees to it that no number before `first` is given again.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn number_from(&self, first: DeploymentId) -> Result<(), JournalError> {
        self.transaction("count the deployments", |tx| {
            let stored: u64 =
                read_meta(tx, "next_deployment")?.and_then(|text| text.parse().ok()).unwrap_or(1);
            write_meta(tx, "next_deployment", Some(&stored.max(first.0).to_string()))
        })
    }

    /// Whether what the trees on disk tell has been written into this journal.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn has_learned(&self) -> Result<bool, JournalError> {
        let learned = read_meta(&self.reader(), "learned");
        Ok(learned.map_err(query("read what was learned"))?.is_some())
    }

    /// Writes down what the trees on disk tell, once: deployments that are not known yet, what is
    /// in quarantine, and that numbers go on from there. All or nothing.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn learn(
        &self,
        rows: &[Deployment],
        quarantine: &[Quarantine],
    ) -> Result<(), JournalError> {
        self.transaction("write down what the trees tell", |tx| {
            for row in rows {
                let known = tx
                    .prepare_cached("SELECT 1 FROM deployments WHERE id = ?1")?
                    .exists([row.id.0])?;
                if !known {
                    WireDeployment::from(row).insert(tx)?;
                    consume_number(tx, row.id)?;
                }
            }
            quarantine.iter().try_for_each(|entry| insert_quarantine(tx, entry))?;
            write_meta(tx, "learned", Some("1"))
        })
    }

    /// Records that a tree is live: history, quarantine, suspension, events, and the end of the
    /// intent, all or nothing. `live` is the proof.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn complete(&self, done: &Completion, live: &Live) -> Result<(), JournalError> {
        let mut done = done.clone();
        live.name().clone_into(&mut done.live.tree);
        live.name().clone_into(&mut done.deployment.tree);
        self.transaction("complete the deployment", |tx| {
            let record = deeds::completed(tx, &done, deeds::live_digest(tx)?)?;
            audit::append(tx, self.sealer(), &record)?;
            if done.kind == IntentKind::Deployment {
                let before =
                    if done.rolled_back { Outcome::RolledBack } else { Outcome::Superseded };
                tx.prepare_cached("UPDATE deployments SET outcome = ?1 WHERE outcome = 'live'")?
                    .execute([before.as_str()])?;
                WireDeployment::from(&done.deployment).insert(tx)?;
                consume_number(tx, done.deployment.id)?;
                // What is live is no longer held to be bad.
                tx.prepare_cached("DELETE FROM quarantine WHERE kind = 'digest' AND key = ?1")?
                    .execute([done.live.digest.to_string()])?;
                tx.prepare_cached("DELETE FROM quarantine WHERE kind = 'revision' AND key = ?1")?
                    .execute([done.live.revision.to_string()])?;
                write_meta(tx, "held", None)?;
                write_meta(tx, "unhealthy", None)?;
                let bake = done.bake.as_ref().map(|bake| wire::to_json(&WireBake::from(bake)));
                write_meta(tx, "bake", bake.as_deref())?;
            } else {
                tx.prepare_cached("UPDATE deployments SET tree = ?1 WHERE id = ?2")?
                    .execute(rusqlite::params![live.name(), done.live.deployment.0])?;
            }
            write_meta(tx, "live", Some(&wire::to_json(&WireLive::from(&done.live))))?;
            if let Some(accepted) = &done.accepted {
                accept(tx, &done.line, accepted)?;
            }
            write_meta(tx, "recipe", Some(&done.recipe))?;
            write_meta(tx, "rules", Some(&done.rules))?;
            pass_over(tx, done.passed_over.as_ref())?;
            done.quarantine.iter().try_for_each(|q| insert_quarantine(tx, q))?;
            if let Some(suspension) = &done.suspend {
                let text = wire::to_json(&WireSuspension::from(suspension));
                write_meta(tx, "suspension", Some(&text))?;
            }
            if let Some(wish) = done.wish {
                finish_wish(tx, wish, done.deployment.finished_at)?;
            }
            for (event, nodes) in &done.events {
                outbox::record(tx, event, nodes)?;
            }
            tx.execute("DELETE FROM intent", [])?;
            Ok(())
        })
    }

    /// Records an attempt that did not become live: refused or failed.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn record_attempt(
        &self,
        deployment: &Deployment,
        quarantine: Option<&Quarantine>,
        wish: Option<u64>,
        events: &[(Event, Vec<String>)],
    ) -> Result<(), JournalError> {
        self.transaction("record the attempt", |tx| {
            WireDeployment::from(deployment).insert(tx)?;
            consume_number(tx, deployment.id)?;
            if let Some(quarantine) = quarantine {
                insert_quarantine(tx, quarantine)?;
            }
            audit::append(tx, self.sealer(), &deeds::attempted(tx, deployment, wish)?)?;
            if let Some(wish) = wish {
                finish_wish(tx, wish, deployment.finished_at)?;
            }
            for (event, nodes) in events {
                outbox::record(tx, event, nodes)?;
            }
            tx.execute("DELETE FROM intent", [])?;
            Ok(())
        })
    }

    /// The live tree stands for another commit now, of the same content.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn adopt_revision(
        &self,
        live: &LiveState,
        adoption: &Adoption,
    ) -> Result<(), JournalError> {
        let live = LiveState { revision: adoption.revision.clone(), ..live.clone() };
        self.transaction("take over the revision", |tx| {
            audit::append(tx, self.sealer(), &deeds::adopted(tx, &live, adoption)?)?;
            write_meta(tx, "live", Some(&wire::to_json(&WireLive::from(&live))))?;
            write_meta(tx, "held", None)?;
            write_meta(tx, "recipe", Some(&adoption.recipe))?;
            pass_over(tx, adoption.passed_over.as_ref())?;
            if let Some(rules) = &adoption.rules {
                write_meta(tx, "rules", Some(rules))?;
            }
            if let Some(wish) = adoption.wish {
                finish_wish(tx, wish, adoption.at)?;
            }
            if adoption.accepted {
                accept(tx, &adoption.line, &adoption.revision)?;
            }
            for (event, nodes) in &adoption.events {
                outbox::record(tx, event, nodes)?;
            }
            Ok(())
        })
    }

    /// A commit that is live is the last accepted one of a line.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn accept(&self, line: &str, revision: &Revision) -> Result<(), JournalError> {
        self.transaction("accept the head", |tx| accept(tx, line, revision))
    }

    /// Brings the journal into line with what the live path shows, where no intent explains it; `by`
    /// is who found or wanted that.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn follow_link(
        &self,
        live: Option<(&LiveState, &Live)>,
        row: Option<&Deployment>,
        by: By,
        now: Timestamp,
    ) -> Result<(), JournalError> {
        self.transaction("follow the live path", |tx| {
            let state = live.map(|(state, _)| state);
            let record = deeds::followed(deeds::live_digest(tx)?, state, by, now);
            audit::append(tx, self.sealer(), &record)?;
            tx.execute("DELETE FROM intent", [])?;
            tx.execute("UPDATE deployments SET outcome = 'superseded' WHERE outcome = 'live'", [])?;
            let Some((state, proof)) = live else { return write_meta(tx, "live", None) };
            let mut state = state.clone();
            proof.name().clone_into(&mut state.tree);
            if let Some(row) = row {
                WireDeployment::from(row).insert(tx)?;
                consume_number(tx, row.id)?;
            }
            tx.execute(
                "UPDATE deployments SET outcome = 'live' WHERE id = ?1",
                [state.deployment.0],
            )?;
            write_meta(tx, "live", Some(&wire::to_json(&WireLive::from(&state))))
        })
    }

    /// The history, newest first, from before `before` on.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn history(
        &self,
        limit: usize,
        before: Option<DeploymentId>,
    ) -> Result<HistoryPage, JournalError> {
        let connection = self.reader();
        let before = before.map_or(i64::MAX, |id| i64::try_from(id.0).unwrap_or(i64::MAX));
        let mut items = connection
            .prepare_cached("SELECT * FROM deployments WHERE id < ?1 ORDER BY id DESC LIMIT ?2")
            .and_then(|mut s| {
                s.query_map(rusqlite::params![before, limit + 1], WireDeployment::from_row)?
                    .filter_map(|row| row.map(WireDeployment::into_deployment).transpose())
                    .collect::<rusqlite::Result<Vec<_>>>()
            })
            .map_err(query("read the history"))?;
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(|d| d.id) } else { None };
        Ok(HistoryPage { items, next })
    }

    /// The last attempt.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn last_attempt(&self) -> Result<Option<Attempt>, JournalError> {
        let last = self.history(1, None)?.items.into_iter().next();
        Ok(last.map(|d| Attempt {
            deployment: d.id,
            revision: d.revision,
            outcome: d.outcome,
            at: d.finished_at,
            findings: PackedFindings::pack(&d.findings),
        }))
    }

    /// Files and milliseconds of the last deployments that went live by a new tree.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn durations(&self, limit: usize) -> Result<Vec<(u64, u64)>, JournalError> {
        let connection = self.reader();
        connection
            .prepare_cached(
                "SELECT added + modified + removed, duration_ms FROM deployments
                 WHERE outcome IN ('live', 'superseded') AND duration_ms > 0
                 ORDER BY id DESC LIMIT ?1",
            )
            .and_then(|mut statement| {
                statement
                    .query_map([limit], |row| Ok((row.get(0)?, row.get(1)?)))?
                    .collect::<rusqlite::Result<Vec<_>>>()
            })
            .map_err(query("read what deployments took"))
    }

    /// One deployment.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn deployment(&self, id: DeploymentId) -> Result<Option<Deployment>, JournalError> {
        let connection = self.reader();
        let row = connection
            .query_row("SELECT * FROM deployments WHERE id = ?1", [id.0], WireDeployment::from_row)
            .optional()
            .map_err(query("read a deployment"))?;
        Ok(row.and_then(WireDeployment::into_deployment))
    }

    /// The newest deployment for each digest that was live, newest first: what can be returned to,
    /// the live one in front.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn returnable(&self, limit: usize) -> Result<Vec<Deployment>, JournalError> {
        let read = |connection: &rusqlite::Connection| {
            let mut statement = connection.prepare_cached(
                "SELECT * FROM deployments
                 WHERE outcome IN ('live', 'superseded', 'rolled_back') AND digest IS NOT NULL
                 ORDER BY id DESC",
            )?;
            let mut rows = statement.query([])?;
            let mut newest: Vec<Deployment> = Vec::new();
            let mut seen = HashSet::new();
            // Read from the newest on, and no further than that: the history only grows.
            while newest.len() < limit
                && let Some(row) = rows.next()?
            {
                let row = WireDeployment::from_row(row)?.into_deployment();
                newest.extend(row.filter(|row| seen.insert(row.digest)));
            }
            Ok(newest)
        };
        read(&self.reader()).map_err(query("read what can be returned to"))
    }

    /// The digests of [`Journal::returnable`].
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn returnable_digests(&self, limit: usize) -> Result<HashSet<Digest>, JournalError> {
        Ok(self.returnable(limit)?.into_iter().filter_map(|d| d.digest).collect())
    }
}

fn consume_number(tx: &Transaction<'_>, id: DeploymentId) -> rusqlite::Result<()> {
    let stored: u64 =
        read_meta(tx, "next_deployment")?.and_then(|text| text.parse().ok()).unwrap_or(1);
    write_meta(tx, "next_deployment", Some(&stored.max(id.0 + 1).to_string()))
}

fn accept(tx: &Transaction<'_>, line: &str, revision: &Revision) -> rusqlite::Result<()> {
    write_meta(tx, "line", Some(line))?;
    write_meta(tx, "accepted", Some(&revision.to_string()))
}

fn pass_over(tx: &Transaction<'_>, revision: Option<&Revision>) -> rusqlite::Result<()> {
    write_meta(tx, "passed_over", revision.map(ToString::to_string).as_deref())
}

pub(super) fn finish_wish(tx: &Transaction<'_>, id: u64, now: Timestamp) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE wishes SET done_at = ?1 WHERE id = ?2")?
        .execute(rusqlite::params![now.0, id])?;
    tx.prepare_cached("DELETE FROM wishes WHERE done_at IS NOT NULL AND id <= ?1")?
        .execute([id.saturating_sub(FOLLOWED_MAX)])?;
    publications::forget(tx, id)
}

/// Entries that a quarantine keeps; the oldest go first.
const QUARANTINE_MAX: usize = 1000;

fn insert_quarantine(tx: &Transaction<'_>, q: &Quarantine) -> rusqlite::Result<()> {
    let (kind, key) = key_columns(&q.key);
    tx.prepare_cached(
        "INSERT OR REPLACE INTO quarantine (kind, key, revision, reason, rules, message, since)
         VALUES (?1,?2,?3,?4,?5,?6,?7)",
    )?
    .execute(rusqlite::params![
        kind,
        key,
        q.revision.to_string(),
        q.reason.as_str(),
        q.rules,
        q.message,
        q.since.0
    ])?;
    tx.prepare_cached(
        "DELETE FROM quarantine WHERE (kind, key) IN
         (SELECT kind, key FROM quarantine ORDER BY since DESC LIMIT -1 OFFSET ?1)",
    )?
    .execute([QUARANTINE_MAX])?;
    Ok(())
}

impl Journal {
    /// Takes something out of quarantine.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn release(&self, key: &QuarantineKey) -> Result<(), JournalError> {
        let (kind, key) = key_columns(key);
        self.transaction("release from quarantine", |tx| {
            tx.execute("DELETE FROM quarantine WHERE kind = ?1 AND key = ?2", [kind, &key])?;
            Ok(())
        })
    }
}
