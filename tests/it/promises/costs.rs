use std::time::Instant;

use super::trace::{Place, Traced};
use crate::support::{Agent, GitServer, Repo, Stage, wait_until};

/// How many files the repository has.
const FILES: usize = 10_000;
/// Changes of one file until trees are reused.
const WARM_UP: usize = 6;
/// Changes of one file that are counted.
const COUNTED: usize = 5;
/// A change of one file opens at most so many folders of the live volume, to list them or to make
/// them durable; there are a hundred and more in each tree.
const OPENED_MAX: usize = 16;
/// A change of one file makes at most so many files on the live volume.
const MADE_MAX: usize = 4;

fn agent_of_many_files(server: &GitServer) -> Agent {
    let agent = Agent::following(&server.url(), "  branch: main\n  rollback_limit: 1\n");
    let settings = std::fs::read_to_string(agent.settings_file()).expect("the settings");
    agent
        .settings(&settings.replace("live:\n", "live:\n  reuse_after: 0s\n  drift_interval: 1h\n"));
    agent
}

/// Changes a file, waits until it is live, and until the agent has come to rest: it asks again
/// when it has tidied up.
fn change(repo: &Repo, server: &GitServer, agent: &Agent, number: usize) {
    let text = format!("value: {number}\n");
    repo.commit(&[("d0042/f42.yaml", &text)]);
    wait_until("the change is live", || agent.live("d0042/f42.yaml").as_ref() == Some(&text));
    server.forget();
    server.wait_for("the poll after it", |seen| seen.stage == Stage::LsRefs);
}

#[test]
fn a_change_of_one_file_among_many_makes_few_files_and_starts_no_process() {
    let repo = Repo::with_files(FILES);
    let server = GitServer::start(repo.root());
    let agent = agent_of_many_files(&server);
    let began = Instant::now();
    assert_eq!(agent.once().code, 0);
    eprintln!("the first sync of {FILES} files took {:?}", began.elapsed());
    assert_eq!(agent.live_files().len(), FILES);

    let traced = Traced::sync(&agent);
    for number in 0..WARM_UP {
        change(&repo, &server, &agent, number);
    }
    let parent = agent.folder().join("etc");
    let started = traced.started_since(&Place::default());
    assert_eq!(started.len(), 1, "only the agent itself: {started:#?}");
    let warm = traced.place();
    let (mut made, mut opened) = (Vec::new(), Vec::new());
    for number in WARM_UP..WARM_UP + COUNTED {
        let before = traced.place();
        change(&repo, &server, &agent, number);
        made.push(traced.made_since(&before, &parent));
        opened.push(traced.folders_opened_since(&before, &parent));
    }
    let counts: Vec<_> = made.iter().map(Vec::len).collect();
    eprintln!("a change of one file among {FILES} made {counts:?} files: {made:#?}");
    for calls in &made {
        assert!(calls.len() <= MADE_MAX, "{calls:#?}");
        assert!(!calls.is_empty(), "the trace has nothing of the change");
    }
    for calls in &opened {
        assert!(calls.len() <= OPENED_MAX, "{}: {calls:#?}", calls.len());
        assert!(!calls.is_empty(), "the trace has no folder that was made durable");
    }
    let started = traced.started_since(&warm);
    assert!(started.is_empty(), "{started:#?}");
}
