use std::collections::HashMap;

use crate::model::{Finding, Findings, TreePath};
use crate::objects::{Item, NAME_BYTES_MAX, Shape};

/// The rule about folders in which no entry can be found by its name.
pub(super) const ORDER: &str = "path.order";

/// Where something is said of a folder.
#[derive(Clone, Copy)]
pub(super) struct Where<'a> {
    /// Its path in the tree; `None` for the root.
    pub(super) at: Option<&'a TreePath>,
    /// What stands before that in findings: empty, or a folder that ends in a slash.
    pub(super) place: &'a str,
}

impl Where<'_> {
    /// What stands before a name in the folder.
    fn folder(self) -> String {
        let Self { at, place } = self;
        at.map_or_else(|| place.to_owned(), |at| format!("{place}{at}/"))
    }
}

/// Tells of a folder that no git would have written: the order is what finding an entry by its name
/// relies on. And of names that are there twice.
pub(super) fn check(shape: &Shape, here: Where<'_>, findings: &mut Findings) {
    if !shape.is_in_order {
        let shown = here.folder();
        let text = "the folder's entries are not in the order in which git writes them";
        let finding = Finding::error(ORDER, text)
            .in_file(if shown.is_empty() { "." } else { shown.trim_end_matches('/') })
            .hint("something other than git made this commit: commit the files anew");
        findings.push(finding);
    }
    for name in &shape.twice {
        if findings.are_enough() {
            break;
        }
        let text = "the name is there twice".to_owned();
        findings.push(of_name("path.duplicate", text, name, here));
    }
}

fn of_name(rule: &'static str, text: String, name: &[u8], here: Where<'_>) -> Finding {
    let shown: String = name.escape_ascii().to_string().chars().take(200).collect();
    Finding::error(rule, text)
        .in_file(format!("{}{shown}", here.folder()))
        .hint("rename it in the repository")
}

/// The entries whose names can be part of a path, each with its path. The others are findings.
pub(super) fn usable(
    items: Vec<Item>,
    here: Where<'_>,
    findings: &mut Findings,
) -> Vec<(TreePath, Item)> {
    let mut usable = Vec::with_capacity(items.len());
    for item in items {
        let text = match TreePath::join(here.at, &item.name) {
            Ok(_) if item.name.len() > NAME_BYTES_MAX => {
                let bytes = item.name.len();
                format!("the name has {bytes} bytes; no file system takes over {NAME_BYTES_MAX}")
            }
            Ok(path) => {
                usable.push((path, item));
                continue;
            }
            Err(error) => format!("the name cannot be used: {error}"),
        };
        findings.push(of_name("path.name", text, &item.name, here));
    }
    usable
}

/// Warns of names in one folder that are one on file systems that do not tell cases apart.
pub(super) fn warn_of_case(items: &[Item], at: Option<&TreePath>, findings: &mut Findings) {
    let mut seen: HashMap<String, &str> = HashMap::with_capacity(items.len());
    for name in items.iter().filter_map(|item| std::str::from_utf8(&item.name).ok()) {
        if let Some(other) = seen.insert(name.to_lowercase(), name) {
            let file = at.map_or_else(|| name.to_owned(), |at| format!("{at}/{name}"));
            let text = format!("its name differs from `{other}` only in case");
            let finding = Finding::warning("path.case", text).in_file(file);
            findings.push(finding.hint("some file systems take them for one file"));
        }
    }
}
