//! How a machine is let in to its repository, and how it comes there.

use std::fs;

use super::{done, follow, machine, pass, revision};
use crate::support::{Agent, Authority, GitServer, Options, Proxy, Repo};

const USER: &str = "reader";
const PASSWORD: &str = "correct-horse-7";

fn guarded(repo: &Repo, user: &str, password: &str) -> GitServer {
    let basic = Some((user.to_owned(), password.to_owned()));
    GitServer::with(repo.root(), Options { basic, ..Options::default() })
}

fn repo() -> (Repo, String) {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    (repo, first)
}

fn write(agent: &Agent, name: &str, text: &str) {
    fs::write(agent.folder().join(name), text).expect("a file of the test");
}

/// Refused with 11 and without a word of the secret.
#[track_caller]
fn refused(agent: &Agent, secret: &str) {
    let ran = agent.once();
    assert_eq!(ran.code, 11, "{ran:#?}");
    assert!(!format!("{ran:?}").contains(secret), "the secret was said: {ran:#?}");
}

#[test]
fn a_user_and_a_password_are_read_from_files_beside_the_settings() {
    let (repo, first) = repo();
    let server = guarded(&repo, USER, PASSWORD);
    let agent = machine(&repo, "", "");
    follow(&agent, &server.url(), "auth: {username: reader, password_file: pw}\n", "");
    write(&agent, "pw", "wrong-battery-8\n");
    refused(&agent, "wrong-battery-8");
    write(&agent, "pw", &format!("{PASSWORD}\n"));
    assert_eq!(pass(&agent), done());
    assert_eq!(revision(&agent), first);
}

#[test]
fn a_token_that_is_exchanged_counts_from_the_next_poll_of_the_running_agent() {
    let (repo, first) = repo();
    let server = guarded(&repo, "x-access-token", "token-1");
    let agent = machine(&repo, "", "");
    follow(&agent, &server.url(), "auth: {token_file: token}\n", "");
    write(&agent, "token", "token-1\n");
    let sync = agent.start_sync();
    agent.wait_until_live(&first);
    drop(server);
    // Another server in its place, on another port, that knows the new token only.
    let server = guarded(&repo, "x-access-token", "token-2");
    follow(&agent, &server.url(), "auth: {token_file: token}\n", "");
    sync.signal(rustix::process::Signal::HUP);
    super::status_when(&agent, "the old token is refused", |status| {
        status["source"]["error"]["message"].is_string()
    });
    let second = repo.commit(&[("a.yaml", "a: 2\n")]);
    write(&agent, "token", "token-2\n");
    agent.wait_until_live(&second);
    let ran = sync.stop();
    assert_eq!(ran.code, 0);
    assert!(!ran.stderr.contains("token-1") && !ran.stderr.contains("token-2"), "{}", ran.stderr);
}

#[test]
fn a_bearer_token_is_used_and_its_file_missing_is_no_fault_of_the_revision() {
    let (repo, first) = repo();
    let options = Options { bearer: Some("bearer-1".to_owned()), ..Options::default() };
    let server = GitServer::with(repo.root(), options);
    let agent = machine(&repo, "", "");
    follow(&agent, &server.url(), "auth: {bearer_token_file: bearer}\n", "");
    let ran = agent.once();
    assert!([11, 17].contains(&ran.code), "{ran:#?}");
    assert!(format!("{}{}", ran.stdout, ran.stderr).contains("bearer"), "{ran:#?}");
    write(&agent, "bearer", "bearer-1\n");
    assert_eq!(pass(&agent), done());
    assert_eq!(revision(&agent), first);
}

#[test]
fn a_netrc_file_lets_in_where_it_knows_the_host() {
    let (repo, first) = repo();
    let server = guarded(&repo, USER, PASSWORD);
    let agent = machine(&repo, "", "");
    follow(&agent, &server.url(), "auth: {netrc_file: netrc}\n", "");
    write(&agent, "netrc", &format!("machine elsewhere login {USER} password {PASSWORD}\n"));
    refused(&agent, PASSWORD);
    write(&agent, "netrc", &format!("machine 127.0.0.1\n  login {USER}\n  password {PASSWORD}\n"));
    assert_eq!(pass(&agent), done());
    assert_eq!(revision(&agent), first);
}

#[test]
fn a_proxy_of_the_settings_is_asked_instead_of_the_host() {
    let (repo, first) = repo();
    let server = GitServer::start(repo.root());
    let proxy = Proxy::start();
    let agent = machine(&repo, "", "");
    follow(&agent, &server.url(), &format!("proxy: \"{}\"\n", proxy.url()), "");
    assert_eq!(pass(&agent), done());
    assert_eq!(revision(&agent), first);
    assert!(!proxy.asked().is_empty());
}

#[test]
fn a_proxy_of_the_environment_is_asked_unless_the_host_is_excepted() {
    let (repo, _) = repo();
    let server = GitServer::start(repo.root());
    for (except, asked) in [("", true), ("127.0.0.1", false)] {
        let proxy = Proxy::start();
        let agent = Agent::following(&server.url(), "")
            .variable("http_proxy", &proxy.url())
            .variable("no_proxy", except);
        assert_eq!(pass(&agent), done());
        assert_eq!(!proxy.asked().is_empty(), asked, "no_proxy={except}");
    }
}

#[test]
fn a_private_authority_and_a_client_certificate_let_in_through_a_proxy_too() {
    let (repo, first) = repo();
    let agent = machine(&repo, "", "");
    let authority = Authority::new(agent.folder());
    let options = Options { tls: Some(authority.server(true)), ..Options::default() };
    let server = GitServer::with(repo.root(), options);
    let proxy = Proxy::start();
    let certificate = "client_cert_file: client.pem, client_key_file: client.key";
    for (tls, code) in [
        (String::new(), 11),
        ("tls: {ca_file: ca.pem}\n".to_owned(), 11),
        (format!("tls: {{{certificate}}}\n"), 11),
        (format!("tls: {{ca_file: ca.pem, {certificate}}}\n"), 0),
    ] {
        follow(&agent, &server.url(), &tls, "");
        let ran = agent.once();
        assert_eq!(ran.code, code, "{tls}: {ran:#?}");
    }
    assert_eq!(revision(&agent), first);
    let second = repo.commit(&[("a.yaml", "a: 2\n")]);
    let tls = format!("tls: {{ca_file: ca.pem, {certificate}}}\nproxy: \"{}\"\n", proxy.url());
    follow(&agent, &server.url(), &tls, "");
    assert_eq!(pass(&agent), done());
    assert_eq!(revision(&agent), second);
    assert!(proxy.asked().iter().any(|line| line.starts_with("CONNECT ")), "{:?}", proxy.asked());
}
