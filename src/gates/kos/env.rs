//! `system.env` and `secrets.env`: one `NAME=value` a line. No value is ever shown.

use std::collections::HashMap;

use super::needs::variables_in;
use crate::document;
use crate::gates::AtHand;
use crate::gates::references::{Facts, Need, Use};
use crate::model::Finding;

/// Findings about one file.
const FINDINGS_MAX: usize = 1_000;

/// One line that is neither empty nor a comment.
enum Line<'t> {
    Variable { name: &'t str, value: &'t str },
    Wrong(&'static str, &'static str),
}

fn read(line: &str) -> Option<Line<'_>> {
    let text = line.trim();
    if text.is_empty() || text.starts_with('#') {
        return None;
    }
    let text = text.strip_prefix("export ").map_or(text, str::trim_start);
    let Some((name, value)) = text.split_once('=') else {
        let hint = match text.contains(':') {
            true => "write `NAME=value`: this is not YAML",
            false => "write `NAME=value`; a comment starts with `#`",
        };
        return Some(Line::Wrong("there is no `=` in this line", hint));
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.ends_with(' ') || value.starts_with(' ') {
        let hint = "write `NAME=value`: what reads it may take the space for a part of it";
        return Some(Line::Wrong("there is a space beside `=`", hint));
    }
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(plain)
    {
        let hint = "a name has letters, digits and `_`, and does not start with a digit";
        return Some(Line::Wrong("this is not the name of a variable", hint));
    }
    if let Some(quote @ ('"' | '\'')) = value.chars().next()
        && (value.len() < 2 || !value.ends_with(quote))
    {
        return Some(Line::Wrong(
            "a quote is not closed on this line",
            "close it, or leave it out",
        ));
    }
    Some(Line::Variable { name, value })
}

pub(super) fn check(file: &AtHand<'_>) -> Vec<Finding> {
    if let Err(mut finding) = document::utf8(file.bytes, "kos.env") {
        // Not which byte it is: that may be part of a value.
        "the file is not UTF-8".clone_into(&mut finding.message);
        return vec![*finding];
    }
    let mut found = Vec::new();
    let mut seen: HashMap<&str, u32> = HashMap::new();
    for (number, line) in file.lines() {
        if found.len() >= FINDINGS_MAX {
            break;
        }
        match read(line) {
            Some(Line::Wrong(what, hint)) => {
                let column = line.chars().take_while(|c| c.is_whitespace()).count() + 1;
                let column = u32::try_from(column).unwrap_or(u32::MAX);
                found.push(Finding::error("kos.env", what).at(number, column).hint(hint));
            }
            Some(Line::Variable { name, .. }) => {
                if let Some(first) = seen.insert(name, number) {
                    let text = format!("{name} is defined twice: at line {first}, and again here");
                    let hint = "keep one of the two: which one counts depends on what reads it";
                    found.push(Finding::error("kos.env", text).at(number, 1).hint(hint));
                }
            }
            None => {}
        }
    }
    found.extend(nearly_the_same(&seen));
    found
}

/// Names that differ by case alone, where one of them is hardly meant.
fn nearly_the_same(seen: &HashMap<&str, u32>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, line) in seen {
        let upper = name.to_uppercase();
        if upper != **name && seen.contains_key(upper.as_str()) {
            let text = format!("{name} and {upper} are two variables");
            let hint = format!("did you mean `{upper}`?");
            found.push(Finding::warning("kos.env", text).at(*line, 1).hint(hint));
        }
    }
    found
}

/// The variables that it defines, and those that its values use. SOPS adds keys of its own.
pub(super) fn facts(file: &AtHand<'_>) -> Facts {
    let mut facts = Facts::default();
    for (number, line) in file.lines() {
        let Some(Line::Variable { name, value }) = read(line) else { continue };
        if name.starts_with("sops_") {
            continue;
        }
        facts.variables.push(name.to_owned());
        if value.starts_with('\'') {
            // A shell expands nothing there.
            continue;
        }
        for used in variables_in(value) {
            let need = Need::Variable(used.to_owned());
            facts.uses.push(Use { need, key: name.to_owned(), line: number, column: 1 });
        }
    }
    facts
}
