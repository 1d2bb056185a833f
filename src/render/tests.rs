use super::*;
use crate::model::FileMode;
use crate::objects::{Item, ItemKind};

mod filters;
mod hostile;
mod layers;
mod needs;

struct Bench {
    _keep: tempfile::TempDir,
    mirror: Mirror,
}

/// What most renderings leave as it is by default.
#[derive(Default)]
struct Rest {
    submodules: BTreeMap<String, ObjectId>,
    limits: Limits,
    hint: Option<ObjectId>,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mirror = Mirror::open_or_create(&folder.path().join("repo.git")).unwrap();
        Self { _keep: folder, mirror }
    }

    fn tree(&self, files: &[(&str, &str)]) -> ObjectId {
        let mut here: Vec<Item> = Vec::new();
        let mut below: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
        for (path, text) in files {
            match path.split_once('/') {
                Some((folder, rest)) => below.entry(folder).or_default().push((rest, text)),
                None => here.push(Item {
                    name: path.as_bytes().to_vec(),
                    id: self.mirror.write_blob(text.as_bytes()).unwrap(),
                    kind: ItemKind::File(FileMode::Regular),
                }),
            }
        }
        for (folder, files) in below {
            let id = self.tree(&files);
            here.push(Item { name: folder.into(), id, kind: ItemKind::Folder });
        }
        self.mirror.write_tree(&here).unwrap()
    }

    fn commit(&self, tree: ObjectId) -> Revision {
        let repository = self.mirror.repository();
        let who = git2::Signature::new("a", "a@example.com", &git2::Time::new(0, 0)).unwrap();
        let tree = repository.find_tree(git2::Oid::from_bytes(&tree.0).unwrap()).unwrap();
        let id = repository.commit(None, &who, &who, "m", &tree, &[]).unwrap();
        Revision::parse(&id.to_string()).unwrap()
    }

    /// A tree of raw entries, which git itself would not write.
    fn raw_tree(&self, entries: &[(&str, &[u8], ObjectId)]) -> ObjectId {
        let mut bytes = Vec::new();
        for (mode, name, id) in entries {
            bytes.extend_from_slice(mode.as_bytes());
            bytes.push(b' ');
            bytes.extend_from_slice(name);
            bytes.push(0);
            bytes.extend_from_slice(&id.0);
        }
        let odb = self.mirror.repository().odb().unwrap();
        let id = odb.write(git2::ObjectType::Tree, &bytes).unwrap();
        ObjectId::parse(&id.to_string()).unwrap()
    }

    fn render(&self, tree: ObjectId, settings: &RenderSettings) -> Rendered {
        self.render_with(tree, settings, |_| {})
    }

    fn render_with(
        &self,
        tree: ObjectId,
        settings: &RenderSettings,
        change: impl FnOnce(&mut Rest),
    ) -> Rendered {
        let commit = self.commit(tree);
        let mut rest = Rest::default();
        change(&mut rest);
        let Rest { submodules, limits, hint } = &rest;
        let input = Input { commit: &commit, settings, submodules, limits, hint: *hint };
        render(&self.mirror, &input).unwrap()
    }

    /// Takes an object out of the store: whoever reads it now fails.
    fn lose(&self, id: ObjectId) {
        let id = id.to_string();
        let file = self.mirror.path().join("objects").join(&id[..2]).join(&id[2..]);
        std::fs::remove_file(file).unwrap();
    }

    fn files(&self, tree: ObjectId) -> BTreeMap<String, String> {
        let mut files = BTreeMap::new();
        self.mirror
            .each_file::<crate::objects::ObjectsError>(tree, &mut |path, entry| {
                let bytes = self.mirror.blob(entry.id)?;
                files.insert(path.to_string(), String::from_utf8_lossy(&bytes).into_owned());
                Ok(())
            })
            .unwrap();
        files
    }
}

fn settings() -> RenderSettings {
    RenderSettings {
        path: String::new(),
        include: vec!["**".to_owned()],
        exclude: Vec::new(),
        layers: Vec::new(),
        only_for: None,
    }
}

#[test]
fn without_settings_the_tree_is_the_commits_own() {
    let bench = Bench::new();
    let tree = bench.tree(&[("a/b.yaml", "x: 1\n"), ("c", "d")]);
    assert_eq!(bench.render(tree, &settings()).tree, Some(tree));
    let of_folder = RenderSettings { path: "a/".to_owned(), ..settings() };
    let rendered = bench.render(tree, &of_folder).tree.unwrap();
    assert_eq!(bench.files(rendered), BTreeMap::from([("b.yaml".to_owned(), "x: 1\n".to_owned())]));
}

#[test]
fn a_path_that_is_not_there_names_the_nearest_folder() {
    let bench = Bench::new();
    let tree = bench.tree(&[("production/a", ""), ("staging/a", "")]);
    let rendered = bench.render(tree, &RenderSettings { path: "prodution".into(), ..settings() });
    assert_eq!(rendered.tree, None);
    assert!(rendered.findings[0].hint.as_deref().unwrap().contains("`production`"));
}

