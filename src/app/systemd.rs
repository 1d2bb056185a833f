use std::time::Duration;

use sd_notify::NotifyState;

/// What systemd is told; nothing where there is none.
#[derive(Debug, Default)]
pub(super) struct Systemd {
    ready: bool,
}

impl Systemd {
    /// The first pass ended, well or finally not: dependants may start.
    pub(super) fn ready(&mut self, status: &str) {
        if self.ready {
            tell(&[NotifyState::Status(status)]);
        } else {
            self.ready = true;
            tell(&[NotifyState::Ready, NotifyState::Status(status)]);
        }
    }

    /// The settings are being read again.
    pub(super) fn reloading(&self) {
        if let Ok(moment) = NotifyState::monotonic_usec_now() {
            tell(&[NotifyState::Reloading, moment]);
        }
    }

    /// And were read.
    pub(super) fn reloaded(&self) {
        tell(&[NotifyState::Ready]);
    }

    /// The end begins.
    pub(super) fn stopping(&self) {
        tell(&[NotifyState::Stopping]);
    }

    /// How often the watchdog wants to hear of us.
    pub(super) fn watchdog() -> Option<Duration> {
        sd_notify::watchdog_enabled().map(|limit| limit / 2).filter(|every| *every > Duration::ZERO)
    }

    /// The loop turns.
    pub(super) fn alive() {
        tell(&[NotifyState::Watchdog]);
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(error = %error, "systemd could not be told");
    }
}
