use std::cell::Cell;

use serde_json::Value;

use super::super::render::{BAD, BOLD, DIM, GOOD, Output, Page, WARN, short};
use super::Nodes;
use super::check::DemoError;
use super::node::{Event, Node};
use super::stage::Stage;

/// Columns that are written at most.
const WIDTH: usize = 100;
/// Before what a verb prints.
const MARGIN: &str = "   │ ";

/// Tells the story: headings, what was typed, what came of it.
pub(super) struct Teller<'a> {
    output: &'a Output,
    steps: Cell<u32>,
}

impl<'a> Teller<'a> {
    pub(super) fn new(output: &'a Output) -> Self {
        Self { output, steps: Cell::new(0) }
    }

    fn print(&self, words: impl FnOnce(&mut Page)) -> Result<(), DemoError> {
        self.output.words(words).map_err(DemoError::Failed)
    }

    /// Who plays, and where.
    pub(super) fn opening(&self, stage: &Stage, nodes: &Nodes) -> Result<(), DemoError> {
        self.print(|page| {
            let title = page.styled(BOLD, "kconfigd demo");
            page.line(format!(
                "{title}: a git repository becomes the live configuration of a machine"
            ));
            page.line("");
            let mut row = |name: &str, text: &str| {
                let name = page.styled(DIM, format!("{name:<10}"));
                page.line(format!("   {name} {text}"));
            };
            row("folder", &stage.folder().display().to_string());
            row("repository", "./kos-config, branch main, as `kconfigd init` makes it");
            row("live path", "./live/config, what programs on this machine read");
            for node in nodes {
                let how = node.scheme().name();
                row(node.name(), &format!("a node at {}, told with {how}", node.url()));
            }
        })
    }

    /// An address, whole, whatever its length.
    pub(super) fn link(&self, what: &str, address: &str) -> Result<(), DemoError> {
        self.print(|page| {
            let address = page.styled(BOLD, address);
            page.line(format!("   {what} {address}"));
        })
    }

    /// A heading, and what happens under it.
    pub(super) fn step(&self, title: &str, text: &str) -> Result<(), DemoError> {
        let number = self.steps.get() + 1;
        self.steps.set(number);
        self.print(|page| {
            page.line("");
            let title = page.styled(BOLD, format!("{number}  {title}"));
            page.line(title);
            page.line(format!("   {text}"));
        })
    }

    /// What happens next.
    pub(super) fn words(&self, text: &str) -> Result<(), DemoError> {
        self.print(|page| page.line(format!("   {text}")))
    }

    /// What is typed.
    pub(super) fn command(&self, text: &str) -> Result<(), DemoError> {
        self.print(|page| {
            let command = page.styled(BOLD, text);
            page.line(format!("   $ {command}"));
        })
    }

    /// A verb and what it prints.
    pub(super) async fn verb(
        &self,
        stage: &Stage,
        args: &[&str],
        exit: i32,
    ) -> Result<(), DemoError> {
        let quoted = |arg: &&str| {
            if arg.contains(' ') { format!("'{arg}'") } else { (*arg).to_owned() }
        };
        self.command(&format!(
            "kconfigd {}",
            args.iter().map(quoted).collect::<Vec<_>>().join(" ")
        ))?;
        let text = stage.words(args, exit).await?;
        self.print(|page| {
            let margin = page.styled(DIM, MARGIN);
            for line in text.lines() {
                for part in wrapped(line, WIDTH - MARGIN.chars().count()) {
                    page.line(format!("{margin}{part}").trim_end());
                }
            }
            if exit != 0 {
                let code = page.styled(DIM, format!("(exit code {exit})"));
                page.line(format!("{margin}{code}"));
            }
        })
    }

    /// An event that a node got.
    pub(super) fn event(&self, node: &Node, event: &Event) -> Result<(), DemoError> {
        self.print(|page| {
            let name = page.styled(BOLD, node.name());
            let style = match event.kind.as_str() {
                "config.refused" => BAD,
                "config.applied" => GOOD,
                _ => WARN,
            };
            let kind = page.styled(style, &event.kind);
            let told = match &event.verified {
                Ok(()) => page.styled(DIM, format!("{} verified", node.scheme().name())),
                Err(why) => page.styled(BAD, why),
            };
            page.line(format!("   → {name}  {kind}  {}  {told}", about(&event.data)));
        })
    }

