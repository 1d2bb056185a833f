use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::Stdio;

use super::rounds;
use crate::support::{Agent, Repo};

/// Files at the beginning, a hundred to a folder.
const FILES: usize = 2_000;
/// How many change with each commit: more than are put in their places in one go.
const CHANGED: usize = 700;

/// What the repository has, by path, as [`Agent::live_files`] tells it.
fn expected(number: usize) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for at in 0..FILES {
        let round = if at % 3 == 0 && at / 3 < CHANGED { number } else { 0 };
        let path = format!("d{:04}/f{:02}.yaml", at / 100, at % 100);
        files.insert(path, format!("value: {at}\nround: {round}\n").into_bytes());
    }
    // What is there in every second commit, and of another kind than in the others.
    let odd = number % 2 == 1;
    for at in 0..150 {
        let path = if odd { format!("kind/{at}") } else { format!("kind/{at}/below.yaml") };
        files.insert(path, format!("at: {at}\n").into_bytes());
        if odd {
            files.insert(format!("now-and-then/{at}.yaml"), b"here: true\n".to_vec());
            files.insert(format!("links/{at}"), b"-> ../one".to_vec());
        } else {
            files.insert(format!("links/{at}"), b"no link\n".to_vec());
        }
    }
    files.insert("one".to_owned(), format!("{number}\n").into_bytes());
    files
}

/// Makes a commit that has these files and no others.
fn commit(repo: &Repo, number: usize) -> String {
    let who = format!("Author <author@example.com> {} +0000", 1_700_000_000 + number);
    let message = number.to_string();
    let mut stream = format!("commit refs/heads/main\ncommitter {who}\n").into_bytes();
    stream.extend(format!("data {}\n{message}\n", message.len()).into_bytes());
    if number > 0 {
        stream.extend(b"from refs/heads/main^0\ndeleteall\n");
    }
    for (path, bytes) in expected(number) {
        let (mode, bytes) = match bytes.strip_prefix(b"-> ") {
            Some(target) => ("120000", target.to_vec()),
            None => ("100644", bytes),
        };
        stream.extend(format!("M {mode} inline {path}\ndata {}\n", bytes.len()).into_bytes());
        stream.extend(bytes);
        stream.push(b'\n');
    }
    let mut import = repo.git();
    import.args(["fast-import", "--quiet"]).stdin(Stdio::piped());
    let mut import = import.spawn().expect("git starts");
    import.stdin.take().expect("its input").write_all(&stream).expect("it reads");
    assert!(import.wait().expect("its end").success());
    repo.tip("main")
}

#[test]
fn many_files_that_change_at_once_are_live_as_the_repository_has_them() {
    let repo = Repo::new();
    let place = repo.path().display().to_string();
    let agent = Agent::following(&place, "  branch: main\n  rollback_limit: 1\n");
    let settings = std::fs::read_to_string(agent.settings_file()).expect("the settings");
    agent.settings(&settings.replace("live:\n", "live:\n  reuse_after: 0s\n"));
    let first = commit(&repo, 0);
    let sync = agent.start_sync();
    agent.wait_until_live(&first);
    for number in 1..=rounds(6) {
        let revision = commit(&repo, number);
        agent.wait_until_live(&revision);
        let (live, wanted) = (agent.live_files(), expected(number));
        let differs = wanted.iter().find(|(path, bytes)| live.get(*path) != Some(bytes));
        assert_eq!(differs, None, "commit {number}");
        assert_eq!(live.len(), wanted.len(), "commit {number}: something is left over");
    }
    sync.stop();
    assert_eq!(agent.run(&["drift"]).code, 0);
}
