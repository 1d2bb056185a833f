//! What a single value may look like: text in, value or one sentence of complaint out.

use std::time::Duration;

use chrono_tz::Tz;

use super::settings::{MaxDeletions, Owner};
use super::table::nearest;
use crate::document::{Node, Style, Value};

/// The longest duration that is taken: ten years, far inside what time arithmetic can hold.
const DURATION_MAX: Duration = Duration::from_hours(24 * 3650);

/// Texts and items in one list.
const ITEMS_MAX: usize = 1000;

/// A value, or what is wrong with it (without the name of the key).
pub(super) type Read<T> = Result<T, String>;

/// A value as a message shows it: in quotes, cut, never with a line break.
pub(super) fn shown(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    let cut: String = text.chars().take(CHARS_MAX).collect();
    let dots = if cut.len() < text.len() { "…" } else { "" };
    format!("{:?}", format!("{cut}{dots}"))
}

/// Any single value, as it is written.
pub(super) fn text(node: &Node) -> Read<String> {
    match &node.value {
        Value::Scalar(scalar) if scalar.text.contains('\0') => {
            Err("a NUL byte cannot be part of it".to_owned())
        }
        Value::Scalar(scalar) => Ok(scalar.text.to_string()),
        _ => Err(format!("a single value is expected, not {}", node.kind())),
    }
}

/// `true` or `false`.
pub(super) fn boolean(node: &Node) -> Read<bool> {
    let written = text(node)?;
    let plain = matches!(&node.value, Value::Scalar(s) if s.style == Style::Plain);
    match written.as_str() {
        "true" if plain => Ok(true),
        "false" if plain => Ok(false),
        "true" | "false" => Err(format!("{written} is a text in quotes; leave the quotes out")),
        _ => Err(format!("{} is not true or false", shown(&written))),
    }
}

/// A whole number from `min` to `max`.
pub(super) fn count(node: &Node, min: u64, max: u64) -> Read<u64> {
    let written = text(node)?;
    let number = digits(&written)
        .ok_or_else(|| format!("{} is not a whole number such as 10", shown(&written)))?;
    match number {
        _ if number < min => Err(format!("{number} is less than {min}")),
        _ if number > max => Err(format!("{number} is more than {max}")),
        _ => Ok(number),
    }
}

fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// `500ms`, `30s`, `5m`, `24h` or `7d`.
pub(super) fn duration(node: &Node, min: Duration) -> Read<Duration> {
    let written = text(node)?;
    let value = parse_duration(&written).ok_or_else(|| {
        format!("{} is not a duration; write 500ms, 30s, 5m, 24h or 7d", shown(&written))
    })?;
    if value < min {
        return Err(format!("{written} is too short; at least {}", show_duration(min)));
    }
    if value > DURATION_MAX {
        return Err(format!("{written} is too long; at most {}", show_duration(DURATION_MAX)));
    }
    Ok(value)
}

/// A duration, or `off`, which is none.
pub(super) fn pause(node: &Node, min: Duration) -> Read<Option<Duration>> {
    match text(node)?.as_str() {
        // YAML 1.1 would have made it a `false`.
        "off" | "false" => Ok(None),
        _ => duration(node, min).map(Some).map_err(|why| format!("{why}; or off")),
    }
}

/// Reads `500ms`, `30s`, `5m`, `24h` or `7d`.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    digits(number)
        .filter(|_| !number.is_empty())?
        .checked_mul(milliseconds)
        .map(Duration::from_millis)
}

/// A duration as the settings file has it, in the greatest unit that is exact: `90s`, `5m`, `7d`.
#[must_use]
pub fn show_duration(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)] {
        if milliseconds >= size && milliseconds.is_multiple_of(size) {
            return format!("{}{unit}", milliseconds / size);
        }
    }
    format!("{milliseconds}ms")
}

/// Bytes, at least `min`: `4096`, `20 KiB`, `16MiB`, `1 GiB`.
pub(super) fn bytes(node: &Node, min: u64) -> Read<u64> {
    const TIB: u64 = 1 << 40;
    let written = text(node)?;
    let end = written.find(|c: char| !c.is_ascii_digit()).unwrap_or(written.len());
    let (number, unit) = written.split_at(end);
    let size: Option<u64> = match unit.trim_start() {
        "" | "B" => Some(1),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        _ => None,
    };
    let value = size.zip(digits(number).filter(|_| !number.is_empty()));
    match value.and_then(|(size, number)| number.checked_mul(size)) {
        Some(bytes) if bytes < min => Err(format!("{} is less than {min} bytes", shown(&written))),
        Some(bytes) if bytes <= TIB => Ok(bytes),
        Some(_) => Err(format!("{} is more than 1024 GiB", shown(&written))),
        None => Err(format!(
            "{} is not a size; write a number of bytes, or 20 KiB, 16 MiB, 1 GiB",
            shown(&written)
        )),
    }
}

