use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::spawn_blocking;

use super::signals::{Signals, Told};
use super::systemd::Systemd;
use super::{AppError, control_socket, memory, open};
use crate::config::{self, Settings, Sources};
use crate::http::{self, Api};
use crate::model::{PassOutcome, Report, Revision, Trigger};
use crate::notify::{Audience, Deliverer, Handle, payload};
use crate::source::Remote;
use crate::sync::Agent;
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

/// A wait that is worth being small for; for a shorter one, what was let go of would soon be back.
const LONG_WAIT: Duration = Duration::from_secs(2);
/// A pass that takes longer than its time limits and this much more is not making progress.
const PASS_SLACK: Duration = Duration::from_secs(10 * 60);

/// The agent while it runs.
struct Running {
    sources: Sources,
    settings: watch::Sender<Arc<Settings>>,
    bell: Bell,
    deliverer: Handle,
    systemd: Systemd,
    turning: watch::Sender<Option<Instant>>,
    dry: bool,
}

/// Runs until it is told to stop.
///
/// # Errors
/// What keeps it from starting; once it runs, errors are told in its status and log.
pub async fn run(
    sources: Sources,
    settings: Settings,
    mode: Mode,
    dry: bool,
) -> Result<(), AppError> {
    let mut signals = Signals::new().map_err(|source| AppError::State {
        operation: "listen for signals of",
        path: "the process".into(),
        source,
    })?;
    let mut engine = open(settings, mode.verb())?;
    engine.agent = if dry { engine.agent.dry() } else { engine.agent.preparing() };
    let (settings, watched) = watch::channel(engine.settings.clone());
    let bell = Bell::default();
    let stop = watch::Sender::new(false);
    let journal = Arc::new(engine.journal.clone());
    let deliverer = Deliverer::new(journal, engine.clock.clone(), audience(&engine.settings));
    let handle = deliverer.handle();
    let api = Api {
        journal: engine.journal.clone(),
        board: engine.board.clone(),
        bell: bell.clone(),
        clock: engine.clock.clone(),
        settings: watched,
    };
    let socket = control_socket(&engine.settings.state_dir);
    let control = http::Control::bind(api.clone(), &socket)
        .map_err(|source| AppError::Listen { address: socket.display().to_string(), source })?;
    let public = match mode {
        Mode::Sync => None,
        Mode::Serve => {
            let address = engine.settings.listen;
            let bound = http::Public::bind(api, address).await;
            Some(
                bound
                    .map_err(|source| AppError::Listen { address: address.to_string(), source })?,
            )
        }
    };
    let running = Running {
        sources,
        settings,
        bell,
        deliverer: handle,
        systemd: Systemd::default(),
        turning: watch::Sender::new(None),
        dry,
    };
    let first = engine.settings.clone();
    tracing::info!(mode = mode.verb(), live = %first.live.path.display(), "kconfigd runs");
    let watchdog = watchdog(running.turning.subscribe(), first.source.timeout);
    let (agent, _locks) = engine.into_agent();
    let (ended, (), (), ()) = tokio::join!(
        async {
            let ended = running.turn(agent, &mut signals).await;
            stop.send_replace(true);
            ended
        },
        deliverer.run(stopped(stop.subscribe()), first.shutdown_grace),
        http::until_stopped(control, public, stop.subscribe()),
        until(stop.subscribe(), watchdog),
    );
    ended
}

/// Who is told, and in whose name: this machine's.
pub(super) fn audience(settings: &Settings) -> Audience {
    let name = rustix::system::uname();
    Audience {
        nodes: settings.nodes.clone(),
        source: payload::source_of(&name.nodename().to_string_lossy()),
        body_bytes_max: usize::try_from(settings.limits.webhook_body_bytes_max)
            .unwrap_or(usize::MAX),
    }
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // An error means that nobody can tell us any more, which is a stop too.
    drop(stop.wait_for(|stopped| *stopped).await);
}

