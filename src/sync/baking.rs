//! After a tree is live: what is reloaded, whether its health holds, and the way back where it
//! does not. One step of it is made in a pass, so that nothing else waits for a bake.

use std::time::Duration;

use super::live::WayBack;
use super::surroundings::{Facts, Surroundings, live_tree_of, why};
use super::{Agent, SyncError};
use crate::config::{Action, Ask, Probe, Reload};
use crate::decide::bake::{self, Verdict, Watch};
use crate::decide::patterns::Patterns;
use crate::model::{
    Bake, Change, Deployment, DeploymentId, EventKind, LiveState, PassOutcome, Quarantine,
    QuarantineKey, Reason, Report, Revision, Timestamp, Trigger,
};
use crate::programs::{self, ProgramError};

/// The least and the most that one probe may take.
const PROBE_TIME_MIN: Duration = Duration::from_secs(1);
const PROBE_TIME_MAX: Duration = Duration::from_secs(10);

/// What an agent knows of the bake that it watches.
#[derive(Debug, Default)]
pub(super) struct Baking {
    /// The deployment whose bake began or went on in this process.
    watched: Option<DeploymentId>,
    watch: Watch,
    probed_at: Option<Timestamp>,
}

/// The agent was told to stop in the middle of a step: nothing was found out.
struct Stopped;

impl Agent {
    /// What is to be seen of a deployment once it is live; `None`: nothing.
    pub(super) fn bake_for(
        &self,
        id: DeploymentId,
        at: Timestamp,
        is_way_back: bool,
    ) -> Option<Bake> {
        let health = &self.settings.health;
        if health.probes.is_empty() && self.settings.reload.is_empty() {
            return None;
        }
        let live = self.standing.live.as_ref();
        Some(Bake {
            deployment: id,
            until: at.plus(self.bake_time()),
            restarts: 0,
            is_way_back,
            previous_tree: live.map(|live| live.tree.clone()),
            previous_revision: live.map(|live| live.revision.clone()),
            reloaded: Vec::new(),
            failed: None,
        })
    }

    fn bake_time(&self) -> Duration {
        let health = &self.settings.health;
        if health.probes.is_empty() { Duration::ZERO } else { health.bake_time }
    }

    /// How long until the next look at the health of what is live, as long as this process
    /// watches it.
    #[must_use]
    pub fn bake_wait(&self) -> Option<Duration> {
        let bake = self.standing.bake.as_ref()?;
        let is_watched = self.baking.watched == Some(bake.deployment);
        is_watched.then(|| self.until_bake_step(self.clock.now())).flatten()
    }

    /// How long until the next step; `None` when nothing bakes.
    pub(super) fn until_bake_step(&self, now: Timestamp) -> Option<Duration> {
        let bake = self.standing.bake.as_ref()?;
        // A way back that did not succeed is tried again with the backoff of all errors.
        if bake.failed.is_some() && self.failures > 0 {
            return None;
        }
        Some(bake::next_probe(bake, self.baking.probed_at, self.settings.health.interval, now))
    }

    /// This deployment was made live by this process: what comes is no restart.
    pub(super) fn watch_bake(&mut self) {
        let watched = self.standing.bake.as_ref().map(|bake| bake.deployment);
        self.baking = Baking { watched, ..Baking::default() };
    }

    /// One step: reloads that are left, a round of probes, the verdict. `None`: it bakes on, or
    /// nothing does.
    pub(super) fn bake_step(&mut self, trigger: Trigger) -> Result<Option<Report>, SyncError> {
        let Some((bake, live)) = self.standing.bake.clone().zip(self.standing.live.clone()) else {
            return Ok(None);
        };
        if bake.deployment != live.deployment {
            // Somebody put another tree at the live path: that one was never watched.
            self.journal.forget_bake()?;
            self.read_standing()?;
            return Ok(None);
        }
        self.work.revision(&live.revision);
        self.work.deployment(live.deployment);
        let mut bake = self.bake_on(bake)?;
        if bake.failed.is_none() {
            let ended = self.reload_all(&mut bake, &live)?;
            if ended.is_err() || self.probe_all(&bake, &live).is_err() {
                return Ok(None);
            }
        }
        let now = self.clock.now();
        if self.settings.health.probes.is_empty() && bake.failed.is_none() {
            return self.confirm(&bake, &live).map(Some);
        }
        match self.baking.watch.judge(&bake, self.settings.health.failures, now) {
            Verdict::Bakes => Ok(None),
            Verdict::Confirmed => self.confirm(&bake, &live).map(Some),
            Verdict::Failed(why) => {
                if bake.failed.is_none() {
                    bake.failed = Some(why.clone());
                    self.journal.fail_bake(&bake)?;
                    self.read_standing()?;
                }
                self.leave(&bake, &live, &why, trigger).map(Some)
            }
        }
    }

