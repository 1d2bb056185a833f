//! Rules and data that are files of the tree.

use std::collections::BTreeMap;

use super::{FILES_MAX, GateError, Kind, RULE_FILE_BYTES_MAX, RulePattern, Rules, patterns};
use crate::decide::patterns::Patterns;
use crate::model::{Entry, FileMode, Finding, ObjectId};
use crate::objects::{ItemKind, Mirror};
use crate::rego::SourceText;

/// The files of a kind, by their paths.
pub(super) fn list(
    mirror: &Mirror,
    tree: ObjectId,
    rules: &Rules,
    kind: Kind,
) -> Result<BTreeMap<String, ObjectId>, GateError> {
    let texts: Vec<&str> = of_tree(rules, kind).collect();
    let mut found = BTreeMap::new();
    if texts.is_empty() {
        return Ok(found);
    }
    let patterns = Patterns::new(texts.iter().copied())?;
    let mut roots: Vec<&str> =
        texts.iter().filter(|t| !t.starts_with('!')).map(|t| root_of(t)).collect();
    roots.sort_unstable();
    roots.dedup();
    if roots.first() == Some(&"") {
        roots.truncate(1);
    }
    for root in roots {
        let mut take = |path: &str, entry: Entry| {
            let is_meant = entry.mode != FileMode::Link
                && kind.takes(path)
                && patterns.mean_file(path)
                && found.len() <= FILES_MAX;
            if is_meant {
                found.insert(path.to_owned(), entry.id);
            }
        };
        if root.is_empty() {
            mirror.each_file(tree, &mut |path, entry| -> Result<(), GateError> {
                take(path.as_str(), entry);
                Ok(())
            })?;
            continue;
        }
        match mirror.find(tree, root)? {
            Some(item) if item.kind == ItemKind::Folder => {
                mirror.each_file(item.id, &mut |path, entry| -> Result<(), GateError> {
                    take(&format!("{root}/{path}"), entry);
                    Ok(())
                })?;
            }
            Some(item) => {
                if let ItemKind::File(mode) = item.kind {
                    take(root, Entry { mode, id: item.id });
                }
            }
            None => {}
        }
    }
    Ok(found)
}

fn of_tree(rules: &Rules, kind: Kind) -> impl Iterator<Item = &str> {
    patterns(rules, kind).iter().filter_map(|pattern| match pattern {
        RulePattern::Tree(text) => Some(text.as_str()),
        RulePattern::Node(_) => None,
    })
}

/// The folder or file that all that a pattern means is in; empty for the whole tree.
fn root_of(pattern: &str) -> &str {
    let bare = pattern.trim_start_matches('/');
    let is_anchored = pattern.starts_with('/') || bare.trim_end_matches('/').contains('/');
    if !is_anchored {
        return "";
    }
    let plain = match bare.find(['*', '?', '[', '\\']) {
        Some(wild) => bare.get(..wild).and_then(|plain| Some(plain.rsplit_once('/')?.0)),
        None => Some(bare),
    };
    plain.unwrap_or_default().trim_end_matches('/')
}

/// The rules in the tree, and what is wrong with which files are there.
pub(super) fn read(
    mirror: &Mirror,
    tree: ObjectId,
    rules: &Rules,
    kind: Kind,
) -> Result<(Vec<SourceText>, Vec<Finding>), GateError> {
    let (mut files, mut faults) = (Vec::new(), Vec::new());
    let listed = list(mirror, tree, rules, kind)?;
    if listed.is_empty()
        && let Some(pattern) = of_tree(rules, kind).next()
    {
        let text = format!(
            "no file of the tree is a {} by `{pattern}` of {}",
            kind.word(),
            kind.setting()
        );
        let hint = format!(
            "add one, or change {}; a path that starts with `/` or `./` is one of the node",
            kind.setting()
        );
        faults.push(Finding::error("policy.missing", text).hint(hint));
    }
    if listed.len() > FILES_MAX {
        let text = format!("there are more than {FILES_MAX} files in {}", kind.setting());
        faults.push(Finding::error("policy.broken", text).hint("name fewer of them"));
        return Ok((files, faults));
    }
    for (path, id) in listed {
        let size = mirror.blob_size(id)?;
        if size > RULE_FILE_BYTES_MAX {
            let word = kind.word();
            let text =
                format!("a {word} has at most {RULE_FILE_BYTES_MAX} bytes, and this one {size}");
            faults
                .push(Finding::error("policy.broken", text).in_file(&path).hint("split the file"));
            continue;
        }
        match String::from_utf8(mirror.blob(id)?) {
            Ok(text) => files.push(SourceText { name: path, text }),
            Err(_) => {
                let text = format!("this {} is not UTF-8", kind.word());
                faults.push(
                    Finding::error("policy.broken", text)
                        .in_file(&path)
                        .at(1, 1)
                        .hint("save it as UTF-8"),
                );
            }
        }
    }
    Ok((files, faults))
}

#[cfg(test)]
mod tests {
    use super::root_of;

    #[test]
    fn only_the_folder_that_a_pattern_begins_with_is_looked_through() {
        for (pattern, root) in [
            ("policy/**", "policy"),
            ("policy/*.rego", "policy"),
            ("a/b/", "a/b"),
            ("a/b.rego", "a/b.rego"),
            ("/policy", "policy"),
            ("policy/", ""),
            ("*.rego", ""),
            ("a/b*/c", "a"),
            ("**/x/y", ""),
        ] {
            assert_eq!(root_of(pattern), root, "{pattern}");
        }
    }
}
