//! A source that breaks off, garbles, hangs, never ends, sends elsewhere, and lies.

use std::time::Duration;

use super::{outside, packs, sample};
use crate::support::{Agent, Fault, GitServer, Repo, Stage, git, succeed};

const STAGES: [Stage; 3] = [Stage::Discover, Stage::LsRefs, Stage::Fetch];

/// A machine whose first commit is live; the next is pushed, and the source goes wrong.
struct Machine {
    repo: Repo,
    server: GitServer,
    agent: Agent,
    count: usize,
}

impl Machine {
    fn new(timeout: &str) -> Self {
        let repo = Repo::new();
        repo.commit(&[("a.yaml", "a: 0\n"), ("sub/b.txt", &"text\n".repeat(200))]);
        let server = GitServer::start(repo.root());
        let agent = Agent::following(&server.url(), &format!("  timeout: {timeout}\n"));
        let ran = agent.once();
        assert_eq!(ran.code, 0, "{ran:#?}");
        Self { repo, server, agent, count: 0 }
    }

    fn push(&mut self) -> String {
        self.count += 1;
        let noise: String = (0..200).map(|n| format!("{}\n", n * self.count * 7919)).collect();
        self.repo.commit(&[("a.yaml", &format!("a: {}\n", self.count)), ("noise", &noise)])
    }

    /// With the fault a pass ends with 11, or is right all the same where the fault did no harm;
    /// without it the next pass takes the head. Gives whether harm was done.
    #[track_caller]
    fn suffers(&self, what: &str) -> bool {
        let before = (self.agent.live_files(), outside(&self.agent));
        let ran = self.agent.once();
        let harmed = ran.code != 0;
        if harmed {
            assert_eq!(ran.code, 11, "{what}: {ran:#?}");
            assert!(ran.stdout.contains("127.0.0.1"), "{what}: it does not say where: {ran:#?}");
            let clean = ran.stdout.chars().all(|c| c == '\n' || !c.is_control());
            assert!(clean, "{what}: {ran:#?}");
            assert_eq!(self.agent.live_files(), before.0, "{what}");
        } else {
            self.is_at_head(what);
        }
        assert_eq!(outside(&self.agent), before.1, "{what}");
        self.server.heal();
        harmed
    }

    #[track_caller]
    fn recovers(&self, what: &str) {
        // A fault may show itself only when what it left in the mirror is used.
        let ran = self.agent.once();
        assert_eq!(ran.code, 0, "{what}, and the source is well again: {ran:#?}");
        self.is_at_head(what);
    }

    #[track_caller]
    fn is_at_head(&self, what: &str) {
        let expected = format!("a: {}\n", self.count);
        assert_eq!(self.agent.live("a.yaml"), Some(expected), "{what}");
        let text = self.agent.live("sub/b.txt");
        assert_eq!(text.map(|text| text.len()), Some(1000), "{what}");
    }
}

#[test]
fn errors_and_pages_at_each_stage_leave_the_live_tree_and_pass() {
    let mut machine = Machine::new("20s");
    let page = |status, kind: &str| Fault::Answer {
        status,
        headers: vec![("content-type".to_owned(), kind.to_owned())],
        body: b"<html>welcome</html>\n".to_vec(),
    };
    let result = "application/x-git-upload-pack-result";
    let advertisement = "application/x-git-upload-pack-advertisement";
    let mut count = 0;
    for (number, stage) in STAGES.into_iter().enumerate() {
        let faults = vec![
            Fault::status(500),
            Fault::status(502),
            Fault::status(503).retry_after(1),
            Fault::status(429).retry_after(99_999),
            Fault::status(400),
            Fault::status(401),
            Fault::status(403),
            Fault::status(404),
            Fault::status(410),
            Fault::status(418),
            Fault::status(204),
            page(200, "text/html"),
            page(200, result),
            page(200, advertisement),
            Fault::redirect("/elsewhere/info/refs"),
            Fault::redirect("file:///etc/passwd"),
            Fault::redirect("ext::sh -c touch% pwned"),
            Fault::redirect("gopher://127.0.0.1/"),
            Fault::redirect("-oProxyCommand=touch pwned"),
            Fault::redirect(&machine.server.url_of("config.git/info/refs?service=git-upload-pack")),
        ];
        // In the short form each is tried at one of the three stages.
        for fault in sample(faults, STAGES.len(), number) {
            let what = format!("{stage:?}: {fault:?}");
            machine.push();
            machine.server.break_down(stage, fault);
            assert!(machine.suffers(&what), "{what} was taken for an answer");
            machine.recovers(&what);
            count += 1;
        }
    }
    eprintln!("{count} wrong answers");
}

