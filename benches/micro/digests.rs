//! The digest of a tree, with and without what is remembered of an earlier one.

use std::cell::Cell;

use super::repository::{Repository, SIZES};
use divan::Bencher;
use divan::counter::ItemsCount;

/// Nothing is remembered: every file is read and hashed.
#[divan::bench(args = SIZES, sample_count = 10)]
fn from_nothing(bencher: Bencher<'_, '_>, files: u64) {
    let repository = Repository::new(files);
    bencher
        .counter(ItemsCount::new(files))
        .with_inputs(|| repository.mirror.drop_digests().expect("nothing remembered"))
        .bench_local_values(|()| repository.mirror.summary(repository.tree, None));
}

/// One file differs from a tree whose digests are remembered.
#[divan::bench(args = SIZES)]
fn one_file_changed(bencher: Bencher<'_, '_>, files: u64) {
    let repository = Repository::new(files);
    repository.mirror.summary(repository.tree, None).expect("a digest");
    let version = Cell::new(0);
    bencher
        .with_inputs(|| {
            version.set(version.get() + 1);
            repository.changed(version.get())
        })
        .bench_local_values(|tree| repository.mirror.summary(tree, Some(repository.tree)));
}
