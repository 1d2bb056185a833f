use chrono::{TimeDelta, TimeZone as _, Timelike as _};
use proptest::prelude::*;

use super::*;

const HOUR: Duration = Duration::from_hours(1);

fn windows(specs: &[(bool, &str, Duration, &str)]) -> Windows {
    let specs = specs.iter().map(|(allow, schedule, duration, zone)| WindowSpec {
        allow: *allow,
        schedule,
        duration: *duration,
        timezone: zone.parse().unwrap(),
    });
    Windows::parse(&specs.collect::<Vec<_>>()).unwrap()
}

fn allow(schedule: &str, duration: Duration, zone: &str) -> Windows {
    windows(&[(true, schedule, duration, zone)])
}

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn open(until: &str) -> Opening {
    Opening::Open { until: Some(time(until)) }
}

fn closed(opens_at: &str) -> Opening {
    Opening::Closed { opens_at: Some(time(opens_at)) }
}

#[test]
fn without_windows_it_is_always_open() {
    assert_eq!(Windows::default().at(time("2026-01-01T00:00:00Z")), Opening::Open { until: None });
}

#[test]
fn an_allowance_is_open_from_its_time_for_its_duration() {
    let windows = allow("0 0 2 * * Sat", 2 * HOUR, "Europe/Berlin");
    for (now, opening) in [
        // Saturday 2026-01-10, 02:00 in Berlin is 01:00 in UTC
        ("2026-01-09T12:00:00Z", closed("2026-01-10T01:00:00Z")),
        ("2026-01-10T00:59:59.999Z", closed("2026-01-10T01:00:00Z")),
        ("2026-01-10T01:00:00Z", open("2026-01-10T03:00:00Z")),
        ("2026-01-10T02:59:59.999Z", open("2026-01-10T03:00:00Z")),
        ("2026-01-10T03:00:00Z", closed("2026-01-17T01:00:00Z")),
        // in summer it is 00:00 in UTC
        ("2026-07-10T12:00:00Z", closed("2026-07-11T00:00:00Z")),
    ] {
        assert_eq!(windows.at(time(now)), opening, "{now}");
    }
}

#[test]
fn a_ban_is_closed_inside_and_open_outside() {
    let windows = windows(&[(false, "0 8 * * *", 10 * HOUR, "UTC")]);
    assert_eq!(windows.at(time("2026-01-10T07:00:00Z")), open("2026-01-10T08:00:00Z"));
    assert_eq!(windows.at(time("2026-01-10T08:00:00Z")), closed("2026-01-10T18:00:00Z"));
    assert_eq!(windows.at(time("2026-01-10T18:00:00Z")), open("2026-01-11T08:00:00Z"));
}

#[test]
fn a_ban_wins_over_an_allowance() {
    let windows = windows(&[
        (true, "0 0 * * *", 6 * HOUR, "UTC"),
        (false, "0 2 * * *", HOUR, "UTC"),
        (true, "0 20 * * *", HOUR, "UTC"),
    ]);
    assert_eq!(windows.at(time("2026-01-10T01:00:00Z")), open("2026-01-10T02:00:00Z"));
    assert_eq!(windows.at(time("2026-01-10T02:00:00Z")), closed("2026-01-10T03:00:00Z"));
    assert_eq!(windows.at(time("2026-01-10T03:00:00Z")), open("2026-01-10T06:00:00Z"));
    assert_eq!(windows.at(time("2026-01-10T06:00:00Z")), closed("2026-01-10T20:00:00Z"));
}

#[test]
fn a_window_longer_than_its_period_stays_open() {
    let daily = allow("0 0 * * *", 30 * HOUR, "UTC");
    assert_eq!(daily.at(time("2026-01-10T05:00:00Z")), Opening::Open { until: None });
    let two_days = allow("0 22 * * fri,sat", 24 * HOUR, "UTC");
    assert_eq!(two_days.at(time("2026-01-10T12:00:00Z")), open("2026-01-11T22:00:00Z"));
    let over_midnight = allow("0 23 * * *", 2 * HOUR, "UTC");
    assert_eq!(over_midnight.at(time("2026-01-10T00:30:00Z")), open("2026-01-10T01:00:00Z"));
}