#[test]
fn hanging_slow_and_endless_answers_are_given_up_in_time_at_each_stage() {
    let mut machine = Machine::new("2s");
    for stage in STAGES {
        let slow = Fault::Slow { bytes: 1, pause: Duration::from_millis(400) };
        for fault in [Fault::Hang, slow, Fault::Endless] {
            let what = format!("{stage:?}: {fault:?}");
            machine.push();
            machine.server.break_down(stage, fault);
            let began = std::time::Instant::now();
            assert!(machine.suffers(&what), "{what} was taken for an answer");
            assert!(began.elapsed() < Duration::from_secs(20), "{what}: {:?}", began.elapsed());
            // A healthy pass has more time, on a busy machine.
            let settings = std::fs::read_to_string(machine.agent.settings_file()).expect("them");
            machine.agent.settings(&settings.replace("timeout: 2s", "timeout: 30s"));
            machine.recovers(&what);
            machine.agent.settings(&settings);
        }
    }
}

/// Lets one byte after another of an answer go wrong.
fn each_byte(fault: impl Fn(usize) -> Fault, what: &str) {
    let mut machine = Machine::new("5s");
    let (mut points, mut tried, mut harmed) = (0, 0, 0);
    for (number, stage) in STAGES.into_iter().enumerate() {
        machine.server.forget();
        machine.push();
        machine.recovers("before");
        let seen = machine.server.seen().into_iter().find(|seen| seen.stage == stage);
        let length = seen.and_then(|seen| seen.bytes).map_or(0, |(_, out)| out);
        assert!(length > 0, "{stage:?} was not seen");
        let length = usize::try_from(length).expect("a short answer");
        points += length;
        for at in sample((0..length).collect(), 61, number * 20) {
            // What is not fetched yet stays to be fetched: a new commit only after a good pass.
            let what = format!("{what} at byte {at} of {length}, {stage:?}");
            machine.push();
            machine.server.break_down(stage, fault(at));
            harmed += usize::from(machine.suffers(&what));
            machine.recovers(&what);
            tried += 1;
        }
    }
    eprintln!("{what}: {tried} of {points} bytes tried, {harmed} passes refused");
    assert!(harmed > 0);
}

#[test]
fn answers_that_break_off_at_any_byte_leave_the_live_tree() {
    each_byte(Fault::Truncate, "broken off");
}

#[test]
fn answers_that_are_garbled_at_any_byte_leave_the_live_tree_or_do_no_harm() {
    each_byte(Fault::Flip, "garbled");
}

#[test]
fn credentials_do_not_follow_a_redirect_to_another_host() {
    let mut machine = Machine::new("20s");
    let other = GitServer::start(machine.repo.root());
    let secret = "hunter2-hunter2";
    std::fs::write(machine.agent.folder().join("token"), secret).expect("a file");
    let settings = std::fs::read_to_string(machine.agent.settings_file()).expect("the settings");
    for auth in ["token_file: token", "bearer_token_file: token"] {
        machine.agent.settings(&format!("{settings}  auth:\n    {auth}\n"));
        machine.server.forget();
        machine.push();
        machine.recovers(auth);
        let known = machine.server.seen().into_iter().filter_map(|seen| seen.authorization);
        assert!(known.count() > 0, "{auth}: the credentials were never sent");
        for stage in STAGES {
            let suffix = match stage {
                Stage::Discover => "/info/refs?service=git-upload-pack",
                _ => "/git-upload-pack",
            };
            machine.push();
            other.forget();
            machine.server.break_down(stage, Fault::redirect(&format!("{}{suffix}", other.url())));
            machine.suffers(auth);
            machine.recovers(auth);
            let told = other.seen().into_iter().filter_map(|seen| seen.authorization);
            assert_eq!(told.count(), 0, "{auth} at {stage:?}: the credentials went elsewhere");
        }
    }
}

