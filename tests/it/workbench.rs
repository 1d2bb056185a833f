//! What the other tests stand on, tried with programs that are not ours: git, ssh and openssl.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::{
    Agent, Authority, Fault, GitServer, Key, Mood, Options, Proxy, Receiver, Repo, Running, Sealer,
    Sshd, Stage, git, refused, succeed, wait_until,
};

fn folder() -> TempDir {
    TempDir::new().expect("a temporary folder")
}

fn clone(url: &str, into: &Path) -> Command {
    let mut command = git(into);
    command.args(["clone", "-q", url, "copy"]);
    command
}

fn read(into: &Path, path: &str) -> String {
    std::fs::read_to_string(into.join("copy").join(path)).expect("a cloned file")
}

#[test]
fn the_same_changes_give_the_same_commit_ids() {
    let make = || {
        let repo = Repo::new();
        repo.commit(&[("a.yaml", "a: 1\n"), ("sub/b.txt", "b\n")]);
        let change = repo.change().write("c", "c").executable("run", "#!/bin/sh\n");
        change.link("link", "a.yaml").remove("sub").commit("more")
    };
    let revision = make();
    assert_eq!(revision, make());
    assert_eq!(revision, "180862b8130c659347db793a805ddf308982deb4");
}

#[test]
fn repositories_are_whole_and_move_as_told() {
    let repo = Repo::with_files(250);
    let first = repo.tip("main");
    let second = repo.change().orphan().write("only", "this\n").commit("another history");
    repo.branch("production", &second);
    repo.branch("production", &first);
    repo.tag("v1.0.0", &first);
    repo.annotated_tag("v1.1.0", &second);
    repo.reference("refs/pull/7/head", &second);
    repo.head_is("production");
    repo.delete_branch("main");
    succeed(repo.git().args(["fsck", "--strict", "--no-dangling"]));
    let listed = succeed(repo.git().args(["for-each-ref", "--format=%(refname) %(objecttype)"]));
    insta::assert_snapshot!(listed, @r"
    refs/heads/production commit
    refs/pull/7/head commit
    refs/tags/v1.0.0 commit
    refs/tags/v1.1.0 tag
    ");
    let files = succeed(repo.git().args(["ls-tree", "-r", "--name-only", "HEAD"]));
    assert_eq!(files.lines().count(), 250);
    assert_eq!(succeed(repo.git().args(["rev-list", "--count", &second])), "1");
}

#[test]
fn trees_that_git_would_not_make_can_be_made() {
    let repo = Repo::new();
    let blob = repo.blob(b"text");
    let inner = repo.raw_tree(&[("100644", b"passwd", &blob)]);
    let tree = repo.raw_tree(&[("40000", b"..", &inner), ("100644", b".git", &blob)]);
    repo.commit_raw("main", &tree);
    let submodule = repo.tip("main");
    repo.change().on("modules").submodule("lib", &submodule).commit("a submodule");
    let complaints = refused(repo.git().args(["fsck", "--strict"]));
    assert!(complaints.contains("hasDotdot") && complaints.contains("hasDotgit"), "{complaints}");
}

#[test]
fn git_clones_over_http_and_every_byte_is_counted() {
    let repo = Repo::with_files(3000);
    let server = GitServer::start(repo.root());
    let into = folder();
    succeed(&mut clone(&server.url(), into.path()));
    assert!(read(into.path(), "d0000/f00.yaml").starts_with("name: file-0\n"));
    let seen = server.seen();
    let stages: Vec<_> = seen.iter().map(|seen| seen.stage).collect();
    assert_eq!(stages, [Stage::Discover, Stage::LsRefs, Stage::Fetch]);
    assert_eq!(seen[0].target, "/config.git/info/refs?service=git-upload-pack");
    assert!(seen.iter().all(|seen| seen.git_protocol.as_deref() == Some("version=2")));
    let (connections, bytes_in, bytes_out) = server.traffic();
    assert_eq!(connections, 1, "git keeps its connection");
    let answered = |seen: &crate::support::Seen| seen.bytes.unwrap();
    assert_eq!(seen.iter().map(|seen| answered(seen).0).sum::<u64>(), bytes_in);
    assert_eq!(seen.iter().map(|seen| answered(seen).1).sum::<u64>(), bytes_out);
    assert!(bytes_out > 64 * 1024, "an answer in chunks: {bytes_out}");
    server.forget();
    assert!(server.seen().is_empty());
}

#[test]
fn an_old_server_gives_all_references_at_once() {
    let repo = Repo::new();
    repo.commit(&[("a", "1")]);
    let server = GitServer::with(repo.root(), Options { without_v2: true, ..Options::default() });
    let into = folder();
    succeed(&mut clone(&server.url_of("config.git"), into.path()));
    let stages: Vec<_> = server.seen().iter().map(|seen| seen.stage).collect();
    assert_eq!(stages, [Stage::Discover, Stage::Fetch]);
}

#[test]
fn who_is_not_known_is_not_let_in() {
    let repo = Repo::new();
    repo.commit(&[("a", "1")]);
    let into = folder();
    let basic = Some(("ada".to_owned(), "long password".to_owned()));
    let server = GitServer::with(repo.root(), Options { basic, ..Options::default() });
    let said = refused(&mut clone(&server.url(), into.path()));
    assert!(said.contains("terminal prompts disabled"), "{said}");
    let known = server.url().replace("://", "://ada:long%20password@");
    succeed(&mut clone(&known, into.path()));

    let bearer = Some("a-token".to_owned());
    let server = GitServer::with(repo.root(), Options { bearer, ..Options::default() });
    let into = folder();
    refused(&mut clone(&server.url(), into.path()));
    let mut command = clone(&server.url(), into.path());
    succeed(command.args(["-c", "http.extraHeader=Authorization: Bearer a-token"]));
    let given = server.seen().pop().and_then(|seen| seen.authorization);
    assert_eq!(given.as_deref(), Some("Bearer a-token"));
}

#[test]
fn tls_needs_the_private_authority_and_may_need_a_client_certificate() {
    let repo = Repo::new();
    repo.commit(&[("a", "1")]);
    let keys = folder();
    let authority = Authority::new(keys.path());
    let serve = |client| {
        let tls = Some(authority.server(client));
        GitServer::with(repo.root(), Options { tls, ..Options::default() })
    };
    let server = serve(false);
    let into = folder();
    refused(&mut clone(&server.url(), into.path()));
    let trusting = |server: &GitServer, into: &Path| {
        let mut command = clone(&server.url(), into);
        command.env("GIT_SSL_CAINFO", authority.ca_file());
        command
    };
    succeed(&mut trusting(&server, into.path()));

    let server = serve(true);
    let into = folder();
    refused(&mut trusting(&server, into.path()));
    succeed(
        trusting(&server, into.path())
            .env("GIT_SSL_CERT", authority.client_cert_file())
            .env("GIT_SSL_KEY", authority.client_key_file()),
    );
    assert_eq!(read(into.path(), "a"), "1");
}

#[test]
fn a_proxy_passes_on_http_and_https() {
    let repo = Repo::new();
    repo.commit(&[("a", "1")]);
    let keys = folder();
    let authority = Authority::new(keys.path());
    let tls = Some(authority.server(false));
    let secure = GitServer::with(repo.root(), Options { tls, ..Options::default() });
    let plain = GitServer::start(repo.root());
    let proxy = Proxy::start();
    for server in [&plain, &secure] {
        let into = folder();
        let mut command = clone(&server.url(), into.path());
        command.args(["-c", &format!("http.proxy={}", proxy.url())]);
        succeed(command.env("GIT_SSL_CAINFO", authority.ca_file()));
        assert_eq!(server.seen()[0].target, "/config.git/info/refs?service=git-upload-pack");
    }
    let asked: Vec<_> = proxy.asked();
    assert!(asked[0].starts_with("GET http://127.0.0.1:"), "{asked:?}");
    assert!(asked[1].starts_with("CONNECT 127.0.0.1:"), "{asked:?}");
}

#[test]
fn servers_fail_as_told_and_heal() {
    let repo = Repo::with_files(100);
    let mut server = GitServer::start(repo.root());
    let other = GitServer::start(repo.root());
    let into = folder();
    let fails = |server: &GitServer, word: &str| {
        let said = refused(&mut clone(&server.url(), into.path()));
        assert!(said.contains(word), "{word}: {said}");
    };
    server.break_down(Stage::Discover, Fault::status(503).retry_after(7));
    fails(&server, "503");
    server.break_down(Stage::Fetch, Fault::Truncate(700));
    fails(&server, "");
    server.break_all(Fault::Endless);
    let script = format!("curl -s {} | head -c 1000000 | wc -c", server.url());
    assert_eq!(succeed(Command::new("sh").args(["-c", &script])), "1000000");
    server.break_down(Stage::Other, Fault::status(500));
    succeed(&mut clone(&server.url(), into.path()));
    server.heal();

    let into = folder();
    server.break_down(
        Stage::Discover,
        Fault::redirect(&format!("{}/info/refs?service=git-upload-pack", other.url())),
    );
    succeed(&mut clone(&server.url(), into.path()));
    assert_eq!(other.seen().len(), 3, "the rest went where the first was sent");

    let into = folder();
    server.break_all(Fault::Slow { bytes: 1000, pause: Duration::from_millis(1) });
    succeed(&mut clone(&server.url(), into.path()));

    server.down();
    let into = folder();
    let said = refused(&mut clone(&server.url(), into.path()));
    assert!(said.contains("connect"), "{said}");
    server.heal();
    server.up();
    succeed(&mut clone(&server.url(), into.path()));
}

#[test]
fn what_hangs_is_seen_and_can_be_let_go() {
    let repo = Repo::new();
    repo.commit(&[("a", "1")]);
    let server = GitServer::start(repo.root());
    server.break_down(Stage::LsRefs, Fault::Hang);
    let into = folder();
    let client = Running::start(clone(&server.url(), into.path()));
    let seen = server.wait_for("the list", |seen| seen.stage == Stage::LsRefs);
    assert_eq!(seen.bytes, None, "it is not answered");
    server.heal();
    // The connection is closed; git then asks again on another one.
    assert_eq!(client.wait().code, 0);
    let asked = server.seen().iter().filter(|seen| seen.stage == Stage::LsRefs).count();
    assert_eq!(asked, 2);
}

#[test]
fn git_clones_over_ssh_and_nothing_else_is_run() {
    let repo = Repo::new();
    repo.commit(&[("a", "1")]);
    let sshd = Sshd::start();
    let into = folder();
    let ssh = |key: &Path, hosts: &Path| {
        format!(
            "ssh -F none -o IdentitiesOnly=yes -o BatchMode=yes -i {} -o UserKnownHostsFile={} \
             -o GlobalKnownHostsFile=/dev/null",
            key.display(),
            hosts.display()
        )
    };
    let with = |ssh: &str| {
        let mut command = git(into.path());
        command.args(["ls-remote", &sshd.url(&repo.path())]);
        command.env("GIT_SSH_COMMAND", ssh);
        command
    };
    let good = ssh(&sshd.key_file(), &sshd.known_hosts_file());
    succeed(clone(&sshd.url(&repo.path()), into.path()).env("GIT_SSH_COMMAND", &good));
    assert_eq!(read(into.path(), "a"), "1");
    assert!(succeed(&mut with(&good)).contains(&repo.tip("main")));
    let said = refused(&mut with(&ssh(&sshd.foreign_key_file(), &sshd.known_hosts_file())));
    assert!(said.contains("Permission denied"), "{said}");
    let said = refused(&mut with(&ssh(&sshd.key_file(), &sshd.changed_known_hosts_file())));
    assert!(said.contains("REMOTE HOST IDENTIFICATION HAS CHANGED"), "{said}");

    let place = sshd.url(&repo.path());
    let host = place.trim_start_matches("ssh://").split(':').next().unwrap();
    let port = place.rsplit(':').next().unwrap().split('/').next().unwrap();
    let said = refused(
        Command::new("sh")
            .arg("-c")
            .arg(format!("{good} -p {port} {host} id"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap()),
    );
    assert!(said.contains("unrecognized command"), "{said}\n{}", sshd.log());
}

#[test]
fn a_key_with_a_passphrase_can_be_had() {
    let sshd = Sshd::with_passphrase("a passphrase");
    let mut show = Command::new("ssh-keygen");
    let said = refused(show.args(["-y", "-P", "wrong", "-f"]).arg(sshd.key_file()));
    assert!(said.contains("passphrase"), "{said}");
}

/// Sends an event as a sender in shell would: `openssl` signs, `curl` posts.
fn post(node: &Receiver, secret_file: &Path, id: &str, body: &str) -> String {
    let script = r#"
        key=$(sed 's/^whsec_//' "$1" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
        signature=$(printf '%s.%s.%s' "$3" 1767225600 "$4" |
            openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | openssl base64 -A)
        curl -s -o /dev/null -w '%{http_code}' -H "webhook-id: $3" -H 'webhook-timestamp: 1767225600' \
            -H "webhook-signature: v1,AAAA v1,$signature" --data-binary "$4" "$2"
    "#;
    let mut command = Command::new("sh");
    succeed(command.args(["-c", script, "sh"]).arg(secret_file).args([&node.url(), id, body]))
}

#[test]
fn a_node_believes_openssl_and_nobody_without_the_key() {
    let place = folder();
    let node = Receiver::start(Key::hmac());
    let secret = node.secret_file(place.path());
    let body = r#"{"type":"config.applied"}"#;
    assert_eq!(post(&node, &secret, "evt-1", body), "204");
    assert_eq!(post(&node, &secret, "evt-1", body), "204");
    assert_eq!(post(&node, &secret, "evt-2", body), "204");
    let events = node.wait_for(2);
    let told: Vec<_> = events.iter().map(|event| (event.id.as_str(), event.kind())).collect();
    assert_eq!(told, [("evt-1", "config.applied"), ("evt-2", "config.applied")]);

    node.keys(vec![Key::ed25519(), Key::hmac()]);
    assert_eq!(post(&node, &secret, "evt-3", body), "401");
    let attempts = node.wait_for_attempts(4);
    assert!(!attempts[3].verified && attempts[3].status == 401);
    assert_eq!((attempts[3].timestamp.as_str(), attempts[3].connection), ("1767225600", 3));
    assert!(attempts[3].headers.iter().any(|(name, _)| name == "user-agent"));
    assert!(attempts[3].at >= attempts[0].at);
    assert_eq!(node.events().len(), 2);
}

#[test]
fn a_node_believes_ed25519_of_openssl() {
    let place = folder();
    let key = Key::ed25519();
    // PKCS#8 (RFC 8410) is a fixed head and the seed.
    let script = r#"
        cd "$1"
        { printf '\060\056\002\001\000\060\005\006\003\053\145\160\004\042\004\040'
          printf '%s' "${2#whsk_}" | openssl base64 -d -A; } > key.der
        printf '%s' 'id.1.{}' > signed
        openssl pkeyutl -sign -keyform DER -inkey key.der -rawin -in signed | openssl base64 -A
    "#;
    let mut command = Command::new("sh");
    let signature = succeed(command.args(["-c", script, "sh"]).arg(place.path()).arg(key.secret()));
    assert!(key.verifies(b"id.1.{}", &format!("v1,AAAA v1a,{signature}")));
    assert!(!key.verifies(b"id.2.{}", &format!("v1a,{signature}")));
}

#[test]
fn a_node_can_be_down_slow_and_in_a_bad_mood() {
    let place = folder();
    let mut node = Receiver::start(Key::hmac());
    let secret = node.secret_file(place.path());
    node.mood(Mood::Status(503, Some(9)));
    assert_eq!(post(&node, &secret, "e", "{}"), "503");
    node.mood(Mood::Redirect("http://127.0.0.1:9/".to_owned()));
    assert_eq!(post(&node, &secret, "e", "{}"), "307");
    node.mood(Mood::Slow(Duration::from_millis(20)));
    assert_eq!(post(&node, &secret, "e", "{}"), "204");
    node.mood(Mood::Hang);
    std::thread::scope(|scope| {
        let posted = scope.spawn(|| post(&node, &secret, "late", "{}"));
        node.mood(Mood::Accept);
        assert_eq!(posted.join().unwrap(), "204");
    });
    node.down();
    let refused_at_the_port = refused(Command::new("curl").args(["-sS", &node.url()]));
    assert!(refused_at_the_port.contains("connect"), "{refused_at_the_port}");
    node.up();
    assert_eq!(post(&node, &secret, "back", "{}"), "204");
    assert_eq!(node.wait_for(3).len(), 3);
    assert_eq!(node.attempts().len(), 5);
}

#[test]
fn an_agent_runs_sealed() {
    let agent = Agent::new().program("/usr/bin/env").variable("KCONFIGD_PROFILE", "x");
    let ran = agent.run(&[]);
    assert_eq!(ran.code, 0);
    let mut names: Vec<_> = ran.stdout.lines().filter_map(|line| line.split('=').next()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["HOME", "KCONFIGD_PROFILE", "LANG", "PATH", "TZ", "USER", "XDG_RUNTIME_DIR"]
    );
    let agent = agent.program("/bin/echo");
    assert_eq!(agent.once().stdout, "sync --once\n");
}

#[test]
fn an_agent_can_be_watched_and_killed() {
    let agent = Agent::new().program("/bin/sh");
    let script = "trap 'echo again >&2' HUP; echo ready >&2; while :; do sleep 0.01; done";
    let mut running = agent.start(&["-c", script]);
    running.wait_for_stderr("ready");
    assert!(running.is_running() && running.pid() > 0);
    running.signal(Signal::HUP);
    running.wait_for_stderr("again");
    assert_eq!(running.stdout(), "");
    assert_eq!(running.kill().code, 128 + 9);
    let mut running = agent.start(&["-c", script]);
    running.wait_for_stderr("ready");
    assert_eq!(running.stop().code, 128 + 15);
}

#[test]
fn an_agent_is_asked_as_a_user_would() {
    let agent = Agent::new();
    let script = "#!/bin/sh\necho \"$@\" >&2\ncase $1 in\nsync) exec sleep 60;;\n\
                  status) echo '{\"live\": {\"revision\": \"abc\"}}';;\nesac\n";
    let fake = agent.folder().join("fake");
    std::fs::write(&fake, script).unwrap();
    succeed(Command::new("chmod").arg("755").arg(&fake));
    let agent = agent.program(&fake.display().to_string());
    let mut sync = agent.start_sync();
    sync.wait_for_stderr("sync\n");
    assert_eq!(agent.json(&["status"])["live"]["revision"], "abc");
    agent.wait_until_live("abc");
    assert_eq!(agent.run(&["status"]).stderr, "status\n");
    assert_eq!(sync.kill().stdout, "");
}

#[test]
fn live_files_are_those_of_one_tree() {
    let repo = Repo::new();
    let agent = Agent::of(&repo);
    let settings = std::fs::read_to_string(agent.settings_file()).unwrap();
    assert!(settings.contains(&format!("repository: \"{}\"", repo.path().display())));
    let tree = agent.folder().join("etc/tree");
    std::fs::create_dir_all(tree.join("sub")).unwrap();
    std::fs::write(tree.join("sub/a"), "1").unwrap();
    std::os::unix::fs::symlink("sub/a", tree.join("b")).unwrap();
    assert!(agent.live_files().is_empty());
    std::os::unix::fs::symlink("tree", agent.live_path()).unwrap();
    wait_until("the link is there", || agent.live("sub/a").is_some());
    let files = agent.live_files();
    let told: Vec<_> = files.iter().map(|(path, bytes)| (path.as_str(), &bytes[..])).collect();
    assert_eq!(told, [("b", &b"-> sub/a"[..]), ("sub/a", b"1")]);
}

#[test]
fn output_is_sealed_and_what_is_fixed_stays() {
    let sealer = Sealer::new().known("/tmp/x", "<folder>").known("/tmp/x/state", "<state>");
    let text = "live at /tmp/x/etc since 2026-11-23T05:24:59.123456Z (12 ms, 3 s ago), state \
                /tmp/x/state, http://127.0.0.1:41233/a, id 6ba7b810-9dad-11d1-80b4-00c04fd430c8, \
                at 2026-11-23T05:24:59+01:00, interval 30s, 1a2b3c4d5e6f, \"duration_ms\": 17, \
                \"stale_seconds\": 1, evt_de27afe2f269c783ac3ac3d1c4880c91.";
    insta::assert_snapshot!(sealer.seal(text), @r#"live at <folder>/etc since <time> (<duration>, <duration>), state <state>, http://127.0.0.1:<port>/a, id <uuid>, at <time>, interval 30s, 1a2b3c4d5e6f, "duration_ms": 0, "stale_seconds": 0, evt_<event>."#);
}
