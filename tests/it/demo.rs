//! `kconfigd demo`: the story is as it tells it, and leaves nothing behind.

use rustix::process::Signal;

use crate::support::{Agent, wait_until};

/// An agent's workplace whose temporary files are in a folder of their own.
fn stage() -> (Agent, std::path::PathBuf) {
    let agent = Agent::new();
    let scratch = agent.folder().join("scratch");
    std::fs::create_dir(&scratch).expect("a folder");
    let agent = agent.variable("TMPDIR", scratch.to_str().expect("UTF-8"));
    (agent, scratch)
}

fn is_empty(folder: &std::path::Path) -> bool {
    std::fs::read_dir(folder).expect("a folder").next().is_none()
}

#[test]
fn the_demo_tells_the_whole_story_and_every_step_is_as_told() {
    let (agent, scratch) = stage();
    let ran = agent.run(&["demo"]);
    assert_eq!(ran.code, 0, "{ran:#?}");
    for told in [
        "1  First sync",
        "the dashboard, signed in: http://127.0.0.1:",
        "interval: 30s → 10s",
        "→ edge-1  config.applied",
        "→ edge-2  config.applied",
        "HMAC-SHA256 verified",
        "Ed25519 verified",
        "agents/translatorAgent.yaml:4:2",
        "this machine has memory for 5000",
        "config.drift.repaired",
        "config.rolled_back",
        "was rolled back by",
        "nobody had to be woken",
        "8  The history",
        "✓ every step was as told",
    ] {
        assert!(ran.stdout.contains(told), "`{told}` is missing: {}", ran.stdout);
    }
    assert!(ran.stdout.lines().all(|line| line.chars().count() <= 110), "{}", ran.stdout);
    assert!(!ran.stdout.contains('\u{1b}'), "colours are for terminals");
    assert!(is_empty(&scratch), "something is left behind");
}

#[test]
fn a_demo_that_is_interrupted_ends_what_it_started() {
    let (agent, scratch) = stage();
    let demo = agent.start(&["demo"]);
    wait_until("the agent is started", || demo.stdout().contains("$ kconfigd serve &"));
    demo.signal(Signal::TERM);
    let ran = demo.wait();
    assert_eq!(ran.code, 1, "{ran:#?}");
    assert!(ran.stderr.contains("interrupted"), "{ran:#?}");
    assert!(is_empty(&scratch), "something is left behind");
}
