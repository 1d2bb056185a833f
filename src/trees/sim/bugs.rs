//! Mistakes on purpose: a suite that does not find them finds nothing.

use std::path::Path;

use super::{SimDisk, State};

/// A program that gets one thing wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// This `sync_…` is left out.
    Skipped(&'static str),
    /// The `sync_…` with this number, from 0, is left out.
    SkippedOnce(usize),
    /// What is published is made durable only after publishing was.
    PublishedEarly,
    /// Nobody looks whether a rename or an exchange failed.
    Unheard,
}

/// A `sync_…` that is put off.
#[derive(Clone, Copy, Debug)]
pub(super) enum PutOff {
    Bytes(u64),
    Names(u64),
    Volume,
}

/// What goes wrong, and what is still to be done because of it.
#[derive(Debug, Default)]
pub(super) struct Wrong {
    bug: Option<Bug>,
    put_off: Vec<PutOff>,
    published: bool,
    /// The `sync_…` so far.
    syncs: usize,
}

impl SimDisk {
    /// Gets this wrong from now on.
    pub(crate) fn seed(&self, bug: Option<Bug>) {
        self.state().wrong = Wrong { bug, ..Wrong::default() };
    }
}

impl State {
    /// Whether a `sync_…` is not done, or not now.
    pub(super) fn gets_wrong(&mut self, verb: &'static str, what: PutOff) -> bool {
        let number = self.wrong.syncs;
        self.wrong.syncs += 1;
        match self.wrong.bug {
            Some(Bug::SkippedOnce(skipped)) => skipped == number,
            Some(Bug::Skipped(skipped)) => skipped == verb,
            // The folder of the live path is what makes publishing itself durable.
            Some(Bug::PublishedEarly) => match what {
                PutOff::Names(id) if self.find(Path::new("/etc")) == Some(id) => {
                    self.wrong.published = true;
                    false
                }
                what => {
                    self.wrong.put_off.push(what);
                    true
                }
            },
            Some(Bug::Unheard) | None => false,
        }
    }

    /// Does what was put off, once something was published.
    pub(super) fn catch_up(&mut self) {
        if !std::mem::take(&mut self.wrong.published) {
            return;
        }
        for what in std::mem::take(&mut self.wrong.put_off) {
            match what {
                PutOff::Bytes(id) => self.sync_bytes(id),
                PutOff::Names(id) => self.sync(id),
                PutOff::Volume => self.sync_all(),
            }
        }
    }

    pub(super) fn is_unheard(&self) -> bool {
        self.wrong.bug == Some(Bug::Unheard)
    }
}
