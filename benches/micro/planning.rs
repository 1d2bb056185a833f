//! What differs between two trees: the cost of a plan.

use super::repository::{Repository, SIZES};
use divan::Bencher;
use divan::counter::ItemsCount;

/// One file of them differs.
#[divan::bench(args = SIZES)]
fn one_file_changed(bencher: Bencher<'_, '_>, files: u64) {
    let repository = Repository::new(files);
    let next = repository.changed(1);
    bencher.bench_local(|| repository.mirror.changes(Some(repository.tree), next));
}

/// All of them are new.
#[divan::bench(args = SIZES)]
fn all_files_added(bencher: Bencher<'_, '_>, files: u64) {
    let repository = Repository::new(files);
    bencher
        .counter(ItemsCount::new(files))
        .bench_local(|| repository.mirror.changes(None, repository.tree));
}
