use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::systemd::Systemd;
use super::worker::Worker;
use crate::board::Board;
use crate::config::Settings;
use crate::memory;

/// How long nothing happens before memory is given back: what comes within it, such as the next of
/// some pushes, does not wait for it, nor for pages that have to be read again.
const QUIET: Duration = Duration::from_secs(1);
/// A wait that is worth being small for; for a shorter one, what was let go of would soon be back.
const LONG_WAIT: Duration = Duration::from_secs(2);
/// How long memory is kept at most where waits are shorter: what an order or somebody's question
/// needed is not needed by the polls behind it.
const AGAIN: Duration = Duration::from_secs(10);
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

/// When memory is given back.
pub(super) struct Keeping {
    /// When work was done whose memory is not given back yet.
    worked_at: Option<Instant>,
    gave_back_at: Instant,
}

impl Keeping {
    pub(super) const fn since(now: Instant) -> Self {
        Self { worked_at: None, gave_back_at: now }
    }

    /// A wait begins, behind work that is worth being small after or not.
    pub(super) fn wait(&mut self, now: Instant, wait: Duration, has_worked: bool) {
        if has_worked || wait >= LONG_WAIT {
            self.worked_at = Some(now);
        }
    }

    /// How far into a wait nothing has happened for a while.
    fn rests_after(&self, now: Instant, wait: Duration) -> Option<Duration> {
        let rest = QUIET.saturating_sub(now - self.worked_at?);
        (rest <= wait).then_some(rest)
    }

    /// Whether it is time, though there is no rest.
    fn is_overdue(&self, now: Instant) -> bool {
        now - self.gave_back_at >= AGAIN
    }

    fn give_back(&mut self, board: &Board, worker: &mut Worker) {
        board.forget_details();
        worker.rest();
        memory::give_back();
        *self = Self::since(Instant::now());
    }
}

/// Waits, and once nothing has happened for a while gives memory back, or says so first where
/// something was put off until then.
pub(super) async fn quiet(
    wait: Duration,
    keeping: &mut Keeping,
    is_put_off: bool,
    board: &Board,
    worker: &mut Worker,
) -> Quiet {
    let now = Instant::now();
    if let Some(rest) = keeping.rests_after(now, wait) {
        tokio::time::sleep(rest).await;
        if is_put_off {
            return Quiet::Rests;
        }
        keeping.give_back(board, worker);
    } else if keeping.is_overdue(now) {
        keeping.give_back(board, worker);
    }
    tokio::time::sleep(wait.saturating_sub(now.elapsed())).await;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_given_back_in_a_rest_and_now_and_then_without_one() {
        let begin = Instant::now();
        let second = Duration::from_secs(1);
        let mut keeping = Keeping::since(begin);
        keeping.wait(begin, second / 2, false);
        assert_eq!(keeping.rests_after(begin, second / 2), None, "polls alone");
        keeping.wait(begin, second / 2, true);
        assert_eq!(keeping.rests_after(begin, second / 2), None, "it may come soon");
        let later = begin + second * 3 / 4;
        keeping.wait(later, second / 2, false);
        assert_eq!(keeping.rests_after(later, second / 2), Some(second / 4));
        keeping.wait(later, LONG_WAIT, false);
        assert_eq!(keeping.rests_after(later, LONG_WAIT), Some(QUIET));
        assert!(!keeping.is_overdue(begin + AGAIN - second));
        assert!(keeping.is_overdue(begin + AGAIN));
    }
}
