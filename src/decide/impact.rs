//! What a plan touches, in the words of the configuration's own layout.

use std::collections::BTreeSet;

use crate::model::Plan;

/// Names that a message carries at most.
const TOUCHES_MAX: usize = 50;

/// The units that a plan touches: `agents/schedulerAgent` for `agents/schedulerAgent.yaml`, a
/// file at the root by its own name. Sorted, without doubles, at most fifty.
#[must_use]
pub fn touches(plan: &Plan) -> Vec<String> {
    units(plan.changes.iter().map(|change| change.path.as_str()))
}

/// The units of some paths, as [`touches`] tells them.
pub fn units<'a>(paths: impl Iterator<Item = &'a str>) -> Vec<String> {
    let units: BTreeSet<&str> = paths.map(unit).collect();
    units.into_iter().take(TOUCHES_MAX).map(str::to_owned).collect()
}

fn unit(path: &str) -> &str {
    let unit = match path.match_indices('/').nth(1) {
        // Deeper down, the second folder is the unit.
        Some((end, _)) => &path[..end],
        None => path,
    };
    let name_at = unit.rfind('/').map_or(0, |slash| slash + 1);
    match unit[name_at..].rfind('.') {
        Some(dot) if dot > 0 && unit.len() == path.len() && name_at > 0 => &unit[..name_at + dot],
        _ => unit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Change, Digest, TreePath};

    #[test]
    fn a_unit_is_the_file_of_a_folder_or_the_folder_in_it() {
        assert_eq!(unit("agents/schedulerAgent.yaml"), "agents/schedulerAgent");
        assert_eq!(unit("system.env"), "system.env");
        assert_eq!(unit("agents/a/b/c.yaml"), "agents/a");
        assert_eq!(unit("klp/peers.list"), "klp/peers");
        assert_eq!(unit("klp/.hidden"), "klp/.hidden");
    }

    fn plan(paths: impl Iterator<Item = String>) -> Plan {
        let changes = paths
            .map(|path| Change { path: TreePath::parse(&path).unwrap(), old: None, new: None })
            .collect();
        Plan { from: None, to: Digest([0; 32]), changes, files_before: 0, files_after: 0 }
    }

    #[test]
    fn what_is_touched_is_told_once_in_order_and_cut_at_fifty() {
        let some = ["b/x.yaml", "a/d/1.yaml", "a/d/2.yaml", "system.env"];
        let told = touches(&plan(some.into_iter().map(str::to_owned)));
        assert_eq!(told, ["a/d", "b/x", "system.env"]);
        let many = touches(&plan((0..60).map(|n| format!("a/{n:02}.yaml"))));
        assert_eq!(many.len(), TOUCHES_MAX);
        assert_eq!(many.last().map(String::as_str), Some("a/49"));
    }
}
