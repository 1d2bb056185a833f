//! `validation.policies` and `validation.policy_data`: which files are meant.

use super::decode::glob;
use super::paths::resolve;
use super::reader::Reader;
use super::validation::is_of_node;
use super::values;

/// Files of rules, or of data for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RulePattern {
    /// On the node: an absolute path of a file or a folder, or a pattern.
    Node(String),
    /// A gitignore-style pattern of files in the tree that is checked.
    Tree(String),
}

/// Reads one of the lists.
pub(super) fn read(reader: &mut Reader<'_>, key: &'static str) -> Vec<RulePattern> {
    let folder = reader.folder(key).clone();
    let patterns = reader.optional(key, |node| {
        let items = values::list(node)?.iter();
        items
            .map(|item| {
                let pattern = glob(item)?;
                if !is_of_node(&pattern) {
                    return Ok(RulePattern::Tree(pattern));
                }
                let path = resolve(&folder, &pattern)?;
                Ok(RulePattern::Node(path.to_string_lossy().into_owned()))
            })
            .collect()
    });
    patterns.unwrap_or_default()
}
