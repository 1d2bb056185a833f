use super::add;
use crate::support::api::Api;
use crate::support::{Agent, Repo, git, succeed, wait_until};

const REFERENCE: &str = "refs/kconfigd/audit/edge-1";

fn verify(agent: &Agent, checkpoints: &str) -> (i32, String) {
    let ran = agent.run(&["audit", "verify", "--checkpoint", checkpoints]);
    (ran.code, ran.stdout + &ran.stderr)
}

#[test]
fn checkpoints_go_to_a_file_and_a_reference_and_find_what_was_cut_off() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let agent = Agent::of(&repo);
    let file = agent.folder().join("checkpoints");
    add(
        &agent,
        &format!(
            "audit: {{checkpoint_file: \"{}\", checkpoint_ref: {REFERENCE}, checkpoint_every: 1s}}\n",
            file.display()
        ),
    );
    let (serve, api) = Api::serve(&agent);
    agent.wait_until_live(&first);
    assert_eq!(agent.run(&["suspend", "--reason", "one"]).code, 0);
    assert_eq!(agent.run(&["resume", "--reason", "two"]).code, 0);
    let last = || agent.run(&["audit", "checkpoint"]).stdout;
    let in_file = || std::fs::read_to_string(&file).unwrap_or_default();
    let in_reference = || {
        let mut log = git(&repo.path());
        log.args(["log", "--format=%s", REFERENCE]);
        String::from_utf8_lossy(&log.output().expect("git").stdout).into_owned()
    };
    wait_until("the file has the last checkpoint", || in_file().ends_with(&last()));
    wait_until("the reference has it", || in_reference().starts_with(&last()));
    let metrics = api.get("/metrics").text;
    for witness in ["file", "ref"] {
        let line = format!("kconfigd_audit_witnessed_record{{witness=\"{witness}\"}} 3");
        assert!(metrics.contains(&line), "{line} is not in {metrics}");
    }
    // The next one follows from it, and nothing of it is part of what is followed.
    assert_eq!(agent.run(&["suspend"]).code, 0);
    wait_until("the reference has the next", || in_reference().starts_with(&last()));
    assert!(in_reference().lines().count() >= 2, "{}", in_reference());
    let mut show = git(&repo.path());
    show.args(["show", &format!("{REFERENCE}:checkpoint")]);
    assert_eq!(succeed(&mut show).trim_end(), last().trim_end());
    assert_eq!(agent.json(&["status"])["desired"]["revision"], first.as_str());
    assert_eq!(serve.stop().code, 0);
    let from_reference = agent.folder().join("from-reference");
    std::fs::write(&from_reference, in_reference()).expect("a file");
    let (file, from_reference) = (file.display().to_string(), from_reference.display().to_string());
    assert_eq!(verify(&agent, &file).0, 0);
    assert_eq!(verify(&agent, &from_reference).0, 0);
    // Whoever has the machine takes the last record away, and signs what is left.
    let database = rusqlite::Connection::open(agent.state_dir().join("kconfigd.db")).expect("it");
    database
        .execute_batch(
            "DELETE FROM audit WHERE id >= 3; DELETE FROM checkpoints;
             DELETE FROM meta WHERE key = 'suspension';",
        )
        .expect("an edit");
    drop(database);
    assert_eq!(agent.run(&["resume", "--reason", "nothing happened"]).code, 0);
    let alone = agent.run(&["audit", "verify"]);
    assert_eq!(alone.code, 0, "without a witness nobody can tell: {alone:#?}");
    for witness in [&file, &from_reference] {
        let (code, said) = verify(&agent, witness);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("not whole"), "{said}");
    }
}

#[test]
fn a_witness_that_cannot_be_had_delays_nothing_and_is_told() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let agent = Agent::of(&repo);
    let folder = agent.folder().join("not-mounted");
    add(
        &agent,
        &format!(
            "audit: {{checkpoint_file: \"{}/checkpoints\", checkpoint_every: 1s}}\n",
            folder.display()
        ),
    );
    let (mut serve, api) = Api::serve(&agent);
    agent.wait_until_live(&first);
    serve.wait_for_stderr("could not be given to its witness");
    assert!(serve.stderr().contains("not-mounted/checkpoints"), "{}", serve.stderr());
    let told = "kconfigd_audit_witness_failures_total{witness=\"file\"}";
    assert!(api.get("/metrics").text.contains(told));
    let second = repo.commit(&[("a.yaml", "a: 2\n")]);
    agent.wait_until_live(&second);
    std::fs::create_dir(&folder).expect("it is mounted");
    serve.wait_for_stderr("witnessed again");
    assert_eq!(serve.stop().code, 0);
}

#[test]
fn passes_by_hand_give_their_checkpoints_once() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 1\n")]);
    let agent = Agent::of(&repo);
    let file = agent.folder().join("checkpoints");
    add(
        &agent,
        &format!(
            "audit: {{checkpoint_file: \"{}\", checkpoint_ref: {REFERENCE}}}\n",
            file.display()
        ),
    );
    for _ in 0..3 {
        assert_eq!(agent.once().code, 0);
    }
    assert_eq!(std::fs::read_to_string(&file).expect("the file").lines().count(), 1);
    let mut count = git(&repo.path());
    count.args(["rev-list", "--count", REFERENCE]);
    assert_eq!(succeed(&mut count).trim(), "1");
}
