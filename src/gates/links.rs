//! `links`: a link is kept when it is relative and ends inside the tree.

use std::collections::HashSet;

use super::{GateError, Rules};
use crate::model::{Change, Entry, FileMode, Finding, ObjectId, TreePath};
use crate::objects::{ItemKind, Mirror};

/// Links followed on the way to one target, as in Linux (`MAXSYMLINKS`).
const HOPS_MAX: usize = 40;
/// Longest target, as in Linux (`PATH_MAX`).
const TARGET_BYTES_MAX: u64 = 4096;

/// Holds the tree's links against the rules: those that changed, and, since what a link goes
/// through may have changed without it, all others when any link or folder did.
pub(super) fn check(
    mirror: &Mirror,
    tree: ObjectId,
    changes: &[Change],
    _: &Rules,
) -> Result<Vec<Finding>, GateError> {
    let is_link = |e: &Option<Entry>| e.is_some_and(|e| e.mode == FileMode::Link);
    let mut findings = Vec::new();
    if changes.iter().any(|c| is_link(&c.old) || is_link(&c.new)) {
        mirror.each_file(tree, &mut |path, entry| -> Result<(), GateError> {
            if entry.mode == FileMode::Link {
                findings.extend(one(mirror, tree, path, entry)?);
            }
            Ok(())
        })?;
    }
    Ok(findings)
}

/// Why a link cannot be kept.
enum Bad {
    Absolute,
    Escapes,
    Loops,
    Unreadable,
}

fn one(
    mirror: &Mirror,
    tree: ObjectId,
    path: &TreePath,
    entry: Entry,
) -> Result<Option<Finding>, GateError> {
    let target = target_of(mirror, entry.id)?;
    let shown: String = target.as_deref().unwrap_or("?").escape_debug().take(200).collect();
    let (rule, text) = match follow(mirror, tree, path, target)? {
        Ok(true) => return Ok(None),
        Ok(false) => {
            let text = format!("the link's target `{shown}` is not in the tree");
            let finding = Finding::warning("links.dangling", text).in_file(path.as_str());
            return Ok(Some(finding));
        }
        Err(Bad::Absolute) => {
            ("links.absolute", format!("the link's target `{shown}` is absolute"))
        }
        Err(Bad::Escapes) => {
            ("links.escape", format!("the link's target `{shown}` leaves the tree"))
        }
        Err(Bad::Loops) => ("links.loop", format!("the link's target `{shown}` leads back to it")),
        Err(Bad::Unreadable) => {
            ("links.target", "the link's target is too long or not UTF-8".to_owned())
        }
    };
    let hint = "links are kept when they are relative and end inside the tree";
    Ok(Some(Finding::error(rule, text).in_file(path.as_str()).hint(hint)))
}

fn target_of(mirror: &Mirror, id: ObjectId) -> Result<Option<String>, GateError> {
    if mirror.blob_size(id)? > TARGET_BYTES_MAX {
        return Ok(None);
    }
    let target = String::from_utf8(mirror.blob(id)?).ok();
    Ok(target.filter(|t| !t.is_empty() && !t.contains('\0')))
}

/// Follows a link inside the tree, link by link and name by name, as the kernel would. `true`: it
/// ends at something; `false`: at nothing.
fn follow(
    mirror: &Mirror,
    tree: ObjectId,
    path: &TreePath,
    target: Option<String>,
) -> Result<Result<bool, Bad>, GateError> {
    let Some(target) = target else { return Ok(Err(Bad::Unreadable)) };
    if target.starts_with('/') {
        return Ok(Err(Bad::Absolute));
    }
    let mut at: Vec<String> =
        path.parent().map_or_else(Vec::new, |p| p.split('/').map(str::to_owned).collect());
    let mut ahead: Vec<String> = target.split('/').rev().map(str::to_owned).collect();
    let mut hops = 1;
    let mut seen = HashSet::from([path.as_str().to_owned()]);
    while let Some(name) = ahead.pop() {
        match name.as_str() {
            "" | "." => continue,
            ".." => {
                if at.pop().is_none() {
                    return Ok(Err(Bad::Escapes));
                }
                continue;
            }
            _ => at.push(name),
        }
        let here = at.join("/");
        let Some(item) = mirror.find(tree, &here)? else { return Ok(nothing_there(&at, &ahead)) };
        if item.kind != ItemKind::File(FileMode::Link) {
            continue;
        }
        hops += 1;
        if hops > HOPS_MAX || !seen.insert(here) {
            return Ok(Err(Bad::Loops));
        }
        let Some(target) = target_of(mirror, item.id)? else { return Ok(Err(Bad::Unreadable)) };
        if target.starts_with('/') {
            return Ok(Err(Bad::Absolute));
        }
        at.pop();
        ahead.extend(target.split('/').rev().map(str::to_owned));
    }
    Ok(Ok(true))
}

/// Where the way ends at nothing, it must still not lead out once something is there.
fn nothing_there(at: &[String], ahead: &[String]) -> Result<bool, Bad> {
    let mut depth = at.len();
    for name in ahead.iter().rev() {
        match name.as_str() {
            "" | "." => {}
            ".." if depth == 0 => return Err(Bad::Escapes),
            ".." => depth -= 1,
            _ => depth += 1,
        }
    }
    Ok(false)
}
