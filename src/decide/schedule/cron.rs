//! Schedules as text. The cron crate's own syntax is taken as it is; the five fields of Unix cron
//! are translated, because the crate counts weekdays from Sunday = 1 and joins its day fields by
//! "and".

use std::collections::BTreeSet;
use std::str::FromStr as _;

use cron::Schedule;

use super::ScheduleError;

/// Characters of a schedule.
const CHARS_MAX: usize = 512;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// Reads a schedule; its times are those of any of the schedules given back.
pub(super) fn parse(text: &str) -> Result<Vec<Schedule>, ScheduleError> {
    if text.chars().count() > CHARS_MAX {
        return Err(ScheduleError::Long { max: CHARS_MAX });
    }
    let fields: Vec<&str> = text.split_whitespace().collect();
    let expressions = match *fields.as_slice() {
        [minute, hour, day, month, weekday] => translate([minute, hour, day, month, weekday])?,
        [word] if word.starts_with('@') => vec![word.to_owned()],
        [_, _, _, _, _, _] | [_, _, _, _, _, _, _] => vec![fields.join(" ")],
        _ => return Err(ScheduleError::Fields { found: fields.len() }),
    };
    let schedule = |expression: &String| {
        Schedule::from_str(expression).map_err(|error| ScheduleError::Expression {
            schedule: text.to_owned(),
            // the crate draws where it is wrong on lines of its own; the last one says what is
            why: error.to_string().lines().last().unwrap_or_default().trim_matches('^').to_owned(),
        })
    };
    let schedules: Vec<Schedule> = expressions.iter().map(schedule).collect::<Result<_, _>>()?;
    if schedules
        .iter()
        .all(|schedule| schedule.after(&chrono::DateTime::UNIX_EPOCH).next().is_none())
    {
        return Err(ScheduleError::Never { schedule: text.to_owned() });
    }
    Ok(schedules)
}

/// One field of Unix cron.
struct Field {
    name: &'static str,
    min: u32,
    max: u32,
    names: &'static [&'static str],
    /// What the first of `names` stands for.
    first: u32,
}

/// The crate's expressions for the five fields: one, or two where both day fields say something,
/// which Unix joins by "or" (crontab(5)).
fn translate(fields: [&str; 5]) -> Result<Vec<String>, ScheduleError> {
    let [minute, hour, day, month, weekday] = fields;
    let minutes = Field { name: "minute", min: 0, max: 59, names: &[], first: 0 }.expand(minute)?;
    let hours = Field { name: "hour", min: 0, max: 23, names: &[], first: 0 }.expand(hour)?;
    let days =
        Field { name: "day of the month", min: 1, max: 31, names: &[], first: 1 }.expand(day)?;
    let months =
        Field { name: "month", min: 1, max: 12, names: &MONTHS, first: 1 }.expand(month)?;
    let weekdays = Field { name: "weekday", min: 0, max: 7, names: &WEEKDAYS, first: 0 };
    // Unix has Sunday as 0 and 7, the crate as 1
    let weekdays: BTreeSet<u32> = weekdays.expand(weekday)?.iter().map(|n| n % 7 + 1).collect();
    let time = |days: &str, weekdays: &str| {
        format!("0 {} {} {days} {} {weekdays}", list(&minutes), list(&hours), list(&months))
    };
    let (days, weekdays) = (list(&days), list(&weekdays));
    if day.starts_with('*') || weekday.starts_with('*') {
        return Ok(vec![time(&days, if weekday == "*" { "*" } else { &weekdays })]);
    }
    Ok(vec![time(&days, "*"), time("*", &weekdays)])
}

fn list(numbers: &BTreeSet<u32>) -> String {
    numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}

impl Field {
    /// `*`, `5`, `1-5`, `mon-fri`, `*/15`, `10-40/5`, and lists of these with commas.
    fn expand(&self, text: &str) -> Result<BTreeSet<u32>, ScheduleError> {
        let mut numbers = BTreeSet::new();
        for part in text.split(',') {
            let (range, step) = match part.split_once('/') {
                Some((range, step)) => (range, Some(self.step(part, step)?)),
                None => (part, None),
            };
            let (first, last) = match range.split_once('-') {
                _ if range == "*" => (self.min, self.max),
                Some((first, last)) => (self.number(first)?, self.number(last)?),
                None if step.is_some() => {
                    return Err(
                        self.wrong(part, "has a step, which needs `*` or a range before it")
                    );
                }
                None => (self.number(range)?, self.number(range)?),
            };
            if first > last {
                return Err(self.wrong(part, "goes backwards; write two ranges with a comma"));
            }
            numbers.extend((first..=last).step_by(step.unwrap_or(1)));
        }
        Ok(numbers)
    }

    fn step(&self, part: &str, text: &str) -> Result<usize, ScheduleError> {
        let step = plain_number(text).filter(|step| (1..=self.max).contains(step));
        step.and_then(|step| usize::try_from(step).ok()).ok_or_else(|| {
            self.wrong(part, &format!("has a step that is no number from 1 to {}", self.max))
        })
    }

    fn number(&self, text: &str) -> Result<u32, ScheduleError> {
        if let Some(at) = self.names.iter().position(|name| name.eq_ignore_ascii_case(text)) {
            return Ok(self.first + u32::try_from(at).unwrap_or_default());
        }
        plain_number(text).filter(|number| (self.min..=self.max).contains(number)).ok_or_else(
            || {
                let names = match (self.names.first(), self.names.last()) {
                    (Some(first), Some(last)) => format!(", or {first} to {last}"),
                    _ => String::new(),
                };
                self.wrong(
                    text,
                    &format!("is not a number from {} to {}{names}", self.min, self.max),
                )
            },
        )
    }

    fn wrong(&self, text: &str, wrong: &str) -> ScheduleError {
        ScheduleError::Field { field: self.name, text: text.to_owned(), wrong: wrong.to_owned() }
    }
}

fn plain_number(text: &str) -> Option<u32> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}
