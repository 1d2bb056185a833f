use std::fmt::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::keys;
use super::writer::{ALICE, BOB, age, armored, dotenv, json, yaml};
use crate::support::{Agent, Key, Mood, Receiver, Repo, wait_until};

/// What was encrypted, and is in the live tree and in nothing else.
pub(super) const CANARIES: [&str; 6] = [
    "canary-61d4f0a9b7c3",
    "canary-e81b52c4d06f",
    "canary-2f97a3608bd1",
    "canary-b05c7e94a1d2",
    "canary-9a6e03f7c58b",
    "canary-47c2d18e0fb5",
];

/// All that the program says to people and programs of a machine.
const VERBS: &[&[&str]] = &[
    &["status"],
    &["history"],
    &["show", "2"],
    &["show", "live"],
    &["diff", "1", "2"],
    &["deliveries"],
    &["drift"],
    &["config", "check"],
    &["config", "show"],
    &["plan"],
    &["sync", "--once", "--dry-run"],
    &["drift", "--repair"],
    &["rollback", "--reason", "to see what it says"],
    &["sync", "--once"],
    &["apply"],
];

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[track_caller]
pub(super) fn silent(place: &str, bytes: &[u8]) {
    for canary in CANARIES.into_iter().chain([ALICE.identity, BOB.identity]) {
        let hex: String = canary.bytes().map(|byte| format!("{byte:02x}")).collect();
        for form in [canary, &STANDARD.encode(canary), &hex] {
            assert!(
                !contains(bytes, form.as_bytes()),
                "{place} has {form}:\n{}",
                String::from_utf8_lossy(bytes)
            );
        }
    }
}

fn silent_below(folder: &Path) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            silent_below(&path);
        } else if path.is_file() {
            silent(&path.display().to_string(), &std::fs::read(&path).expect("a file"));
        }
    }
}

/// Blobs in packs are compressed: what git can read of the mirror is looked at too.
fn silent_mirror(agent: &Agent) {
    let mirror =
        git2::Repository::open_bare(agent.state_dir().join("repo.git")).expect("the mirror");
    let odb = mirror.odb().expect("its objects");
    let mut count = 0;
    odb.foreach(|id| {
        silent(&format!("the object {id}"), odb.read(*id).expect("an object").data());
        count += 1;
        true
    })
    .expect("all objects");
    assert!(count > 10, "the mirror holds {count} objects");
}

fn verbs(agent: &Agent, said: &mut String) {
    for verb in VERBS {
        for more in
            [&["-vvvv"][..], &["-o", "json"], &["-o", "yaml"], &["--log-format", "json", "-vvvv"]]
        {
            let ran = agent.run(&[verb, more].concat());
            write!(said, "{verb:?} {more:?}: {}\n{}{}", ran.code, ran.stdout, ran.stderr)
                .expect("a text");
        }
    }
}

fn settings(agent: &Agent, repo: &Repo, node: &Receiver) {
    agent.settings(&format!(
        "state_dir: {}\napi:\n  listen: \"127.0.0.1:0\"\nlive:\n  path: {}\n  drift_interval: 20ms\n\
         gitops:\n  repository: \"{}\"\n  sync_interval: 50ms\n\
         secrets:\n  age_identities_file: age.key\n\
         nodes:\n  - name: edge\n    url: {}\n    secret_file: {}\n",
        agent.state_dir().display(),
        agent.live_path().display(),
        repo.path().display(),
        node.url(),
        node.secret_file(agent.folder()).display(),
    ));
}

#[test]
fn a_decrypted_value_is_in_the_live_tree_and_nowhere_else() {
    let [one, two, three, four, five, six] = CANARIES;
    let repo = Repo::new();
    let first = repo
        .change()
        .write("a.yaml", "a: 1\n")
        .write("db.yaml", yaml(&[("note", one), ("password", two)], &[ALICE]))
        .write("db.json", json(&[("note", three)], &[ALICE]))
        .write("prod.env", dotenv(&[("NOTE", four)], &[ALICE]))
        .write("notes.txt.age", armored(&age(five.as_bytes(), &[ALICE])))
        .commit("secrets");
    let node = Receiver::start(Key::hmac());
    let agent = Agent::new();
    settings(&agent, &repo, &node);
    keys(&agent, &[ALICE]);
    let mut said = String::new();

    let serve = agent.start(&["serve", "-vvvv"]);
    agent.wait_until_live(&first);
    let live =
        String::from_utf8_lossy(&agent.live_files().into_values().flatten().collect::<Vec<_>>())
            .into_owned();
    assert!([one, two, three, four, five].iter().all(|canary| live.contains(canary)), "{live}");
    let second = repo.commit(&[
        ("a.yaml", "a: 2\n"),
        ("db.yaml", &yaml(&[("note", six), ("password", two)], &[ALICE])),
    ]);
    agent.wait_until_live(&second);
    verbs(&agent, &mut said);
    // Somebody edits a secret; a value that is wrong; a key that is gone; a node that fails.
    node.mood(Mood::Status(500, None));
    std::fs::write(agent.live_path().join("db.yaml"), format!("note: {one}x\n")).unwrap();
    wait_until("it is put right", || {
        agent.live("db.yaml").is_some_and(|it| !it.contains(&format!("{one}x")))
    });
    let wrong = yaml(&[("note", one), ("password", two)], &[ALICE]).replacen("note:", "nota:", 1);
    repo.commit(&[("db.yaml", &wrong)]);
    wait_until("it is refused", || agent.json(&["status"])["attempted"]["outcome"] == "refused");
    verbs(&agent, &mut said);
    keys(&agent, &[BOB]);
    repo.commit(&[("db.yaml", &yaml(&[("note", three)], &[ALICE]))]);
    wait_until("it is held", || agent.json(&["status"])["reason"] == "secrets_unavailable");
    verbs(&agent, &mut said);
    // What the file of identities holds is no word to anybody either.
    std::fs::write(agent.folder().join("age.key"), format!("{}x\n{one}\n", ALICE.identity))
        .unwrap();
    verbs(&agent, &mut said);
    let ran = serve.stop();
    said.push_str(&ran.stdout);
    said.push_str(&ran.stderr);
    verbs(&agent, &mut said);
    for attempt in node.attempts() {
        write!(said, "{} {:?}", attempt.event, attempt.headers).unwrap();
    }

    for spoken in ["db.yaml", "secrets.value", "secrets_unavailable", "config.drift.repaired"] {
        assert!(said.contains(spoken), "{spoken} was never spoken of");
    }
    silent("what was said", said.as_bytes());
    silent_below(&agent.state_dir());
    silent_below(&agent.folder().join("run"));
    silent_below(&agent.folder().join("home"));
    silent_mirror(&agent);
    for entry in std::fs::read_dir(agent.folder().join("etc/.config.trees")).unwrap().flatten() {
        if entry.path().is_file() {
            silent(&entry.path().display().to_string(), &std::fs::read(entry.path()).unwrap());
        }
    }
}
