use granit_parser::{ErrorKind, ScanError};

use super::{Format, number, too_deep};
use crate::model::Finding;

/// The first character that YAML does not allow in a file (1.2.2, 5.1), as a finding. Parsers may
/// take NUL for the end, and so not see what follows.
pub(super) fn forbidden_character(text: &str) -> Option<Finding> {
    let suspicious = |b: u8| (b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r')) || b == 0x7f;
    let c1_or_noncharacter =
        |w: &[u8]| matches!(w, [0xc2, 0x80..=0x84 | 0x86..=0x9f, _] | [0xef, 0xbf, 0xbe | 0xbf]);
    let bytes = text.as_bytes();
    let at = bytes.iter().position(|b| suspicious(*b)).or_else(|| {
        if text.is_ascii() { None } else { bytes.windows(3).position(c1_or_noncharacter) }
    })?;
    let character = text.get(at..)?.chars().next()?;
    let (line, column) = super::place_of_end(text.get(..at)?);
    Some(
        Finding::error(
            "yaml.syntax",
            format!("the file holds the control character U+{:04X}", u32::from(character)),
        )
        .at(line, column)
        .hint("remove it, or write it as an escape in double quotes, such as `\"\\x00\"`"),
    )
}

/// What the parser could not read, in words for who wrote it, and what to do.
pub(super) fn syntax(error: &ScanError, text: &str, depth_max: u64) -> Finding {
    let marker = error.marker();
    let place =
        Place { line: number(marker.line().max(1)), column: number(marker.col() + 1), text };
    if *error.kind() == ErrorKind::RecursionLimitExceeded {
        return too_deep(Format::Yaml, depth_max).at(place.line, place.column);
    }
    let (place, message, hint) = place.left_behind().unwrap_or_else(|| place.explain(error.kind()));
    Finding::error("yaml.syntax", message).at(place.line, place.column).hint(hint)
}

#[derive(Clone, Copy)]
struct Place<'a> {
    line: u32,
    column: u32,
    text: &'a str,
}

type Explained<'a> = (Place<'a>, String, String);

