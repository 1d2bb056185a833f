use std::io::{self, BufReader, Read, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::RegoError;
use super::wire::{Answer, Outrun, receive};

/// How much longer than its own time a child may be waited for on a busy machine.
const PATIENCE: u32 = 30;
/// How long a child may take to start.
const START_TIME_MAX: Duration = Duration::from_secs(10);
/// The shortest wait between two looks at how much time a child used.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A child that evaluates policies.
pub(super) struct Child {
    from: BufReader<Patient>,
}

/// What a request may take, of a processor's time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    /// From one announcement to the next.
    pub(super) stage: Duration,
    /// All of it.
    pub(super) total: Duration,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Fault {
    /// It took too much.
    Outran(Outrun),
    /// It is nobody's fault that is known.
    Ours(RegoError),
}

impl Child {
    /// Starts one, and waits until it has its limits.
    pub(super) fn start(memory_bytes_max: u64) -> Result<Self, RegoError> {
        let link = Link::start(memory_bytes_max).map_err(RegoError::Start)?;
        let budget = Budget { stage: START_TIME_MAX, total: START_TIME_MAX };
        let mut child = Self { from: BufReader::new(Patient::new(link, budget)) };
        match receive::<Answer>(&mut child.from) {
            Ok(Some(Answer::Ready)) => Ok(child),
            Ok(Some(_)) => Err(RegoError::Talk(io::Error::other("it said something else first"))),
            Ok(None) | Err(_) => Err(RegoError::Ended { how: child.end() }),
        }
    }

    /// Asks something, and hands on what comes until that was all. Of what it is told, `take` says
    /// whether it is an announcement.
    pub(super) fn ask(
        &mut self,
        frame: &[u8],
        budget: Budget,
        mut take: impl FnMut(Answer) -> bool,
    ) -> Result<(), Fault> {
        // A child that is gone says so when it is read from.
        let sent = self.from.get_mut().link.stream().write_all(frame);
        if let Err(error) = sent
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            return Err(Fault::Ours(RegoError::Talk(error)));
        }
        self.from.get_mut().begin(budget);
        loop {
            match receive::<Answer>(&mut self.from) {
                Ok(Some(Answer::Done)) => return Ok(()),
                Ok(Some(answer)) => {
                    if take(answer) {
                        self.from.get_mut().next_stage();
                    }
                }
                Ok(None) => return Err(Fault::Outran(Outrun::Space(self.end()))),
                Err(error) => return Err(self.fault(error)),
            }
        }
    }

    fn fault(&mut self, error: io::Error) -> Fault {
        match error.kind() {
            io::ErrorKind::TimedOut if self.from.get_ref().is_silent => {
                Fault::Ours(RegoError::Silent)
            }
            io::ErrorKind::TimedOut => Fault::Outran(Outrun::Time),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
                Fault::Outran(Outrun::Space(self.end()))
            }
            _ => Fault::Ours(RegoError::Talk(error)),
        }
    }

    /// Ends it, and says how it ended.
    fn end(&mut self) -> String {
        self.from.get_mut().link.end()
    }
}

/// What is read from a child, as long as it is worth waiting for.
struct Patient {
    link: Link,
    budget: Budget,
    stage: Mark,
    total: Mark,
    /// Whether the child was given up though it used little time.
    is_silent: bool,
}

/// A moment, and what the child had used then.
#[derive(Clone, Copy)]
struct Mark {
    at: Instant,
    used: Option<Duration>,
}

impl Patient {
    fn new(link: Link, budget: Budget) -> Self {
        let mark = Mark { at: Instant::now(), used: None };
        Self { link, budget, stage: mark, total: mark, is_silent: false }
    }

    fn mark(&self) -> Mark {
        Mark { at: Instant::now(), used: self.link.time_used() }
    }

    fn begin(&mut self, budget: Budget) {
        self.budget = budget;
        self.total = self.mark();
        self.stage = self.total;
    }

    fn next_stage(&mut self) {
        self.stage = self.mark();
    }

    /// How long to wait before the next look; `None` when that is enough.
    fn wait(&mut self) -> Option<Duration> {
        let now = self.mark();
        let mut shortest = Duration::MAX;
        for (mark, budget) in [(self.stage, self.budget.stage), (self.total, self.budget.total)] {
            let waited = now.at.saturating_duration_since(mark.at);
            let used = match (now.used, mark.used) {
                (Some(now), Some(then)) => now.saturating_sub(then),
                _ => waited,
            };
            let left = budget.saturating_sub(used);
            self.is_silent = waited >= budget.saturating_mul(PATIENCE) && !left.is_zero();
            if left.is_zero() || self.is_silent {
                return None;
            }
            shortest = shortest.min(left);
        }
        Some(shortest.max(LOOK_EVERY))
    }
}

impl Read for Patient {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(wait) = self.wait() else {
                return Err(io::ErrorKind::TimedOut.into());
            };
            self.link.stream().set_read_timeout(Some(wait))?;
            match self.link.stream().read(buffer) {
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock
                            | io::ErrorKind::TimedOut
                            | io::ErrorKind::Interrupted
                    ) => {}
                read => return read,
            }
        }
    }
}

/// What is at the other end.
#[cfg(not(test))]
struct Link {
    companion: Option<crate::programs::Companion>,
    /// Our end of the socket.
    stream: UnixStream,
}

#[cfg(not(test))]
impl Link {
    fn start(memory_bytes_max: u64) -> io::Result<Self> {
        let arguments = [super::VERB.into(), memory_bytes_max.to_string().into()];
        let companion = crate::programs::Companion::start(&arguments)?;
        let stream = companion.stream.try_clone()?;
        stream.set_write_timeout(Some(START_TIME_MAX))?;
        Ok(Self { companion: Some(companion), stream })
    }

    const fn stream(&mut self) -> &mut UnixStream {
        &mut self.stream
    }

    fn time_used(&self) -> Option<Duration> {
        self.companion.as_ref().and_then(crate::programs::Companion::time_used)
    }

    fn end(&mut self) -> String {
        self.companion.take().map_or_else(String::new, crate::programs::Companion::end)
    }
}

/// In tests of the library there is no program to be the child: a thread is, without limits.
#[cfg(test)]
struct Link {
    stream: UnixStream,
}

#[cfg(test)]
impl Link {
    fn start(_memory_bytes_max: u64) -> io::Result<Self> {
        let (stream, theirs) = UnixStream::pair()?;
        std::thread::Builder::new().spawn(move || {
            let (mut from, mut to) = (theirs.try_clone()?, theirs);
            super::serve::serve(&mut from, &mut to, &mut |_| {})
        })?;
        Ok(Self { stream })
    }

    const fn stream(&mut self) -> &mut UnixStream {
        &mut self.stream
    }

    #[expect(clippy::unused_self, reason = "as the other has it")]
    const fn time_used(&self) -> Option<Duration> {
        None
    }

    #[expect(clippy::unused_self, reason = "as the other has it")]
    fn end(&mut self) -> String {
        "the thread ended".to_owned()
    }
}