    /// Something that was promised and is so.
    pub(super) fn good(&self, text: &str) -> Result<(), DemoError> {
        self.print(|page| {
            let tick = page.styled(GOOD.bold(), "✓");
            page.line(format!("   {tick} {text}"));
        })
    }

    /// The story ended early.
    pub(super) fn failed(&self, log: &[String]) -> Result<(), DemoError> {
        if log.is_empty() {
            return Ok(());
        }
        self.print(|page| {
            page.line("");
            let title = page.styled(DIM, "the end of the agent's log:");
            page.line(title);
            for line in log {
                page.line(format!("{MARGIN}{line}"));
            }
        })
    }

    /// All is put away; what to do next.
    pub(super) fn closing(&self) -> Result<(), DemoError> {
        self.print(|page| {
            page.line("");
            page.line(
                "That was all of it. The agent and the nodes are ended, the folder is removed.",
            );
            let next = page.styled(BOLD, "next");
            page.line(format!(
                "{next}  kconfigd demo --keep    the same, left running to play with"
            ));
            page.line("      kconfigd init           a first repository and settings of your own");
        })
    }

    /// It goes on running: what to try, and how to clean up.
    pub(super) fn invitation(&self, stage: &Stage) -> Result<(), DemoError> {
        self.print(|page| {
            page.line("");
            let title = page.styled(BOLD, "It goes on running, to play with. In another terminal:");
            page.line(title);
            page.line("");
            for line in [
                format!("cd {}", stage.folder().display()),
                "kconfigd status; kconfigd history; kconfigd deliveries".to_owned(),
                "$EDITOR kos-config/system.env && git -C kos-config commit -am 'my change'"
                    .to_owned(),
                "cat live/config/system.env".to_owned(),
                "kconfigd rollback".to_owned(),
            ] {
                page.line(format!("   {line}"));
            }
            page.line("");
            page.line(
                "Settings: kconfigd.yaml. The agent's log: agent.log. What nodes get comes here.",
            );
            page.line("Ctrl-C ends the agent and the nodes. The folder stays; to remove it:");
            page.line(format!("   rm -r {}", stage.folder().display()));
            page.line("");
        })
    }
}

/// What an event is about, in a few words.
fn about(data: &Value) -> String {
    let mut parts = Vec::new();
    parts.extend(data["revision"].as_str().map(|revision| short(revision).to_owned()));
    if let Some(finding) = data["findings"].get(0).filter(|finding| finding["line"].is_u64()) {
        let file = finding["file"].as_str().unwrap_or_default();
        parts.push(format!("{file}:{}:{}", finding["line"], finding["column"]));
        return parts.join("  ");
    }
    parts.extend(data["deployment"].as_u64().map(|number| format!("deployment {number}")));
    if let Some(changes) = data["changes"].as_object() {
        let count = |kind: &str| changes.get(kind).and_then(Value::as_array).map_or(0, Vec::len);
        let (added, modified, removed) = (count("added"), count("modified"), count("removed"));
        parts.push(format!("+{added} ~{modified} -{removed}"));
    }
    parts.join("  ")
}

/// A line in parts that fit, broken between words; colours take no room.
fn wrapped(line: &str, width: usize) -> Vec<String> {
    let indent: String = line.chars().take_while(|c| *c == ' ').collect();
    let mut parts = vec![String::new()];
    let mut used = 0;
    for word in line.split_inclusive(' ') {
        let columns = columns(word);
        if used + columns.min(width) > width && used > indent.len() {
            parts.push(format!("{indent}    "));
            used = indent.len() + 4;
        }
        used += columns;
        if let Some(last) = parts.last_mut() {
            last.push_str(word);
        }
    }
    parts
}

/// Columns that a text takes, escape sequences for colours left out.
fn columns(text: &str) -> usize {
    let mut in_escape = false;
    text.chars()
        .filter(|c| {
            let is_shown = !in_escape && *c != '\u{1b}';
            in_escape = if in_escape { *c != 'm' } else { *c == '\u{1b}' };
            is_shown
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_wide_is_broken_between_words_and_colours_take_no_room() {
        assert_eq!(wrapped("one two", 80), ["one two"]);
        assert_eq!(wrapped("  one two three", 12), ["  one two ", "      three"]);
        assert_eq!(wrapped("\u{1b}[1mone\u{1b}[0m two", 7), ["\u{1b}[1mone\u{1b}[0m two"]);
        assert_eq!(wrapped("", 7), [""]);
        assert_eq!(wrapped("abcdefghij", 4), ["abcdefghij"]);
    }
}
