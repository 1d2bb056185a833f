use rustix::process::Signal;

use crate::support::{Agent, Fault, GitServer, Repo, Stage, wait_until};

#[test]
fn settings_that_change_while_a_pass_runs_are_read_again_after_it() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let server = GitServer::start(repo.root());
    let agent = Agent::following(&server.url(), "");
    let settings = std::fs::read_to_string(agent.settings_file()).expect("the settings");
    let sync = agent.start_sync();
    agent.wait_until_live(&first);

    server.break_down(Stage::LsRefs, Fault::Hang);
    wait_until("a pass hangs", || server.seen().last().is_some_and(|seen| seen.bytes.is_none()));
    let second = repo.change().on("other").write("a.yaml", "a: 2\n").commit("elsewhere");
    agent.settings(&settings.replace("gitops:\n", "gitops:\n  branch: other\n"));
    sync.signal(Signal::HUP);
    server.heal();
    agent.wait_until_live(&second);
    sync.stop();
}
