//! Rendering: two layers of YAML files merged into one tree.

use std::cell::Cell;
use std::collections::BTreeMap;

use super::repository::{Repository, SIZES, commit};
use divan::Bencher;
use divan::counter::ItemsCount;
use kconfigd::config::RenderSettings;
use kconfigd::model::{Limits, ObjectId, Revision};
use kconfigd::objects::{Item, ItemKind};
use kconfigd::render::{Input, Rendered, render};

/// The first rendering: every file of both layers is parsed and merged.
#[divan::bench(args = &SIZES[..2], sample_count = 5, sample_size = 1)]
fn from_nothing(bencher: Bencher<'_, '_>, files: u64) {
    bencher
        .counter(ItemsCount::new(files))
        .with_inputs(|| {
            // What was merged is remembered beside a mirror, so each time takes its own.
            let repository = Repository::new(files);
            let commit = layered(&repository, repository.changed(1));
            (repository, commit)
        })
        .bench_local_refs(|(repository, commit)| rendered(repository, commit, None));
}

/// One file of the second layer differs from what was rendered before.
#[divan::bench(args = SIZES)]
fn one_file_changed(bencher: Bencher<'_, '_>, files: u64) {
    let repository = Repository::new(files);
    let before = rendered(&repository, &layered(&repository, repository.changed(1)), None).tree;
    let version = Cell::new(1);
    bencher
        .with_inputs(|| {
            version.set(version.get() + 1);
            layered(&repository, repository.changed(version.get()))
        })
        .bench_local_values(|commit| rendered(&repository, &commit, before));
}

/// A commit of two folders with the same files.
fn layered(repository: &Repository, site: ObjectId) -> Revision {
    let folder = |name: &str, id| Item { name: name.into(), id, kind: ItemKind::Folder };
    let both = [folder("base", repository.tree), folder("site", site)];
    let tree = repository.mirror.write_tree(&both).expect("a tree");
    commit(&repository.mirror, tree)
}

fn rendered(repository: &Repository, commit: &Revision, hint: Option<ObjectId>) -> Rendered {
    let settings = RenderSettings {
        path: String::new(),
        include: vec!["**".to_owned()],
        exclude: Vec::new(),
        layers: vec!["base".to_owned(), "site".to_owned()],
        only_for: None,
    };
    let input = Input {
        commit,
        settings: &settings,
        submodules: &BTreeMap::new(),
        limits: &Limits::default(),
        hint,
    };
    let rendered = render(&repository.mirror, &input).expect("a rendered tree");
    assert!(rendered.tree.is_some(), "{:?}", rendered.findings);
    rendered
}