#[test]
fn weekdays_are_those_of_each_syntax() {
    // 2026-01-10 is a Saturday
    let from = time("2026-01-10T12:00:00Z");
    for (schedule, day) in [
        ("0 0 * * 0", "11"),
        ("0 0 * * 7", "11"),
        ("0 0 * * sun", "11"),
        ("0 0 * * 1", "12"),
        ("0 0 * * 6", "17"),
        ("0 0 * * 5-7", "11"),
        ("0 0 * * 1-5", "12"),
        ("0 0 * * MON-fri", "12"),
        ("0 0 * * */2", "11"),
        ("0 0 * * 1-6/2", "12"),
        ("0 0 0 * * 1", "11"),
        ("0 0 0 * * 7", "17"),
        ("0 0 0 * * Mon-Fri", "12"),
        ("0 0 0 * * Tue 2026", "13"),
        ("@weekly", "11"),
        ("  0  0 * * 3 ", "14"),
        // both day fields say something: either is enough in Unix, both are needed in the other
        ("0 0 14 * mon", "12"),
        ("0 0 11 * fri", "11"),
        ("0 0 0 16 * Fri", "16"),
        // a star with a step does not count as saying something
        ("0 0 */2 * mon", "19"),
    ] {
        let next = allow(schedule, HOUR, "UTC").at(from);
        assert_eq!(next, closed(&format!("2026-01-{day}T00:00:00Z")), "{schedule}");
    }
}

#[test]
fn numbers_ranges_steps_and_lists_are_those_of_unix() {
    let from = time("2026-01-10T12:07:30Z");
    for (schedule, next) in [
        ("*/15 * * * *", "2026-01-10T12:15:00Z"),
        ("10-40/20 * * * *", "2026-01-10T12:10:00Z"),
        ("5,8 * * * *", "2026-01-10T12:08:00Z"),
        ("0 0 1 mar-apr *", "2026-03-01T00:00:00Z"),
        ("0 0 * * mon", "2026-01-12T00:00:00Z"),
        ("0 0 29 2 *", "2028-02-29T00:00:00Z"),
        ("59 23 31 12 *", "2026-12-31T23:59:00Z"),
    ] {
        assert_eq!(
            allow(schedule, Duration::from_secs(30), "UTC").at(from),
            closed(next),
            "{schedule}"
        );
    }
}

#[test]
fn wrong_schedules_say_which_part_is_wrong() {
    let wrong = |schedule: &str| {
        let spec = WindowSpec { allow: true, schedule, duration: HOUR, timezone: chrono_tz::UTC };
        Windows::parse(&[spec]).unwrap_err().to_string()
    };
    let all: Vec<String> = [
        "",
        "* * * *",
        "* * * * * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * foo *",
        "* * * * 8",
        "* * * * 5-2",
        "*/0 * * * *",
        "5/10 * * * *",
        "1- * * * *",
        ", * * * *",
        "0 0 30 2 *",
        "0 0 0 30 2 *",
        "61 * * * * *",
        "@never",
    ]
    .iter()
    .map(|schedule| format!("{schedule:?}: {}", wrong(schedule)))
    .collect();
    insta::assert_snapshot!(all.join("\n"));
    assert!(wrong("+5 * * * *").contains("+5"));
    assert!(wrong(&format!("{:<513}", "0 2 * * *")).contains("at most"));
    let _longest = allow(&format!("{:<512}", "0 2 * * *"), HOUR, "UTC");
}