async fn until(mut stopped: watch::Receiver<bool>, work: impl Future<Output = ()>) {
    tokio::select! {
        () = work => {}
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
}

/// Tells systemd's watchdog that the loop turns, as long as no pass takes longer than it may.
async fn watchdog(turning: watch::Receiver<Option<Instant>>, timeout: Duration) {
    let Some(every) = Systemd::watchdog() else { return };
    let mut ticks = tokio::time::interval(every);
    loop {
        ticks.tick().await;
        let since = *turning.borrow();
        if since.is_none_or(|since| since.elapsed() < timeout + PASS_SLACK) {
            Systemd::alive();
        }
    }
}

/// A pass that ended.
struct Passed {
    agent: Agent,
    report: Report,
    /// What was heard meanwhile and is still to be done.
    told: Option<Told>,
}

impl Running {
    /// The loop: a pass, what comes after it, and the wait for the next reason to look.
    async fn turn(mut self, agent: Agent, signals: &mut Signals) -> Result<(), AppError> {
        let mut agent = agent;
        let mut trigger = Trigger::Start;
        loop {
            let Some(passed) = self.pass(agent, trigger, signals).await? else { return Ok(()) };
            let (report, told);
            Passed { agent, report, told } = passed;
            self.tell(&report, agent.live_revision());
            if told == Some(Told::Stop) {
                break;
            }
            if changed(&report) && !self.dry {
                agent = blocking(agent, Agent::tidy_up).await?.0;
            }
            if told == Some(Told::Reload) {
                self.reload(&mut agent);
                trigger = Trigger::Signal;
                continue;
            }
            if agent.goes_on() {
                trigger = Trigger::Command;
                continue;
            }
            let (wait, at) = agent.next_look(chance());
            if report.outcome != PassOutcome::InSync || wait >= LONG_WAIT {
                memory::give_back();
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => trigger = at,
                rung = self.bell.rung() => trigger = rung,
                told = signals.next() => match told {
                    Told::Reload => {
                        self.reload(&mut agent);
                        trigger = Trigger::Signal;
                    }
                    Told::Stop => break,
                },
            }
        }
        self.systemd.stopping();
        blocking(agent, |agent| {
            if let Err(error) = agent.note_freshness() {
                tracing::warn!(error = %error, "how fresh the source is could not be written down");
            }
        })
        .await?;
        Ok(())
    }

    /// One pass on a blocking thread. `None`: told to stop, and the pass used up its grace.
    async fn pass(
        &self,
        agent: Agent,
        trigger: Trigger,
        signals: &mut Signals,
    ) -> Result<Option<Passed>, AppError> {
        self.turning.send_replace(Some(Instant::now()));
        let mut pass = spawn_blocking(move || {
            let mut agent = agent;
            let report = agent.pass(trigger);
            (agent, report)
        });
        let grace = self.settings.borrow().shutdown_grace;
        let mut heard = None;
        loop {
            let stopping = heard == Some(Told::Stop);
            let deadline = tokio::time::sleep(if stopping { grace } else { Duration::MAX / 4 });
            tokio::select! {
                ended = &mut pass => {
                    self.turning.send_replace(None);
                    let (agent, report) = ended.map_err(|_| AppError::Task("pass"))?;
                    return Ok(Some(Passed { agent, report, told: heard }));
                }
                () = deadline => {
                    tracing::warn!("the pass did not end within shutdown_grace; the next start recovers");
                    return Ok(None);
                }
                told = signals.next() => match told {
                    Told::Stop if stopping => return Ok(None),
                    Told::Stop => {
                        self.systemd.stopping();
                        heard = Some(Told::Stop);
                    }
                    // The agent is lent to the pass: its settings are exchanged after it.
                    Told::Reload => heard = heard.or(Some(Told::Reload)),
                },
            }
        }
    }

    fn tell(&mut self, report: &Report, live: Option<&Revision>) {
        let live =
            live.map_or_else(|| "nothing is live".to_owned(), |r| format!("live {}", r.short()));
        self.systemd.ready(&format!("{live}; {}", report.message));
        match report.outcome {
            PassOutcome::InSync => tracing::debug!("{}", report.message),
            PassOutcome::Refused(_) | PassOutcome::Failed | PassOutcome::Unreachable(_) => {
                tracing::warn!(outcome = ?report.outcome, "{}", report.message);
            }
            _ => tracing::info!(outcome = ?report.outcome, "{}", report.message),
        }
        self.deliverer.wake();
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
        new.listen = old.listen;
        let runtime = tokio::runtime::Handle::current();
        let source = Remote::new(&new.source, &new.limits, &new.state_dir, runtime)?;
        let new = Arc::new(new);
        agent.reconfigure(new.clone(), Box::new(source))?;
        self.deliverer.reconfigure(audience(&new));
        self.settings.send_replace(new);
        Ok(restart)
    }
}

/// Runs something with the agent on a blocking thread.
async fn blocking<T: Send + 'static>(
    agent: Agent,
    work: impl FnOnce(&mut Agent) -> T + Send + 'static,
) -> Result<(Agent, T), AppError> {
    spawn_blocking(move || {
        let mut agent = agent;
        let value = work(&mut agent);
        (agent, value)
    })
    .await
    .map_err(|_| AppError::Task("agent"))
}

/// Whether something became live, so that there is something to tidy up after.
fn changed(report: &Report) -> bool {
    matches!(report.outcome, PassOutcome::Applied | PassOutcome::Returned | PassOutcome::Repaired)
}

/// Chance, for jitter: between 0 and 1.
pub(super) fn chance() -> f64 {
    let mut bytes = [0; 4];
    match rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::NONBLOCK) {
        Ok(4) => f64::from(u32::from_be_bytes(bytes)) / f64::from(u32::MAX),
        _ => 0.5,
    }
}