/// One pkt-line (gitprotocol-common).
fn packet(text: &[u8]) -> Vec<u8> {
    [format!("{:04x}", text.len() + 4).as_bytes(), text].concat()
}

/// Version 2's list of references.
fn references(lines: &[String]) -> Fault {
    let mut body: Vec<u8> = lines.iter().flat_map(|line| packet(line.as_bytes())).collect();
    body.extend_from_slice(b"0000");
    answer(body)
}

fn answer(body: Vec<u8>) -> Fault {
    let kind = "application/x-git-upload-pack-result".to_owned();
    Fault::Answer { status: 200, headers: vec![("content-type".to_owned(), kind)], body }
}

/// Version 2's answer to a fetch: these objects and no others.
fn pack(machine: &Machine, objects: &[&str]) -> Fault {
    let list = machine.agent.folder().join("home/objects");
    std::fs::write(&list, objects.iter().map(|id| format!("{id}\n")).collect::<String>())
        .expect("a list");
    let mut command = git(&machine.repo.path());
    let input = std::fs::File::open(&list).expect("the list");
    let output = command.args(["pack-objects", "--stdout", "-q"]).stdin(input).output();
    let pack = output.expect("git runs").stdout;
    assert!(pack.starts_with(b"PACK"), "git made a pack");
    std::fs::remove_file(list).expect("the list");
    sent(&pack)
}

fn sent(pack: &[u8]) -> Fault {
    let mut body = packet(b"packfile\n");
    for part in pack.chunks(60_000) {
        body.extend(packet(&[b"\x01", part].concat()));
    }
    body.extend_from_slice(b"0000");
    answer(body)
}

#[test]
fn packs_that_lack_something_or_hold_something_else_are_refused() {
    let mut machine = Machine::new("20s");
    let old = machine.repo.tip("main");
    let faults = |machine: &Machine, head: &str| {
        let git = |what: &str| succeed(machine.repo.git().args(["rev-parse", what]));
        let (tree, blob) = (git(&format!("{head}^{{tree}}")), git(&format!("{head}:a.yaml")));
        vec![
            ("no object", pack(machine, &[])),
            ("only the commit", pack(machine, &[head])),
            ("commit and tree", pack(machine, &[head, &tree])),
            ("a file only", pack(machine, &[&blob])),
            ("another commit", pack(machine, &[&old])),
            ("no pack", sent(b"")),
            ("not a pack", sent(b"#!/bin/sh\ntouch pwned\n")),
            ("a count that lies", sent(b"PACK\0\0\0\x02\xff\xff\xff\xff")),
            ("a version of tomorrow", sent(b"PACK\0\0\0\x63\0\0\0\0")),
            ("nothing", answer(Vec::new())),
            ("an end", answer(b"0000".to_vec())),
            ("an error", answer(packet(b"ERR go away\x1b[2J\n"))),
            ("a line that is too long", answer(b"fff5abc".to_vec())),
            ("a length that is none", answer(b"zzzzabc".to_vec())),
            ("progress only", answer([packet(b"packfile\n"), packet(b"\x02hello\n")].concat())),
            ("a fatal word", answer([packet(b"packfile\n"), packet(b"\x03no\n")].concat())),
            ("a difference that gives what it has", sent(&packs::that_gives_what_it_has())),
            ("a difference to what is here", sent(&packs::to_what_it_has_not(b"a: 0\n"))),
        ]
    };
    let count = faults(&machine, &old).len();
    for number in 0..count {
        let head = machine.push();
        let (what, fault) = faults(&machine, &head).swap_remove(number);
        machine.server.break_down(Stage::Fetch, fault);
        assert!(machine.suffers(what), "{what} was taken");
        machine.recovers(what);
    }
    eprintln!("{count} packs that lie");
}

