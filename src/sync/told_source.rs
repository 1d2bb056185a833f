//! A source for tests, which shows what it is told to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::model::{ObjectId, Revision};
use crate::objects::Mirror;
use crate::progress::Progress;
use crate::source::{Descent, Fetched, Head, Pushed, Source, SourceError};

/// A source that shows what it is told to; its commits are in the mirror already.
pub(super) struct Told {
    pub(super) head: Arc<Mutex<Revision>>,
    /// What somebody does while it works on what is new, behind what is to be done then.
    pub(super) works: Option<Box<dyn Fn() + Send>>,
}

/// A commit that it can neither show nor give.
pub(super) const LOST: ObjectId = ObjectId([0; 20]);

fn found(revision: Revision) -> Result<Head, SourceError> {
    match revision.id() == LOST {
        true => Err(SourceError::NoRepository { place: "nowhere".to_owned() }),
        false => Ok(Head::of(revision)),
    }
}

impl Source for Told {
    fn ask(&mut self) -> Result<Head, SourceError> {
        found(self.head.lock().unwrap().clone())
    }

    fn look_up(&mut self, _: &str) -> Result<Head, SourceError> {
        self.ask()
    }

    fn fetch(
        &mut self,
        head: &Head,
        _: Option<&Revision>,
        _: &Mirror,
        meanwhile: &dyn Fn(),
    ) -> Result<Fetched, SourceError> {
        if let Some(works) = &self.works {
            meanwhile();
            works();
        }
        let revision = found(head.revision.clone())?.revision;
        let since = Vec::new();
        Ok(Fetched { revision, descent: Descent::Descends, bytes: 0, since, tag: None })
    }

    fn submodules(
        &mut self,
        _: &Revision,
        _: &Mirror,
    ) -> Result<BTreeMap<String, ObjectId>, SourceError> {
        Ok(BTreeMap::new())
    }

    fn push(
        &mut self,
        _: &Revision,
        _: Option<&Revision>,
        _: &str,
        _: &Mirror,
    ) -> Result<Pushed, SourceError> {
        Ok(Pushed::Moved(None))
    }

    fn report_to(&mut self, _: Progress) {}
}