impl<'a> Place<'a> {
    fn explain(self, kind: &ErrorKind) -> Explained<'a> {
        use ErrorKind as K;
        if let Some(explained) = self.tab(kind) {
            return explained;
        }
        let (message, hint) = match kind {
            K::UnclosedQuotedScalar | K::DocumentIndicatorInQuotedScalar => {
                return self.unclosed_quote();
            }
            K::InvalidQuotedScalarIndent | K::InvalidFlowScalarIndent => (
                "a text in quotes goes on at a line that is indented too little",
                "is the closing quote missing? Otherwise indent the line deeper than its key",
            ),
            K::InvalidTrailingSingleQuotedScalar | K::InvalidTrailingDoubleQuotedScalar
                if open_bracket(&self.before()).is_some() =>
            {
                ("`,` is missing between two parts", "separate the parts by commas")
            }
            K::InvalidTrailingSingleQuotedScalar | K::InvalidTrailingDoubleQuotedScalar => (
                "there is more text behind the closing quote",
                "put the whole value in quotes; a quote inside is written `''` in single quotes, \
                 `\\\"` in double quotes",
            ),
            K::UnknownQuotedScalarEscape => (
                "an unknown escape follows the backslash",
                "write `\\\\` for a backslash, or use single quotes, where it is a plain character",
            ),
            K::InvalidQuotedScalarHexEscape
            | K::InvalidLowSurrogateHexEscape
            | K::InvalidLowSurrogate
            | K::MissingLowSurrogate
            | K::UnpairedLowSurrogate
            | K::InvalidUnicodeEscape => (
                "an escape in double quotes names no character",
                "write `\\\\` for a backslash, or a complete escape such as `\\u00e9`",
            ),
            K::UnclosedFlowCollection { open } => return self.unclosed_bracket(*open),
            K::MismatchedFlowCollectionEnd { open, close } => {
                let message = format!("`{open}` is closed by `{close}`");
                return (self, message, "close each bracket with its own kind".to_owned());
            }
            K::MisplacedFlowCollectionEnd => (
                "this bracket closes nothing",
                "remove it, or put the value in quotes if it is text",
            ),
            K::ExpectedFlowSequenceSeparator
            | K::ExpectedFlowMappingSeparator
            | K::UnexpectedEofFlowSequence
            | K::UnexpectedEofFlowMapping
            | K::UnexpectedEofImplicitFlowMapping => (
                "`,` or the closing bracket is missing",
                "separate the parts by commas and close the bracket; put text with brackets in quotes",
            ),
            K::UnknownAnchor => (
                "this alias refers to an anchor that is not there",
                "name it with `&name` before; a text that starts with `*` needs quotes",
            ),
            K::UnexpectedCharacter { character: '%' } => {
                ("a value cannot start with `%`", "put it in quotes")
            }
            K::UnexpectedCharacter { character: '`' } => {
                ("a value cannot start with a backtick", "put the value in quotes")
            }
            K::UnexpectedCharacter { character } => {
                let message = format!("a value cannot start with `{character}`");
                return (self, message, "put the value in quotes".to_owned());
            }
            K::SimpleKeyExpected | K::InvalidSimpleKey => return self.missing_colon(),
            K::MappingValueNotAllowed | K::InvalidColonPlacement => return self.second_colon(),
            K::InvalidIndentation
            | K::ExpectedBlockMappingKey
            | K::MappingKeyNotAllowed
            | K::ExpectedBlockSequenceEntry
            | K::ExpectedDocumentStart
            | K::ExpectedNodeContent
            | K::InvalidBlockScalarIndent => return self.indentation(kind),
            K::BlockSequenceEntryNotAllowed | K::BlockEntryInFlowCollection => (
                "a list item (`- `) cannot start here",
                "start it on a line of its own, indented below its key; put a text that starts \
                 with `- ` in quotes",
            ),
            K::InvalidBlockScalarHeader | K::ZeroBlockScalarIndent | K::TabAtBlockScalarStart => (
                "text follows `|` or `>` on the same line",
                "start the text on the next line, indented deeper than its key; if `|` or `>` is \
                 the text, put it in quotes",
            ),
            K::CommentNotSeparated | K::CommentInterceptedScalar => (
                "a comment stands in the middle of a value",
                "put a space before `#`, move the comment to a line of its own before the key, or \
                 put the value in quotes if `#` belongs to it",
            ),
            K::UndeclaredTagHandle => (
                "this tag's prefix is not declared",
                "a tag of your own starts with one `!`; put text that starts with `!` in quotes",
            ),
            K::MissingAnchorOrAliasName => {
                ("`&` or `*` is not followed by a name", "put the value in quotes if it is text")
            }
            K::InvalidDocumentEnd => (
                "there is text behind `...`",
                "`...` ends a document: start the next one with `---`",
            ),
            K::MissingDocumentEndBeforeDirective => (
                "a line starts with `%` inside of a document",
                "put it in quotes; a directive needs `...` before it",
            ),
            K::UnsupportedYamlMajorVersion => {
                ("the file asks for another YAML version", "remove the `%YAML` line")
            }
            K::BomInsideDocument => (
                "there is a byte order mark in the middle of the file",
                "remove it: it comes from joining files",
            ),
            _ => return self.other(kind),
        };
        (self, message.to_owned(), hint.to_owned())
    }

    fn at(self, line: usize, column: usize) -> Self {
        Self { line: number(line), column: number(column), ..self }
    }

    /// The lines up to the one that the parser stopped at, last first, with their numbers.
    fn lines_back(self) -> impl Iterator<Item = (usize, &'a str)> {
        const LOOK_BACK: usize = 200;
        let last = usize::try_from(self.line).unwrap_or(usize::MAX);
        let first = last.saturating_sub(LOOK_BACK);
        let lines: Vec<_> = self.text.lines().enumerate().skip(first).take(last - first).collect();
        lines.into_iter().rev().map(|(n, line)| (n + 1, line))
    }

    fn this_line(self) -> &'a str {
        self.lines_back().next().map_or("", |(_, line)| line)
    }

    /// What stands before this place in its line.
    fn before(self) -> String {
        let column = usize::try_from(self.column).unwrap_or(usize::MAX);
        self.this_line().chars().take(column.saturating_sub(1)).collect()
    }

    /// The lines before this one that are neither empty nor a comment, last first.
    fn content_before(self) -> impl Iterator<Item = (usize, &'a str)> {
        self.lines_back()
            .skip(1)
            .filter(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
    }

    /// What tools leave in files, whatever the parser stumbled over: conflicts, templates.
    fn left_behind(self) -> Option<Explained<'a>> {
        let conflict = self.text.lines().position(|line| line.starts_with("<<<<<<< "));
        if let Some(line) = conflict {
            let message = "a conflict of a git merge is not resolved".to_owned();
            let hint = "decide between the two sides, and remove the marks of git";
            return Some((self.at(line + 1, 1), message, hint.to_owned()));
        }
        let line = self.this_line();
        let at = line.find("{{").or_else(|| line.find("{%"))?;
        let column = line.get(..at)?.chars().count() + 1;
        let message = "a template is not YAML before it is filled in".to_owned();
        let hint = "put the value in quotes, or commit the file as it is after rendering";
        let place = self.at(usize::try_from(self.line).unwrap_or(1), column);
        Some((place, message, hint.to_owned()))
    }

    /// A tab where spaces belong: what the parser says of it depends on what surrounds it.
    fn tab(self, kind: &ErrorKind) -> Option<Explained<'a>> {
        use ErrorKind as K;
        let said = matches!(
            kind,
            K::TabNotAllowed
                | K::TabInBlockIndentation
                | K::TabInIndentation
                | K::TabInPlainScalar
                | K::TabAtBlockScalarStart
        );
        let indentation = |line: &str| {
            let end = line.find(|c: char| !c.is_whitespace())?;
            line.get(..end)?.chars().position(|c| c == '\t')
        };
        let found = self.lines_back().take(2).find_map(|(n, line)| Some((n, indentation(line)?)));
        let place = match found {
            Some((line, column)) => self.at(line, column + 1),
            None if said => self,
            None => return None,
        };
        let hint = "indent with spaces: YAML allows no tabs there";
        Some((place, "a tab is used for indentation".to_owned(), hint.to_owned()))
    }

    fn unclosed_quote(self) -> Explained<'a> {
        let message = "a text in quotes is not closed".to_owned();
        (self, message, "add the closing quote, of the same kind as the opening one".to_owned())
    }

    fn unclosed_bracket(self, open: char) -> Explained<'a> {
        let close = if open == '[' { ']' } else { '}' };
        let hint = format!("add `{close}`; put the value in quotes if `{open}` belongs to a text");
        (self, format!("`{open}` is not closed"), hint)
    }

    /// The line is a text where a key is expected.
    fn missing_colon(self) -> Explained<'a> {
        let line = usize::try_from(self.line).unwrap_or(1);
        self.not_a_key(line, self.this_line()).unwrap_or_else(|| {
            let hint = "write `key: value`; a text of several lines needs quotes, `|` or `>`";
            (self, "`:` is missing behind a key".to_owned(), hint.to_owned())
        })
    }

    /// A line that was meant as a key and its value, and is read as a text.
    fn not_a_key(self, number: usize, line: &str) -> Option<Explained<'a>> {
        let content = line.trim_start();
        let column = line.chars().count() - content.chars().count() + 1;
        if content.starts_with(['-', '"', '\'', '[', '{', '|', '>']) || content.contains(": ") {
            return None;
        }
        match content.split_once(':') {
            Some((key, rest)) if !rest.is_empty() && !key.contains(' ') => {
                let place = self.at(number, column + key.chars().count());
                let message = "a space is missing behind the colon".to_owned();
                Some((place, message, "write `key: value`".to_owned()))
            }
            None => {
                let message = "`:` is missing behind a key".to_owned();
                let hint = "write `key: value`; a text of several lines needs quotes, `|` or `>`";
                Some((self.at(number, column), message, hint.to_owned()))
            }
            Some(_) => None,
        }
    }

    fn second_colon(self) -> Explained<'a> {
        if self.before().contains(": ") {
            let message = "a value holds `: `, which starts another key".to_owned();
            return (self, message, "put the value in quotes".to_owned());
        }
        self.indentation(&ErrorKind::MappingValueNotAllowed)
    }

    /// The line does not fit under the lines before it.
    fn indentation(self, kind: &ErrorKind) -> Explained<'a> {
        const BRACKETS_LOOK_BACK: usize = 20;
        let open = self.content_before().take(BRACKETS_LOOK_BACK).find_map(|(n, line)| {
            let (column, bracket) = open_bracket(line)?;
            Some((self.at(n, column), bracket))
        });
        if let Some((place, bracket)) = open {
            return place.unclosed_bracket(bracket);
        }
        let width = |line: &str| line.chars().take_while(|c| *c == ' ').count();
        let line = self.this_line();
        let here = width(line);
        let place = self.at(usize::try_from(self.line).unwrap_or(1), here + 1);
        if let Some((number, previous)) = self.content_before().next() {
            let there = width(previous);
            if here == there
                && let Some(explained) = self.not_a_key(number, previous)
            {
                return explained;
            }
            let has_value = !previous.trim_end().ends_with([':', '|', '>', '-']);
            if here > there && has_value && *kind != ErrorKind::ExpectedBlockSequenceEntry {
                let message = format!(
                    "the line is indented deeper than line {number}, which already has a value"
                );
                let hint =
                    format!("start it at the column of line {number}, or remove that line's value");
                return (place, message, hint);
            }
            let item = |line: &str| line.trim_start().starts_with("- ");
            if item(line) != item(previous) && here == there {
                let message = "list items (`- `) and keys are mixed at one indentation".to_owned();
                let hint = "indent what belongs to the item or key above deeper than it";
                return (place, message, hint.to_owned());
            }
        }
        let hint = "indent it exactly as the lines that it belongs with";
        (place, "the line's indentation fits none of the lines above".to_owned(), hint.to_owned())
    }

    fn other(self, kind: &ErrorKind) -> Explained<'a> {
        let hint = "check the lines just above; text with special characters needs quotes";
        (self, format!("this is not YAML: {kind}"), hint.to_owned())
    }
}

/// The column, from 1, and kind of the last bracket of a line that the line does not close.
fn open_bracket(line: &str) -> Option<(usize, char)> {
    let mut open = Vec::new();
    let mut quote = None;
    for (n, c) in line.chars().enumerate() {
        match (quote, c) {
            (Some(q), _) if q == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '#') => break,
            (None, '[' | '{') => open.push((n + 1, c)),
            (None, ']' | '}') => {
                open.pop();
            }
            _ => {}
        }
    }
    open.pop()
}
