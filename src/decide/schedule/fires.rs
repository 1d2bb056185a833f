//! When a schedule's local times come, in real time.
//!
//! The cron crate is asked in local times only, written as UTC so that it sees neither gaps nor
//! repetitions: on its own it would pass over times that are skipped, and see one side of a change
//! only. What a local time is in real time is decided here.

use chrono::{DateTime, Datelike as _, LocalResult, NaiveDateTime, Offset as _, TimeDelta};
use chrono::{TimeZone as _, Utc};
use chrono_tz::Tz;
use cron::Schedule;

use crate::model::Timestamp;

/// Longer than any repetition of local times, and shorter than the time between two changes.
const AROUND: TimeDelta = TimeDelta::hours(26);

/// The years that the cron crate knows.
const YEARS: std::ops::RangeInclusive<i32> = 1970..=2099;

/// A local time, as if it were UTC.
type Local = DateTime<Utc>;

/// The latest time of the schedule that is not after `at`.
pub(super) fn latest(schedule: &Schedule, zone: Tz, at: Timestamp) -> Option<Timestamp> {
    let now = moment(at)?;
    let local = local_of(zone, now);
    let usual = before(schedule, local + TimeDelta::seconds(1)).and_then(|time| {
        real(zone, time).into_iter().flatten().filter(|found| *found <= now).max()
    });
    // in the second pass of a repeated hour: local times behind this one have been there, too
    let repeated = change(zone, now - AROUND, now).and_then(|change| {
        let end = change.at + change.before;
        let time = (change.after < change.before && local < end)
            .then(|| before(schedule, end))
            .flatten()?;
        Some(time - change.before).filter(|found| *found <= now)
    });
    usual.max(repeated).map(timestamp)
}

/// The first time of the schedule after `at`.
pub(super) fn next(schedule: &Schedule, zone: Tz, at: Timestamp) -> Option<Timestamp> {
    let now = moment(at)?;
    let usual = after(schedule, local_of(zone, now))
        .and_then(|time| real(zone, time).into_iter().flatten().filter(|found| *found > now).min());
    // in the first pass of a repeated hour: local times before this one come again
    let repeated = change(zone, now, now + AROUND).and_then(|change| {
        let (start, end) = (change.at + change.after, change.at + change.before);
        let time = after(schedule, start - TimeDelta::seconds(1)).filter(|time| *time < end)?;
        Some(time - change.after)
    });
    [usual, repeated].into_iter().flatten().min().map(timestamp)
}

/// The schedule's last time before `local`.
fn before(schedule: &Schedule, local: Local) -> Option<Local> {
    schedule.after(&local).next_back()
}

/// The schedule's first time after `local`.
fn after(schedule: &Schedule, local: Local) -> Option<Local> {
    schedule.after(&local).next()
}

/// What a local time is in real time: once, twice, or, where it is skipped, the moment of the jump.
fn real(zone: Tz, local: Local) -> [Option<DateTime<Utc>>; 2] {
    match zone.from_local_datetime(&local.naive_utc()) {
        LocalResult::Single(time) => [Some(time.to_utc()), None],
        LocalResult::Ambiguous(first, second) => [Some(first.to_utc()), Some(second.to_utc())],
        LocalResult::None => [change(zone, local - AROUND, local + AROUND).map(|c| c.at), None],
    }
}

/// A change of the clocks.
struct Change {
    at: DateTime<Utc>,
    /// How far local time is from UTC before it.
    before: TimeDelta,
    /// And after it.
    after: TimeDelta,
}

/// The change of the clocks between two moments, if there is one, to the second.
fn change(zone: Tz, mut from: DateTime<Utc>, mut to: DateTime<Utc>) -> Option<Change> {
    let (before, after) = (offset(zone, from), offset(zone, to));
    if before == after {
        return None;
    }
    while to - from > TimeDelta::seconds(1) {
        let middle = whole_seconds(from + (to - from) / 2);
        if middle <= from {
            break;
        }
        if offset(zone, middle) == before { from = middle } else { to = middle }
    }
    Some(Change { at: whole_seconds(to), before, after })
}

fn offset(zone: Tz, at: DateTime<Utc>) -> TimeDelta {
    let offset = zone.offset_from_utc_datetime(&at.naive_utc()).fix();
    TimeDelta::seconds(i64::from(offset.local_minus_utc()))
}

fn local_of(zone: Tz, at: DateTime<Utc>) -> Local {
    let local: NaiveDateTime = at.with_timezone(&zone).naive_local();
    whole_seconds(local.and_utc())
}

fn whole_seconds(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(at.timestamp(), 0).unwrap_or(at)
}

/// `None` outside the years that a schedule can name.
fn moment(at: Timestamp) -> Option<DateTime<Utc>> {
    Some(at.to_utc()).filter(|time| YEARS.contains(&time.year()))
}

fn timestamp(at: DateTime<Utc>) -> Timestamp {
    Timestamp(at.timestamp_millis())
}
