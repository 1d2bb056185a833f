use super::*;

/// A folder of `width` folders that are all the same one, `depth` times over: a few objects, and
/// more paths than anybody can count.
fn bomb(bench: &Bench, width: usize, depth: usize) -> ObjectId {
    wrap(bench, bench.tree(&[("f.yaml", "a: 1\n")]), width, depth)
}

fn wrap(bench: &Bench, mut tree: ObjectId, width: usize, depth: usize) -> ObjectId {
    for _ in 0..depth {
        let items: Vec<Item> = (0..width)
            .map(|n| Item { name: n.to_string().into_bytes(), id: tree, kind: ItemKind::Folder })
            .collect();
        tree = bench.mirror.write_tree(&items).unwrap();
    }
    tree
}

fn rules(rendered: &Rendered) -> Vec<&str> {
    rendered.findings.iter().map(|finding| finding.rule.as_str()).collect()
}

fn few(rest: &mut Rest) {
    rest.limits.files_max = 100;
}

#[test]
fn a_tree_without_end_is_refused_soon() {
    let bench = Bench::new();
    let tree = bomb(&bench, 9, 50);
    let rendered = bench.render_with(tree, &settings(), few);
    assert_eq!((rendered.tree, rules(&rendered)), (None, vec!["limits.files_max"]));
    let none = RenderSettings { include: vec!["nothing".into()], ..settings() };
    let rendered = bench.render_with(tree, &none, few);
    assert_eq!((rendered.tree, rules(&rendered)), (None, vec!["limits.files_max"]));
}

#[test]
fn layers_without_end_are_refused_soon() {
    let bench = Bench::new();
    let (base, site) = (bomb(&bench, 9, 50), bomb(&bench, 8, 50));
    let tree = bench.raw_tree(&[("40000", b"base", base), ("40000", b"site", site)]);
    let layered = RenderSettings { layers: vec!["base".into(), "site".into()], ..settings() };
    let rendered = bench.render_with(tree, &layered, few);
    assert_eq!((rendered.tree, rules(&rendered)), (None, vec!["limits.files_max"]));
}

#[test]
fn a_folder_whose_list_is_too_long_is_refused_without_being_read() {
    let bench = Bench::new();
    let blob = bench.mirror.write_blob(b"x").unwrap();
    let names: Vec<String> = (0..20).map(|n| format!("{n:02}{}", "x".repeat(200))).collect();
    let items: Vec<_> = names.iter().map(|name| ("100644", name.as_bytes(), blob)).collect();
    let tree = bench.raw_tree(&[("40000", b"d", bench.raw_tree(&items))]);
    let below = RenderSettings { path: "d/e".into(), ..settings() };
    for settings in [settings(), below] {
        let rendered = bench.render_with(tree, &settings, |rest| rest.limits.files_max = 10);
        assert_eq!((rendered.tree, rules(&rendered)), (None, vec!["limits.files_max"]));
        assert!(rendered.findings[0].message.starts_with("the list of one folder"));
    }
}

#[test]
fn a_file_that_is_too_large_is_refused_without_being_read() {
    let bench = Bench::new();
    let tree = bench.tree(&[("a/large", "12345"), ("small", "1")]);
    let rendered = bench.render_with(tree, &settings(), |rest| rest.limits.file_bytes_max = 4);
    assert_eq!((rendered.tree, rules(&rendered)), (None, vec!["limits.file_bytes_max"]));
    assert_eq!(
        rendered.findings[0].to_string(),
        "a/large: error: it has 5 bytes, and 4 are allowed [limits.file_bytes_max]"
    );
    let without = RenderSettings { exclude: vec!["large".into()], ..settings() };
    let rendered = bench.render_with(tree, &without, |rest| rest.limits.file_bytes_max = 4);
    assert_eq!(rendered.findings, []);
}

#[test]
fn the_same_file_over_and_over_counts_each_time() {
    let bench = Bench::new();
    let tree = bench.tree(&[("a", "123"), ("b", "123"), ("c", "123")]);
    let rendered = bench.render_with(tree, &settings(), |rest| rest.limits.tree_bytes_max = 8);
    assert_eq!((rendered.tree, rules(&rendered)), (None, vec!["limits.tree_bytes_max"]));
}

#[test]
fn long_paths_and_deep_folders_are_refused() {
    let bench = Bench::new();
    let tree = bench.tree(&[("a/b/c", "1")]);
    let rendered = bench.render_with(tree, &settings(), |rest| rest.limits.depth_max = 1);
    assert_eq!((rendered.tree, rules(&rendered)), (None, vec!["limits.depth_max"]));
    let rendered = bench.render_with(tree, &settings(), |rest| rest.limits.path_bytes_max = 4);
    assert_eq!((rendered.tree, rules(&rendered)), (None, vec!["limits.path_bytes_max"]));
    let rendered = bench.render_with(tree, &settings(), |rest| {
        rest.limits.path_bytes_max = 5;
        rest.limits.depth_max = 2;
    });
    assert_eq!(rendered.tree, Some(tree));
}