#[test]
fn patterns_leave_files_and_folders_out() {
    let bench = Bench::new();
    let tree = bench.tree(&[("a/x.yaml", "1"), ("a/x.md", "2"), ("docs/y.yaml", "3"), ("z", "4")]);
    let filtered = RenderSettings {
        include: vec!["*.yaml".into()],
        exclude: vec!["docs/".into()],
        ..settings()
    };
    let rendered = bench.render(tree, &filtered).tree.unwrap();
    assert_eq!(bench.files(rendered).into_keys().collect::<Vec<_>>(), ["a/x.yaml"]);
}

#[test]
fn hostile_names_are_findings_and_make_no_tree() {
    let bench = Bench::new();
    let blob = bench.mirror.write_blob(b"x").unwrap();
    let long = [b'x'; 256];
    for name in [&b".."[..], b".git", b".GIT", b"git~1", b"a\nb", b"\xff\xfe", b".", &long] {
        let rendered = bench.render(bench.raw_tree(&[("100644", name, blob)]), &settings());
        assert_eq!(rendered.tree, None, "{name:?}");
        assert_eq!(rendered.findings[0].rule, "path.name", "{name:?}");
    }
}

#[test]
fn a_submodule_that_is_off_is_left_out_and_told_of() {
    let bench = Bench::new();
    let commit = bench.commit(bench.tree(&[("x", "y")]));
    let tree = bench.raw_tree(&[("160000", b"sub", commit.id())]);
    let rendered = bench.render(tree, &settings());
    assert_eq!(rendered.findings[0].rule, "render.submodule");
    assert_eq!(bench.files(rendered.tree.unwrap()).len(), 0);
    let excluded = RenderSettings { exclude: vec!["sub".into()], ..settings() };
    assert_eq!(bench.render(tree, &excluded).findings, []);
}

#[test]
fn a_submodule_that_is_on_is_part_of_the_tree() {
    let bench = Bench::new();
    let inner = bench.tree(&[("x", "y")]);
    let commit = bench.commit(inner).id();
    let sub = bench.raw_tree(&[("160000", b"sub", commit)]);
    let outer = bench.raw_tree(&[("40000", b"site", sub)]);
    let below = RenderSettings { path: "site".into(), ..settings() };
    let on = |rest: &mut Rest| rest.submodules = BTreeMap::from([("site/sub".to_owned(), inner)]);
    let rendered = bench.render_with(outer, &below, on);
    assert_eq!(rendered.findings, []);
    assert_eq!(bench.files(rendered.tree.unwrap()).into_keys().collect::<Vec<_>>(), ["sub/x"]);
    let inside = RenderSettings { path: "site/sub".into(), ..settings() };
    assert_eq!(bench.render_with(outer, &inside, on).tree, Some(inner));
    assert!(bench.render(outer, &inside).findings[0].message.contains("is a submodule"));
}

#[test]
fn what_the_hint_has_is_not_looked_at_again() {
    let bench = Bench::new();
    let same = bench.tree(&[("same/deep/f", "1")]);
    let same = bench.mirror.find(same, "same").unwrap().unwrap();
    let old = bench.tree(&[("same/deep/f", "1"), ("f", "1")]);
    let new = bench.tree(&[("same/deep/f", "1"), ("f", "2")]);
    bench.lose(bench.mirror.find(same.id, "deep").unwrap().unwrap().id);
    let rendered = bench.render_with(new, &settings(), |rest| rest.hint = Some(old));
    assert_eq!(rendered.tree, Some(new));
}

#[test]
fn what_was_filtered_before_is_not_looked_at_again() {
    let bench = Bench::new();
    let filtered = RenderSettings { exclude: vec!["*.md".into()], ..settings() };
    let old = bench.tree(&[("a/b/f", "1"), ("a/b/f.md", "1"), ("g", "1")]);
    let first = bench.render(old, &filtered).tree.unwrap();
    let new = bench.tree(&[("a/b/f", "1"), ("a/b/f.md", "1"), ("g", "2")]);
    bench.lose(bench.mirror.find(new, "a/b").unwrap().unwrap().id);
    let second = bench.render(new, &filtered).tree.unwrap();
    assert_eq!(bench.mirror.changes(Some(first), second).unwrap().len(), 1);
}

#[test]
fn a_commit_without_files_gives_a_tree_without_files() {
    let bench = Bench::new();
    let fresh = bench.commit(bench.mirror.write_tree(&[]).unwrap());
    let tree = bench.mirror.commit_tree(&fresh).unwrap();
    bench.lose(tree);
    let mirror = Mirror::open_or_create(bench.mirror.path()).unwrap();
    let (settings, submodules, limits) = (settings(), BTreeMap::new(), Limits::default());
    let input = Input {
        commit: &fresh,
        settings: &settings,
        submodules: &submodules,
        limits: &limits,
        hint: None,
    };
    let rendered = render(&mirror, &input).unwrap();
    assert_eq!((rendered.tree, rendered.findings), (Some(tree), Vec::new()));
    assert_eq!(mirror.summary(tree, None).unwrap().files, 0);
}
