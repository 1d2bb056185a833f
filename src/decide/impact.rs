//! What a plan touches, in the words of the configuration's own layout, and what that needs.

use std::collections::{BTreeMap, BTreeSet};

use super::patterns::Patterns;
use super::subscribe::Filter;
use crate::model::{EventKind, Impact, Needs, Touched};

/// Names that a message carries at most.
pub const TOUCHES_MAX: usize = 50;

/// The units that some paths are of: `agents/schedulerAgent` for `agents/schedulerAgent.yaml`, a
/// file at the root by its own name. Sorted, without doubles, at most fifty.
pub fn units<'a>(paths: impl Iterator<Item = &'a str>) -> Vec<String> {
    let units: BTreeSet<&str> = paths.map(unit).collect();
    units.into_iter().take(TOUCHES_MAX).map(str::to_owned).collect()
}

/// The unit that a file is of.
#[must_use]
pub fn unit(path: &str) -> &str {
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

/// Who does something when a tree becomes live.
pub struct Listeners<'a> {
    /// The `reload` entries by their names, in order.
    pub reloads: &'a [(String, Patterns)],
    /// The nodes by their names, in order.
    pub nodes: &'a [(String, Filter)],
}

/// What some changed paths touch. `known` says what the layout knows of a file: what a change of it
/// needs, and why. A `reload` entry for a file is the way that its change takes effect, whatever
/// else is known of it.
pub fn weigh<E>(
    paths: &[&str],
    listeners: &Listeners<'_>,
    mut known: impl FnMut(&str) -> Result<Option<(Needs, String)>, E>,
) -> Result<Impact, E> {
    let mut units: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for path in paths {
        units.entry(unit(path)).or_default().push(path);
    }
    let mut impact = Impact {
        more: units.len().saturating_sub(TOUCHES_MAX) as u64,
        nodes: told(paths, listeners),
        reloads: listeners
            .reloads
            .iter()
            .filter(|(_, patterns)| paths.iter().any(|path| patterns.mean_file(path)))
            .map(|(name, _)| name.clone())
            .collect(),
        units: Vec::new(),
    };
    for (unit, files) in units.into_iter().take(TOUCHES_MAX) {
        let entries: Vec<&str> = listeners
            .reloads
            .iter()
            .filter(|(_, patterns)| files.iter().any(|path| patterns.mean_file(path)))
            .map(|(name, _)| name.as_str())
            .collect();
        let (needs, because) = if entries.is_empty() {
            let mut most = None;
            for file in files {
                most = heavier(most, known(file)?);
            }
            most.map_or((None, String::new()), |(needs, because)| (Some(needs), because))
        } else {
            (Some(Needs::Reload), format!("reloaded by {}", entries.join(", ")))
        };
        impact.units.push(Touched { unit: unit.to_owned(), needs, because });
    }
    Ok(impact)
}

fn told(paths: &[&str], listeners: &Listeners<'_>) -> Vec<String> {
    let wants = |filter: &Filter| filter.wants(EventKind::Applied, paths.iter().copied());
    let nodes = listeners.nodes.iter().filter(|(_, filter)| !paths.is_empty() && wants(filter));
    nodes.map(|(name, _)| name.clone()).collect()
}

/// What is known of the file that needs more.
fn heavier(
    one: Option<(Needs, String)>,
    other: Option<(Needs, String)>,
) -> Option<(Needs, String)> {
    match (one, other) {
        (Some(one), Some(other)) if one.0 >= other.0 => Some(one),
        (one, None) => one,
        (_, other) => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_the_file_of_a_folder_or_the_folder_in_it() {
        assert_eq!(unit("agents/schedulerAgent.yaml"), "agents/schedulerAgent");
        assert_eq!(unit("system.env"), "system.env");
        assert_eq!(unit("agents/a/b/c.yaml"), "agents/a");
        assert_eq!(unit("klp/peers.list"), "klp/peers");
        assert_eq!(unit("klp/.hidden"), "klp/.hidden");
    }

    #[test]
    fn what_is_touched_is_told_once_in_order_and_cut_at_fifty() {
        let some = ["b/x.yaml", "a/d/1.yaml", "a/d/2.yaml", "system.env"];
        assert_eq!(units(some.into_iter()), ["a/d", "b/x", "system.env"]);
        let many: Vec<String> = (0..60).map(|n| format!("a/{n:02}.yaml")).collect();
        let told = units(many.iter().map(String::as_str));
        assert_eq!(told.len(), TOUCHES_MAX);
        assert_eq!(told.last().map(String::as_str), Some("a/49"));
    }

    #[test]
    fn of_two_files_the_one_that_needs_more_counts_in_either_order() {
        let file = |needs, because: &str| Some((needs, because.to_owned()));
        let (much, little) = (file(Needs::Restart, "used"), file(Needs::Nothing, "unused"));
        assert_eq!(heavier(much.clone(), little.clone()), much);
        assert_eq!(heavier(little.clone(), much.clone()), much);
        assert_eq!(heavier(None, little.clone()), little);
        assert_eq!(heavier(little.clone(), None), little);
    }

    fn weighed(paths: &[&str]) -> Impact {
        let reloads = [
            ("nginx".to_owned(), Patterns::new(["/nginx/"]).unwrap()),
            ("all".to_owned(), Patterns::new(["*.conf"]).unwrap()),
        ];
        let filter = |paths: &[&str]| {
            let paths: Vec<String> = paths.iter().map(|&path| path.to_owned()).collect();
            Filter::new(&[], &paths).unwrap()
        };
        let nodes = [("edge".to_owned(), filter(&["/agents/"])), ("every".to_owned(), filter(&[]))];
        let listeners = Listeners { reloads: &reloads, nodes: &nodes };
        let known = |path: &str| {
            Ok::<_, ()>(match path {
                "agents/a/one" => Some((Needs::Nothing, "unused".to_owned())),
                "agents/a/two" => Some((Needs::Restart, "used".to_owned())),
                "nginx/a.yaml" => Some((Needs::Restart, "used".to_owned())),
                _ => None,
            })
        };
        weigh(paths, &listeners, known).unwrap()
    }

    #[test]
    fn a_unit_needs_what_its_heaviest_file_needs() {
        let impact = weighed(&["agents/a/one", "agents/a/two", "other"]);
        let told = |n: usize| (impact.units[n].needs, impact.units[n].because.as_str());
        assert_eq!(told(0), (Some(Needs::Restart), "used"));
        assert_eq!(told(1), (None, ""));
        assert_eq!(impact.nodes, ["edge", "every"]);
        assert!(impact.reloads.is_empty());
    }

    #[test]
    fn a_reload_entry_is_how_a_change_takes_effect() {
        let impact = weighed(&["nginx/a.yaml", "nginx/b.conf"]);
        let told: Vec<_> = impact.units.iter().map(|u| (u.needs, u.because.as_str())).collect();
        assert_eq!(
            told,
            [
                (Some(Needs::Reload), "reloaded by nginx"),
                (Some(Needs::Reload), "reloaded by nginx, all")
            ]
        );
        assert_eq!(impact.reloads, ["nginx", "all"]);
        assert_eq!(impact.nodes, ["every"]);
    }

    #[test]
    fn nothing_touches_nobody_and_much_is_counted() {
        assert_eq!(weighed(&[]), Impact::default());
        let many: Vec<String> = (0..60).map(|n| format!("a/{n:02}.yaml")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let impact = weighed(&many);
        assert_eq!((impact.units.len(), impact.more), (TOUCHES_MAX, 10));
    }
}
