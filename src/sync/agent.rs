use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::board::Board;
use crate::clock::Clock;
use crate::config::{DriftPolicy, NodeSettings, Settings, VerifyWhat};
use crate::decide::admit::{Guard, Terms};
use crate::decide::next::Settled;
use crate::decide::schedule::{Opening, WindowSpec, Windows};
use crate::decide::subscribe::Filter;
use crate::decide::{drift, retry};
use crate::gates::Rules;
use crate::journal::{Journal, Standing};
use crate::meters::meters;
use crate::model::{Attempt, EventKind, Revision, Timestamp, Trigger};
use crate::objects::Mirror;
use crate::programs::Stop;
use crate::progress::Progress;
use crate::source::{Head, Source};
use crate::sync::SyncError;
use crate::telemetry::Work;
use crate::trees::{Scanned, Trees};
use crate::trust::Watch;

/// The parts that an agent is made of.
pub struct Parts {
    /// What the user wants.
    pub settings: Arc<Settings>,
    /// The repository.
    pub source: Box<dyn Source>,
    /// The trees, with the right to change them.
    pub trees: Trees,
    /// The journal.
    pub journal: Journal,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Where it shows itself.
    pub board: Board,
}

/// The agent: what one pass leaves for the next.
pub struct Agent {
    pub(super) settings: Arc<Settings>,
    pub(super) source: Box<dyn Source>,
    pub(super) trees: Trees,
    pub(super) journal: Journal,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) board: Board,
    pub(super) progress: Progress,
    /// Which repository and reference the accepted commit belongs to.
    pub(super) line: String,
    /// What makes of a commit the tree of this node.
    pub(super) recipe: String,
    pub(super) rules: Rules,
    pub(super) rules_key: String,
    /// The files of keys that may sign, as they were seen last.
    pub(super) trust_watch: Watch,
    pub(super) windows: Windows,
    /// Which events each node wants.
    pub(super) filters: Vec<(String, Filter)>,
    /// What the journal knew when it was read last.
    pub(super) standing: Standing,
    /// What the journal counted then.
    pub(super) read_at: u64,
    /// The source's head, where the journal does not know it yet.
    pub(super) unnoted: Option<super::show::Detected>,
    /// What the last passes found out about the head.
    pub(super) settled: Option<Settled>,
    /// Passes in a row in which something failed that time may mend.
    pub(super) failures: u32,
    /// What the source asked us to wait.
    pub(super) retry_after: Option<Duration>,
    pub(super) repairs: drift::Repairs,
    pub(super) drift_checked_at: Option<Timestamp>,
    /// What a look at the live tree beside the passes saw.
    pub(super) scanned: Option<Scanned>,
    /// When the source was asked last, or was to be asked.
    pub(super) asked_at: Option<Timestamp>,
    /// The state that the last pass left which was not about the live tree alone.
    pub(super) state_of_head: Option<super::show::Shown>,
    /// When freshness was written to the journal last.
    pub(super) freshness_noted_at: Option<Timestamp>,
    /// Whether the journal has to be brought into line with the disk before the next pass.
    pub(super) must_recover: bool,
    /// Whether the way of this pass ends before the intent.
    pub(super) stop_before_intent: bool,
    /// Whether the last pass was about an order, so that nobody has looked at the source in it.
    pub(super) was_ordered: bool,
    /// The last order that was followed.
    pub(super) wish_done: u64,
    /// The last attempt as the journal tells it, and what that counted then.
    pub(super) attempted: Option<(u64, Option<Attempt>)>,
    /// What the journal counted when no order waited.
    pub(super) wishless_at: Option<u64>,
    /// Tells the programs that this agent runs that it stops.
    pub(super) stop: Stop,
    /// How often in a row checks could not say anything.
    pub(super) unfinished_checks: u32,
    /// What is known of the bake that is watched.
    pub(super) baking: super::baking::Baking,
    /// What problems depend on beside how things stand.
    pub(super) watched: super::problems::Watched,
    /// What there is to tidy up.
    pub(super) untidy: super::live::Untidy,
    /// When the outbox was last freed of what is old.
    pub(super) pruned_at: Option<Timestamp>,
    /// Whether that of every pass does.
    pub(super) dry: bool,
    /// Whether the next tree is made ready after publishing.
    pub(super) prepares: bool,
    /// Whether the mirror is to be packed anew when there is time.
    pub(super) has_put_off: bool,
    /// What is told of the pass while it runs.
    pub(super) work: Work,
}

