//! Windows: when applying is allowed or denied.
//!
//! A window opens whenever its schedule's local time comes, and stays open for its duration, in
//! real time. Where the clocks change: a local time that is skipped opens the window at the moment
//! of the jump, and one that comes twice opens it twice. Neither a weekly allowance nor a nightly
//! ban is lost that way, and an hourly one goes on as it should.

mod cron;
mod fires;
#[cfg(test)]
mod tests;

use std::time::Duration;

use chrono_tz::Tz;

use crate::model::Timestamp;

/// Openings and closings that [`Windows::at`] looks at before it gives up on finding a change; a
/// window that opens anew before it closes, without end, is what gets there.
const STEPS_MAX: usize = 500;

/// A window as it is written in the settings.
#[derive(Clone, Copy, Debug)]
pub struct WindowSpec<'a> {
    /// Whether applying is allowed inside (and then only inside), or denied.
    pub allow: bool,
    /// Cron: six or seven fields (seconds first, `1` is Sunday, year last), or the five of Unix.
    pub schedule: &'a str,
    /// How long it stays open.
    pub duration: Duration,
    /// Where the clock hangs.
    pub timezone: Tz,
}

/// Why a schedule cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// It is none of the forms.
    #[error(
        "a schedule has 5 fields (minute hour day month weekday), or 6 with seconds before them, or 7 with the year behind; this has {found}"
    )]
    Fields {
        /// How many it has.
        found: usize,
    },
    /// One of the five fields of Unix cron is wrong.
    #[error("the {field} {text:?} {wrong}")]
    Field {
        /// `minute`, `hour`, …
        field: &'static str,
        /// The part that is wrong.
        text: String,
        /// What is wrong with it.
        wrong: String,
    },
    /// The cron crate refuses it.
    #[error("{schedule:?} is not a schedule{}{why}", if why.is_empty() { "" } else { ": " })]
    Expression {
        /// What was given.
        schedule: String,
        /// What the crate says.
        why: String,
    },
    /// It is longer than any schedule needs to be.
    #[error("a schedule has at most {max} characters")]
    Long {
        /// How many.
        max: usize,
    },
    /// Its time does not come in this century.
    #[error("{schedule:?} never comes")]
    Never {
        /// What was given.
        schedule: String,
    },
}

/// Windows, ready to be asked.
#[derive(Clone, Debug, Default)]
pub struct Windows(Vec<Window>);

#[derive(Clone, Debug)]
struct Window {
    allow: bool,
    /// More than one where Unix cron joins its day fields by "or".
    schedules: Vec<::cron::Schedule>,
    duration: Duration,
    timezone: Tz,
}

/// Whether applying is allowed at a moment, and until when that stays so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// It is.
    Open {
        /// The first moment at which it is not; `None`: no such moment is in sight.
        until: Option<Timestamp>,
    },
    /// It is not.
    Closed {
        /// The first moment at which it is; `None`: no such moment is in sight.
        opens_at: Option<Timestamp>,
    },
}

impl Windows {
    /// Reads schedules.
    ///
    /// # Errors
    /// The first schedule that is wrong.
    pub fn parse(specs: &[WindowSpec<'_>]) -> Result<Self, ScheduleError> {
        let window = |spec: &WindowSpec<'_>| {
            Ok(Window {
                allow: spec.allow,
                schedules: cron::parse(spec.schedule)?,
                duration: spec.duration,
                timezone: spec.timezone,
            })
        };
        specs.iter().map(window).collect::<Result<_, _>>().map(Self)
    }

    /// Whether applying is allowed at `now`. Without windows it always is; inside an open `deny`
    /// it is not; with `allow` windows it is only inside one of them.
    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        let mut has_allow = false;
        let mut inside = false;
        for window in &self.0 {
            let open = window.open_until(now).is_some();
            if open && !window.allow {
                return false;
            }
            has_allow |= window.allow;
            inside |= open && window.allow;
        }
        inside || !has_allow
    }

    /// Whether applying is allowed at `now`, and when that changes.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Opening {
        let open = self.is_open(now);
        let change = self.next_change(now, open);
        if open { Opening::Open { until: change } } else { Opening::Closed { opens_at: change } }
    }

    fn next_change(&self, now: Timestamp, open: bool) -> Option<Timestamp> {
        let mut at = now;
        for _ in 0..STEPS_MAX {
            at = self.0.iter().filter_map(|window| window.boundary(at)).min()?;
            if self.is_open(at) != open {
                return Some(at);
            }
        }
        None
    }
}

impl Window {
    /// When it closes, as far as the latest opening before `at` says; `None` when it is closed.
    fn open_until(&self, at: Timestamp) -> Option<Timestamp> {
        let latest =
            self.schedules.iter().filter_map(|s| fires::latest(s, self.timezone, at)).max();
        latest.map(|opened| opened.plus(self.duration)).filter(|end| *end > at)
    }

    /// The next moment after `at` at which it may open or close.
    fn boundary(&self, at: Timestamp) -> Option<Timestamp> {
        let next = || self.schedules.iter().filter_map(|s| fires::next(s, self.timezone, at)).min();
        self.open_until(at).or_else(next)
    }
}
