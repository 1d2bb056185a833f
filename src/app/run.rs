use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::LocalBoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use super::beside::Beside;
use super::secret_files::admin_token;
use super::signals::{Reloads, Signals, Told};
use super::systemd::Systemd;
use super::waiting::{
    Keeping, Quiet, chance, due_in, longest_wait, quiet, stopped, until, watchdog,
};
use super::witness::Witness;
use super::worker::Worker;
use super::{AppError, control_socket, journal_file, open, raise_open_files};
use crate::board::Board;
use crate::config::{self, ApiSettings, Settings, Sources};
use crate::http::{self, Access, Api, Feed};
use crate::journal::Journal;
use crate::model::{PassOutcome, Report, Revision, Trigger};
use crate::notify::{Audience, Deliverer, Endpoint, Handle, payload};
use crate::source::Remote;
use crate::sync::Agent;
use crate::telemetry::{self, Exporter, Work};
use crate::triggers::Bell;

/// How the agent is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Beside a node: the loop and the control socket.
    Sync,
    /// Standalone: the same, and the API's address.
    Serve,
}

impl Mode {
    const fn verb(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Serve => "serve",
        }
    }
}

/// The shortest wait for what is due by the clock alone, in case that could not be written down.
const DUE_PAUSE_MIN: Duration = Duration::from_secs(1);

/// The agent while it runs.
struct Running {
    sources: Sources,
    settings: watch::Sender<Arc<Settings>>,
    bell: Bell,
    board: Board,
    deliverer: Handle,
    /// Tells those who listen to events that there may be new ones.
    feed: Feed,
    journal: Journal,
    /// What the journal counted when the deliverer was woken last: changes, and those of deliveries
    /// alone, such as one that is to be sent again.
    delivered_at: Option<(u64, u64)>,
    systemd: Systemd,
    turning: watch::Sender<Option<Instant>>,
    /// Where passes run.
    worker: Worker,
    /// When memory is given back.
    keeping: Keeping,
    /// Whether we were told to read the settings again while the agent was at work.
    must_reload: bool,
}

