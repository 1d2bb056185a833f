use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};
use std::thread::Builder;

use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// A thread for work that takes its time, beside those that answer: they get a processor first.
pub(super) struct Worker(Sender<Job>);

impl Worker {
    /// Starts it. It ends with the last piece of its work once nobody can give it another.
    ///
    /// # Errors
    /// When there cannot be more threads.
    pub(super) fn start(name: &str) -> io::Result<Self> {
        let (give, jobs) = channel::<Job>();
        Builder::new().name(name.to_owned()).spawn(move || {
            for job in jobs {
                // A panic is a bug of that piece: who waits for it is told, and others are done.
                drop(catch_unwind(AssertUnwindSafe(job)));
            }
        })?;
        Ok(Self(give))
    }

    /// Has it work, after what it was given before. What the work came to is told, or that it ended
    /// as it should not have.
    pub(super) fn give<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (tell, told) = oneshot::channel();
        // Where the thread is no more, who waits is told by what is dropped here.
        drop(self.0.send(Box::new(move || drop(tell.send(work())))));
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
        let good = worker.give(|| 2);
        assert!(bad.blocking_recv().is_err());
        assert_eq!(good.blocking_recv(), Ok(2));
    }
}
