use std::process::Child;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::ProgramError;
use super::output::Output;

/// How long a group may take to end by itself after it was asked to.
const GRACE: Duration = Duration::from_secs(2);
/// How often it is looked whether a program ended.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A process group that we started. Its number stays ours as long as its leader is not reaped.
pub(super) struct Group {
    child: Child,
    ended: bool,
}

impl Group {
    /// The group that a child leads.
    pub(super) const fn new(child: Child) -> Self {
        Self { child, ended: false }
    }

    pub(super) fn id(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }

    /// Whether the leader ended; it is not reaped by this.
    pub(super) fn has_ended(&self, name: &str) -> Result<bool, ProgramError> {
        let Some(id) = self.id() else { return Ok(true) };
        let how = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match waitid(WaitId::Pid(id), how) {
            Ok(status) => Ok(status.is_some()),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => {
                Err(ProgramError::Wait { program: name.to_owned(), source: error.into() })
            }
        }
    }

    /// A short while, or less when all of its output was read.
    pub(super) fn pause(&self, output: &Output) {
        if output.end.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Disconnected) {
            std::thread::park_timeout(LOOK_EVERY);
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(id) = self.id() {
            // Nobody being left is what is wanted.
            let _nobody_left = kill_process_group(id, signal);
        }
    }

    /// Asks the group to end, and ends what is left of it after a grace.
    pub(super) fn end(&mut self) {
        self.signal(Signal::TERM);
        let until = Instant::now() + GRACE;
        while Instant::now() < until && !self.has_ended("").unwrap_or(true) {
            std::thread::park_timeout(LOOK_EVERY);
        }
        drop(self.reap());
    }

    /// Ends what is left of the group, then reaps its leader.
    pub(super) fn reap(&mut self) -> std::io::Result<std::process::ExitStatus> {
        if !self.ended {
            self.signal(Signal::KILL);
        }
        self.ended = true;
        self.child.wait()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.ended {
            drop(self.reap());
        }
    }
}