/// The shortest wait after an error.
const BACKOFF_MIN: Duration = Duration::from_secs(1);
/// The shortest wait between two looks.
const LOOK_MIN: Duration = Duration::from_millis(1);

impl Agent {
    /// An agent of these parts. Recovery comes first: see [`Agent::recover`].
    ///
    /// # Errors
    /// When the journal cannot be read, or the windows are none.
    pub fn new(parts: Parts) -> Result<Self, SyncError> {
        let progress = Progress::default();
        let rules = rules_of(&parts.settings)?.watched(progress.clone());
        let windows = windows_of(&parts.settings)?;
        let read_at = parts.journal.changes();
        let standing = parts.journal.standing()?;
        let mut trees = parts.trees;
        trees.report_to(progress.clone());
        let settings = &parts.settings;
        trees.decrypt_with(&settings.live, &settings.secrets, &settings.limits);
        let mut source = parts.source;
        source.report_to(progress.clone());
        Ok(Self {
            line: line_of(&parts.settings),
            recipe: parts.settings.recipe(),
            rules_key: rules.key(),
            trust_watch: Watch::default(),
            rules,
            windows,
            filters: filters_of(&parts.settings)?,
            standing,
            read_at,
            unnoted: None,
            settled: None,
            failures: 0,
            retry_after: None,
            repairs: repairs_so_far(&parts.journal, parts.clock.now())?,
            drift_checked_at: None,
            scanned: None,
            asked_at: None,
            state_of_head: None,
            freshness_noted_at: None,
            must_recover: false,
            stop_before_intent: false,
            was_ordered: false,
            wish_done: 0,
            attempted: None,
            wishless_at: None,
            stop: Stop::default(),
            unfinished_checks: 0,
            baking: super::baking::Baking::default(),
            watched: super::problems::Watched::default(),
            untidy: super::live::Untidy::default(),
            pruned_at: None,
            dry: false,
            prepares: false,
            has_put_off: false,
            work: Work::none(),
            settings: parts.settings,
            source,
            trees,
            journal: parts.journal,
            clock: parts.clock,
            board: parts.board,
            progress,
        })
    }

    /// The revision that is live.
    #[must_use]
    pub fn live_revision(&self) -> Option<&Revision> {
        self.standing.live.as_ref().map(|live| &live.revision)
    }

    /// How far the pass is that runs now.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Ends the programs that the agent runs, also in the middle of a pass.
    #[must_use]
    pub fn programs(&self) -> Stop {
        self.stop.clone()
    }

    /// From now on, what has been published is followed by making the next tree ready: for an
    /// agent that stays, not for one that ends after a pass.
    #[must_use]
    pub fn preparing(mut self) -> Self {
        self.prepares = true;
        self.trees.watch(None);
        self
    }

    /// From now on the way ends before the intent: everything is checked, nothing becomes live.
    #[must_use]
    pub fn dry(mut self) -> Self {
        self.stop_before_intent = true;
        self.dry = true;
        self
    }

    /// Goes on with other settings and a source made from them. What needs a restart is the
    /// caller's to know.
    ///
    /// # Errors
    /// When the windows or the rules are none; then nothing changed.
    pub fn reconfigure(
        &mut self,
        settings: Arc<Settings>,
        source: Box<dyn Source>,
    ) -> Result<(), SyncError> {
        let rules = rules_of(&settings)?.watched(self.progress.clone());
        self.windows = windows_of(&settings)?;
        self.filters = filters_of(&settings)?;
        self.trees.reconfigure(&settings.live, settings.policy.rollback_limit);
        self.trees.decrypt_with(&settings.live, &settings.secrets, &settings.limits);
        self.line = line_of(&settings);
        self.recipe = settings.recipe();
        self.rules_key = rules.key();
        self.rules = rules;
        self.settings = settings;
        self.source = source;
        self.source.report_to(self.progress.clone());
        self.settled = None;
        Ok(())
    }