    /// A bake that another process began, which ended in the middle of it, begins again.
    fn bake_on(&mut self, bake: Bake) -> Result<Bake, SyncError> {
        let now = self.clock.now();
        if self.baking.watched == Some(bake.deployment) {
            let shorter = bake::within(bake.clone(), self.bake_time(), now);
            if shorter.until != bake.until {
                self.journal.note_bake(&shorter)?;
                self.read_standing()?;
            }
            return Ok(shorter);
        }
        let bake = bake::after_restart(&bake, self.bake_time(), now);
        self.journal.note_bake(&bake)?;
        tracing::info!(
            deployment = bake.deployment.0,
            "the health of what is live was being watched: that begins anew"
        );
        self.read_standing()?;
        self.watch_bake();
        Ok(bake)
    }

    /// Runs each reload whose paths changed and that is not done yet, in order, up to the first
    /// that fails. What is done is written down, so that a crash repeats one at most.
    fn reload_all(
        &mut self,
        bake: &mut Bake,
        live: &LiveState,
    ) -> Result<Result<(), Stopped>, SyncError> {
        let settings = std::sync::Arc::clone(&self.settings);
        let left = |bake: &Bake| settings.reload.iter().any(|r| !bake.reloaded.contains(&r.name));
        if !left(bake) {
            return Ok(Ok(()));
        }
        let changes = self.changes_since(bake, live);
        let around = self.around(bake, live, changes.as_deref().unwrap_or_default());
        for reload in &settings.reload {
            if bake.reloaded.contains(&reload.name) {
                continue;
            }
            // Where it cannot be told what changed, everybody is told.
            let is_meant = changes.as_deref().is_none_or(|changes| concerns(reload, changes));
            if is_meant {
                let told = match &around {
                    Ok(around) => self.reload_one(reload, around),
                    Err(why) => Ok(Some(why.clone())),
                };
                match told {
                    Err(stopped) => return Ok(Err(stopped)),
                    Ok(None) => tracing::info!(reload = reload.name, "reloaded"),
                    Ok(Some(why)) => {
                        bake.failed = Some(format!("the reload {} failed: {why}", reload.name));
                        self.journal.fail_bake(bake)?;
                        self.read_standing()?;
                        return Ok(Ok(()));
                    }
                }
            }
            bake.reloaded.push(reload.name.clone());
            if is_meant || !left(bake) {
                self.journal.note_bake(bake)?;
                self.read_standing()?;
            }
        }
        Ok(Ok(()))
    }

    /// `None`: it did what it was to do.
    fn reload_one(
        &self,
        reload: &Reload,
        around: &Surroundings,
    ) -> Result<Option<String>, Stopped> {
        match &reload.action {
            Action::Run(argv) => self.ask_program(argv, reload.timeout, around),
            Action::Signal { pid_file, signal } => said(programs::signal(pid_file, *signal)),
            Action::Http { url, method } => {
                let status = programs::request(url, method, reload.timeout, &self.stop);
                answered(status, |status| (200..300).contains(&status))
            }
        }
    }

    /// Asks all probes, when they are due or the time is over.
    fn probe_all(&mut self, bake: &Bake, live: &LiveState) -> Result<(), Stopped> {
        let settings = std::sync::Arc::clone(&self.settings);
        let now = self.clock.now();
        let wait = bake::next_probe(bake, self.baking.probed_at, settings.health.interval, now);
        if bake.failed.is_some() || (!wait.is_zero() && now < bake.until) {
            return Ok(());
        }
        self.baking.probed_at = Some(now);
        let around = self.around(bake, live, &[]);
        let timeout = settings.health.interval.clamp(PROBE_TIME_MIN, PROBE_TIME_MAX);
        for probe in &settings.health.probes {
            let wrong = match &around {
                Ok(around) => self.probe_one(probe, timeout, around)?,
                Err(why) => Some(why.clone()),
            };
            if let Some(why) = &wrong {
                tracing::warn!(probe = probe.name, "unhealthy: {why}");
            }
            self.baking.watch.note(&probe.name, wrong);
        }
        Ok(())
    }

