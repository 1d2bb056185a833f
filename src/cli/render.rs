use std::io::{IsTerminal, Write as _};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::args::{Color, Format, Global};
use super::exit::Failure;
pub(super) use crate::decide::words::{ago, short};

/// The one place that prints: results to stdout, everything else to stderr.
pub(super) struct Output {
    format: Format,
    colours: bool,
    error_colours: bool,
}

/// Good news.
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
/// What wants attention.
pub(super) const WARN: Style = AnsiColor::Yellow.on_default();
/// Bad news.
pub(super) const BAD: Style = AnsiColor::Red.on_default();
/// What is less important.
pub(super) const DIM: Style = Style::new().dimmed();
/// Headings.
pub(super) const BOLD: Style = Style::new().bold();

/// Whether a stream is to be coloured. `NO_COLOR` counts where nothing else was said.
pub(super) fn colours(color: Color, stream: &impl IsTerminal) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => stream.is_terminal() && std::env::var_os("NO_COLOR").is_none(),
    }
}

impl Output {
    pub(super) fn new(global: &Global) -> Self {
        Self {
            format: global.output,
            colours: colours(global.color, &std::io::stdout()),
            error_colours: colours(global.color, &std::io::stderr()),
        }
    }

    /// Prints for people, whatever was asked for: what the demo tells.
    pub(super) fn for_people(&self) -> Self {
        Self { format: Format::Human, ..*self }
    }

    /// The `--color` of a kconfigd that we start and whose words we show.
    pub(super) fn color_flag(&self) -> &'static str {
        if self.colours { "always" } else { "never" }
    }

    /// Whether results are for programs.
    pub(super) fn is_structured(&self) -> bool {
        self.format != Format::Human
    }

    /// Prints a result: as JSON or YAML where that was asked for, else in words.
    pub(super) fn result<T: Serialize>(
        &self,
        body: &T,
        words: impl FnOnce(&mut Page),
    ) -> Result<(), Failure> {
        let text = match self.format {
            Format::Human | Format::Sarif | Format::Junit | Format::Github => {
                let mut page = Page { text: String::new(), colours: self.colours };
                words(&mut page);
                page.text
            }
            Format::Json => serde_json::to_string_pretty(body)
                .map(|text| text + "\n")
                .map_err(|error| Failure::new(super::Exit::Error, error.to_string()))?,
            Format::Yaml => serde_yaml::to_string(body)
                .map_err(|error| Failure::new(super::Exit::Error, error.to_string()))?,
        };
        self.text(&text)
    }

    /// Prints a text as it is.
    #[expect(clippy::unused_self, reason = "printing is this one's alone")]
    pub(super) fn text(&self, text: &str) -> Result<(), Failure> {
        match std::io::stdout().lock().write_all(text.as_bytes()) {
            // Who reads no further, as `head` does, is content.
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(Failure::io("write to", "standard output", error))
            }
            _ => Ok(()),
        }
    }

    /// Prints words alone.
    pub(super) fn words(&self, words: impl FnOnce(&mut Page)) -> Result<(), Failure> {
        self.for_people().result(&(), words)
    }

    /// Says what went wrong and what to do.
    pub(super) fn failure(&self, failure: &Failure) {
        self.error(&failure.message);
        if let Some(hint) = &failure.hint {
            self.to_stderr("hint", DIM, hint);
        }
    }

    pub(super) fn error(&self, message: &str) {
        self.to_stderr("error", BAD.bold(), message);
    }

    /// Says something beside the result.
    pub(super) fn note(&self, message: &str) {
        self.to_stderr("note", WARN, message);
    }

    fn to_stderr(&self, label: &str, style: Style, message: &str) {
        let text = if self.error_colours {
            format!("{style}{label}{style:#}: {message}\n")
        } else {
            format!("{label}: {message}\n")
        };
        // There is nowhere left to say that stderr is closed.
        drop(std::io::stderr().lock().write_all(text.as_bytes()));
    }
}

/// A page of words that is being written.
pub(super) struct Page {
    text: String,
    colours: bool,
}

impl Page {
    /// A line.
    pub(super) fn line(&mut self, text: impl AsRef<str>) {
        self.text.push_str(text.as_ref());
        self.text.push('\n');
    }

    /// Text in a style, where colours are wanted.
    pub(super) fn styled(&self, style: Style, text: impl AsRef<str>) -> String {
        let text = text.as_ref();
        if self.colours { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// Rows in columns, each as wide as its widest cell.
    pub(super) fn table(&mut self, head: &[&str], rows: &[Vec<String>]) {
        let width = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).chain([head[column].len()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        let join = |cells: Vec<&str>| {
            let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        let heading = join(head.to_vec());
        let heading = self.styled(BOLD, heading);
        self.line(heading);
        for row in rows {
            let line = join(row.iter().map(String::as_str).collect());
            self.line(line);
        }
    }
}
