//! `api.rate_limit`: how much one caller may ask within a time.

use std::time::Duration;

use super::reader::Reader;
use super::values::{self, Read, shown};
use crate::decide::rate::Rate;

/// How much one caller may ask within a time; an address [`ADDRESS_SHARE`] times as much. `None`: as
/// much as they like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// What is answered out of memory and the journal.
    pub reads: Option<Rate>,
    /// What reads trees: diffs, profiles, trials of documents.
    pub looks: Option<Rate>,
    /// Orders, and profiles that are written.
    pub writes: Option<Rate>,
    /// Push webhooks, for each address.
    pub hooks: Option<Rate>,
}

/// Callers whose share one address has: a proxy, or a network behind one address.
pub const ADDRESS_SHARE: u32 = 10;

/// The most that a limit counts to.
const COUNT_MAX: u32 = 1_000_000;

pub(super) fn read(reader: &mut Reader<'_>) -> Rates {
    let mut rate =
        |key| reader.optional(key, |node| rate(&values::text(node)?)).unwrap_or_default();
    Rates {
        reads: rate("api.rate_limit.reads"),
        looks: rate("api.rate_limit.looks"),
        writes: rate("api.rate_limit.writes"),
        hooks: rate("api.rate_limit.hooks"),
    }
}

/// `100/s`, `600/m`, `1000/h` or `off`.
fn rate(text: &str) -> Read<Option<Rate>> {
    if text == "off" {
        return Ok(None);
    }
    let wrong = || format!("{} is no rate such as 100/s, 600/m or 1000/h, nor `off`", shown(text));
    let (count, unit) = text.split_once('/').ok_or_else(wrong)?;
    let within = match unit {
        "s" => Duration::from_secs(1),
        "m" => Duration::from_mins(1),
        "h" => Duration::from_hours(1),
        _ => return Err(wrong()),
    };
    let count = count.parse().ok().filter(|count| (1..=COUNT_MAX).contains(count));
    Ok(Some(Rate { count: count.ok_or_else(wrong)?, within }))
}
