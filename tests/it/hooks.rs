//! Push webhooks: a forge says that somebody pushed, and the commit is live.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::support::forge::{Answered, Forge, Kind};
use crate::support::{Agent, Fault, GitServer, Repo, Running, Stage, wait_for, wait_until};

const SECRET: &str = "It's a Secret to Everybody";
/// The limit that the tests set.
const BODY_BYTES_MAX: usize = 4096;

/// `serve`, which asks its source once an hour.
fn serve(server: &GitServer, agent: &Agent, more: &str) -> (Running, SocketAddr) {
    let (state, live) = (agent.state_dir(), agent.live_path());
    agent.settings(&format!(
        "state_dir: {}\nlive:\n  path: {}\n  drift_interval: 1h\napi:\n  listen: \"127.0.0.1:0\"\n\
         limits:\n  http_body_bytes_max: {BODY_BYTES_MAX}\n\
         gitops:\n  repository: \"{}\"\n  branch: main\n  sync_interval: 1h\n{more}",
        state.display(),
        live.display(),
        server.url(),
    ));
    let serve = agent.start(&["serve", "-v"]);
    let address = wait_for("serve listens", || {
        let said = serve.stderr();
        let (_, after) = said.split_once("address=")?;
        after.split_whitespace().next()?.parse().ok()
    });
    (serve, address)
}

fn with_secret(agent: &Agent) -> String {
    let file = agent.folder().join("webhook.key");
    Forge::write_secrets(&file, &[SECRET]);
    format!("  webhook_secret_file: {}\n", file.display())
}

fn forge(address: SocketAddr, kind: Kind) -> Forge {
    Forge { address, kind, secret: Some(SECRET.to_owned()) }
}

/// Whether an answer is this one, with a code or an `accepted` as told.
#[track_caller]
fn assert_answer(answered: &Answered, status: u16, code: &str) {
    let told = match code {
        "accepted" => answered.body["accepted"] == true,
        "not accepted" => answered.body["accepted"] == false,
        code => {
            let kind = answered.head.contains("content-type: application/problem+json");
            kind && answered.body["code"] == code
        }
    };
    assert!(answered.status == status && told, "not {status} {code}: {answered:#?}");
}

fn asks(server: &GitServer) -> usize {
    server.seen().iter().filter(|seen| seen.stage == Stage::LsRefs).count()
}

#[test]
fn a_push_told_by_any_forge_is_live_long_before_the_interval() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 0\n")]);
    let server = GitServer::start(repo.root());
    let agent = Agent::new();
    let (serve, address) = serve(&server, &agent, &with_secret(&agent));
    agent.wait_until_live(&first);
    let kinds = [
        Kind::GitHub,
        Kind::GitHubForm,
        Kind::Gitea,
        Kind::Forgejo,
        Kind::GitLab,
        Kind::Bitbucket,
        Kind::BitbucketServer,
    ];
    for (number, kind) in kinds.into_iter().enumerate() {
        let next = repo.commit(&[("a.yaml", &format!("a: {}\n", number + 1))]);
        assert_answer(&forge(address, kind).push("refs/heads/main"), 202, "accepted");
        agent.wait_until_live(&next);
        let status = agent.json(&["history"]);
        assert_eq!(status["items"][0]["trigger"], "webhook", "{status:#}");
    }
    let ran = serve.stop();
    assert_eq!(ran.code, 0, "{ran:#?}");
}

