use std::num::NonZero;
use std::sync::OnceLock;
use std::thread;

use super::{Mirror, ObjectsError};
use crate::parts;

/// Threads that work over objects at once: more only wait for the disk.
const THREADS_MAX: usize = 4;

impl Mirror {
    /// Works through many objects on as many threads as the machine has, each with a handle of its
    /// own on this mirror. Gives what each part of `items` came to, in order; fewer than `worth_it`
    /// items are one part, here.
    ///
    /// # Errors
    /// That of the first part that has one.
    pub fn share_out<T, R, E>(
        &self,
        items: &[T],
        worth_it: usize,
        work: impl Fn(&Self, &[T]) -> Result<R, E> + Sync,
    ) -> Result<Vec<R>, E>
    where
        T: Sync,
        R: Send,
        E: From<ObjectsError> + Send,
    {
        // Other handles do not see what a view has in memory.
        let is_worth_it = !self.is_view() && items.len() >= worth_it.max(THREADS_MAX);
        let threads = if is_worth_it { threads().min(THREADS_MAX) } else { 1 };
        if threads == 1 {
            return Ok(vec![work(self, items)?]);
        }
        let (path, kept) = (self.path(), &self.kept);
        let there = |part: &[T]| work(&Self::beside(path, kept)?, part);
        parts::share_out(items, threads, |part| work(self, part), there).into_iter().collect()
    }
}

/// Threads that this machine runs at once, as it was when that was asked first: it is read from a dozen
/// files.
fn threads() -> usize {
    static THREADS: OnceLock<usize> = OnceLock::new();
    *THREADS.get_or_init(|| thread::available_parallelism().map_or(1, NonZero::get))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_out_comes_back_whole_and_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let mirror = Mirror::open_or_create(&folder.path().join("repo.git")).unwrap();
        let items: Vec<usize> = (0..1_003).collect();
        for worth_it in [1, 2_000] {
            let parts = mirror
                .share_out(&items, worth_it, |_, part| Ok::<_, ObjectsError>(part.to_vec()))
                .unwrap();
            assert_eq!(parts.concat(), items);
        }
        let none = mirror.share_out(&[], 1, |_, part: &[u8]| Ok::<_, ObjectsError>(part.len()));
        assert_eq!(none.unwrap(), [0]);
    }
}
