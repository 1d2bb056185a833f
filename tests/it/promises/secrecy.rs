use std::fmt::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::{Agent, GitServer, Key, Mood, Options, Receiver, Repo, wait_until};

const TOKEN: &str = "tok-7c1e5a90b2d84f36";
const OTHER_TOKEN: &str = "tok-e1b06d4f93aa4c22";
/// A value of `secrets.env`, which is live and in the mirror, and nowhere else.
const VALUE: &str = "val-4be2097d1f5c4a68";
const LATER_VALUE: &str = "val-93d1c0aa7be64e15";
const URL_PASSWORD: &str = "pwd-b7704c1d6e2f4983";
const VERBS: &[&[&str]] = &[
    &["status"],
    &["history"],
    &["show", "2"],
    &["diff", "1", "2"],
    &["deliveries"],
    &["drift"],
    &["config", "check"],
    &["plan"],
    &["rollback", "--reason", "to see what it says"],
    &["sync", "--once"],
    &["sync", "--once", "--dry-run"],
];

/// What must not be found, as it may be written.
struct Secrets(Vec<Vec<u8>>);

impl Secrets {
    fn new(node: &Key) -> Self {
        let mut forms = Vec::new();
        for token in [TOKEN, OTHER_TOKEN] {
            forms.push(token.as_bytes().to_vec());
            forms.push(STANDARD.encode(format!("x-access-token:{token}")).into_bytes());
            forms.push(STANDARD.encode(token).into_bytes());
        }
        let key = node.secret();
        let (_, encoded) = key.split_once('_').expect("a key with its kind before it");
        forms.push(encoded.as_bytes().to_vec());
        forms.push(STANDARD.decode(encoded).expect("a key"));
        forms.push(URL_PASSWORD.as_bytes().to_vec());
        Self(forms)
    }

    #[track_caller]
    fn are_not_in(&self, place: &str, bytes: &[u8]) {
        for secret in &self.0 {
            let found = bytes.windows(secret.len()).any(|part| part == secret);
            assert!(
                !found,
                "{place} has {}:\n{}",
                String::from_utf8_lossy(secret),
                String::from_utf8_lossy(bytes)
            );
        }
    }

    #[track_caller]
    fn are_not_below(&self, folder: &Path) {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() && !path.is_symlink() {
                self.are_not_below(&path);
            } else if path.is_file() {
                let bytes = std::fs::read(&path).expect("a file");
                self.are_not_in(&path.display().to_string(), &bytes);
            }
        }
    }
}

/// All that the program says, in every form.
fn verbs(agent: &Agent, said: &mut String) {
    for verb in VERBS {
        for more in [&["-vv"][..], &["-o", "json"], &["-o", "yaml"], &["--log-format", "json"]] {
            let ran = agent.run(&[verb, more].concat());
            write!(said, "{verb:?} {more:?}: {}\n{}{}", ran.code, ran.stdout, ran.stderr)
                .expect("a text");
        }
    }
}

fn settings(agent: &Agent, server: &GitServer, node: &Receiver) -> String {
    let token = agent.folder().join("git.token");
    std::fs::write(&token, format!("{TOKEN}\n")).expect("a token file");
    format!(
        "state_dir: {}\nlive:\n  path: {}\napi:\n  listen: \"127.0.0.1:0\"\ngitops:\n  \
         repository: \"{}\"\n  branch: main\n  sync_interval: 50ms\n  auth:\n    token_file: {}\n\
         nodes:\n  - name: edge\n    url: {}\n    secret_file: {}\n",
        agent.state_dir().display(),
        agent.live_path().display(),
        server.url(),
        token.display(),
        node.url(),
        node.secret_file(agent.folder()).display(),
    )
}

fn guarded(repo: &Repo) -> GitServer {
    let basic = Some(("x-access-token".to_owned(), TOKEN.to_owned()));
    GitServer::with(repo.root(), Options { basic, ..Options::default() })
}