#[test]
fn references_that_lie_or_are_made_as_options_run_nothing_and_reach_nothing() {
    let mut machine = Machine::new("20s");
    let nobody = "1234567890123456789012345678901234567890";
    let lists: [(&str, &[&str]); 14] = [
        ("an object that is nowhere", &["{nobody} HEAD", "{nobody} refs/heads/main"]),
        ("a file", &["{blob} HEAD", "{blob} refs/heads/main"]),
        ("a tree", &["{tree} HEAD", "{tree} refs/heads/main"]),
        ("zeros", &["{zero} HEAD symref-target:refs/heads/main", "{zero} refs/heads/main"]),
        ("no list", &[]),
        ("no id", &["HEAD", "refs/heads/main"]),
        ("a short id", &["1234 HEAD"]),
        ("an id that is an option", &["--upload-pack=touch pwned HEAD"]),
        ("a name that is an option", &["{head} --upload-pack=touch pwned", "{head} HEAD"]),
        (
            "a branch that is an option",
            &["{head} HEAD symref-target:refs/heads/--exec=touch pwned"],
        ),
        ("a name that leads out", &["{head} refs/heads/../../../../pwned", "{head} HEAD"]),
        ("a HEAD that leads out", &["{head} HEAD symref-target:../../../pwned"]),
        ("a name that moves the cursor", &["{head} refs/heads/\x1b[2J", "{head} HEAD"]),
        ("a tag that is peeled to nowhere", &["{head} HEAD peeled:{nobody}"]),
    ];
    for (what, lines) in &lists {
        let head = machine.push();
        let git = |what: &str| succeed(machine.repo.git().args(["rev-parse", what]));
        let fill = |line: &&str| {
            line.replace("{nobody}", nobody)
                .replace("{zero}", &"0".repeat(40))
                .replace("{head}", &head)
                .replace("{blob}", &git(&format!("{head}:a.yaml")))
                .replace("{tree}", &git(&format!("{head}^{{tree}}")))
                + "\n"
        };
        let lines: Vec<String> = lines.iter().map(fill).collect();
        machine.server.break_down(Stage::LsRefs, references(&lines));
        machine.suffers(what);
        machine.recovers(what);
    }
    eprintln!("{} lists of references that lie", lists.len());
}

#[test]
fn a_running_agent_outlives_a_source_that_does_everything_wrong_and_takes_the_next_commit() {
    let mut machine = Machine::new("500ms");
    let mut sync = machine.agent.start_sync();
    let noise = Fault::Slow { bytes: 3, pause: Duration::from_millis(50) };
    for (number, fault) in [
        Fault::status(500),
        Fault::Hang,
        Fault::Truncate(300),
        Fault::Flip(400),
        Fault::Endless,
        noise,
    ]
    .into_iter()
    .enumerate()
    {
        let before = machine.agent.live_files();
        machine.server.break_all(fault.clone());
        machine.server.forget();
        machine.push();
        machine.server.wait_for("a request", |_| true);
        if !matches!(fault, Fault::Flip(_)) {
            assert_eq!(machine.agent.live_files(), before, "{fault:?}");
        }
        assert!(sync.is_running(), "{fault:?}: {}", sync.stderr());
        machine.server.heal();
        let expected = format!("a: {}\n", number + 1);
        crate::support::wait_until(&format!("the head is live after {fault:?}"), || {
            machine.agent.live("a.yaml").as_deref() == Some(expected.as_str())
        });
    }
    let peak = super::peak_kib(sync.pid());
    assert!(peak < 128 * 1024, "it held {peak} KiB");
    sync.stop();
}
