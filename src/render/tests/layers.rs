use super::*;

fn layered(layers: &[&str]) -> RenderSettings {
    let layers = layers.iter().map(|layer| (*layer).to_owned()).collect();
    RenderSettings { layers, ..settings() }
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
    let rendered = bench.render(tree, &layered(&["base", "site"]));
    assert_eq!(rendered.findings, []);
    let files = bench.files(rendered.tree.unwrap());
    insta::assert_debug_snapshot!(files);
}

#[test]
fn a_conflict_of_kinds_names_both_files_and_lines() {
    let bench = Bench::new();
    let tree =
        bench.tree(&[("base/app.yaml", "x: 1\na:\n  b: 1\n"), ("site/app.yaml", "a: [1]\n")]);
    let rendered = bench.render(tree, &layered(&["base", "site"]));
    assert_eq!(rendered.tree, None);
    let text = rendered.findings[0].to_string();
    assert!(text.contains("base/app.yaml:3:3") && text.contains("site/app.yaml:1:4"), "{text}");
}

#[test]
fn what_only_one_layer_has_is_taken_as_it_is() {
    let bench = Bench::new();
    let text = "# how often\na:   1   # seconds\n";
    let tree = bench.tree(&[("base/only.yaml", text), ("base/x/y.yaml", text), ("site/f", "")]);
    let rendered = bench.render(tree, &layered(&["base", "site"])).tree.unwrap();
    assert_eq!(bench.files(rendered)["only.yaml"], text);
    assert_eq!(bench.files(rendered)["x/y.yaml"], text);
}

#[test]
fn a_file_that_is_all_comments_changes_nothing_below_it() {
    let bench = Bench::new();
    let tree = bench.tree(&[("base/a.yaml", "a: 1 # one\n"), ("site/a.yaml", "# a: 2\n")]);
    let rendered = bench.render(tree, &layered(&["base", "site"])).tree.unwrap();
    assert_eq!(bench.files(rendered)["a.yaml"], "a: 1 # one\n");
}

#[test]
fn many_documents_and_lists_are_replaced_whole() {
    let bench = Bench::new();
    for (base, site) in [("a: 1\n", "a: 1\n---\nb: 2\n"), ("[1]\n", "b: 2 # two\n")] {
        let tree = bench.tree(&[("base/a.yaml", base), ("site/a.yaml", site)]);
        let rendered = bench.render(tree, &layered(&["base", "site"])).tree.unwrap();
        assert_eq!(bench.files(rendered)["a.yaml"], site);
    }
}

#[test]
fn a_broken_file_of_a_lower_layer_is_told_of_and_not_dropped() {
    let bench = Bench::new();
    let tree = bench.tree(&[("c/base/a.yaml", "a: [1\n"), ("c/site/a.yaml", "a: 1\n")]);
    let below = RenderSettings { path: "c".into(), ..layered(&["base", "site"]) };
    let rendered = bench.render(tree, &below);
    assert_eq!(rendered.tree, None);
    let finding = &rendered.findings[0];
    assert_eq!(
        (finding.rule.as_str(), finding.file.as_deref()),
        ("yaml.syntax", Some("c/base/a.yaml"))
    );
    assert!(finding.line.is_some());
}

#[test]
fn a_folder_and_a_file_of_one_name_leave_the_later_one() {
    let bench = Bench::new();
    let tree = bench.tree(&[("base/x/y", "1"), ("site/x", "2"), ("more/x/z", "3")]);
    let keys = |layers: &[&str]| {
        let rendered = bench.render(tree, &layered(layers)).tree.unwrap();
        bench.files(rendered).into_keys().collect::<Vec<_>>()
    };
    assert_eq!(keys(&["base", "site"]), ["x"]);
    assert_eq!(keys(&["site", "base"]), ["x/y"]);
    assert_eq!(keys(&["base", "site", "more"]), ["x/z"]);
}

#[test]
fn the_executable_bit_is_that_of_the_last_layer() {
    let bench = Bench::new();
    let text = |text: &str| bench.mirror.write_blob(text.as_bytes()).unwrap();
    let base = bench.raw_tree(&[("100755", b"a.yaml", text("a: 1\n"))]);
    let site = bench.raw_tree(&[("100644", b"a.yaml", text("b: 1\n"))]);
    let tree = bench.raw_tree(&[("40000", b"base", base), ("40000", b"site", site)]);
    for (layers, mode) in
        [(["base", "site"], FileMode::Regular), (["site", "base"], FileMode::Executable)]
    {
        let rendered = bench.render(tree, &layered(&layers)).tree.unwrap();
        let item = bench.mirror.find(rendered, "a.yaml").unwrap().unwrap();
        assert_eq!(item.kind, ItemKind::File(mode));
    }
}

