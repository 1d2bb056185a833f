//! What kconfigd tells of its own work: the log, traces, and the audit trail's witnesses.

mod log;
mod traces;
mod witness;

use crate::support::{Agent, Receiver};

/// More lines for an agent's settings.
fn add(agent: &Agent, more: &str) {
    let settings = std::fs::read_to_string(agent.settings_file()).expect("the settings");
    agent.settings(&format!("{settings}{more}"));
}

/// A node that is told of what is applied.
fn edge(agent: &Agent, node: &Receiver) -> String {
    format!(
        "nodes:\n  - {{name: edge, url: \"{}\", secret_file: \"{}\", events: [config.applied]}}\n",
        node.url(),
        node.secret_file(agent.folder()).display()
    )
}