    /// Reads rules that are files of this node again, where they changed: what was refused or held
    /// by them is looked at again.
    pub(super) fn refresh_rules(&mut self) {
        if self.rules.refresh() {
            self.rules_key = self.rules.key();
            self.settled = None;
        }
    }

    /// The mirror, opened for the work of one pass.
    pub(super) fn mirror(&self) -> Result<Mirror, SyncError> {
        Ok(Mirror::open_or_create(&self.mirror_path())?)
    }

    pub(super) fn mirror_path(&self) -> PathBuf {
        self.settings.state_dir.join("repo.git")
    }

    /// What a refusal for trust depends on: it holds as long as this is the same.
    pub(super) fn trust_key(&self, head: &Head) -> String {
        let accepted = self.standing.accepted.as_ref().map(ToString::to_string).unwrap_or_default();
        let (rewrites, keys) = (self.settings.source.history_rewrite, self.trust_watch.word());
        // a commit that was refused for its tag may get another
        let of_tag = self.settings.source.verify.what == VerifyWhat::Tag && !keys.is_empty();
        let tag = match (of_tag, head.tag) {
            (true, Some(tag)) => format!("{} {tag}", head.reference),
            _ => String::new(),
        };
        format!("{rewrites:?} {} {accepted}{keys}{tag}", self.line)
    }

    /// Whether what is live is what the settings make of its commit, on disk too.
    pub(super) fn live_fits(&self) -> bool {
        let Some(live) = &self.standing.live else { return false };
        self.standing.recipe.as_deref() == Some(&self.recipe)
            && self.was_live_here()
            && self.trees.manifests().get(&live.tree).is_some_and(|m| self.trees.fits(m))
            && self.trees.fits_mode()
    }

    /// Reads the journal again where anybody wrote to it since, whatever the pass is for.
    pub(super) fn refresh(&mut self) -> Result<(), SyncError> {
        match self.journal.changes() == self.read_at {
            true => Ok(()),
            false => self.read_standing(),
        }
    }

    /// Reads what the journal knows. How fresh the source is is known better here: that is written
    /// down once a minute only.
    pub(super) fn read_standing(&mut self) -> Result<(), SyncError> {
        // Before it is read: what is written meanwhile is read again.
        let read_at = self.journal.changes();
        let mut standing = self.journal.standing()?;
        self.read_at = read_at;
        std::mem::swap(&mut standing.source, &mut self.standing.source);
        // A look that found what was known is not written down.
        if standing.drift.paths == self.standing.drift.paths {
            std::mem::swap(&mut standing.drift, &mut self.standing.drift);
        }
        // What was detected stays so though the journal does not know it yet.
        if let Some(detected) = &self.unnoted {
            standing.desired = Some(detected.desired.clone());
        }
        self.standing = standing;
        Ok(())
    }

    /// Asks the source, and notes how it did.
    pub(super) fn ask(&mut self) -> Result<Head, SyncError> {
        let timed = meters().time("ask");
        let answer = self.source.ask();
        drop(timed);
        let now = self.clock.now();
        self.asked_at = Some(now);
        self.note_source(now, answer.as_ref().err())?;
        let head = answer?;
        self.detect_head(&head, now)?;
        Ok(head)
    }

    /// What the settings and the clock say of applying now.
    pub(super) fn terms(&self, now: Timestamp) -> Terms {
        Terms {
            auto_sync: self.settings.policy.auto_sync,
            closed_until: match self.windows.at(now) {
                Opening::Open { .. } => None,
                Opening::Closed { opens_at } => Some(opens_at),
            },
            guard: match self.settings.live.max_deletions {
                crate::config::MaxDeletions::Part(part) => Guard::Part(part),
                crate::config::MaxDeletions::Files(files) => Guard::Files(files),
            },
        }
    }

    /// When the loop looks again by itself, and at what: the source, or the live tree alone.
    /// `chance` is between 0 and 1.
    #[must_use]
    pub fn next_look(&self, chance: f64) -> (Duration, Trigger) {
        let now = self.clock.now();
        let ask = self.next_ask(now, chance);
        self.board.asks_at(now.plus(ask));
        let looks = self.drift_policy().is_some() && self.standing.live.is_some();
        let drift = looks.then(|| self.until_drift_check(now));
        if let Some(bake) = self.until_bake_step(now)
            && bake < drift.map_or(ask, |drift| drift.min(ask))
        {
            return (bake.max(LOOK_MIN), Trigger::Health);
        }
        match drift {
            Some(drift) if drift < ask => (drift.max(LOOK_MIN), Trigger::Drift),
            _ => (ask.max(LOOK_MIN), Trigger::Interval),
        }
    }