#[test]
fn whoever_does_not_know_the_secret_is_refused_and_causes_nothing() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let server = GitServer::start(repo.root());
    let agent = Agent::new();
    let (serve, address) = serve(&server, &agent, &with_secret(&agent));
    agent.wait_until_live(&first);
    let before = asks(&server);
    let kinds = [
        Kind::GitHub,
        Kind::GitHubForm,
        Kind::Gitea,
        Kind::Forgejo,
        Kind::GitLab,
        Kind::GitLabSigned,
        Kind::Bitbucket,
    ];
    for kind in kinds {
        let right = forge(address, kind);
        let wrong = Forge { secret: Some("another".to_owned()), ..right.clone() };
        assert_answer(&wrong.push("refs/heads/main"), 401, "signature_wrong");
        let unsigned = Forge { secret: None, ..right.clone() };
        assert_answer(&unsigned.push("refs/heads/main"), 401, "signature_missing");
        if kind == Kind::GitLab {
            // It signs nothing.
            continue;
        }
        let mut headers = right.headers("push", b"{}");
        headers.push(("content-length".to_owned(), "2".to_owned()));
        assert_answer(&right.send(&headers, b"[]"), 401, "signature_wrong");
    }
    // What asks for nothing says so, and causes nothing either.
    let right = forge(address, Kind::GitHub);
    let other = right.push("refs/heads/other");
    assert_answer(&other, 200, "not accepted");
    let reason = "refs/heads/other was pushed, and refs/heads/main is followed";
    assert_eq!(other.body["reason"], reason);
    assert_answer(&right.deliver("ping", "{\"zen\":\"\"}"), 200, "not accepted");
    assert_answer(&right.deliver("issues", "{}"), 200, "not accepted");
    let large = "x".repeat(BODY_BYTES_MAX + 1);
    assert_answer(&right.deliver("push", &large), 413, "body_too_large");
    // It is refused by what it says of itself: of this one nothing is ever sent.
    let mut headers = right.headers("push", b"");
    headers.push(("content-length".to_owned(), "5000000000".to_owned()));
    assert_answer(&right.send(&headers, b""), 413, "body_too_large");
    // In parts, without saying how much comes.
    let mut headers = right.headers("push", large.as_bytes());
    headers.push(("transfer-encoding".to_owned(), "chunked".to_owned()));
    let chunks = format!("{:x}\r\n{large}\r\n0\r\n\r\n", large.len());
    assert_answer(&right.send(&headers, chunks.as_bytes()), 413, "body_too_large");
    assert_eq!(asks(&server), before, "{:#?}", server.seen());
    let ran = serve.stop();
    let told = format!("{}{}", ran.stdout, ran.stderr);
    assert!(!told.contains(SECRET), "{told}");
}

#[test]
fn a_signing_token_of_gitlab_counts_beside_other_secrets() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let server = GitServer::start(repo.root());
    let agent = Agent::new();
    let (serve, address) = serve(&server, &agent, &with_secret(&agent));
    agent.wait_until_live(&first);
    let token = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned();
    let file = agent.folder().join("webhook.key");
    Forge::write_secrets(&file, &[SECRET, &token]);
    let gitlab = Forge { secret: Some(token), ..forge(address, Kind::GitLabSigned) };
    assert_answer(&gitlab.push("refs/heads/main"), 202, "accepted");
    let other = Forge { secret: Some("whsec_AAAA".to_owned()), ..gitlab.clone() };
    assert_answer(&other.push("refs/heads/main"), 401, "signature_wrong");
    serve.stop();
}

#[test]
fn a_push_to_another_repository_says_so_and_causes_nothing() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let server = GitServer::start(repo.root());
    let agent = Agent::new();
    let (serve, address) = serve(&server, &agent, &with_secret(&agent));
    agent.wait_until_live(&first);
    let url = server.url();
    let (place, name) = url.rsplit_once('/').expect("a path");
    let before = asks(&server);
    for kind in [Kind::GitHub, Kind::GitLab, Kind::Bitbucket] {
        let forge = forge(address, kind);
        let of = |url: &str| match kind {
            Kind::GitHub => json!({"clone_url": url, "default_branch": "main"}),
            Kind::GitLab => json!({"git_http_url": url, "default_branch": "main"}),
            _ => json!({"links": {"html": {"href": url}}}),
        };
        let other = forge.push_to("refs/heads/main", &of(&format!("{place}/another.git")));
        assert_answer(&other, 200, "not accepted");
        let reason = other.body["reason"].as_str().unwrap_or_default();
        assert!(reason.contains("another repository is followed"), "{other:#?}");
    }
    assert_eq!(asks(&server), before, "{:#?}", server.seen());
    // By another address of the same.
    let ssh = format!("git@elsewhere.example:{name}");
    let own = forge(address, Kind::GitHub);
    let told = own.push_to("refs/heads/main", &json!({"clone_url": url, "ssh_url": ssh}));
    assert_answer(&told, 202, "accepted");
    serve.stop();
}

