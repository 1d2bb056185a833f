//! Everybody who could do harm, played by the tests: a system that kills and fails at any call, the
//! source, the repository, the nodes, callers of the API, and a supervisor that stops the clock.
//!
//! After each of them the same is asked: the live tree is whole and one that was accepted, nothing
//! outside was touched, the message says what and where, and a good pass afterwards converges.
//!
//! Tests that walk over many points take a sample, and print of how many. The long form takes all:
//!
//! ```sh
//! KCONFIGD_TEST_ROUNDS=100000 cargo nextest run enemies:: --no-capture
//! ```

#![expect(clippy::print_stderr, reason = "what a run counted is told beside its result")]

mod caller;
mod frozen;
mod node;
mod packs;
mod process;
mod repository;
mod source;
mod submodules;

use std::collections::BTreeMap;
use std::path::Path;

use crate::promises::rounds;
use crate::support::Agent;

/// One of `every` points, beginning at `offset`; all of them in the long form.
fn sample<T>(points: Vec<T>, every: usize, offset: usize) -> Vec<T> {
    let every = if rounds(1) >= points.len() { 1 } else { every };
    points.into_iter().skip(offset % every).step_by(every).collect()
}

/// Everything of a machine that is none of kconfigd's business, by path: its bytes, or what it is.
fn outside(agent: &Agent) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    collect(agent.folder(), agent, &mut found);
    found
}

fn collect(folder: &Path, agent: &Agent, found: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        let ours = path == agent.state_dir()
            || path == agent.live_path()
            || path.ends_with("etc/.config.trees");
        if ours {
            continue;
        }
        let kind = entry.file_type().expect("a kind");
        let bytes = if kind.is_dir() {
            collect(&path, agent, found);
            b"a folder".to_vec()
        } else if kind.is_file() {
            std::fs::read(&path).expect("a file")
        } else {
            format!("{kind:?}").into_bytes()
        };
        found.insert(path.display().to_string(), bytes);
    }
}

/// The most memory that a process held so far, in KiB.
fn peak_kib(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a running process");
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its peak");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
