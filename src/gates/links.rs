//! `links`: a link is kept when it is relative and ends inside the tree.
//!
//! A target that is not there is a warning: a consumer may make the file, and nothing outside can be
//! reached through it. A way on through a file is an error, since it never can be gone.

use super::{Candidate, GateError};
use crate::model::{Change, Entry, FileMode, Finding, Findings, ObjectId, TreePath};
use crate::objects::{ItemKind, Mirror};

/// Links followed on the way to one target, as in Linux (`MAXSYMLINKS`).
const HOPS_MAX: usize = 40;
/// Longest target, as in Linux (`PATH_MAX`).
const TARGET_BYTES_MAX: u64 = 4096;
/// Names looked up for all links of a tree together: a hundred for each of ten thousand links.
const STEPS_MAX: u64 = 1_000_000;

/// Holds the tree's links against the rules. Where a link leads depends on what it goes through, so
/// all of them are followed when a link changed or a name came or went; that costs the links, not
/// the files. New bytes in a file lead no link astray.
pub(super) fn check(candidate: &Candidate<'_>, findings: &mut Findings) -> Result<(), GateError> {
    if candidate.changes.iter().all(leaves_links_alone) {
        return Ok(());
    }
    let Candidate { mirror, tree, .. } = *candidate;
    let mut ways = Ways { mirror, tree, steps_left: STEPS_MAX };
    mirror.each_link(tree, &mut |path, id| -> Result<(), GateError> {
        if ways.steps_left > 0 {
            findings.extend(ways.judge(path, id)?);
        }
        Ok(())
    })?;
    if ways.steps_left == 0 {
        let text = "the links lead over too many names to be followed one by one";
        let hint = "replace links to links by links to files";
        findings.push(Finding::error("links.many", text).hint(hint));
    }
    Ok(())
}

fn leaves_links_alone(change: &Change) -> bool {
    let plain = |entry: &Option<Entry>| entry.is_some_and(|e| e.mode != FileMode::Link);
    plain(&change.old) && plain(&change.new)
}

/// Where a link ends.
enum End {
    /// At a file or a folder of the tree.
    Something,
    /// At a name that is not there.
    Nothing,
    Absolute,
    Outside,
    Loop,
    /// It goes on through a file.
    ThroughFile,
    Unreadable,
    /// There were too many names; that is told once for all.
    Unknown,
}

/// The ways inside one tree.
struct Ways<'a> {
    mirror: &'a Mirror,
    tree: ObjectId,
    steps_left: u64,
}

impl Ways<'_> {
    fn judge(&mut self, path: &TreePath, id: ObjectId) -> Result<Option<Finding>, GateError> {
        let target = self.target(id)?;
        let shown: String =
            target.as_deref().unwrap_or_default().escape_debug().take(200).collect();
        let (rule, problem) = match self.follow(path, target)? {
            End::Something | End::Unknown => return Ok(None),
            End::Nothing => {
                let text = format!("the link's target `{shown}` is not in the tree");
                return Ok(Some(Finding::warning("links.dangling", text).in_file(path.as_str())));
            }
            End::Unreadable => {
                let text = "the link's target is empty, too long or not UTF-8";
                return Ok(Some(Finding::error("links.target", text).in_file(path.as_str())));
            }
            End::Absolute => ("links.absolute", "is absolute"),
            End::Outside => ("links.escape", "leaves the tree"),
            End::Loop => ("links.loop", "leads in a circle, or over too many links"),
            End::ThroughFile => ("links.file", "goes through a file as if it were a folder"),
        };
        let hint = "links are kept when they are relative and end inside the tree";
        let text = format!("the link's target `{shown}` {problem}");
        Ok(Some(Finding::error(rule, text).in_file(path.as_str()).hint(hint)))
    }

    fn target(&self, id: ObjectId) -> Result<Option<String>, GateError> {
        if self.mirror.blob_size(id)? > TARGET_BYTES_MAX {
            return Ok(None);
        }
        let target = String::from_utf8(self.mirror.blob(id)?).ok();
        Ok(target.filter(|t| !t.is_empty() && !t.contains('\0')))
    }

    /// Follows a link inside the tree, name by name and link by link, as the kernel would.
    fn follow(&mut self, path: &TreePath, target: Option<String>) -> Result<End, GateError> {
        // The folders from the root to where we are; its last is what the next name is looked up in.
        let mut at = vec![self.tree];
        let mut ahead: Vec<String> = Vec::new();
        let mut hops = 0;
        if let Err(end) = take(target, &mut ahead, &mut hops) {
            return Ok(end);
        }
        // The link's own folder has no links on the way: it is a path of the tree.
        ahead.extend(path.parent().into_iter().flat_map(|p| p.rsplit('/')).map(str::to_owned));
        while let Some(name) = ahead.pop() {
            let Some(steps_left) = self.steps_left.checked_sub(1) else { return Ok(End::Unknown) };
            self.steps_left = steps_left;
            match name.as_str() {
                "" | "." => continue,
                ".." => {
                    at.pop();
                    if at.is_empty() {
                        return Ok(End::Outside);
                    }
                    continue;
                }
                _ => {}
            }
            let here = at.last().copied().unwrap_or(self.tree);
            let Some(item) = self.mirror.item(here, name.as_bytes())? else {
                return Ok(beyond(at.len(), &ahead));
            };
            match item.kind {
                ItemKind::Folder => at.push(item.id),
                ItemKind::File(FileMode::Link) => {
                    let target = self.target(item.id)?;
                    if let Err(end) = take(target, &mut ahead, &mut hops) {
                        return Ok(end);
                    }
                }
                ItemKind::File(_) | ItemKind::Submodule => {
                    return Ok(if ahead.is_empty() { End::Something } else { End::ThroughFile });
                }
            }
        }
        Ok(End::Something)
    }
}

/// Puts a link's target before the names that are still ahead (the next one last).
fn take(target: Option<String>, ahead: &mut Vec<String>, hops: &mut usize) -> Result<(), End> {
    let Some(target) = target else { return Err(End::Unreadable) };
    if target.starts_with('/') {
        return Err(End::Absolute);
    }
    *hops += 1;
    if *hops > HOPS_MAX {
        return Err(End::Loop);
    }
    ahead.extend(target.rsplit('/').map(str::to_owned));
    Ok(())
}

/// Where the way ends at nothing, it must still not lead out once something is there. `depth` counts
/// the folders above the name that is missing, the root among them.
fn beyond(depth: usize, ahead: &[String]) -> End {
    // The missing name itself is one more folder on the way.
    let mut depth = depth + 1;
    for name in ahead.iter().rev() {
        match name.as_str() {
            "" | "." => {}
            ".." if depth <= 1 => return End::Outside,
            ".." => depth -= 1,
            _ => depth += 1,
        }
    }
    End::Nothing
}
