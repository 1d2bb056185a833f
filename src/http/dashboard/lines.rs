//! A unified difference, as the rows of a page.

use super::highlight::{Language, highlight};
use crate::http::wire::FindingBody;

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A line that both have.
    Same,
    /// Lines that differ.
    Differs,
    /// Where in the files the next lines are, and other words about them.
    Note,
}

/// One side of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Side {
    /// The line's number, from 1.
    pub(super) number: u32,
    /// The line as HTML.
    pub(super) html: String,
}

/// A row: what was there, what is there now, and what is to be said of that.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) kind: Kind,
    pub(super) old: Option<Side>,
    pub(super) new: Option<Side>,
    /// The words of a note.
    pub(super) note: String,
    pub(super) findings: Vec<FindingBody>,
}

impl Row {
    fn note(text: &str) -> Self {
        Self { kind: Kind::Note, old: None, new: None, note: text.to_owned(), findings: Vec::new() }
    }

    /// The class of the style sheet.
    pub(super) const fn class(&self) -> &'static str {
        match (self.kind, self.old.is_some(), self.new.is_some()) {
            (Kind::Note, ..) => "note",
            (Kind::Same, ..) => "same",
            (Kind::Differs, true, true) => "both",
            (Kind::Differs, true, false) => "gone",
            (Kind::Differs, false, _) => "new",
        }
    }
}

/// Reads a unified difference without file names. Side by side, a line that is gone stands beside
/// the one that came in its place; else each has a row of its own.
pub(super) fn rows(text: &str, language: Language, side_by_side: bool) -> Vec<Row> {
    let mut rows = Vec::new();
    let (mut old_number, mut new_number) = (0, 0);
    let (mut gone, mut new) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let side = |number: u32, text: &str| Side { number, html: highlight(text, language) };
        match line.split_at_checked(1) {
            Some(("-", text)) => {
                gone.push(side(old_number, text));
                old_number += 1;
            }
            Some(("+", text)) => {
                new.push(side(new_number, text));
                new_number += 1;
            }
            Some((" ", text)) => {
                differing(&mut rows, &mut gone, &mut new, side_by_side);
                let (old, new) = (side(old_number, text), side(new_number, text));
                (old_number, new_number) = (old_number + 1, new_number + 1);
                let (kind, note) = (Kind::Same, String::new());
                rows.push(Row { kind, old: Some(old), new: Some(new), note, findings: Vec::new() });
            }
            _ => {
                differing(&mut rows, &mut gone, &mut new, side_by_side);
                if let Some((old, new)) = places(line) {
                    (old_number, new_number) = (old, new);
                }
                rows.push(Row::note(line));
            }
        }
    }
    differing(&mut rows, &mut gone, &mut new, side_by_side);
    rows
}

/// A whole text, each line the same on both sides.
pub(super) fn written(text: &str, language: Language) -> Vec<Row> {
    let row = |(number, line): (u32, &str)| Row {
        kind: Kind::Same,
        old: None,
        new: Some(Side { number, html: highlight(line, language) }),
        note: String::new(),
        findings: Vec::new(),
    };
    (1..).zip(text.lines()).map(row).collect()
}

/// Ends a run of lines that differ.
fn differing(rows: &mut Vec<Row>, gone: &mut Vec<Side>, new: &mut Vec<Side>, side_by_side: bool) {
    let row =
        |old, new| Row { kind: Kind::Differs, old, new, note: String::new(), findings: Vec::new() };
    let (mut gone, mut new) = (std::mem::take(gone).into_iter(), std::mem::take(new).into_iter());
    if !side_by_side {
        rows.extend(gone.map(|side| row(Some(side), None)));
        rows.extend(new.map(|side| row(None, Some(side))));
        return;
    }
    loop {
        match (gone.next(), new.next()) {
            (None, None) => return,
            (old, new) => rows.push(row(old, new)),
        }
    }
}

/// Where `@@ -3,4 +5,6 @@` begins on both sides.
fn places(line: &str) -> Option<(u32, u32)> {
    let (old, rest) = line.strip_prefix("@@ -")?.split_once(" +")?;
    let (new, _) = rest.split_once(" @@")?;
    let first = |range: &str| range.split(',').next().and_then(|n| n.parse().ok());
    Some((first(old)?, first(new)?))
}

/// Puts findings beside the lines that they are about; gives back those that have no line here.
pub(super) fn place(rows: &mut [Row], findings: Vec<FindingBody>) -> Vec<FindingBody> {
    let mut left = Vec::new();
    for finding in findings {
        let is_its =
            |row: &&mut Row| row.new.as_ref().is_some_and(|side| Some(side.number) == finding.line);
        match rows.iter_mut().find(is_its) {
            Some(row) => row.findings.push(finding),
            None => left.push(finding),
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "@@ -3,4 +3,5 @@\n same\n-one\n-two\n+eins\n last\n… and 3 more lines\n";

    fn told(rows: &[Row]) -> Vec<String> {
        let side = |side: &Option<Side>| {
            side.as_ref().map_or("-".to_owned(), |s| format!("{} {}", s.number, s.html))
        };
        rows.iter()
            .map(|row| match row.kind {
                Kind::Note => row.note.clone(),
                _ => format!("{} | {} ({})", side(&row.old), side(&row.new), row.class()),
            })
            .collect()
    }

    #[test]
    fn lines_have_their_numbers_on_both_sides() {
        assert_eq!(
            told(&rows(TEXT, Language::None, false)),
            [
                "@@ -3,4 +3,5 @@",
                "3 same | 3 same (same)",
                "4 one | - (gone)",
                "5 two | - (gone)",
                "- | 4 eins (new)",
                "6 last | 5 last (same)",
                "… and 3 more lines"
            ]
        );
        assert_eq!(
            told(&rows(TEXT, Language::None, true))[2..4],
            ["4 one | 4 eins (both)", "5 two | - (gone)"]
        );
    }

    #[test]
    fn a_finding_stands_at_its_line_or_is_given_back() {
        let finding = |line| FindingBody {
            severity: "error".to_owned(),
            rule: "x".to_owned(),
            file: None,
            line,
            column: None,
            message: String::new(),
            hint: None,
        };
        let mut rows = rows(TEXT, Language::None, true);
        let left = place(&mut rows, vec![finding(Some(4)), finding(Some(99)), finding(None)]);
        assert_eq!(left.len(), 2);
        assert_eq!(rows[2].findings.len(), 1);
    }
}
