use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{Mode, OFlags, open, openat};
use rustix::io::Errno;

use super::rounds;
use crate::support::{Agent, Repo, wait_until};

/// What a reader saw.
#[derive(Debug, Default)]
struct Seen {
    pairs: usize,
    torn: Vec<(String, String)>,
    missing: Vec<String>,
    /// Trees that were held from one number to a later one.
    held: usize,
}

/// How many earlier deployments can be returned to, and so are left as they are.
const HISTORY: usize = 3;

#[test]
fn readers_see_whole_trees_while_commits_follow_each_other() {
    read_along("symlink");
}

#[test]
fn readers_of_a_folder_see_whole_trees_while_commits_follow_each_other() {
    read_along("exchange");
}

fn read_along(mode: &str) {
    let repo = Repo::new();
    let write = |number: usize| {
        let text = number.to_string();
        repo.commit(&[("one", text.as_str()), ("sub/two", text.as_str()), ("rest", "same\n")])
    };
    let first = write(0);
    let agent = Agent::following(
        &repo.path().display().to_string(),
        &format!("  rollback_limit: {HISTORY}\n"),
    );
    let settings = std::fs::read_to_string(agent.settings_file()).expect("the settings");
    let live = format!("live:\n  mode: {mode}\n  reuse_after: 0s\n");
    agent.settings(&settings.replace("live:\n", &live).replace("50ms", "10ms"));
    let sync = agent.start_sync();
    agent.wait_until_live(&first);

    let over = AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        let reader = scope.spawn(|| read_until(&over, &agent.live_path()));
        for number in 1..=rounds(60) {
            write(number);
            wait_until(&format!("{number} is live"), || {
                agent.live("one").is_some_and(|text| text == number.to_string())
            });
        }
        over.store(true, Ordering::SeqCst);
        reader.join().expect("the reader")
    });
    sync.stop();
    eprintln!("{mode}: {} pairs, {} trees held while others came", seen.pairs, seen.held);
    assert!(seen.torn.is_empty(), "torn: {:?}", seen.torn);
    assert!(seen.missing.is_empty(), "missing: {:?}", seen.missing);
    assert!(seen.pairs > rounds(60), "the reader hardly read: {seen:?}");
    assert!(seen.held > 0, "no tree was held while another came");
    assert_eq!(agent.live("one").as_deref(), Some(rounds(60).to_string().as_str()));
}

/// Holds a folder while it is within the history, and compares two of its files; beside it, opens
/// files by the path.
fn read_until(over: &AtomicBool, live: &Path) -> Seen {
    let mut seen = Seen::default();
    while !over.load(Ordering::SeqCst) {
        let folder = match open(live, OFlags::DIRECTORY | OFlags::RDONLY, Mode::empty()) {
            Ok(folder) => folder,
            Err(error) => {
                seen.missing.push(format!("the path: {error}"));
                continue;
            }
        };
        let Some(held) = number_in(&folder, &mut seen) else { continue };
        let mut moved = false;
        // A tree that the history has left may be made into a later one.
        while !over.load(Ordering::SeqCst) {
            let now = number(live, &mut seen);
            let Some(before) = now.filter(|now| now - held < HISTORY) else { break };
            let pair = (read(&folder, "one"), read(&folder, "sub/two"));
            let Some(after) = number(live, &mut seen).filter(|now| now - held < HISTORY) else {
                break;
            };
            moved |= after > held;
            match pair {
                (Ok(one), Ok(two)) => {
                    seen.pairs += 1;
                    if one != two || one != held.to_string() {
                        seen.torn.push((one, two));
                    }
                }
                pair => seen.missing.push(format!("{held} at {before}: {pair:?}")),
            }
        }
        seen.held += usize::from(moved);
    }
    seen
}

/// The number of the live tree, by its path.
fn number(live: &Path, seen: &mut Seen) -> Option<usize> {
    match std::fs::read_to_string(live.join("one")) {
        Ok(text) => text.parse().ok(),
        Err(error) => {
            seen.missing.push(format!("{}/one: {error}", live.display()));
            None
        }
    }
}

fn number_in(folder: &OwnedFd, seen: &mut Seen) -> Option<usize> {
    match read(folder, "one") {
        Ok(text) => text.parse().ok(),
        Err(error) => {
            seen.missing.push(format!("one in the opened folder: {error}"));
            None
        }
    }
}

fn read(folder: &OwnedFd, name: &str) -> Result<String, Errno> {
    let file = openat(folder, name, OFlags::RDONLY, Mode::empty())?;
    let mut text = String::new();
    File::from(file).read_to_string(&mut text).map_err(|_| Errno::IO)?;
    Ok(text)
}
