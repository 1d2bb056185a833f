use super::sshd::Sshd;
use super::*;
use crate::model::Reason;
use crate::source::{Descent, SourceError};

fn reach(place: &Place, sshd: &Sshd) -> SourceSettings {
    let user = Command::new("id").arg("-un").output().unwrap().stdout;
    let mut with = settings(
        Location::Ssh {
            user: Some(String::from_utf8(user).unwrap().trim().to_owned()),
            host: "127.0.0.1".to_owned(),
            port: Some(sshd.port),
            path: place.bare.to_str().unwrap().to_owned(),
        },
        Reference::Branch("main".to_owned()),
    );
    with.auth.ssh_key_file = Some(sshd.key.clone());
    with.auth.known_hosts_file = Some(sshd.known_hosts.clone());
    with
}

#[test]
fn asking_and_fetching_go_over_ssh_in_either_protocol() {
    for v2 in [true, false] {
        let place = Place::new();
        let sshd = Sshd::start(&place.folder.path().join("ssh"), v2);
        let first = place.commit("it's a file!/a.yaml", "1");
        place.push();
        let mut remote = place.remote_with(&reach(&place, &sshd));
        let mirror = place.mirror();
        let head = ask(&mut remote);
        assert_eq!(head.revision, first);
        assert_eq!(remote.fetch(&head, None, &mirror, &|| {}).unwrap().descent, Descent::First);
        assert_eq!(ask(&mut remote).revision, first);
        place.commit("b.yaml", "1");
        let third = place.commit("b.yaml", "2");
        place.push();
        let head = ask(&mut remote);
        assert_eq!(head.revision, third);
        let fetched = remote.fetch(&head, Some(&first), &mirror, &|| {}).unwrap();
        assert_eq!(fetched.descent, Descent::Descends, "v2: {v2}");
        place.git(&["reset", "-q", "--hard", "HEAD~1"]);
        place.push();
        let head = ask(&mut remote);
        let fetched = remote.fetch(&head, Some(&third), &mirror, &|| {}).unwrap();
        assert_eq!(fetched.descent, Descent::Rewritten, "v2: {v2}");
    }
}

#[test]
fn a_key_with_a_passphrase_opens_with_its_file() {
    let place = Place::new();
    let sshd = Sshd::start(&place.folder.path().join("ssh"), true);
    place.commit("a", "1");
    place.push();
    let mut with = reach(&place, &sshd);
    with.auth.ssh_key_file = Some(sshd.locked.clone());
    let error = place.remote_with(&with).ask().unwrap_err();
    assert_eq!(error.reason(), Reason::CredentialsRefused, "{error}");
    let file = place.folder.path().join("passphrase");
    std::fs::write(&file, "open sesame\n").unwrap();
    with.auth.passphrase_file = Some(file.clone());
    place.remote_with(&with).ask().unwrap();
    std::fs::write(&file, "abracadabra\n").unwrap();
    let error = place.remote_with(&with).ask().unwrap_err();
    assert_eq!(error.reason(), Reason::CredentialsRefused, "{error}");
}

#[test]
fn a_host_key_is_never_taken_on_trust() {
    let place = Place::new();
    let sshd = Sshd::start(&place.folder.path().join("ssh"), true);
    let with = reach(&place, &sshd);
    let known = std::fs::read_to_string(&sshd.known_hosts).unwrap();
    std::fs::write(&sshd.known_hosts, "other.example.com ssh-ed25519 AAAA\n").unwrap();
    let error = place.remote_with(&with).ask().unwrap_err();
    assert!(matches!(error, SourceError::HostKeyUnknown { .. }), "{error}");
    assert!(error.to_string().contains(&format!("ssh-keyscan -p {}", sshd.port)), "{error}");
    let another = std::fs::read_to_string(sshd.stranger.with_extension("pub")).unwrap();
    let host = known.split(' ').next().unwrap();
    std::fs::write(&sshd.known_hosts, format!("{host} {another}")).unwrap();
    let error = place.remote_with(&with).ask().unwrap_err();
    assert!(matches!(error, SourceError::HostKeyChanged { .. }), "{error}");
}

#[test]
fn what_goes_wrong_over_ssh_is_told_apart() {
    let place = Place::new();
    let sshd = Sshd::start(&place.folder.path().join("ssh"), true);
    let mut with = reach(&place, &sshd);
    assert!(matches!(place.remote_with(&with).ask(), Err(SourceError::Empty { .. })));
    with.auth.ssh_key_file = Some(sshd.stranger.clone());
    let error = place.remote_with(&with).ask().unwrap_err();
    assert_eq!(error.reason(), Reason::CredentialsRefused, "{error}");
    with.auth.ssh_key_file = Some(place.folder.path().join("no-such-key"));
    let error = place.remote_with(&with).ask().unwrap_err();
    assert!(matches!(error, SourceError::CredentialFile { .. }), "{error}");
    let mut with = reach(&place, &sshd);
    if let Location::Ssh { path, .. } = &mut with.location {
        *path = "/no/such/repository".to_owned();
    }
    let error = place.remote_with(&with).ask().unwrap_err();
    assert!(matches!(error, SourceError::NoRepository { .. }), "{error}");
    if let Location::Ssh { host, .. } = &mut with.location {
        *host = "-oProxyCommand=touch /tmp/x".to_owned();
    }
    let error = place.remote_with(&with).ask().unwrap_err();
    assert!(matches!(error, SourceError::NotGit { .. }), "{error}");
}

#[test]
fn an_ssh_that_says_nothing_is_ended_in_time() {
    let place = Place::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut with = settings(
        Location::Ssh {
            user: None,
            host: "127.0.0.1".to_owned(),
            port: Some(listener.local_addr().unwrap().port()),
            path: "/a".to_owned(),
        },
        Reference::Head,
    );
    with.timeout = Duration::from_millis(300);
    let error = place.remote_with(&with).ask().unwrap_err();
    assert!(matches!(error, SourceError::TimedOut { .. }), "{error}");
}