    fn probe_one(
        &self,
        probe: &Probe,
        timeout: Duration,
        around: &Surroundings,
    ) -> Result<Option<String>, Stopped> {
        match &probe.ask {
            Ask::Run(argv) => self.ask_program(argv, timeout, around),
            Ask::Tcp(address) => said(programs::connect(address, timeout, &self.stop)),
            Ask::Http { url, status } => {
                let answer = programs::request(url, "GET", timeout, &self.stop);
                answered(answer, |answer| answer == *status)
            }
        }
    }

    fn ask_program(
        &self,
        argv: &[String],
        timeout: Duration,
        around: &Surroundings,
    ) -> Result<Option<String>, Stopped> {
        match self.run_program(argv, timeout, around) {
            Ok(told) if told.well => Ok(None),
            Ok(told) => Ok(Some(told.text())),
            Err(error) => said(Err(error)),
        }
    }

    fn around(
        &self,
        bake: &Bake,
        live: &LiveState,
        changes: &[Change],
    ) -> Result<Surroundings, String> {
        self.surroundings(&Facts {
            tree: live_tree_of(&self.settings.live.path),
            name: &live.tree,
            deployment: live.deployment,
            revision: &live.revision,
            previous: bake.previous_revision.as_ref(),
            digest: &live.digest,
            changes,
        })
    }

    /// What changed with the deployment; `None` when that is not known any more.
    fn changes_since(&self, bake: &Bake, live: &LiveState) -> Option<Vec<Change>> {
        let tree_of = |name: &String| self.trees.manifests().get(name).map(|m| m.tree);
        let to = tree_of(&live.tree)?;
        let from = match &bake.previous_tree {
            Some(name) => Some(tree_of(name)?),
            None => None,
        };
        self.mirror().ok()?.changes(from, to).ok()
    }

    fn confirm(&mut self, bake: &Bake, live: &LiveState) -> Result<Report, SyncError> {
        let mut events = Vec::new();
        if !self.settings.health.probes.is_empty() {
            events.push(self.health_event(EventKind::Confirmed, live, None));
        }
        self.journal.end_bake(bake.deployment, None, &events)?;
        self.read_standing()?;
        self.end_watch();
        let text =
            format!("{} is confirmed as deployment {}", live.revision.short(), live.deployment);
        let mut report = Report::new(PassOutcome::InSync, text);
        report.deployment = Some(live.deployment);
        report.revision = Some(live.revision.clone());
        Ok(report)
    }

    /// Its health did not hold: back to the last confirmed tree. From a way back nothing goes back
    /// further, so that two bad trees cannot take turns.
    fn leave(
        &mut self,
        bake: &Bake,
        live: &LiveState,
        why: &str,
        trigger: Trigger,
    ) -> Result<Report, SyncError> {
        let target = if bake.is_way_back { None } else { self.last_confirmed()? };
        let Some(target) = target else { return self.stay_unhealthy(bake, live, why) };
        let message = format!(
            "deployment {} ({}) was rolled back: {why}",
            live.deployment,
            live.revision.short()
        );
        tracing::error!("{message}");
        let back = WayBack {
            quarantine: vec![Quarantine {
                key: QuarantineKey::Digest(live.digest),
                revision: live.revision.clone(),
                reason: Reason::RolledBack,
                rules: String::new(),
                message: message.clone(),
                since: self.clock.now(),
            }],
            suspend: None,
            why: Some(message.clone()),
        };
        let mut report = match self.return_to(&target, trigger, None, back) {
            // Its tree is not kept any more: the same as none.
            Err(SyncError::Order(_)) => return self.stay_unhealthy(bake, live, why),
            report => report?,
        };
        if report.outcome == PassOutcome::Returned {
            report.outcome = PassOutcome::RolledBack;
            report.message = message;
            if let Some(ended) = self.bake_step(trigger)?
                && ended.outcome == PassOutcome::Unhealthy
            {
                report.message = format!("{}; {}", report.message, ended.message);
            }
        }
        Ok(report)
    }

