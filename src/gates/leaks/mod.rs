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
use std::str::Lines;

use super::AtHand;
use crate::config::{LeakPolicy, Preset};
use crate::model::{Finding, Severity};

/// Findings about one file; more say nothing new.
const FINDINGS_MAX: usize = 20;
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
    let lines: HashSet<u32> = leaks.iter().map(|known| known.line).collect();
    // A value of a known shape is told as that.
    let values = values::find(file, text).into_iter();
    leaks.extend(values.filter(|leak| !lines.contains(&leak.line)));
    leaks.sort_by_key(|leak| (leak.line, leak.column));
    let allowed: Vec<Option<&str>> = file
        .rules
        .leak_files
        .iter()
        .zip(&validation.leak_allow)
        .filter(|(files, _)| files.mean_file(file.path.as_str()))
        .map(|(_, allow)| allow.rule.as_deref())
        .collect();
    let is_allowed =
        |leak: &Leak| allowed.iter().any(|allowed| allowed.is_none_or(|rule| rule == leak.rule));
    let mut here = AllowedHere { lines: text.lines(), number: 0, is_allowed: false };
    let told = leaks.iter().filter(|leak| !is_allowed(leak) && !here.says(leak.line));
    told.take(FINDINGS_MAX).map(|leak| finding(leak, severity)).collect()
}

/// Which lines say that what is in them is no leak, and why. They are walked through once.
struct AllowedHere<'t> {
    lines: Lines<'t>,
    /// The line that was looked at last, from 1, and what it says.
    number: u32,
    is_allowed: bool,
}

impl AllowedHere<'_> {
    /// Whether a line says so; asked in the order of the lines.
    fn says(&mut self, number: u32) -> bool {
        if let Some(ahead) = number.checked_sub(self.number).filter(|ahead| *ahead > 0) {
            let line = self.lines.nth(ahead as usize - 1).unwrap_or_default();
            let reason = line.split_once(ALLOWED_HERE).map(|(_, reason)| reason);
            self.is_allowed = reason.is_some_and(|reason| reason.chars().any(char::is_alphabetic));
            self.number = number;
        }
        self.is_allowed
    }
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
