use crate::support::{Agent, GitServer, Repo, Seen, Stage, wait_until};

/// How many references the repository has beside its branch.
const REFERENCES: usize = 20_000;
/// A poll that finds nothing costs at most so many bytes, there and back, heads included.
const POLL_BYTES_MAX: u64 = 700;
/// How many polls are looked at.
const POLLS: usize = 10;

/// A repository with many references, packed as a server's upkeep would.
fn repository() -> Repo {
    let repo = Repo::new();
    let tip = repo.commit(&[("a.yaml", "a: 1\n")]);
    let mut packed = "# pack-refs with: peeled fully-peeled sorted \n".to_owned();
    for number in 0..REFERENCES {
        packed.push_str(&format!("{tip} refs/heads/feature-{number:05}\n"));
    }
    std::fs::write(repo.path().join("packed-refs"), packed).expect("packed-refs");
    repo
}

#[test]
fn a_poll_that_finds_nothing_is_one_small_request_on_a_kept_connection() {
    let repo = repository();
    let server = GitServer::start(repo.root());
    let agent = Agent::following(&server.url(), "  branch: main\n");
    let settings = std::fs::read_to_string(agent.settings_file()).expect("the settings");
    agent.settings(&settings.replace("50ms", "100ms"));
    let sync = agent.start_sync();
    agent.wait_until_live(&repo.tip("main"));
    server.forget();
    wait_until("so many polls", || answered(&server).len() >= POLLS);
    let polls = answered(&server);
    let (connections, ..) = server.traffic();

    let bytes: Vec<_> = polls.iter().filter_map(|poll| poll.bytes).collect();
    eprintln!("a poll at {REFERENCES} references: {bytes:?} bytes, {connections} connections");
    let one = polls.first().map(|poll| poll.connection);
    for poll in &polls {
        let (there, back) = poll.bytes.expect("an answered request");
        assert_eq!(poll.stage, Stage::LsRefs, "{poll:#?}");
        assert_eq!(Some(poll.connection), one, "another connection: {poll:#?}");
        assert!(there + back <= POLL_BYTES_MAX, "{there} + {back} bytes: {poll:#?}");
    }
    sync.stop();

    // A change is still found, by the next poll.
    let sync = agent.start_sync();
    agent.wait_until_live(&repo.commit(&[("a.yaml", "a: 2\n")]));
    sync.stop();
}

fn answered(server: &GitServer) -> Vec<Seen> {
    server.seen().into_iter().filter(|seen| seen.bytes.is_some()).collect()
}
