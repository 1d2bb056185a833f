use super::{Agent, SyncError};
use crate::model::{Report, Revision, Sought};
use crate::source::Head;

/// Deployments in which a revision is looked for.
const SEARCHED_MAX: usize = 1000;
/// Digits from which on a name may be the beginning of a revision.
const DIGITS_MIN: usize = 4;

impl Agent {
    /// What a plan is about. A name is one of the source's branches and tags, which may look like
    /// a number; else it is the beginning of a revision that was seen here.
    pub(super) fn find(&mut self, sought: &Sought) -> Result<Head, SyncError> {
        let name = match sought {
            Sought::Revision(revision) => return Ok(Head::of(revision.clone())),
            Sought::Reference(name) => name,
        };
        let error = match self.source.look_up(name) {
            Ok(head) => return Ok(head),
            Err(error) => error,
        };
        match self.revisions_beginning(name)?.as_slice() {
            [] => Err(error.into()),
            [one] => Ok(Head::of(one.clone())),
            several => Err(SyncError::Order(format!(
                "`{name}` is the beginning of {} revisions: give more digits",
                several.len()
            ))),
        }
    }

    /// Says of a name that could have meant something else what it was taken for.
    pub(super) fn tell_apart(&self, sought: &Sought, report: &mut Report) -> Result<(), SyncError> {
        let Sought::Reference(name) = sought else { return Ok(()) };
        let taken = report.revision.as_ref();
        let others = self.revisions_beginning(name)?;
        if let Some(other) = others.iter().find(|other| Some(*other) != taken) {
            report.message.push_str(&format!(
                "; `{name}` is taken for the branch or tag of that name, and not for the revision {}",
                other.short()
            ));
        }
        Ok(())
    }

    /// The revisions of the history that begin with these digits, each once.
    fn revisions_beginning(&self, digits: &str) -> Result<Vec<Revision>, SyncError> {
        if digits.len() < DIGITS_MIN || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Vec::new());
        }
        let history = self.journal.history(SEARCHED_MAX, None)?.items;
        let seen = history.into_iter().map(|deployment| deployment.revision);
        let desired = self.standing.desired.as_ref().map(|desired| desired.revision.clone());
        let mut found: Vec<Revision> = seen
            .chain(desired)
            .filter(|revision| revision.to_string().starts_with(digits))
            .collect();
        found.sort();
        found.dedup();
        Ok(found)
    }
}
