//! A document is called as its file is, and keys that are nearly known are told.

use strsim::osa_distance;

use crate::document::{Document, Value};
use crate::gates::AtHand;
use crate::model::Finding;
use crate::profiles::{Part, stem};

/// Keys that documents which are open to other keys have most often.
const USUAL: [&str; 8] =
    ["enabled", "interval", "timeout", "model", "retention", "target", "languages", "threshold"];

pub(super) fn check(file: &AtHand<'_>, part: Part, document: &Document) -> Vec<Finding> {
    let mut found = Vec::new();
    let key = match part {
        Part::Profile => "profile",
        Part::Agent | Part::Plugin => "name",
        _ => return found,
    };
    let stem = stem(file.path.as_str());
    if let Some(node) = document.root.get(key)
        && let Some(name) = node.text()
        && !name.is_empty()
        && name != stem
    {
        let name: String = name.chars().take(60).collect::<String>().replace(char::is_control, "�");
        let text = format!("`{key}` is `{name}`, and the file is called `{stem}`");
        let hint = format!("write `{key}: {stem}`, or rename the file: others find it by its name");
        found.push(Finding::error("kos.name", text).at(node.line, node.column).hint(hint));
    }
    if part != Part::Profile {
        found.extend(nearly_known(document));
    }
    found
}

/// Agents and plugins have keys of their own, so an unknown one is no error; one that is a usual
/// key but for a letter is told.
fn nearly_known(document: &Document) -> Vec<Finding> {
    let Value::Mapping(pairs) = &document.root.value else { return Vec::new() };
    let mut found = Vec::new();
    let absent: Vec<&str> =
        USUAL.into_iter().filter(|usual| document.root.get(usual).is_none()).collect();
    for (key, _) in pairs {
        let Some(name) = key.text() else { continue };
        if let Some(meant) = absent.iter().find(|usual| osa_distance(name, usual) == 1) {
            let text = format!("`{name}` is not a key that kOS knows");
            let hint = format!("did you mean `{meant}`?");
            found.push(Finding::warning("kos.key", text).at(key.line, key.column).hint(hint));
        }
    }
    found
}