    /// How long until the live tree is compared again. A clock that stepped back by a year does not
    /// put that off by one.
    pub(super) fn until_drift_check(&self, now: Timestamp) -> Duration {
        let interval = self.settings.live.drift_interval;
        let last = self.drift_checked_at.filter(|at| *at <= now);
        last.map_or(Duration::ZERO, |at| interval.saturating_sub(now.since(at)))
    }

    /// Whether the live tree should have been compared an interval ago.
    pub(super) fn drift_check_is_late(&self, now: Timestamp) -> bool {
        let late = self.settings.live.drift_interval.saturating_mul(2);
        let last = self.drift_checked_at.filter(|at| *at <= now);
        last.is_none_or(|at| now.since(at) >= late)
    }

    /// Counted from when the source was asked last: looks at the live tree in between, which are
    /// more frequent, must not put it off.
    fn next_ask(&self, now: Timestamp, chance: f64) -> Duration {
        let since = self.asked_at.map_or(Duration::MAX, |at| now.since(at));
        let source = &self.settings.source;
        if self.failures > 0 {
            let max = retry::SOURCE_DELAY_MAX.max(source.interval);
            let backoff = retry::after_failures(self.failures, BACKOFF_MIN, max, chance);
            return retry::after_refusal(backoff, self.retry_after, chance).saturating_sub(since);
        }
        let poll = retry::poll_delay(source.interval, source.jitter, chance).saturating_sub(since);
        let held = self.settled.as_ref().and_then(|settled| settled.until);
        let suspended = self.standing.suspended.as_ref().and_then(|s| s.until);
        [held, suspended].into_iter().flatten().fold(poll, |wait, until| {
            // What has passed already was looked at in the pass that just ended.
            if until > now { wait.min(until.since(now)) } else { wait }
        })
    }

    pub(super) fn drift_policy(&self) -> Option<drift::Policy> {
        match self.settings.live.drift {
            DriftPolicy::Repair => Some(drift::Policy::Repair),
            DriftPolicy::Report => Some(drift::Policy::Report),
            DriftPolicy::Off => None,
        }
    }
}

/// The repairs that count for the next ones, also when each pass is a process of its own.
fn repairs_so_far(journal: &Journal, now: Timestamp) -> Result<drift::Repairs, SyncError> {
    let mut repairs = drift::Repairs::default();
    let since = drift::Repairs::counted_from(now);
    for event in journal.events_since(EventKind::DriftRepaired, since)? {
        let Some(lists) = &event.facts.changes else { continue };
        let paths = lists.added.iter().chain(&lists.modified).chain(&lists.removed);
        repairs.repaired(paths.map(String::as_str), event.at);
    }
    Ok(repairs)
}

fn line_of(settings: &Settings) -> String {
    format!("{:?} {:?}", settings.source.location, settings.source.reference)
}

fn rules_of(settings: &Settings) -> Result<Rules, SyncError> {
    Ok(Rules::of(settings)?)
}

fn windows_of(settings: &Settings) -> Result<Windows, SyncError> {
    let specs: Vec<WindowSpec<'_>> = settings
        .policy
        .windows
        .iter()
        .map(|window| WindowSpec {
            allow: window.kind == crate::config::WindowKind::Allow,
            schedule: &window.schedule,
            duration: window.duration,
            timezone: window.timezone,
        })
        .collect();
    Windows::parse(&specs).map_err(|error| SyncError::Order(format!("gitops.windows: {error}")))
}

fn filters_of(settings: &Settings) -> Result<Vec<(String, Filter)>, SyncError> {
    let compile = |node: &NodeSettings| {
        let filter = Filter::new(&node.events, &node.paths)
            .map_err(|error| SyncError::Order(format!("nodes, {}: {error}", node.name)))?;
        Ok((node.name.clone(), filter))
    };
    settings.nodes.iter().map(compile).collect()
}