/// `0%` to `100%`, as a part of 1.
pub(super) fn percent(node: &Node) -> Read<f64> {
    let written = text(node)?;
    percentage(&written)
        .ok_or_else(|| format!("{} is not a percentage from 0% to 100%", shown(&written)))
}

fn percentage(text: &str) -> Option<f64> {
    let number: f64 = match text.strip_suffix('%') {
        Some(number) if number.bytes().all(|b| b.is_ascii_digit() || b == b'.') => {
            number.parse().ok()?
        }
        _ => return (text == "0").then_some(0.0),
    };
    (0.0..=100.0).contains(&number).then_some(number / 100.0)
}

/// `50%`, or a number of files.
pub(super) fn deletions(node: &Node) -> Read<MaxDeletions> {
    let written = text(node)?;
    let part = percentage(&written).filter(|_| written.ends_with('%')).map(MaxDeletions::Part);
    part.or_else(|| digits(&written).map(MaxDeletions::Files)).ok_or_else(|| {
        format!("{} is neither a percentage such as 50% nor a number of files", shown(&written))
    })
}

/// One of `words`; gives its place among them.
pub(super) fn word(node: &Node, words: &[&'static str]) -> Read<&'static str> {
    let written = text(node)?;
    if let Some(word) = words.iter().find(|word| **word == written) {
        return Ok(word);
    }
    let meant = nearest(&written, words.iter().copied());
    let meant = meant.map(|word| format!("; did you mean {word}?")).unwrap_or_default();
    Err(format!("{} is not one of {}{meant}", shown(&written), words.join(", ")))
}

/// Permission bits in octal, at most 0777.
pub(super) fn mode(node: &Node) -> Read<u32> {
    let written = text(node)?;
    let octal = written.strip_prefix("0o").unwrap_or(&written);
    let plain = (3..=4).contains(&octal.len()) && octal.bytes().all(|b| b.is_ascii_digit());
    u32::from_str_radix(octal, 8).ok().filter(|mode| plain && *mode <= 0o777).ok_or_else(|| {
        format!(
            "{} is not a mode; write octal digits in quotes, \"0600\" up to \"0777\"",
            shown(&written)
        )
    })
}

/// A time zone by its IANA name.
pub(super) fn timezone(node: &Node) -> Read<Tz> {
    let written = text(node)?;
    written.parse().map_err(|_| {
        let meant = nearest(&written, chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()));
        let meant = meant.map(|zone| format!("; did you mean {zone}?")).unwrap_or_default();
        format!("{} is not a time zone such as Europe/Berlin{meant}", shown(&written))
    })
}

/// The items of a list.
pub(super) fn list(node: &Node) -> Read<&[Node]> {
    match &node.value {
        Value::Sequence(items) if items.len() <= ITEMS_MAX => Ok(items),
        Value::Sequence(items) => Err(format!("{} items are more than {ITEMS_MAX}", items.len())),
        _ => Err(format!("a list is expected, not {}", node.kind())),
    }
}

/// A list of texts.
pub(super) fn texts(node: &Node) -> Read<Vec<String>> {
    list(node)?.iter().map(text).collect()
}

/// A mapping of texts to texts.
pub(super) fn labels(node: &Node) -> Read<Vec<(String, String)>> {
    match &node.value {
        Value::Mapping(pairs) if pairs.len() <= ITEMS_MAX => {
            pairs.iter().map(|(key, value)| Ok((text(key)?, text(value)?))).collect()
        }
        Value::Mapping(pairs) => Err(format!("{} labels are more than {ITEMS_MAX}", pairs.len())),
        _ => Err(format!("a mapping such as {{ring: canary}} is expected, not {}", node.kind())),
    }
}

/// `user:group`, `user` or `:group`; names are looked up with `user_id` and `group_id`.
pub(super) fn owner(
    written: &str,
    user_id: impl Fn(&str) -> Read<u32>,
    group_id: impl Fn(&str) -> Read<u32>,
) -> Read<Owner> {
    let (user, group) = written.split_once(':').unwrap_or((written, ""));
    let id = |name: &str, find: &dyn Fn(&str) -> Read<u32>| match digits(name) {
        _ if name.is_empty() => Ok(None),
        // the greatest number means "unchanged" to chown(2)
        Some(number) => match u32::try_from(number) {
            Ok(number) if number != u32::MAX => Ok(Some(number)),
            _ => Err(format!("{number} is not an id")),
        },
        None => find(name).map(Some),
    };
    if user.is_empty() && group.is_empty() {
        return Err(format!("{} is not user:group", shown(written)));
    }
    Ok(Owner { uid: id(user, &user_id)?, gid: id(group, &group_id)? })
}

#[cfg(test)]
mod tests;
