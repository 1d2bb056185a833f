//! What policies see under `data`: mappings of all files of data, laid over each other.

use serde_json::{Map, Value as Json};

use super::{GateError, Kind, Rules, of_tree};
use crate::document::{self, Format};
use crate::gates::schema::json;
use crate::model::{Finding, Limits, ObjectId};
use crate::objects::Mirror;
use crate::rego::SourceText;

/// The data of the node and of the tree, or what is wrong with the tree's.
///
/// # Errors
/// When the mirror is damaged, or a file of this node cannot be used.
pub(super) fn read(
    mirror: &Mirror,
    tree: ObjectId,
    rules: &Rules,
) -> Result<Result<String, Vec<Finding>>, GateError> {
    let mut data = Map::new();
    for file in rules.policy_files.sources(rules, Kind::Data)? {
        if let Err(findings) = add(&mut data, &file, &rules.limits) {
            return Err(GateError::NodeRules {
                what: "file of policy data",
                path: file.name.into(),
                findings,
            });
        }
    }
    let (files, mut faults) = of_tree::read(mirror, tree, rules, Kind::Data)?;
    for file in &files {
        if let Err(findings) = add(&mut data, file, &rules.limits) {
            faults.extend(findings);
        }
    }
    Ok(if faults.is_empty() { Ok(Json::from(data).to_string()) } else { Err(faults) })
}

pub(super) fn add(
    data: &mut Map<String, Json>,
    file: &SourceText,
    limits: &Limits,
) -> Result<(), Vec<Finding>> {
    let broken = |finding: Finding| {
        vec![Finding { rule: "policy.data".to_owned(), ..finding }.in_file(&file.name)]
    };
    let format = Format::of_path(&file.name).unwrap_or(Format::Yaml);
    let documents = document::parse(file.text.as_bytes(), format, limits)
        .map_err(|found| found.into_iter().flat_map(broken).collect::<Vec<_>>())?;
    for document in documents {
        let root = &document.root;
        let Json::Object(more) = json(root) else {
            let text = "a file of policy data is a mapping, and its keys are what is below `data`";
            let finding = Finding::error("policy.data", text).at(root.line, root.column);
            return Err(broken(
                finding.hint("put a key in front: `names: [a, b]` is `data.names`"),
            ));
        };
        lay_over(data, more).map_err(|key| {
            let text = format!("`{key}` is in another file of policy data too, with another value");
            let finding = Finding::error("policy.data", text).at(root.line, root.column);
            broken(finding.hint("keep one of the two"))
        })?;
    }
    Ok(())
}

fn lay_over(data: &mut Map<String, Json>, more: Map<String, Json>) -> Result<(), String> {
    for (key, value) in more {
        match (data.get_mut(&key), value) {
            (None, value) => drop(data.insert(key, value)),
            (Some(Json::Object(old)), Json::Object(new)) => {
                lay_over(old, new).map_err(|below| format!("{key}.{below}"))?;
            }
            (Some(old), new) if *old == new => {}
            (Some(_), _) => return Err(key),
        }
    }
    Ok(())
}
