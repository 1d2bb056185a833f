//! `leak`: credentials that stand in a repository for everybody to read.
//!
//! Known shapes of tokens and keys anywhere in a text, and values under suspicious keys that look as
//! if a machine had made them up. Looks at the repository's own bytes. A finding never holds the
//! value, nor anything that is made from it. It is meant to miss little of what is known, and not to
//! guess: a password that is a word is not found.

mod shapes;
#[cfg(test)]
mod tests;
mod values;

use std::collections::HashSet;

use super::AtHand;
use crate::config::{LeakPolicy, Preset};
use crate::model::{Finding, Severity};

/// Findings about one file.
const FINDINGS_MAX: usize = 1_000;
/// In a line: what stands in it was looked at by somebody, who says why behind it.
const ALLOWED_HERE: &str = "kconfigd:allow-leak";

/// Something in a file that should be secret: the rule without its family, what it is, and where.
struct Leak {
    rule: &'static str,
    what: &'static str,
    line: u32,
    column: u32,
}

/// Looks for credentials in one file.
pub(super) fn check(file: &AtHand<'_>) -> Vec<Finding> {
    let validation = &file.rules.validation;
    let severity = match (validation.leaks, validation.preset) {
        (LeakPolicy::Off, _) => return Vec::new(),
        (LeakPolicy::Unsaid, Preset::None) | (LeakPolicy::Warn, _) => Severity::Warning,
        (LeakPolicy::Unsaid, Preset::Kos) | (LeakPolicy::Refuse, _) => Severity::Error,
    };
    let Ok(text) = std::str::from_utf8(file.bytes) else { return Vec::new() };
    let mut leaks = shapes::find(text);
    let of_shapes: HashSet<u32> = leaks.iter().map(|leak| leak.line).collect();
    // A value of a known shape is told as that.
    leaks.extend(values::find(file, text).into_iter().filter(|l| !of_shapes.contains(&l.line)));
    if leaks.is_empty() {
        return Vec::new();
    }
    leaks.sort_by_key(|leak| (leak.line, leak.column));
    let allowed = allowed_lines(text);
    let is_allowed = |leak: &Leak| {
        allowed.contains(&leak.line)
            || file.rules.leak_files.iter().zip(&validation.leak_allow).any(|(files, allow)| {
                allow.rule.as_deref().is_none_or(|rule| rule == leak.rule)
                    && files.mean_file(file.path.as_str())
            })
    };
    let told = leaks.iter().filter(|leak| !is_allowed(leak)).take(FINDINGS_MAX);
    told.map(|leak| finding(leak, severity)).collect()
}

/// The lines in which somebody says that it is none, and why.
fn allowed_lines(text: &str) -> HashSet<u32> {
    let says_why = |line: &str| {
        let reason = line.split_once(ALLOWED_HERE).map(|(_, reason)| reason);
        reason.is_some_and(|reason| reason.chars().any(char::is_alphabetic))
    };
    let lines = (1..).zip(text.lines()).filter(|(_, line)| says_why(line));
    lines.map(|(number, _)| number).collect()
}

fn finding(leak: &Leak, severity: Severity) -> Finding {
    let text = format!("{} stands here for everybody to read", leak.what);
    let hint = format!(
        "revoke it, since it stays in the history, and keep the new one on the machine or encrypted; \
         if it is none: validation.leak_allow, or `# {ALLOWED_HERE} REASON` in its line"
    );
    let finding = Finding::error(&format!("leak.{}", leak.rule), text);
    Finding { severity, ..finding.at(leak.line, leak.column).hint(hint) }
}