#[test]
fn whatever_is_allowed_no_tree_is_too_deep_for_the_rooms_behind() {
    let bench = Bench::new();
    let allow = |rest: &mut Rest| {
        rest.limits.depth_max = 1024;
        rest.limits.path_bytes_max = 1 << 20;
    };
    let tree = bomb(&bench, 1, crate::objects::DEPTH_MAX - 2);
    let rendered = bench.render_with(tree, &settings(), allow);
    assert_eq!(rendered.tree, Some(tree));
    assert_eq!(bench.mirror.summary(tree, None).unwrap().files, 1);
    assert_eq!(bench.mirror.changes(None, tree).unwrap().len(), 1);
    let deeper = wrap(&bench, tree, 1, 100);
    let rendered = bench.render_with(deeper, &settings(), allow);
    assert_eq!((rendered.tree, rules(&rendered)), (None, vec!["limits.depth_max"]));
}

#[test]
fn entries_that_are_there_twice_or_out_of_order_are_refused() {
    let bench = Bench::new();
    let blob = bench.mirror.write_blob(b"x").unwrap();
    let folder = bench.tree(&[("f", "x")]);
    for (entries, expected) in [
        (
            vec![("100644", &b"a"[..], blob), ("100644", b"a.b", blob), ("40000", b"a", folder)],
            "path.duplicate",
        ),
        (vec![("100644", b"b", blob), ("100644", b"a", blob)], "path.order"),
        (vec![("40000", b"a", folder), ("100644", b"a.b", blob)], "path.order"),
    ] {
        let rendered = bench.render(bench.raw_tree(&entries), &settings());
        assert_eq!((rendered.tree, rules(&rendered)), (None, vec![expected]));
    }
}

#[test]
fn a_name_that_is_there_any_number_of_times_is_gone_into_for_none_of_them() {
    let bench = Bench::new();
    let blob = bench.mirror.write_blob(b"x").unwrap();
    let names: Vec<String> = (0..300).map(|n| format!("{n:03}")).collect();
    let files: Vec<_> = names.iter().map(|name| ("100644", name.as_bytes(), blob)).collect();
    let files = bench.raw_tree(&files);
    let over_and_over = bench.raw_tree(&vec![("40000", &b"a"[..], files); 300]);
    let tree = bench.raw_tree(&[("40000", b"base", over_and_over), ("40000", b"site", files)]);
    let layers = RenderSettings { layers: vec!["base".into(), "site".into()], ..settings() };
    for settings in [settings(), layers] {
        // Going into all of them would look at more than this allows.
        let rendered = bench.render_with(tree, &settings, |rest| rest.limits.files_max = 1_000);
        assert_eq!((rendered.tree, rendered.rest), (None, None));
        assert_eq!(rules(&rendered), ["path.order", "path.duplicate"]);
    }
}

#[test]
fn of_many_names_that_are_there_twice_the_files_are_looked_at_further() {
    let bench = Bench::new();
    let blob = bench.mirror.write_blob(b"x").unwrap();
    let folder = bench.tree(&[("f", "x")]);
    let names: Vec<String> = (0..200).map(|n| format!("{n:03}")).collect();
    let twice = |name| [("100644", name, blob), ("40000", name, folder)];
    let items: Vec<_> = names.iter().flat_map(|name| twice(name.as_bytes())).collect();
    let rendered = bench.render(bench.raw_tree(&items), &settings());
    assert_eq!((rendered.tree, rules(&rendered)), (None, vec!["path.duplicate"; 200]));
    let files: Vec<_> = names.iter().map(|name| ("100644", name.as_bytes(), blob)).collect();
    assert_eq!(rendered.rest, Some(bench.raw_tree(&files)));
}

#[test]
fn no_number_of_warnings_hides_a_hostile_name() {
    let bench = Bench::new();
    let blob = bench.mirror.write_blob(b"x").unwrap();
    let names: Vec<String> =
        (0..5_300).flat_map(|n| [format!("A{n:04}"), format!("a{n:04}")]).collect();
    let mut items: Vec<_> = names.iter().map(|n| ("100644", n.as_bytes(), blob)).collect();
    items.sort_by_key(|(_, name, _)| *name);
    let warned = bench.raw_tree(&items);
    let hostile = bench.raw_tree(&[("100644", b".git", blob)]);
    let tree = bench.raw_tree(&[("40000", b"a", warned), ("40000", b"b", hostile)]);
    let rendered = bench.render(tree, &settings());
    assert_eq!(rendered.tree, None);
    assert_eq!(rendered.findings[0].rule, "path.name");
    assert_eq!(rendered.findings[0].file.as_deref(), Some("b/.git"));
    assert_eq!(rendered.findings.len(), 5_002);
}
