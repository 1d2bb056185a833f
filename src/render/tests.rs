use super::*;
use crate::model::FileMode;
use crate::objects::Item;

struct Bench {
    _keep: tempfile::TempDir,
    mirror: Mirror,
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

    /// A tree with one raw entry, which git itself would not write.
    fn raw_tree(&self, mode: &str, name: &[u8], id: ObjectId) -> ObjectId {
        let mut bytes = format!("{mode} ").into_bytes();
        bytes.extend_from_slice(name);
        bytes.push(0);
        bytes.extend_from_slice(&id.0);
        let odb = self.mirror.repository().odb().unwrap();
        let id = odb.write(git2::ObjectType::Tree, &bytes).unwrap();
        ObjectId::parse(&id.to_string()).unwrap()
    }

    fn render(&self, tree: ObjectId, settings: &RenderSettings) -> Rendered {
        let commit = self.commit(tree);
        let input = Input {
            commit: &commit,
            settings,
            submodules: &BTreeMap::new(),
            limits: &Limits::default(),
            hint: None,
        };
        render(&self.mirror, &input).unwrap()
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
fn layers_are_merged_deep_and_later_ones_win() {
    let bench = Bench::new();
    let tree = bench.tree(&[
        ("base/app.yaml", "a:\n  b: 010\n  c: yes\n  gone: 1\nlist: [1, 2]\n"),
        ("base/only.txt", "base"),
        ("base/both.txt", "base"),
        ("site/app.yaml", "a:\n  c: no\n  gone: null\nlist: [3]\n"),
        ("site/both.txt", "site"),
        ("site/new/x.yaml", "k: v\n"),
    ]);
    let layered = RenderSettings { layers: vec!["base".into(), "site".into()], ..settings() };
    let rendered = bench.render(tree, &layered);
    assert_eq!(rendered.findings, []);
    let files = bench.files(rendered.tree.unwrap());
    insta::assert_debug_snapshot!(files);
}

#[test]
fn a_conflict_of_kinds_names_both_files_and_lines() {
    let bench = Bench::new();
    let tree =
        bench.tree(&[("base/app.yaml", "x: 1\na:\n  b: 1\n"), ("site/app.yaml", "a: [1]\n")]);
    let layered = RenderSettings { layers: vec!["base".into(), "site".into()], ..settings() };
    let rendered = bench.render(tree, &layered);
    assert_eq!(rendered.tree, None);
    let text = rendered.findings[0].to_string();
    assert!(text.contains("base/app.yaml:3:3") && text.contains("site/app.yaml:1:4"), "{text}");
}

#[test]
fn hostile_names_are_findings_and_make_no_tree() {
    let bench = Bench::new();
    let blob = bench.mirror.write_blob(b"x").unwrap();
    for name in [&b".."[..], b".git", b".GIT", b"git~1", b"a\nb", b"\xff\xfe", b"."] {
        let rendered = bench.render(bench.raw_tree("100644", name, blob), &settings());
        assert_eq!(rendered.tree, None, "{name:?}");
        assert_eq!(rendered.findings[0].rule, "path.name", "{name:?}");
    }
}

#[test]
fn a_submodule_that_is_off_is_left_out_and_told_of() {
    let bench = Bench::new();
    let commit = bench.commit(bench.tree(&[("x", "y")]));
    let tree = bench.raw_tree("160000", b"sub", commit.id());
    let rendered = bench.render(tree, &settings());
    assert_eq!(rendered.findings[0].rule, "render.submodule");
    assert_eq!(bench.files(rendered.tree.unwrap()).len(), 0);
}
