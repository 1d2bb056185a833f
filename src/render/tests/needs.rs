use super::*;

/// `needs: profile` for one that is called `edge`.
fn of_edge() -> RenderSettings {
    RenderSettings {
        exclude: vec!["*.md".to_owned()],
        only_for: Some("edge".to_owned()),
        ..settings()
    }
}

const EDGE: (&str, &str) = ("profiles/edge.yaml", "services: [bus]\n");

fn refused(rendered: &Rendered) -> Vec<&str> {
    assert_eq!(rendered.tree, None);
    rendered.findings.iter().map(|finding| finding.rule.as_str()).collect()
}

#[test]
fn one_file_that_is_not_used_makes_no_other_folder_be_looked_at_again() {
    let bench = Bench::new();
    let themes = [("x.yaml", "x: 1\n"), ("x.md", "x\n")];
    let mut files = vec![EDGE, ("agents/bus.yaml", "name: bus\n")];
    files.extend([("themes/x.yaml", themes[0].1), ("themes/x.md", themes[1].1)]);
    let first = bench.render(bench.tree(&files), &of_edge());
    let kept = bench.files(first.tree.unwrap());
    assert_eq!(kept.len(), 3, "{kept:?}");
    files.push(("agents/spare.yaml", "name: spare\n"));
    let tree = bench.tree(&files);
    bench.lose(bench.tree(&themes));
    assert_eq!(bench.render(tree, &of_edge()).tree, first.tree);
    // A profile that takes it in takes it out of nobody's memory.
    files[0] = ("profiles/edge.yaml", "services: [bus, spare]\n");
    let tree = bench.tree(&files);
    bench.lose(bench.tree(&themes));
    let taken = bench.files(bench.render(tree, &of_edge()).tree.unwrap());
    assert!(taken.contains_key("agents/spare.yaml"), "{taken:?}");
}

#[test]
fn what_is_live_is_passed_by_where_a_profile_leaves_nothing_out() {
    let bench = Bench::new();
    let plain = RenderSettings { exclude: Vec::new(), ..of_edge() };
    let lose = || bench.lose(bench.mirror.write_blob(b"x: 1\n").unwrap());
    let mut files = vec![EDGE, ("agents/bus.yaml", "name: bus\n"), ("themes/x.yaml", "x: 1\n")];
    let live = bench.render(bench.tree(&files), &plain).tree.unwrap();
    files.push(("agents/spare.yaml", "name: spare\n"));
    let tree = bench.tree(&files);
    lose();
    let rendered = bench.render_with(tree, &plain, |rest| rest.hint = Some(live));
    assert_eq!(rendered.tree, Some(live));
    // What was used then is not used any more.
    files[0] = ("profiles/edge.yaml", "services: []\n");
    let tree = bench.tree(&files);
    lose();
    let rendered = bench.render_with(tree, &plain, |rest| rest.hint = Some(live)).tree.unwrap();
    assert!(bench.mirror.find(rendered, "agents").unwrap().is_none());
}

#[test]
fn all_of_the_federations_folder_is_left_out_where_there_is_no_federation() {
    let bench = Bench::new();
    let mut files = vec![EDGE, ("klp/peers.list", "x\n"), ("klp/keys/one.pub", "x\n")];
    let kept = bench.files(bench.render(bench.tree(&files), &of_edge()).tree.unwrap());
    assert_eq!(kept.into_keys().collect::<Vec<_>>(), [EDGE.0]);
    files[0].1 = "federation: {klp: {enabled: true}}\n";
    let kept = bench.files(bench.render(bench.tree(&files), &of_edge()).tree.unwrap());
    assert_eq!(kept.len(), 3, "{kept:?}");
}

#[test]
fn a_folder_that_is_a_submodule_is_left_out_in_part_too() {
    let bench = Bench::new();
    let agents = bench.tree(&[("bus.yaml", "name: bus\n"), ("spare.yaml", "name: spare\n")]);
    let profiles = bench.tree(&[("edge.yaml", EDGE.1)]);
    let commit = bench.commit(agents).id();
    let tree = bench
        .raw_tree(&[("160000", b"agents".as_slice(), commit), ("40000", b"profiles", profiles)]);
    let with = |rest: &mut Rest| rest.submodules = [("agents".to_owned(), agents)].into();
    let kept = bench.files(bench.render_with(tree, &of_edge(), with).tree.unwrap());
    assert_eq!(kept.into_keys().collect::<Vec<_>>(), ["agents/bus.yaml", EDGE.0]);
}

#[test]
fn a_profile_of_which_it_cannot_be_told_what_it_uses_refuses_the_revision() {
    let bench = Bench::new();
    let sealed = "services: [\"ENC[AES256_GCM,data:x,iv:x,tag:x,type:str]\"]\n";
    let tree = bench.tree(&[(EDGE.0, sealed), ("agents/bus.yaml", "name: bus\n")]);
    let rendered = bench.render(tree, &of_edge());
    assert_eq!(refused(&rendered), ["render.needs"]);
    assert!(rendered.findings[0].message.contains("is encrypted"), "{rendered:?}");
    // A list of something else than names says nothing, and leaves nothing out.
    let tree = bench.tree(&[(EDGE.0, "services: [{name: x}]\n"), ("agents/bus.yaml", "a: 1\n")]);
    assert_eq!(bench.files(bench.render(tree, &of_edge()).tree.unwrap()).len(), 2);
}

#[test]
fn a_list_that_is_too_long_is_not_read_for_what_a_profile_needs_either() {
    let bench = Bench::new();
    let names: Vec<String> = (0..40).map(|n| format!("a-file-with-a-long-name-{n}")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
    let rendered =
        bench.render_with(bench.tree(&files), &of_edge(), |rest| rest.limits.files_max = 1);
    assert_eq!(refused(&rendered), ["limits.files_max"]);
}
