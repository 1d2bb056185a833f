use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::systemd::Systemd;
use crate::config::Settings;
use crate::memory;

/// How long nothing happens before memory is given back: what comes within it, such as the next of
/// some pushes, does not wait for it, nor for pages that have to be read again.
const QUIET: Duration = Duration::from_secs(1);
/// A pass that takes longer than its time limits and this much more is not making progress.
const PASS_SLACK: Duration = Duration::from_secs(10 * 60);

/// Ends when we are told to stop.
pub(super) async fn stopped(mut stop: watch::Receiver<bool>) {
    // An error means that nobody can tell us any more, which is a stop too.
    drop(stop.wait_for(|stopped| *stopped).await);
}

/// Works until we are told to stop.
pub(super) async fn until(mut stopped: watch::Receiver<bool>, work: impl Future<Output = ()>) {
    tokio::select! {
        () = work => {}
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
}

/// How long a pass may wait for others: for the source, for each check and each reload.
pub(super) fn longest_wait(settings: &Settings) -> Duration {
    let checks = settings.checks.iter().map(|check| check.timeout);
    let reloads = settings.reload.iter().map(|reload| reload.timeout);
    checks.chain(reloads).fold(settings.source.timeout, Duration::saturating_add)
}

/// Tells systemd's watchdog that the loop turns, as long as no pass takes longer than it may.
pub(super) async fn watchdog(turning: watch::Receiver<Option<Instant>>, timeout: Duration) {
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

/// Waits for what is due; for ever where nothing is.
pub(super) async fn due_in(due: Option<Duration>) {
    match due {
        Some(due) => tokio::time::sleep(due).await,
        None => std::future::pending().await,
    }
}

/// How a quiet wait ended.
pub(super) enum Quiet {
    /// Nothing has happened for a while: what was put off until then can be done.
    Rests,
    /// It is over.
    Over,
}

/// Waits, and once nothing has happened for a while gives memory back, or says so first where
/// something was put off until then.
pub(super) async fn quiet(
    wait: Duration,
    worked_at: &mut Option<Instant>,
    is_put_off: bool,
) -> Quiet {
    let rest = worked_at.map(|at| QUIET.saturating_sub(at.elapsed()));
    let rest = rest.filter(|rest| *rest <= wait);
    if let Some(rest) = rest {
        tokio::time::sleep(rest).await;
        if is_put_off {
            return Quiet::Rests;
        }
        memory::give_back();
        *worked_at = None;
    }
    tokio::time::sleep(wait.saturating_sub(rest.unwrap_or_default())).await;
    Quiet::Over
}

/// Chance, for jitter: between 0 and 1.
pub(super) fn chance() -> f64 {
    let mut bytes = [0; 4];
    match rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::NONBLOCK) {
        Ok(4) => f64::from(u32::from_be_bytes(bytes)) / f64::from(u32::MAX),
        _ => 0.5,
    }
}
