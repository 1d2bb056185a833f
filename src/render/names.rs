use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use crate::model::{Finding, Findings, TreePath};
use crate::objects::{Item, ItemKind};

/// Longest name that file systems take, in bytes (Linux, `NAME_MAX`).
const NAME_BYTES_MAX: usize = 255;

/// The rule about folders in which no entry can be found by its name.
pub(super) const ORDER: &str = "path.order";

/// The entries of a folder whose names can be part of a path, each with its path. The others are
/// findings, and so is a folder that no git would have written: the order is what finding an entry
/// by its name relies on.
///
/// `place` stands before paths in findings: empty, or a folder that ends in a slash.
pub(super) fn usable(
    items: Vec<Item>,
    at: Option<&TreePath>,
    place: &str,
    findings: &mut Findings,
) -> Vec<(TreePath, Item)> {
    let folder = at.map_or_else(String::new, |at| format!("{at}/"));
    if items.windows(2).any(|pair| matches!(pair, [a, b] if git_order(a, b) != Ordering::Less)) {
        let shown = format!("{place}{folder}");
        let text = "the folder's entries are not in the order in which git writes them";
        let finding = Finding::error(ORDER, text)
            .in_file(if shown.is_empty() { "." } else { shown.trim_end_matches('/') })
            .hint("something other than git made this commit: commit the files anew");
        findings.push(finding);
    }
    let mut seen = HashSet::with_capacity(items.len());
    let mut usable = Vec::with_capacity(items.len());
    for item in items {
        let problem = match TreePath::join(at, &item.name) {
            Ok(_) if item.name.len() > NAME_BYTES_MAX => {
                let bytes = item.name.len();
                let text = format!(
                    "the name has {bytes} bytes; no file system takes over {NAME_BYTES_MAX}"
                );
                ("path.name", text)
            }
            Ok(path) => {
                if seen.insert(item.name.clone()) {
                    usable.push((path, item));
                    continue;
                }
                ("path.duplicate", "the name is there twice".to_owned())
            }
            Err(error) => ("path.name", format!("the name cannot be used: {error}")),
        };
        let shown: String = item.name.escape_ascii().to_string().chars().take(200).collect();
        let finding = Finding::error(problem.0, problem.1)
            .in_file(format!("{place}{folder}{shown}"))
            .hint("rename it in the repository");
        findings.push(finding);
    }
    usable
}

/// Git's order: by bytes, a folder as if its name ended in a slash.
fn git_order(a: &Item, b: &Item) -> Ordering {
    let key = |item: &Item| (item.kind == ItemKind::Folder).then_some(b'/');
    let (a_end, b_end) = (key(a), key(b));
    a.name.iter().chain(a_end.as_ref()).cmp(b.name.iter().chain(b_end.as_ref()))
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
