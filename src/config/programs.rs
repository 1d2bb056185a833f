//! Programs that are run beside a tree: `checks`.

use std::time::Duration;

use super::reader::Reader;
use super::values::{self, Read, shown};
use crate::document::Node;

/// Bytes of a check's name, which becomes part of a rule's.
const NAME_BYTES_MAX: usize = 63;

/// A program that may veto a staged tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Its name, unique among the checks.
    pub name: String,
    /// The program and its arguments; not empty.
    pub run: Vec<String>,
    /// How long it may take.
    pub timeout: Duration,
}

pub(super) fn checks(reader: &mut Reader<'_>) -> Vec<Check> {
    let mut names: Vec<String> = Vec::new();
    reader.items("checks", "checks[]", |item| {
        let name = item.required("checks[].name", name);
        if let Some(name) = &name {
            if names.contains(name) {
                item.wrong(
                    "checks[].name",
                    &format!("another check is called {} too", shown(name)),
                );
            }
            names.push(name.clone());
        }
        let run = item.required("checks[].run", argv);
        let timeout = item.duration("checks[].timeout");
        Some(Check { name: name?, run: run?, timeout })
    })
}

fn name(node: &Node) -> Read<String> {
    let name = values::text(node)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(allowed) {
        let what = "is not a name of letters, digits, `.`, `_` and `-`, at most 63";
        return Err(format!("{} {what}", shown(&name)));
    }
    Ok(name)
}

fn argv(node: &Node) -> Read<Vec<String>> {
    let argv = values::texts(node)?;
    if argv.first().is_none_or(String::is_empty) {
        return Err("a program and its arguments are expected, such as [nginx, -t]".to_owned());
    }
    Ok(argv)
}