#[test]
fn a_secret_never_appears() {
    let repo = Repo::new();
    let secret = |value: &str| format!("DATABASE_PASSWORD={value}\n");
    repo.commit(&[("a.yaml", "a: 1\n"), ("secrets.env", &secret(VALUE))]);
    let mut server = guarded(&repo);
    let key = Key::hmac();
    let node = Receiver::start(key.clone());
    let agent = Agent::new();
    let text = settings(&agent, &server, &node);
    agent.settings(&text);
    let mut secrets = Secrets::new(&key);
    let mut said = String::new();

    let sync = agent.start(&["sync", "-vv"]);
    wait_until("the first tree is live", || agent.live("a.yaml").is_some());
    let second = repo.commit(&[("a.yaml", "a: 2\n"), ("secrets.env", &secret(LATER_VALUE))]);
    agent.wait_until_live(&second);
    assert_eq!(agent.live("secrets.env"), Some(secret(LATER_VALUE)));
    node.wait_for(2);
    verbs(&agent, &mut said);
    // What goes wrong says more: credentials that are refused, a node that fails, no remote.
    node.mood(Mood::Status(500, None));
    std::fs::write(agent.folder().join("git.token"), OTHER_TOKEN).expect("a token file");
    wait_until("the token is refused", || {
        agent.json(&["status"])["source"]["error"]["message"].is_string()
    });
    verbs(&agent, &mut said);
    let ran = sync.stop();
    said.push_str(&ran.stdout);
    said.push_str(&ran.stderr);
    verbs(&agent, &mut said);
    server.down();
    verbs(&agent, &mut said);

    for attempt in node.attempts() {
        write!(said, "{} {:?}", attempt.event, attempt.headers).expect("a text");
    }
    assert!(said.contains("secrets.env"), "the secret file was never spoken of");
    secrets.are_not_below(&agent.state_dir());
    secrets.are_not_below(&agent.folder().join("etc"));
    secrets.0.extend([VALUE.into(), LATER_VALUE.into()]);
    secrets.are_not_in("what was said", said.as_bytes());
    for name in ["kconfigd.db", "kconfigd.db-wal"] {
        let bytes = std::fs::read(agent.state_dir().join(name)).unwrap_or_default();
        secrets.are_not_in(name, &bytes);
    }
}

#[test]
fn a_secret_in_the_wrong_place_is_refused_without_being_said() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 1\n")]);
    let server = guarded(&repo);
    let key = Key::hmac();
    let node = Receiver::start(key.clone());
    let agent = Agent::new();
    let text = settings(&agent, &server, &node);
    let secrets = Secrets::new(&key);
    let key_file = node.secret_file(agent.folder());
    let wrong = [
        // In the address, as a value instead of a file, and under a name that is none.
        text.replace("http://127", &format!("http://user:{URL_PASSWORD}@127")),
        text.replace("token_file: ", &format!("token: {TOKEN}\n    token_file: ")),
        text.replace("nodes:", &format!("  tls:\n    password: {URL_PASSWORD}\nnodes:")),
        text.replace(&node.url(), &node.url().replace("//", &format!("//u:{URL_PASSWORD}@"))),
        text.replace(&key_file.display().to_string(), &key.secret()),
    ];
    for wrong in wrong {
        assert_ne!(wrong, text);
        agent.settings(&wrong);
        for verb in [&["sync", "--once"][..], &["config", "check"], &["status"]] {
            let ran = agent.run(&[verb, &["-vv"]].concat());
            let said = format!("{}{}", ran.stdout, ran.stderr);
            secrets.are_not_in(&format!("{verb:?} of\n{wrong}\n"), said.as_bytes());
        }
    }
    // A key file whose text is no key.
    agent.settings(&text);
    std::fs::write(&key_file, format!("whsec_{URL_PASSWORD}\n")).expect("a secret file");
    let ran = agent.run(&["sync", "--once", "-vv"]);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    secrets.are_not_in("a key file that has none", said.as_bytes());
    secrets.are_not_below(&agent.state_dir());
}