    /// Nothing to go back to, or the way back is unhealthy too: it stays, degraded.
    fn stay_unhealthy(
        &mut self,
        bake: &Bake,
        live: &LiveState,
        why: &str,
    ) -> Result<Report, SyncError> {
        let because = if bake.is_way_back {
            "the way back is unhealthy too"
        } else {
            "there is no confirmed deployment to go back to"
        };
        let text = format!(
            "deployment {} ({}) is unhealthy and stays, since {because}: {why}",
            live.deployment,
            live.revision.short()
        );
        tracing::error!("{text}");
        let event = self.health_event(EventKind::Unhealthy, live, Some(&text));
        self.journal.end_bake(bake.deployment, Some(&text), &[event])?;
        self.read_standing()?;
        self.end_watch();
        let mut report = Report::new(PassOutcome::Unhealthy, text);
        report.deployment = Some(live.deployment);
        report.revision = Some(live.revision.clone());
        Ok(report)
    }

    /// What was waiting meanwhile is looked at next, and what was shown is over.
    fn end_watch(&mut self) {
        self.baking = Baking::default();
        self.state_of_head = None;
        self.asked_at = None;
    }

    /// The newest earlier deployment with a tree that is neither this one nor known to be bad.
    /// One that was live without `health` was never doubted.
    fn last_confirmed(&self) -> Result<Option<Deployment>, SyncError> {
        let limit = usize::try_from(self.settings.policy.rollback_limit).unwrap_or(usize::MAX - 1);
        let live = self.standing.live.as_ref().map(|live| live.digest);
        let rows = self.journal.returnable(limit + 1)?;
        let is_bad = |row: &Deployment| {
            row.confirmed == Some(false)
                || self.standing.quarantine.iter().any(|q| {
                    row.digest.is_some_and(|digest| q.key == QuarantineKey::Digest(digest))
                })
        };
        let mut good = rows.into_iter().filter(|row| row.digest != live && !is_bad(row));
        let first = good.next();
        // One that was replaced by an order before its health was known comes after those it held of.
        if first.as_ref().is_some_and(|row| row.confirmed.is_none()) {
            let confirmed = good.find(|row| row.confirmed == Some(true));
            return Ok(confirmed.or(first));
        }
        Ok(first)
    }

    /// What a pass says while it bakes.
    pub(super) fn baking_text(&self) -> (Option<Revision>, String) {
        let live = self.standing.live.as_ref();
        let until = self.standing.bake.as_ref().map(|b| b.until.to_string()).unwrap_or_default();
        let short = live.map(|live| live.revision.short()).unwrap_or_default();
        (
            live.map(|l| l.revision.clone()),
            format!("the health of {short} is watched until {until}"),
        )
    }

    pub(super) fn baking_report(&self) -> Report {
        let (revision, text) = self.baking_text();
        let mut report = Report::new(PassOutcome::Held(Reason::Baking), text);
        report.revision = revision;
        report
    }
}

/// Whether a reload is meant by these changes.
fn concerns(reload: &Reload, changes: &[Change]) -> bool {
    // Patterns that cannot be read were found when the settings were.
    Patterns::new(reload.paths.iter().map(String::as_str))
        .map_or(true, |patterns| changes.iter().any(|c| patterns.mean_file(c.path.as_str())))
}

fn said(result: Result<(), ProgramError>) -> Result<Option<String>, Stopped> {
    match result {
        Ok(()) => Ok(None),
        Err(ProgramError::Stopped { .. }) => Err(Stopped),
        Err(error) => Ok(Some(why(&error))),
    }
}

fn answered(
    status: Result<u16, ProgramError>,
    is_well: impl Fn(u16) -> bool,
) -> Result<Option<String>, Stopped> {
    match status {
        Ok(status) if is_well(status) => Ok(None),
        Ok(status) => Ok(Some(format!("the answer was {status}"))),
        Err(error) => said(Err(error)),
    }
}