#[test]
fn a_layer_that_is_not_there_is_a_finding() {
    let bench = Bench::new();
    let tree = bench.tree(&[("base/a", "1"), ("site/a", "1")]);
    let rendered = bench.render(tree, &layered(&["base", "sites", "nowhere"]));
    assert_eq!(rendered.tree, None);
    let told: Vec<_> = rendered.findings.iter().map(|f| (&*f.rule, &*f.message)).collect();
    assert_eq!(
        told,
        [
            ("render.layers", "`sites` is not in the repository"),
            ("render.layers", "`nowhere` is not in the repository")
        ]
    );
    assert!(rendered.findings[0].hint.as_deref().unwrap().contains("`site`"));
}

#[test]
fn hostile_names_in_a_layer_are_findings() {
    let bench = Bench::new();
    let blob = bench.mirror.write_blob(b"x").unwrap();
    let plain = bench.raw_tree(&[("100644", b"f", blob)]);
    for name in [&b".git"[..], b"..", b"a\nb", b"\xff"] {
        let hostile = bench.raw_tree(&[("100644", name, blob)]);
        let tree = bench.raw_tree(&[("40000", b"base", plain), ("40000", b"site", hostile)]);
        let rendered = bench.render(tree, &layered(&["base", "site"]));
        assert_eq!(rendered.tree, None, "{name:?}");
        assert_eq!(rendered.findings[0].rule, "path.name", "{name:?}");
        assert!(rendered.findings[0].file.as_deref().unwrap().starts_with("site/"), "{name:?}");
    }
}

#[test]
fn a_submodule_in_a_layer_is_merged_like_a_folder() {
    let bench = Bench::new();
    let inner = bench.tree(&[("a.yaml", "a: 1\n")]);
    let base = bench.raw_tree(&[("160000", b"sub", bench.commit(inner).id())]);
    let site = bench.tree(&[("sub/a.yaml", "b: 2\n")]);
    let tree = bench.raw_tree(&[("40000", b"base", base), ("40000", b"site", site)]);
    let rendered = bench.render_with(tree, &layered(&["base", "site"]), |rest| {
        rest.submodules = BTreeMap::from([("base/sub".to_owned(), inner)]);
    });
    assert_eq!(bench.files(rendered.tree.unwrap())["sub/a.yaml"], "a: 1\nb: 2\n");
}

#[test]
fn what_was_merged_before_is_not_read_again() {
    let bench = Bench::new();
    let tree = |last: &str| {
        bench.tree(&[("base/d/a.yaml", "a: 1\n"), ("site/d/a.yaml", "b: 2\n"), ("site/f", last)])
    };
    let (old, new) = (tree("1"), tree("2"));
    let first = bench.render(old, &layered(&["base", "site"])).tree.unwrap();
    for file in ["base/d/a.yaml", "site/d/a.yaml"] {
        bench.lose(bench.mirror.find(new, file).unwrap().unwrap().id);
    }
    let second = bench.render(new, &layered(&["base", "site"])).tree.unwrap();
    let changes = bench.mirror.changes(Some(first), second).unwrap();
    assert_eq!(changes.iter().map(|c| c.path.as_str()).collect::<Vec<_>>(), ["f"]);
}

/// What emitter 1 makes of layers, as `docs/on-disk-format.md` has it: it may never change, or every
/// digest of a merged tree would.
#[test]
fn emitter_1_writes_what_the_documented_vector_says() {
    let docs = include_str!("../../../docs/on-disk-format.md");
    let (_, section) = docs.split_once("### Merged layers").unwrap();
    let blocks: Vec<&str> =
        section.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let [base, site, merged] = blocks[..] else { panic!("{blocks:?}") };
    let part = |text: &str, path: &str| {
        text.strip_prefix(&format!("# {path}\n")).expect("its name").to_owned()
    };
    let (base, site) = (part(base, "base/app.yaml"), part(site, "site/app.yaml"));
    let bench = Bench::new();
    let tree = bench.tree(&[("base/app.yaml", &base), ("site/app.yaml", &site)]);
    let rendered = bench.render(tree, &layered(&["base", "site"])).tree.unwrap();
    assert_eq!(bench.files(rendered)["app.yaml"], merged);
    let documented = "sha256:bbc0218ba5a98286e5ed986144d79016e0e6f8d9d93516975709e3845bec6707";
    assert_eq!(bench.mirror.summary(rendered, None).unwrap().digest.to_string(), documented);
    assert!(section.contains(documented));
}
