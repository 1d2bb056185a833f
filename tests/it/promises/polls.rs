use crate::support::{Agent, GitServer, Repo, Seen, Stage, wait_for, wait_until};

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

#[test]
fn a_connection_is_kept_unless_its_answer_was_large() {
    let repo = Repo::new();
    let mut noise: u32 = 1;
    let large: String = std::iter::repeat_with(|| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        format!("{noise:08x}")
    })
    .take(100_000)
    .collect();
    let first = repo.commit(&[("large.txt", large.as_str()), ("a.yaml", "a: 1\n")]);
    let server = GitServer::start(repo.root());
    let agent = Agent::following(&server.url(), "  branch: main\n");
    let sync = agent.start_sync();
    agent.wait_until_live(&first);
    let (large, behind) = fetched_and_behind(&server);
    assert_ne!(large, behind, "the buffer of a large answer would be kept with its connection");

    server.forget();
    agent.wait_until_live(&repo.commit(&[("a.yaml", "a: 2\n")]));
    let (little, behind) = fetched_and_behind(&server);
    assert_eq!(little, behind, "a small answer is no reason for a new connection");
    sync.stop();
}

/// The connection of the first fetch, and that of the poll behind it.
fn fetched_and_behind(server: &GitServer) -> (usize, usize) {
    wait_for("a poll behind a fetch", || {
        let seen = answered(server);
        let mut seen = seen.iter().skip_while(|seen| seen.stage != Stage::Fetch);
        let fetch = seen.next()?;
        let poll = seen.find(|seen| seen.stage == Stage::LsRefs)?;
        Some((fetch.connection, poll.connection))
    })
}

fn answered(server: &GitServer) -> Vec<Seen> {
    server.seen().into_iter().filter(|seen| seen.bytes.is_some()).collect()
}