/// Runs until it is told to stop.
///
/// # Errors
/// What keeps it from starting; once it runs, errors are told in its status and log.
pub async fn run(
    sources: Sources,
    settings: Settings,
    reloads: Reloads,
    mode: Mode,
    dry: bool,
) -> Result<(), AppError> {
    let mut signals = Signals::new(reloads)?;
    raise_open_files();
    let mut engine = open(settings, mode.verb())?;
    engine.agent = if dry { engine.agent.dry() } else { engine.agent.preparing() };
    let (settings, watched) = watch::channel(engine.settings.clone());
    let bell = Bell::default();
    let stop = watch::Sender::new(false);
    let journal = Arc::new(engine.journal.clone());
    let deliverer = Deliverer::new(journal, engine.clock.clone(), audience(&engine.settings));
    let handle = deliverer.handle();
    let state_dir = &engine.settings.state_dir;
    let admin_token = match mode {
        Mode::Sync => None,
        Mode::Serve => Some(admin_token(state_dir).map_err(|source| AppError::State {
            operation: "make the first admin token of",
            path: state_dir.clone(),
            source,
        })?),
    };
    let access = Access::new(admin_token);
    let asking = access.clone().run(engine.clock.clone());
    // Answers wait for no commit's disk.
    let read_beside = engine.journal.read_beside(&journal_file(state_dir))?;
    let api = Api::new(http::Parts {
        journal: read_beside.clone(),
        board: engine.board.clone(),
        bell: bell.clone(),
        clock: engine.clock.clone(),
        settings: watched,
        access,
        name: audience(&engine.settings).source,
        stop: stop.subscribe(),
    });
    let feed = api.feed.clone();
    let socket = control_socket(state_dir);
    let control = http::Control::bind(api.clone(), &socket)
        .map_err(|source| AppError::Listen { address: socket.display().to_string(), source })?;
    let streaming = feed.clone().run(api.clone());
    let public = match mode {
        Mode::Sync => None,
        Mode::Serve => {
            let address = engine.settings.api.listen;
            let bound = http::Public::bind(api, address).await;
            Some(bound.map_err(|error| match error {
                http::BindError::Address(source) => {
                    AppError::Listen { address: address.to_string(), source }
                }
                http::BindError::Tls(source) => AppError::Tls { source },
            })?)
        }
    };
    let witness = Witness::new(engine.journal.clone(), engine.clock.clone());
    let witnessing = witness.run(settings.subscribe());
    let traces = exporter();
    let to = settings.subscribe();
    let exporting = async {
        if let Some(traces) = traces {
            traces.run(to, stopped(stop.subscribe())).await;
        }
    };
    let running = Running {
        sources,
        settings,
        bell,
        board: engine.board.clone(),
        deliverer: handle,
        feed,
        journal: read_beside,
        delivered_at: None,
        systemd: Systemd::default(),
        turning: watch::Sender::new(None),
        worker: Worker::start("passes").map_err(no_thread)?,
        keeping: Keeping::default(),
        must_reload: false,
    };
    let first = engine.settings.clone();
    tracing::info!(mode = mode.verb(), live = %first.live.path.display(), "kconfigd runs");
    let watchdog = watchdog(running.turning.subscribe(), longest_wait(&first));
    let (agent, _locks) = engine.into_agent();
    // It goes from thread to thread in every pass: by its address.
    let agent = Box::new(agent);
    // Each is looked at when it is woken itself, and not whenever the loop turns.
    let beside: [LocalBoxFuture<'_, ()>; 7] = [
        Box::pin(deliverer.run(stopped(stop.subscribe()), first.shutdown_grace)),
        Box::pin(http::until_stopped(control, public, stop.subscribe())),
        Box::pin(until(stop.subscribe(), watchdog)),
        Box::pin(until(stop.subscribe(), streaming)),
        Box::pin(exporting),
        Box::pin(until(stop.subscribe(), witnessing)),
        Box::pin(until(stop.subscribe(), asking)),
    ];
    let beside: FuturesUnordered<_> = beside.into_iter().collect();
    let (ended, ()) = tokio::join!(
        async {
            let ended = running.turn(agent, &mut signals).await;
            stop.send_replace(true);
            ended
        },
        beside.collect(),
    );
    ended
}

fn no_thread(source: std::io::Error) -> AppError {
    AppError::State { operation: "start a thread of", path: "the process".into(), source }
}

/// What hands traces to a collector, once in a process.
pub(super) fn exporter() -> Option<Exporter> {
    Exporter::take(&rustix::system::uname().nodename().to_string_lossy())
}

/// Who is told, and in whose name: this machine's.
pub(super) fn audience(settings: &Settings) -> Audience {
    let name = rustix::system::uname();
    Audience {
        endpoints: Endpoint::all(settings),
        source: payload::source_of(&name.nodename().to_string_lossy()),
        place: place_of(&settings.live.path),
        body_bytes_max: usize::try_from(settings.limits.webhook_body_bytes_max)
            .unwrap_or(usize::MAX),
    }
}

