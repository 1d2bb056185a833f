use crate::support::{Agent, GitServer, Repo};

/// Adds lines below `gitops`.
fn with(agent: &Agent, lines: &str) {
    let settings = std::fs::read_to_string(agent.settings_file()).expect("the settings");
    agent.settings(&settings.replace("gitops:\n", &format!("gitops:\n{lines}")));
}

#[test]
fn a_rewritten_history_that_was_refused_is_taken_once_that_is_allowed() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 1\n")]);
    let server = GitServer::start(repo.root());
    let agent = Agent::following(&server.url(), "");
    assert_eq!(agent.once().code, 0);
    repo.change().orphan().write("a.yaml", "a: 2\n").commit("another history");
    assert_eq!(agent.once().code, 12);
    assert_eq!(agent.once().code, 17, "it waits");
    with(&agent, "  history_rewrite: allow\n");
    let ran = agent.once();
    assert_eq!(ran.code, 0, "{ran:#?}");
    assert_eq!(agent.live("a.yaml").as_deref(), Some("a: 2\n"));
}

#[test]
fn a_revision_applied_beside_the_head_does_not_make_the_head_a_rewritten_history() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let server = GitServer::start(repo.root());
    let agent = Agent::following(&server.url(), "");
    assert_eq!(agent.once().code, 0);
    repo.branch("hotfix", &first);
    let hotfix = repo.change().on("hotfix").write("a.yaml", "a: hot\n").commit("hot");
    repo.commit(&[("a.yaml", "a: 2\n")]);
    assert_eq!(agent.once().code, 0);
    let ran = agent.run(&["apply", &hotfix]);
    assert_eq!(ran.code, 0, "{ran:#?}");
    assert_eq!(agent.once().code, 17, "it stays until the head moves");
    assert_eq!(agent.live("a.yaml").as_deref(), Some("a: hot\n"));
    repo.commit(&[("a.yaml", "a: 3\n")]);
    let ran = agent.once();
    assert_eq!(ran.code, 0, "{ran:#?}");
    assert_eq!(agent.live("a.yaml").as_deref(), Some("a: 3\n"));
}

#[test]
fn an_older_revision_stays_until_the_head_moves_though_the_head_was_never_seen() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    repo.commit(&[("a.yaml", "a: 2\n")]);
    let server = GitServer::start(repo.root());
    let agent = Agent::following(&server.url(), "");
    let ran = agent.run(&["apply", &first]);
    assert_eq!(ran.code, 0, "{ran:#?}");
    assert_eq!(agent.once().code, 17);
    assert_eq!(agent.live("a.yaml").as_deref(), Some("a: 1\n"));
}

#[test]
fn three_repairs_in_ten_minutes_are_all_also_when_each_pass_is_a_process() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 1\n")]);
    let server = GitServer::start(repo.root());
    let agent = Agent::following(&server.url(), "");
    assert_eq!(agent.once().code, 0);
    let file = agent.live_path().join("a.yaml");
    for repair in 1..=3 {
        std::fs::write(&file, "a: mine\n").expect("an edit");
        agent.once();
        assert_eq!(agent.live("a.yaml").as_deref(), Some("a: 1\n"), "repair {repair}");
    }
    std::fs::write(&file, "a: mine\n").expect("an edit");
    agent.once();
    assert_eq!(agent.live("a.yaml").as_deref(), Some("a: mine\n"), "the fourth");
}
