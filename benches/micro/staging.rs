//! A tree made durable beside the live one.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use super::repository::{Repository, SIZES, commit};
use divan::Bencher;
use divan::counter::ItemsCount;
use kconfigd::config::{DriftPolicy, LiveMode, LiveSettings, MaxDeletions};
use kconfigd::model::{DeploymentId, ObjectId, Origin, Timestamp};
use kconfigd::trees::{RealDisk, Target, Trees, Use};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// The first tree: every file is written.
#[divan::bench(args = SIZES, sample_count = 5, sample_size = 1)]
fn from_nothing(bencher: Bencher<'_, '_>, files: u64) {
    let repository = Repository::new(files);
    let target = target(&repository, repository.tree, 1);
    let mut trees = open(&repository);
    bencher.counter(ItemsCount::new(files)).bench_local(|| {
        let staged = trees.stage(&repository.mirror, &target, NOW).expect("a staged tree");
        trees.discard(staged).expect("a discarded tree");
    });
}

/// One file differs from the live tree; the others are shared with it. The tree is swapped in.
#[divan::bench(args = SIZES, sample_count = 20, sample_size = 1)]
fn one_file_changed(bencher: Bencher<'_, '_>, files: u64) {
    let repository = Repository::new(files);
    let mut trees = open(&repository);
    let first = target(&repository, repository.tree, 1);
    let staged = trees.stage(&repository.mirror, &first, NOW).expect("a staged tree");
    trees.publish(staged).expect("a live tree");
    let version = Cell::new(1);
    bencher
        .with_inputs(|| {
            version.set(version.get() + 1);
            target(&repository, repository.changed(version.get()), version.get())
        })
        .bench_local_values(|target| {
            let staged = trees.stage(&repository.mirror, &target, NOW).expect("a staged tree");
            trees.publish(staged).expect("a live tree");
        });
}

fn open(repository: &Repository) -> Trees {
    let settings = LiveSettings {
        path: repository.folder.path().join("live/config"),
        mode: LiveMode::Symlink,
        drift: DriftPolicy::Off,
        drift_interval: Duration::from_secs(60),
        adopt: false,
        max_deletions: MaxDeletions::Part(0.5),
        reuse_after: Duration::ZERO,
        owner: None,
        file_modes: Vec::new(),
    };
    std::fs::create_dir_all(repository.folder.path().join("live")).expect("a folder");
    let mut trees =
        Trees::open(&settings, 10, Arc::new(RealDisk::default()), None).expect("the trees");
    trees.ensure_folder().expect("their folder");
    trees
}

fn target(repository: &Repository, tree: ObjectId, deployment: u64) -> Target {
    let summary = repository.mirror.summary(tree, None).expect("a digest");
    let used = Use {
        deployment: DeploymentId(deployment),
        revision: commit(&repository.mirror, tree),
        origin: Origin::Sync,
        at: NOW,
    };
    Target { tree, digest: summary.digest, files: summary.files, seals: Arc::default(), used }
}