/// What tells an agent from others on the same machine: where it keeps its live tree.
fn place_of(live: &std::path::Path) -> String {
    let digest = Sha256::digest(live.as_os_str().as_encoded_bytes());
    digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// What a wait ended with.
enum Woken {
    /// There is a reason to look.
    Look(Trigger),
    /// Somebody is to be told of a problem, or reminded.
    Problems,
    /// Nothing has happened for a while.
    Rest,
    /// We were told to stop.
    Stop,
}

/// Work with the agent that came to its end, or not.
enum Worked<T> {
    /// It did.
    Done(Box<Agent>, T),
    /// We were told to stop: the agent, when its work ended within the grace period.
    Stopped(Option<Box<Agent>>),
}

impl Running {
    /// The loop: a pass, what comes after it, and the wait for the next reason to look.
    async fn turn(mut self, mut agent: Box<Agent>, signals: &mut Signals) -> Result<(), AppError> {
        let mut trigger = Trigger::Start;
        let mut beside = Beside::start().map_err(no_thread)?;
        loop {
            let has_worked;
            match self.work(agent, signals, move |agent| agent.pass(trigger)).await? {
                Worked::Done(back, report) => {
                    agent = back;
                    has_worked = report.outcome != PassOutcome::InSync;
                    self.tell(&report, trigger, agent.live_revision());
                }
                Worked::Stopped(agent) => return self.end(agent).await,
            }
            if agent.is_untidy() {
                match self.work(agent, signals, Agent::tidy_up).await? {
                    Worked::Done(back, ()) => agent = back,
                    Worked::Stopped(agent) => return self.end(agent).await,
                }
            }
            beside.remove(|| agent.take_rubbish());
            if std::mem::take(&mut self.must_reload) {
                self.reload(&mut agent);
                trigger = Trigger::Signal;
                continue;
            }
            if agent.goes_on() {
                trigger = Trigger::Command;
                continue;
            }
            trigger = loop {
                match self.wait(&mut agent, has_worked, &mut beside, signals).await {
                    Woken::Look(next) => break next,
                    Woken::Problems => {
                        match self.work(agent, signals, Agent::tell_problems).await? {
                            Worked::Done(back, ()) => agent = back,
                            Worked::Stopped(agent) => return self.end(agent).await,
                        }
                        self.wake();
                    }
                    Woken::Rest => match self.work(agent, signals, Agent::do_put_off).await? {
                        Worked::Done(back, ()) => agent = back,
                        Worked::Stopped(agent) => return self.end(agent).await,
                    },
                    Woken::Stop => {
                        self.systemd.stopping();
                        return self.end(Some(agent)).await;
                    }
                }
                if std::mem::take(&mut self.must_reload) {
                    self.reload(&mut agent);
                    break Trigger::Signal;
                }
            };
        }
    }

    /// The last thing: how fresh the source is, which is written down once a minute only, is not
    /// forgotten.
    async fn end(&self, agent: Option<Box<Agent>>) -> Result<(), AppError> {
        let Some(mut agent) = agent else { return Ok(()) };
        let noted = self.worker.give(move || agent.note_freshness());
        if let Err(error) = noted.await.map_err(|_| AppError::Task("agent"))? {
            tracing::warn!(error = %error, "how fresh the source is could not be written down");
        }
        Ok(())
    }

    /// Waits for the next reason to do something.
    async fn wait(
        &mut self,
        agent: &mut Agent,
        has_worked: bool,
        beside: &mut Beside,
        signals: &mut Signals,
    ) -> Woken {
        loop {
            let (wait, at) = agent.next_look(chance());
            let due = agent.until_problem_due().map(|due| due.max(DUE_PAUSE_MIN));
            self.keeping.wait(Instant::now(), wait, has_worked);
            tokio::select! {
                waited = quiet(
                    wait,
                    &mut self.keeping,
                    agent.has_put_off(),
                    &self.board,
                    &self.journal,
                    &mut self.worker,
                ) => match (waited, at) {
                    (Quiet::Rests, _) => return Woken::Rest,
                    (Quiet::Over, Trigger::Drift) => match agent.scan() {
                        Some(scan) => beside.scan(scan),
                        None => return Woken::Look(at),
                    },
                    (Quiet::Over, _) => return Woken::Look(at),
                },
                () = due_in(due) => return Woken::Problems,
                scanned = beside.scanned() => {
                    agent.saw(scanned);
                    return Woken::Look(Trigger::Drift);
                }
                rung = self.bell.rung() => return Woken::Look(rung),
                told = signals.next() => match told {
                    Told::Reload => {
                        self.reload(agent);
                        return Woken::Look(Trigger::Signal);
                    }
                    Told::Stop => return Woken::Stop,
                },
            }
        }
    }

    /// Works with the agent on a thread of its own, and listens meanwhile: settings are read again
    /// after it, and a stop gives it its grace.
    async fn work<T: Send + 'static>(
        &mut self,
        mut agent: Box<Agent>,
        signals: &mut Signals,
        work: impl FnOnce(&mut Agent) -> T + Send + 'static,
    ) -> Result<Worked<T>, AppError> {
        self.turning.send_replace(Some(Instant::now()));
        let programs = agent.programs();
        let mut worker = self.worker.give(move || {
            let value = work(&mut agent);
            (agent, value)
        });
        let mut deadline = None;
        loop {
            let grace = async {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                ended = &mut worker => {
                    self.turning.send_replace(None);
                    let (agent, value) = ended.map_err(|_| AppError::Task("agent"))?;
                    return Ok(match deadline {
                        None => Worked::Done(agent, value),
                        Some(_) => Worked::Stopped(Some(agent)),
                    });
                }
                () = grace => {
                    tracing::warn!("the pass did not end within shutdown_grace; the next start recovers");
                    return Ok(Worked::Stopped(None));
                }
                told = signals.next() => match told {
                    Told::Reload => self.must_reload = true,
                    Told::Stop if deadline.is_some() => return Ok(Worked::Stopped(None)),
                    Told::Stop => {
                        self.systemd.stopping();
                        programs.stop();
                        let grace = self.settings.borrow().shutdown_grace;
                        deadline = Some(tokio::time::Instant::now() + grace);
                    }
                },
            }
        }
    }

    fn tell(&mut self, report: &Report, trigger: Trigger, live: Option<&Revision>) {
        let live =
            live.map_or_else(|| "nothing is live".to_owned(), |r| format!("live {}", r.short()));
        self.systemd.ready(&format!("{live}; {}", report.message));
        match report.outcome {
            PassOutcome::InSync => tracing::debug!("{}", report.message),
            PassOutcome::Refused(_) | PassOutcome::Failed | PassOutcome::Unreachable(_) => {
                Work::after(trigger.as_str(), report).span().in_scope(|| {
                    tracing::warn!(outcome = ?report.outcome, "{}", report.message);
                });
            }
            _ => Work::after(trigger.as_str(), report).span().in_scope(|| {
                tracing::info!(outcome = ?report.outcome, "{}", report.message);
            }),
        }
        self.wake();
    }

    /// Wakes who hands on what is in the outbox, where there may be something new.
    fn wake(&mut self) {
        let changes = (self.journal.changes(), self.journal.outbox_changes());
        if self.delivered_at.replace(changes) != Some(changes) {
            self.deliverer.wake();
            self.feed.wake();
        }
    }

    /// Reads the settings again. Bad ones are refused and the old stay.
    fn reload(&self, agent: &mut Agent) {
        self.systemd.reloading();
        match self.try_reload(agent) {
            Ok(restart) if restart.is_empty() => tracing::info!("the settings were read again"),
            Ok(restart) => tracing::warn!(
                keys = restart.join(", "),
                "the settings were read again, but these need a restart and stay as they were"
            ),
            Err(error) => {
                tracing::error!(error = %error, "the settings are refused; the old ones stay");
            }
        }
        self.systemd.reloaded();
    }

    fn try_reload(&self, agent: &mut Agent) -> Result<Vec<&'static str>, AppError> {
        let old = self.settings.borrow().clone();
        let mut new = config::load(&self.sources)?.settings;
        let restart = config::needs_restart(&old, &new);
        new.state_dir.clone_from(&old.state_dir);
        new.live.path.clone_from(&old.live.path);
        new.live.mode = old.live.mode;
        new.api.listen = old.api.listen;
        if old.api.tls.is_some() == new.api.tls.is_some() {
            usable(&old.api, &new.api)?;
        } else {
            new.api.tls.clone_from(&old.api.tls);
        }
        let source = Remote::new(&new.source, &new.limits, &new.state_dir)?;
        let new = Arc::new(new);
        agent.reconfigure(new.clone(), Box::new(source))?;
        self.deliverer.reconfigure(audience(&new));
        telemetry::switch(new.telemetry.as_ref());
        self.settings.send_replace(new);
        Ok(restart)
    }
}

/// New settings whose certificate cannot be used are refused. One that was renewed badly is told at
/// once, and the one before stays.
fn usable(old: &ApiSettings, new: &ApiSettings) -> Result<(), AppError> {
    let Some(tls) = &new.tls else { return Ok(()) };
    match http::can_be_used(tls) {
        Err(source) if old.tls != new.tls => Err(AppError::Tls { source }),
        Err(error) => {
            tracing::error!(%error, "the new certificate cannot be used: the one before stays");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}
