use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::Builder;

use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// A thread for work that takes its time, beside those that answer.
pub(super) struct Worker(SyncSender<Job>);

/// Pieces of work that wait for it, at most: whoever gives one waits for the one before.
const WAITING_MAX: usize = 1;

impl Worker {
    /// Starts it. It ends with the last piece of its work once nobody can give it another.
    ///
    /// # Errors
    /// When there cannot be more threads.
    pub(super) fn start(name: &str) -> io::Result<Self> {
        let (give, jobs) = sync_channel::<Job>(WAITING_MAX);
        Builder::new().name(name.to_owned()).spawn(move || {
            for job in jobs {
                // A panic is a bug of that piece: who waits for it is told, and others are done.
                drop(catch_unwind(AssertUnwindSafe(job)));
            }
        })?;
        Ok(Self(give))
    }

    /// Has it work, after what it was given before. What the work came to is told, or that it ended
    /// as it should not have, or was not begun: too much waits already.
    pub(super) fn give<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (tell, told) = oneshot::channel();
        // Who waits is told by what is dropped where it was not taken.
        drop(self.0.try_send(Box::new(move || drop(tell.send(work())))));
        told
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