#[test]
fn without_a_secret_no_webhook_is_taken_and_the_answer_says_what_to_do() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let server = GitServer::start(repo.root());
    let agent = Agent::new();
    let (serve, address) = serve(&server, &agent, "");
    agent.wait_until_live(&first);
    let github = forge(address, Kind::GitHub);
    let off = github.push("refs/heads/main");
    assert_answer(&off, 404, "webhooks_off");
    assert!(off.body["detail"].to_string().contains("gitops.webhook_secret_file"), "{off:#?}");

    // It is set while the agent runs.
    let settings = std::fs::read_to_string(agent.settings_file()).expect("the settings");
    agent.settings(&format!("{settings}{}", with_secret(&agent)));
    serve.signal(Signal::HUP);
    wait_until("webhooks are taken", || github.push("refs/heads/main").status == 202);

    // The file is read at each use: during a change of the secret both are right.
    let file = agent.folder().join("webhook.key");
    let new = Forge { secret: Some("a new one".to_owned()), ..github.clone() };
    assert_answer(&new.push("refs/heads/main"), 401, "signature_wrong");
    Forge::write_secrets(&file, &["a new one", SECRET]);
    assert_answer(&new.push("refs/heads/main"), 202, "accepted");
    assert_answer(&github.push("refs/heads/main"), 202, "accepted");
    Forge::write_secrets(&file, &["a new one"]);
    assert_answer(&github.push("refs/heads/main"), 401, "signature_wrong");

    std::fs::remove_file(&file).expect("the secret file");
    let unreadable = new.push("refs/heads/main");
    assert_answer(&unreadable, 503, "webhook_secret_unreadable");
    let folder = agent.folder().display().to_string();
    assert!(!unreadable.body.to_string().contains(&folder), "{unreadable:#?}");
    let ran = serve.stop();
    assert!(ran.stderr.contains(&file.display().to_string()), "{ran:#?}");
}

#[test]
fn a_hook_during_a_pass_causes_another_pass() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let server = GitServer::start(repo.root());
    let agent = Agent::new();
    let (serve, address) = serve(&server, &agent, &with_secret(&agent));
    agent.wait_until_live(&first);
    let gitea = forge(address, Kind::Gitea);
    server.forget();
    // The next pack takes about a second, in parts.
    server.break_down(Stage::Fetch, Fault::Slow { bytes: 64, pause: Duration::from_millis(100) });
    repo.commit(&[("a.yaml", "a: 2\n")]);
    assert_answer(&gitea.push("refs/heads/main"), 202, "accepted");
    server.wait_for("a fetch", |seen| seen.stage == Stage::Fetch);
    let last = repo.commit(&[("a.yaml", "a: 3\n")]);
    assert_answer(&gitea.push("refs/heads/main"), 202, "accepted");
    agent.wait_until_live(&last);
    serve.stop();
}

#[test]
fn connections_that_never_end_their_request_do_not_keep_serve_from_ending() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let server = GitServer::start(repo.root());
    let agent = Agent::new();
    let (serve, address) = serve(&server, &agent, &with_secret(&agent));
    agent.wait_until_live(&first);
    let connect = |text: String| {
        let mut wire = TcpStream::connect(address).expect("the address of serve");
        wire.write_all(text.as_bytes()).expect("half a request");
        wire
    };
    let head = "POST /hooks/git HTTP/1.1\r\nhost: x\r\n";
    let mut held = vec![connect(head.to_owned()), connect(String::new())];
    let headers = forge(address, Kind::GitHub).headers("push", b"");
    let signed: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    held.push(connect(format!("{head}{signed}content-length: 1000\r\n\r\nhalf")));
    // It has seen them all once it answers one that came later.
    assert_answer(&forge(address, Kind::Gitea).push("refs/heads/other"), 200, "not accepted");
    let ran = serve.stop();
    assert_eq!(ran.code, 0, "{ran:#?}");
    drop(held);
}
