use crate::support::{Agent, Key, Receiver, Repo};

/// One node, told of what became live.
fn agent_with_node(repo: &Repo, node: &Receiver) -> Agent {
    let agent = Agent::of(repo);
    let settings = std::fs::read_to_string(agent.settings_file()).expect("the settings");
    agent.settings(&format!(
        "{settings}nodes:\n  - name: edge\n    url: {}\n    secret_file: {}\n    \
         events: [config.applied]\n",
        node.url(),
        node.secret_file(agent.folder()).display(),
    ));
    agent
}

#[test]
fn a_node_that_was_down_gets_all_events_in_order_though_the_agent_was_killed() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 0\n")]);
    let mut node = Receiver::start(Key::hmac());
    let agent = agent_with_node(&repo, &node);
    let mut sync = agent.start_sync();
    agent.wait_until_live(&first);
    node.wait_for(1);

    node.down();
    let mut revisions = vec![first];
    for number in 1..=10 {
        let revision = repo.commit(&[("a.yaml", &format!("a: {number}\n"))]);
        agent.wait_until_live(&revision);
        revisions.push(revision);
        if number % 5 == 0 {
            sync.kill();
            sync = agent.start_sync();
        }
    }
    sync.kill();
    node.up();
    let _sync = agent.start_sync();

    let events = node.wait_for(revisions.len());
    let told: Vec<_> = events
        .iter()
        .map(|event| {
            let data = &event.event["data"];
            let revision = data["revision"].as_str().unwrap_or_default().to_owned();
            (event.kind().to_owned(), data["deployment"].as_u64(), revision)
        })
        .collect();
    let expected: Vec<_> = (1..)
        .zip(&revisions)
        .map(|(number, revision)| ("config.applied".to_owned(), Some(number), revision.clone()))
        .collect();
    assert_eq!(told, expected);
    let forged: Vec<_> = node.attempts().into_iter().filter(|attempt| !attempt.verified).collect();
    assert!(forged.is_empty(), "{forged:#?}");
}
