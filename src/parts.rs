//! Work on many items, shared out to threads.

use std::panic::resume_unwind;
use std::thread::{Builder, scope};

/// Works through `items` in at most `threads` parts: the first `here`, the others on threads of their
/// own, or here as well where the system gives no more threads. Gives what each part came to, in
/// order; none where there are no items.
pub fn share_out<T: Sync, R: Send>(
    items: &[T],
    threads: usize,
    mut here: impl FnMut(&[T]) -> R,
    there: impl Fn(&[T]) -> R + Sync,
) -> Vec<R> {
    let mut parts = items.chunks(items.len().div_ceil(threads.max(1)).max(1));
    let Some(first) = parts.next() else { return Vec::new() };
    let there = &there;
    scope(|scope| {
        let begin = |part| Builder::new().spawn_scoped(scope, move || there(part));
        let others: Vec<_> = parts.map(|part| (part, begin(part))).collect();
        let mut results = vec![here(first)];
        results.extend(others.into_iter().map(|(part, other)| match other {
            // A panic is a bug, wherever it comes: it goes on here.
            Ok(other) => other.join().unwrap_or_else(|panic| resume_unwind(panic)),
            Err(_) => here(part),
        }));
        results
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_out_comes_back_whole_and_in_order() {
        let items: Vec<usize> = (0..1_003).collect();
        for threads in [0, 1, 2, 7, 2_000] {
            let parts = share_out(&items, threads, <[usize]>::to_vec, <[usize]>::to_vec);
            assert!(parts.len() <= threads.max(1), "{} of {threads}", parts.len());
            assert_eq!(parts.concat(), items);
        }
        assert_eq!(share_out(&[], 4, |part: &[u8]| part.len(), <[u8]>::len), [0; 0]);
    }
}
