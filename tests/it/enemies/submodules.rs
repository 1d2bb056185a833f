//! Submodules and references that are made to be taken for options, programs or places here.

use super::outside;
use crate::support::{Agent, GitServer, Repo, succeed};

fn machine(repo: &Repo) -> (GitServer, Agent) {
    let server = GitServer::start(repo.root());
    let agent = Agent::following(&server.url(), "  submodules: on\n  timeout: 10s\n");
    (server, agent)
}

#[test]
fn submodules_made_as_options_programs_or_paths_are_refused_with_their_name() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 0\n")]);
    let (server, agent) = machine(&repo);
    assert_eq!(agent.once().code, 0);
    let trap = agent.folder().join("pwned");
    let trap = trap.display();
    let local = repo.path().display().to_string();
    let good = server.url();
    let modules: Vec<(String, String, String)> = [
        format!("-u{trap}"),
        format!("--upload-pack=touch {trap}"),
        format!("ext::sh -c touch% {trap}"),
        format!("ssh://-oProxyCommand=touch%20{trap}/x"),
        format!("-oProxyCommand=touch {trap}:x"),
        "fd::17/x".to_owned(),
        "file:///etc".to_owned(),
        format!("file://{local}"),
        local.clone(),
        "/etc".to_owned(),
        "../../../../../../etc".to_owned(),
        "embedded".to_owned(),
        "git://127.0.0.1/x".to_owned(),
        "ftp://127.0.0.1/x".to_owned(),
        format!("{good}\\n--upload-pack=touch {trap}"),
        String::new(),
    ]
    .into_iter()
    .map(|url| ("sub".to_owned(), "sub".to_owned(), url))
    .chain([
        ("-x".to_owned(), "sub".to_owned(), good.clone()),
        ("--upload-pack=x".to_owned(), "sub".to_owned(), good.clone()),
    ])
    .collect();
    let before = (agent.live_files(), outside(&agent));
    let mut wrong = Vec::new();
    for (name, path, url) in &modules {
        repo.branch("main", &first);
        let text = format!("[submodule \"{name}\"]\n\tpath = {path}\n\turl = \"{url}\"\n");
        repo.change().write(".gitmodules", &text).submodule("sub", &first).commit("evil");
        let ran = agent.once();
        if ran.code != 11 || !ran.stdout.contains("submodule `sub`") {
            wrong.push(format!("{name} {path} {url:?}: {ran:#?}"));
        }
        assert_eq!((agent.live_files(), outside(&agent)), before, "{name} {path} {url}: {ran:#?}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // One that is as it should be is brought.
    repo.branch("main", &first);
    let text = format!("[submodule \"sub\"]\n\tpath = sub\n\turl = {good}\n");
    repo.change().write(".gitmodules", &text).submodule("sub", &first).commit("good");
    let ran = agent.once();
    assert_eq!(ran.code, 0, "{ran:#?}");
    assert_eq!(agent.live("sub/a.yaml").as_deref(), Some("a: 0\n"));
    eprintln!("{} hostile submodules", modules.len());
}

#[test]
fn a_submodule_that_is_its_own_is_given_up() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 0\n")]);
    let (_server, agent) = machine(&repo);
    assert_eq!(agent.once().code, 0);
    let before = (agent.live_files(), outside(&agent));
    let text = "[submodule \"sub\"]\n\tpath = sub\n\turl = ../config.git\n";
    let mut at = first;
    for _ in 0..12 {
        at = repo.change().write(".gitmodules", text).submodule("sub", &at).commit("deeper");
    }
    let ran = agent.once();
    assert_eq!(ran.code, 11, "{ran:#?}");
    assert!(ran.stdout.contains("sub/sub"), "{ran:#?}");
    assert_eq!((agent.live_files(), outside(&agent)), before, "{ran:#?}");
}

#[test]
fn a_head_whose_branch_is_made_as_an_option_runs_nothing() {
    for name in ["--upload-pack=touch${IFS}pwned", "-u.touch", "--exec=x;touch pwned#"] {
        let name = name.replace(' ', "${IFS}");
        let repo = Repo::new();
        let first = repo.commit(&[("a.yaml", "a: 0\n")]);
        let (_server, agent) = machine(&repo);
        let before = outside(&agent);
        let reference = format!("refs/heads/{name}");
        succeed(repo.git().args(["update-ref", &reference, &first]));
        succeed(repo.git().args(["symbolic-ref", "HEAD", &reference]));
        let ran = agent.once();
        // It is a name like another; what counts is that nothing took it for more.
        assert!([0, 11].contains(&ran.code), "{name}: {ran:#?}");
        assert_eq!(outside(&agent), before, "{name}: {ran:#?}");
    }
}

#[test]
fn references_made_as_options_in_the_settings_are_refused_there() {
    for kind in ["branch", "tag", "ref"] {
        for name in ["--upload-pack=touch pwned", "-x", "../../x", "a..b", "refs/heads/-x\\n"] {
            let repo = Repo::new();
            repo.commit(&[("a.yaml", "a: 0\n")]);
            let text = format!("  {kind}: \"{name}\"\n");
            let agent = Agent::following(&repo.path().display().to_string(), &text);
            let before = outside(&agent);
            let ran = agent.once();
            assert_eq!(ran.code, 10, "{kind} {name}: {ran:#?}");
            assert!(ran.stderr.contains(kind), "{kind} {name}: {ran:#?}");
            assert_eq!(outside(&agent), before, "{kind} {name}");
            assert!(agent.live_files().is_empty());
        }
    }
}
