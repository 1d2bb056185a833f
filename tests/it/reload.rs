//! SIGHUP: the settings are read again.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use rustix::process::Signal;

use crate::support::{Agent, Fault, GitServer, Repo, Stage, wait_for};

#[test]
fn a_reload_that_is_told_during_the_start_is_not_lost() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 1\n")]);
    let other = repo.change().on("other").write("b.yaml", "b: 1\n").commit("another branch");
    let agent = Agent::following(&repo.path().display().to_string(), "  branch: main\n");
    let first = std::fs::read_to_string(agent.settings_file()).expect("the settings");
    let first = first.replace("50ms", "1h");
    // Its settings are a pipe, which it can read when somebody writes: until then it starts.
    std::fs::remove_file(agent.settings_file()).expect("no settings");
    mknodat(CWD, agent.settings_file(), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
        .expect("a pipe");
    let sync = agent.start_sync();
    let mut pipe = wait_for("it reads its settings", || {
        let without_waiting = OFlags::NONBLOCK.bits().cast_signed();
        let mut open = File::options();
        open.write(true).custom_flags(without_waiting).open(agent.settings_file()).ok()
    });
    sync.signal(Signal::HUP);
    std::fs::remove_file(agent.settings_file()).expect("no pipe");
    agent.settings(&first.replace("branch: main", "branch: other"));
    pipe.write_all(first.as_bytes()).expect("the first settings");
    drop(pipe);
    agent.wait_until_live(&other);
    let ran = sync.stop();
    assert_eq!(ran.code, 0, "{ran:#?}");
}

#[test]
fn settings_are_read_again_also_when_that_is_told_during_a_pass() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let server = GitServer::start(repo.root());
    let agent = Agent::following(&server.url(), "  branch: main\n");
    let settings = std::fs::read_to_string(agent.settings_file()).expect("the settings");
    let settings = settings.replace("50ms", "1h");
    agent.settings(&settings);
    let sync = agent.start_sync();
    agent.wait_until_live(&first);

    server.forget();
    // The next pack takes about a second, in parts.
    server.break_down(Stage::Fetch, Fault::Slow { bytes: 64, pause: Duration::from_millis(100) });
    repo.commit(&[("a.yaml", "a: 2\n")]);
    let other = repo.change().on("other").write("b.yaml", "b: 1\n").commit("another branch");
    sync.signal(Signal::HUP);
    server.wait_for("a fetch", |seen| seen.stage == Stage::Fetch);
    agent.settings(&settings.replace("branch: main", "branch: other\n  history_rewrite: allow"));
    sync.signal(Signal::HUP);
    agent.wait_until_live(&other);
    let ran = sync.stop();
    assert_eq!(ran.code, 0, "{ran:#?}");
}
