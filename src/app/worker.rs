use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvError, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// A thread for work that takes its time, beside those that answer.
pub(super) struct Worker {
    name: &'static str,
    thread: Thread,
}

struct Thread {
    give: SyncSender<Job>,
    ends: JoinHandle<()>,
}

/// Pieces of work that wait for it, at most: whoever gives one waits for the one before.
const WAITING_MAX: usize = 1;

impl Worker {
    /// Starts it. It ends with the last piece of its work once nobody can give it another.
    ///
    /// # Errors
    /// When there cannot be more threads.
    pub(super) fn start(name: &'static str) -> io::Result<Self> {
        Ok(Self { name, thread: Thread::start(name, || {})? })
    }

    /// Has another thread go on from here, and ends the one before once it has done what it was given
    /// and `last`, which is waited for. The C library keeps for each thread some of the memory that it
    /// freed, small pieces all over the heap, which goes back with the thread alone. The fresh one does
    /// `first` when the one before has ended, before any other work. Where there cannot be another thread
    /// now, the old one stays and nothing is done: the next rest comes.
    pub(super) fn rest(
        &mut self,
        last: impl FnOnce() + Send + 'static,
        first: impl FnOnce() + Send + 'static,
    ) {
        let (ended, begin) = sync_channel::<()>(0);
        let first = move || {
            // Nothing is ever sent: this waits until the other side is gone.
            let (Ok(()) | Err(RecvError)) = begin.recv();
            first();
        };
        let fresh = match Thread::start(self.name, first) {
            Ok(fresh) => fresh,
            Err(error) => {
                tracing::debug!(%error, "no fresh thread for {}", self.name);
                return;
            }
        };
        let Thread { give, ends } = std::mem::replace(&mut self.thread, fresh);
        // No piece of work can end it otherwise, so that it is there to take this.
        drop(give.send(Box::new(last)));
        drop(give);
        drop(ends.join());
        drop(ended);
    }

    /// Has it work, after what it was given before. What the work came to is told, or that it ended
    /// as it should not have, or was not begun: too much waits already.
    pub(super) fn give<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (tell, told) = oneshot::channel();
        // Who waits is told by what is dropped where it was not taken.
        drop(self.thread.give.try_send(Box::new(move || drop(tell.send(work())))));
        told
    }
}

impl Thread {
    fn start(name: &str, first: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let (give, jobs) = sync_channel::<Job>(WAITING_MAX);
        let ends = Builder::new().name(name.to_owned()).spawn(move || {
            // A panic is a bug of that piece: who waits for it is told, and others are done.
            drop(catch_unwind(AssertUnwindSafe(first)));
            for job in jobs {
                drop(catch_unwind(AssertUnwindSafe(job)));
            }
        })?;
        Ok(Self { give, ends })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_that_ends_badly_is_told_and_the_next_is_done() {
        let worker = Worker::start("test").unwrap();
        let bad: oneshot::Receiver<()> = worker.give(|| panic!("a bug"));
        assert!(bad.blocking_recv().is_err());
        assert_eq!(worker.give(|| 2).blocking_recv(), Ok(2));
    }

    #[test]
    fn after_a_rest_another_thread_goes_on() {
        let here = || std::thread::current().id();
        let mut worker = Worker::start("test").unwrap();
        let before = (worker.give(here).blocking_recv(), worker.give(here).blocking_recv());
        assert_eq!(before.0, before.1);
        let last = worker.give(|| 1);
        let (tell, told) = std::sync::mpsc::channel();
        let tells = tell.clone();
        worker.rest(move || tells.send(here()).unwrap(), || {});
        worker.rest(move || tell.send(here()).unwrap(), || {});
        assert_eq!(last.blocking_recv(), Ok(1));
        let lasts: Vec<_> = told.iter().collect();
        assert_eq!(lasts.first().copied(), before.0.clone().ok(), "by the one that ends");
        assert_eq!(lasts.len(), 2);
        assert_ne!(worker.give(here).blocking_recv(), before.0);
    }

    #[test]
    fn what_is_done_first_after_a_rest_keeps_no_work_from_being_taken() {
        let mut worker = Worker::start("test").unwrap();
        let (go, gone) = std::sync::mpsc::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel();
        let first = move || {
            gone.recv().unwrap();
            tell.send(1).unwrap();
        };
        worker.rest(|| {}, first);
        let work = worker.give(move || told.try_recv());
        go.send(()).unwrap();
        assert_eq!(work.blocking_recv(), Ok(Ok(1)));
    }

    #[test]
    fn what_is_too_much_is_not_begun_and_who_waits_for_it_is_told() {
        let worker = Worker::start("test").unwrap();
        let (go, gone) = std::sync::mpsc::channel::<()>();
        let (begin, begun) = std::sync::mpsc::channel();
        let first = worker.give(move || (begin.send(()), gone.recv()).1.is_ok());
        begun.recv().unwrap();
        let waits = worker.give(|| 2);
        assert!(worker.give(|| 3).blocking_recv().is_err());
        go.send(()).unwrap();
        assert_eq!((first.blocking_recv(), waits.blocking_recv()), (Ok(true), Ok(2)));
    }
}