#[test]
fn a_schedule_that_does_not_come_again_is_not_waited_for() {
    let windows = allow("0 0 0 1 1 * 2025", HOUR, "UTC");
    assert_eq!(windows.at(time("2026-01-10T00:00:00Z")), Opening::Closed { opens_at: None });
    let ban = self::windows(&[(false, "0 0 0 1 1 * 2025", HOUR, "UTC")]);
    assert_eq!(ban.at(time("2026-01-10T00:00:00Z")), Opening::Open { until: None });
}

#[test]
fn moments_outside_every_calendar_are_answered() {
    let windows = allow("0 0 * * *", HOUR, "UTC");
    for now in [i64::MIN, -1, 0, 4_133_980_800_000, i64::MAX] {
        let _ = windows.at(Timestamp(now));
    }
}

// Summer time. In Berlin 02:00 becomes 03:00 on 2026-03-29, and 03:00 becomes 02:00 on 2026-10-25;
// on Lord Howe 02:00 becomes 01:30 on 2026-04-05, and 02:00 becomes 02:30 on 2026-10-04.

#[test]
fn a_time_that_is_skipped_opens_at_the_moment_of_the_jump() {
    let berlin = allow("30 2 * * *", HOUR, "Europe/Berlin");
    assert_eq!(berlin.at(time("2026-03-29T00:59:59Z")), closed("2026-03-29T01:00:00Z"));
    assert_eq!(berlin.at(time("2026-03-29T01:00:00Z")), open("2026-03-29T02:00:00Z"));
    assert_eq!(berlin.at(time("2026-03-29T02:00:00Z")), closed("2026-03-30T00:30:00Z"));
    let lord_howe = allow("15 2 * * *", HOUR, "Australia/Lord_Howe");
    assert_eq!(lord_howe.at(time("2026-10-03T15:00:00Z")), closed("2026-10-03T15:30:00Z"));
    assert_eq!(lord_howe.at(time("2026-10-03T15:30:00Z")), open("2026-10-03T16:30:00Z"));
}

#[test]
fn a_time_that_comes_twice_opens_twice() {
    let berlin = allow("30 2 * * *", HOUR / 2, "Europe/Berlin");
    assert_eq!(berlin.at(time("2026-10-25T00:00:00Z")), closed("2026-10-25T00:30:00Z"));
    assert_eq!(berlin.at(time("2026-10-25T00:30:00Z")), open("2026-10-25T01:00:00Z"));
    assert_eq!(berlin.at(time("2026-10-25T01:10:00Z")), closed("2026-10-25T01:30:00Z"));
    assert_eq!(berlin.at(time("2026-10-25T01:30:00Z")), open("2026-10-25T02:00:00Z"));
    assert_eq!(berlin.at(time("2026-10-25T02:00:00Z")), closed("2026-10-26T01:30:00Z"));
    // Its very beginning, and moments that are no whole seconds.
    let hour = allow("0 2 * * *", HOUR / 4, "Europe/Berlin");
    assert_eq!(hour.at(time("2026-10-25T00:30:00Z")), closed("2026-10-25T01:00:00Z"));
    assert_eq!(hour.at(time("2026-10-25T00:59:59.500Z")), closed("2026-10-25T01:00:00Z"));
    assert_eq!(hour.at(time("2026-10-25T01:00:00.500Z")), open("2026-10-25T01:15:00Z"));
    let lord_howe = allow("45 1 * * *", HOUR / 6, "Australia/Lord_Howe");
    assert_eq!(lord_howe.at(time("2026-04-04T14:55:00Z")), closed("2026-04-04T15:15:00Z"));
}

#[test]
fn durations_are_real_time_when_the_clocks_change() {
    let berlin = allow("0 1 * * *", 3 * HOUR, "Europe/Berlin");
    assert_eq!(berlin.at(time("2026-03-29T00:00:00Z")), open("2026-03-29T03:00:00Z"));
    assert_eq!(berlin.at(time("2026-10-24T23:00:00Z")), open("2026-10-25T02:00:00Z"));
}

