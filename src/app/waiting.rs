use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::systemd::Systemd;
use super::worker::Worker;
use crate::board::Board;
use crate::config::Settings;
use crate::journal::Journal;
use crate::memory;

/// How long nothing happens before memory is given back: what comes within it, such as the next of
/// some pushes, does not wait for it, nor for pages that have to be read again.
const QUIET: Duration = Duration::from_secs(1);
/// A wait that is worth being small for; for a shorter one, what was let go of would soon be back.
const LONG_WAIT: Duration = Duration::from_secs(2);
/// How long memory is kept where there is no rest: what an order or somebody's question needed is not
/// needed by the polls behind it.
const AGAIN: Duration = Duration::from_secs(10);
/// How long who waits for the end of a pass has to be told before memory is given back.
const BREATH: Duration = Duration::from_millis(5);
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
#[derive(Default)]
pub(super) struct Keeping {
    /// When memory began to be kept.
    since: Option<Instant>,
    /// When work was done last that is worth being small after.
    worked_at: Option<Instant>,
}

impl Keeping {
    /// A wait begins, behind work that is worth being small after or not.
    pub(super) fn wait(&mut self, now: Instant, wait: Duration, has_worked: bool) {
        self.since.get_or_insert(now);
        if has_worked || wait >= LONG_WAIT {
            self.worked_at = Some(now);
        }
    }

    /// How far into a wait memory is given back.
    fn ends_after(&self, now: Instant, wait: Duration) -> Option<(Duration, Why)> {
        if self.since.is_some_and(|since| now - since >= AGAIN) {
            return Some((BREATH.min(wait), Why::Overdue));
        }
        let rest = QUIET.saturating_sub(now - self.worked_at?);
        (rest <= wait).then_some((rest, Why::Rest))
    }

    fn give_back(&mut self, board: &Board, journal: &Journal, worker: &mut Worker) {
        journal.give_back();
        // Not by this thread: of what it frees, the C library would keep pieces for it, and what it runs
        // until it waits would be mapped again.
        let board = board.clone();
        worker.rest(move || board.forget_details(), memory::give_back);
        *self = Self::default();
    }
}

/// Why memory is given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// Nothing has happened for a while.
    Rest,
    /// It was kept for long enough.
    Overdue,
}

/// Waits, and gives memory back when it is time, or says first that nothing has happened for a while,
/// where something was put off until then.
pub(super) async fn quiet(
    wait: Duration,
    keeping: &mut Keeping,
    is_put_off: bool,
    board: &Board,
    journal: &Journal,
    worker: &mut Worker,
) -> Quiet {
    let now = Instant::now();
    if let Some((after, why)) = keeping.ends_after(now, wait) {
        tokio::time::sleep(after).await;
        if is_put_off && why == Why::Rest {
            return Quiet::Rests;
        }
        keeping.give_back(board, journal, worker);
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

    const SECOND: Duration = Duration::from_secs(1);

    /// When memory is given back, with these waits one after the other, each behind work or not and
    /// ended by something at this time of it.
    fn given_back(waits: &[(Duration, bool, Duration)]) -> Option<(Duration, Why)> {
        let (mut keeping, begin) = (Keeping::default(), Instant::now());
        let mut at = Duration::ZERO;
        for (wait, has_worked, ends) in waits {
            keeping.wait(begin + at, *wait, *has_worked);
            if let Some((after, why)) = keeping.ends_after(begin + at, *wait)
                && after <= *ends
            {
                return Some((at + after, why));
            }
            at += *ends;
        }
        None
    }

    #[test]
    fn memory_is_given_back_in_a_rest() {
        let poll = (30 * SECOND, false, 30 * SECOND);
        assert_eq!(given_back(&[poll]), Some((SECOND, Why::Rest)));
        let half = SECOND / 2;
        let pushed = (30 * SECOND, true, half);
        assert_eq!(given_back(&[pushed, pushed, poll]), Some((2 * SECOND, Why::Rest)));
        let (poll, worked) = ((half, false, half), (half, true, half));
        assert_eq!(given_back(&[worked, poll, poll]), Some((SECOND, Why::Rest)));
    }

    #[test]
    fn memory_is_given_back_now_and_then_without_a_rest() {
        let half = SECOND / 2;
        let overdue = Some((AGAIN + BREATH, Why::Overdue));
        for wait in [(half, false, half), (half / 2, true, half / 2), (30 * SECOND, true, half)] {
            assert_eq!(given_back(&[wait; 41]), overdue, "{wait:?}");
            assert_eq!(given_back(&[wait; 20]), None, "{wait:?}");
        }
    }
}