#[test]
fn an_hourly_window_goes_on_when_the_clocks_change() {
    let berlin = allow("0 * * * *", HOUR / 4, "Europe/Berlin");
    for day in ["2026-03-29", "2026-10-25"] {
        for hour in 0..4 {
            let now = time(&format!("{day}T0{hour}:05:00Z"));
            assert_eq!(berlin.at(now), open(&format!("{day}T0{hour}:15:00Z")), "{day} {hour}");
        }
    }
}

/// Whether a schedule opens at this minute, by looking at the minute instead of searching.
fn opens_at(schedules: &[::cron::Schedule], zone: Tz, minute: i64) -> bool {
    let local = |minute: i64| {
        let utc = chrono::Utc.timestamp_opt(minute * 60, 0).unwrap();
        utc.with_timezone(&zone).naive_local()
    };
    let matches = |at: chrono::NaiveDateTime| {
        at.second() == 0 && schedules.iter().any(|schedule| schedule.includes(at.and_utc()))
    };
    let (before, now) = (local(minute - 1), local(minute));
    let mut skipped = before + TimeDelta::minutes(1);
    while skipped < now {
        if matches(skipped) {
            return true;
        }
        skipped += TimeDelta::minutes(1);
    }
    matches(now)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn openings_are_found_as_if_every_minute_was_looked_at(
        schedule in r"(\*|0|30|45|\*/20) (\*|1|2|0-3|\*/2) (\*|25|29) (\*|3,4,10) (\*|0|6)",
        zone in prop::sample::select(vec!["Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo", "UTC"]),
        day in prop::sample::select(vec!["2026-03-28", "2026-10-24", "2026-04-04", "2026-10-03", "2018-11-03"]),
        minutes in 1i64..180,
    ) {
        let zone: Tz = zone.parse().unwrap();
        let start = time(&format!("{day}T00:00:00Z")).seconds() / 60;
        let spec = WindowSpec {
            allow: true,
            schedule: &schedule,
            duration: Duration::from_secs(minutes.unsigned_abs() * 60),
            timezone: zone,
        };
        let windows = Windows::parse(&[spec]).unwrap();
        let schedules = super::cron::parse(&schedule).unwrap();
        let mut latest = None;
        for minute in start..start + 30 * 60 {
            if opens_at(&schedules, zone, minute) {
                latest = Some(minute);
            }
            // what opened before the first minute is not known here
            if minute >= start + minutes {
                let open = latest.is_some_and(|latest| latest + minutes > minute);
                let now = Timestamp(minute * 60_000);
                prop_assert_eq!(windows.is_open(now), open, "{} at {}", schedule, now);
                if minute % 97 == 0 {
                    let change = match windows.at(now) {
                        Opening::Open { until } => until,
                        Opening::Closed { opens_at } => opens_at,
                    };
                    for later in minute + 1..minute + 200 {
                        let at = Timestamp(later * 60_000);
                        let expected = open != change.is_some_and(|change| change <= at);
                        if change.is_some_and(|change| at > change) { break; }
                        prop_assert_eq!(windows.is_open(at), expected, "{} from {} at {}", schedule, now, at);
                    }
                }
            }
        }
    }

    #[test]
    fn no_text_upsets_the_parser(text in r"[0-9*/,\-@LW#?a-z ]{0,40}") {
        let spec = WindowSpec { allow: true, schedule: &text, duration: HOUR, timezone: chrono_tz::UTC };
        if let Ok(windows) = Windows::parse(&[spec]) {
            let _ = windows.at(Timestamp(1_770_000_000_000));
        }
    }
}

#[test]
fn a_word_alone_is_a_name_for_a_schedule_or_too_few_fields() {
    assert!(super::cron::parse("@daily").is_ok());
    let alone = super::cron::parse("daily");
    assert!(matches!(alone, Err(ScheduleError::Fields { found: 1 })), "{alone:?}");
}
