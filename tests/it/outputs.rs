//! What the verbs print and end with, whole, on a sealed machine: a change of any word is seen.

use crate::support::{Agent, Key, Receiver, Repo, Sealer};

/// Runs verbs one after the other and keeps all that they said.
struct Story<'a> {
    agent: &'a Agent,
    repo: &'a Repo,
    text: String,
}

impl<'a> Story<'a> {
    fn of(agent: &'a Agent, repo: &'a Repo) -> Self {
        Self { agent, repo, text: String::new() }
    }

    fn run(&mut self, arguments: &[&str]) -> i32 {
        let ran = self.agent.run(arguments);
        let sealer = Sealer::new()
            .known(self.agent.folder().display(), "<folder>")
            .known(self.repo.path().display(), "<repository>");
        let said = sealer.seal(&format!("{}{}", ran.stdout, ran.stderr));
        let command = arguments.join(" ");
        self.text.push_str(&format!("$ kconfigd {command}\n{}exit {}\n\n", ages(&said), ran.code));
        ran.code
    }
}

/// Ages are told in seconds, and differ by one when a run is slow.
fn ages(text: &str) -> String {
    let mut out = text.to_owned();
    for age in (1..90).rev() {
        out = out.replace(&format!(" {age} s"), " 0 s");
        out = out.replace(&format!("\"stale_seconds\": {age}"), "\"stale_seconds\": 0");
    }
    // Columns are as wide as an age is long.
    while out.contains("   ") {
        out = out.replace("   ", "  ");
    }
    // Log lines are not results; what they say is told by the verb too.
    let kept = out.lines().filter(|line| !line.starts_with("<time>"));
    // What a repair keeps has the moment in its name.
    let sealed = kept.map(|line| match line.split_once("/state/drift/") {
        Some((before, _)) => format!("{before}/state/drift/<moment>\n"),
        None => match ["\"expected_ms\": ", "duration_ms: "]
            .iter()
            .find_map(|key| line.split_once(key).map(|(before, _)| (before, key)))
        {
            Some((before, key)) => format!("{before}{key}<milliseconds>\n"),
            None => format!("{line}\n"),
        },
    });
    sealed.collect()
}

fn scheduler(interval: &str) -> String {
    format!("agents:\n  scheduler:\n    interval: {interval}\n    password: {interval}\n")
}

#[test]
fn from_a_first_sync_to_a_rollback_that_stays() {
    let repo = Repo::new();
    let agent = Agent::of(&repo);
    let mut story = Story::of(&agent, &repo);
    story.run(&["status"]);
    story.run(&["sync", "--once"]);
    repo.commit(&[("agents/s.yaml", &scheduler("30s")), ("notes.txt", "one\n")]);
    assert_eq!(story.run(&["sync", "--once", "--dry-run"]), 0);
    assert_eq!(story.run(&["sync", "--once"]), 0);
    assert_eq!(story.run(&["sync", "--once"]), 0);
    repo.commit(&[("agents/s.yaml", &scheduler("10s")), ("notes.txt", "two\n")]);
    assert_eq!(story.run(&["plan", "--detailed-exitcode"]), 2);
    assert_eq!(story.run(&["sync", "--once"]), 0);
    repo.commit(&[("agents/s.yaml", "agents: [1\n")]);
    assert_eq!(story.run(&["sync", "--once"]), 13);
    assert_eq!(story.run(&["sync", "--once"]), 17);
    assert_eq!(story.run(&["status", "--exit-code"]), 1);
    assert_eq!(story.run(&["rollback", "--reason", "too fast"]), 0);
    assert_eq!(story.run(&["sync", "--once"]), 17);
    assert_eq!(story.run(&["rollback"]), 1);
    story.run(&["history"]);
    story.run(&["show", "3"]);
    story.run(&["show", "99"]);
    story.run(&["diff", "1", "2"]);
    story.run(&["deliveries"]);
    insta::assert_snapshot!(story.text);
}

#[test]
fn holds_suspensions_and_drift() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 1\n"), ("b.txt", "b\n")]);
    let agent = Agent::following(&repo.path().display().to_string(), "  auto_sync: false\n");
    let mut story = Story::of(&agent, &repo);
    assert_eq!(story.run(&["sync", "--once"]), 17);
    assert_eq!(story.run(&["apply", "--reason", "approved"]), 0);
    assert_eq!(story.run(&["suspend", "--until", "yesterday"]), 64);
    assert_eq!(story.run(&["suspend", "--reason", "night"]), 0);
    repo.commit(&[("a.yaml", "a: 2\n")]);
    assert_eq!(story.run(&["sync", "--once"]), 17);
    assert_eq!(story.run(&["resume"]), 0);
    assert_eq!(story.run(&["drift", "--detailed-exitcode"]), 0);
    std::fs::write(agent.live_path().join("b.txt"), "edited\n").unwrap();
    std::fs::remove_file(agent.live_path().join("a.yaml")).unwrap();
    std::fs::write(agent.live_path().join("new"), "").unwrap();
    assert_eq!(story.run(&["drift", "--detailed-exitcode"]), 2);
    assert_eq!(story.run(&["drift", "--repair"]), 0);
    assert_eq!(agent.live("b.txt").as_deref(), Some("b\n"));
    assert_eq!(story.run(&["detach"]), 0);
    assert_eq!(story.run(&["detach"]), 0);
    assert_eq!(agent.live("a.yaml").as_deref(), Some("a: 1\n"));
    assert_eq!(story.run(&["sync", "--once"]), 10);
    insta::assert_snapshot!(story.text);
}

#[test]
fn first_steps_and_what_the_program_tells_of_itself() {
    let repo = Repo::new();
    let agent = Agent::of(&repo);
    let mut story = Story::of(&agent, &repo);
    assert_eq!(story.run(&["--help"]), 0);
    assert_eq!(story.run(&["sync", "--help"]), 0);
    assert_eq!(story.run(&["config", "check"]), 0);
    insta::assert_snapshot!(story.text);
    let first_line = |arguments: &[&str]| {
        let ran = agent.run(arguments);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.stdout.lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(first_line(&["completions", "bash"]), "_kconfigd() {");
    assert!(first_line(&["man"]).contains("ie"));
    assert!(agent.json(&["config", "schema"])["properties"]["gitops"].is_object());
}

#[test]
fn what_programs_read_is_one_object_with_a_version() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 1\n")]);
    let agent = Agent::of(&repo);
    let mut story = Story::of(&agent, &repo);
    assert_eq!(story.run(&["sync", "--once", "-o", "json"]), 0);
    repo.commit(&[("a.yaml", "a: 2\n"), ("b.bin", "\0\u{1}")]);
    assert_eq!(story.run(&["plan", "-o", "json"]), 0);
    assert_eq!(story.run(&["apply", "-o", "json"]), 0);
    assert_eq!(story.run(&["rollback", "--hold", "-o", "json"]), 0);
    assert_eq!(story.run(&["status", "-o", "json"]), 0);
    assert_eq!(story.run(&["history", "-o", "yaml"]), 0);
    assert_eq!(story.run(&["show", "2", "-o", "json"]), 0);
    assert_eq!(story.run(&["diff", "1", "2", "-o", "json"]), 0);
    assert_eq!(story.run(&["drift", "-o", "json"]), 0);
    assert_eq!(story.run(&["deliveries", "-o", "json"]), 0);
    insta::assert_snapshot!(story.text);
}

#[test]
fn what_goes_wrong_says_what_where_and_what_next() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 1\n")]);
    let agent = Agent::of(&repo);
    let mut story = Story::of(&agent, &repo);
    assert_eq!(story.run(&["frobnicate"]), 64);
    assert_eq!(story.run(&["history"]), 1);
    assert_eq!(story.run(&["healthcheck"]), 1);
    assert_eq!(story.run(&["rollback"]), 1);
    assert_eq!(story.run(&["apply", "0000000000000000000000000000000000000000"]), 11);
    let file = agent.settings_file().display().to_string();
    std::fs::write(&file, "gitops:\n  repository: /nowhere\n  sync_intervall: 5m\n").unwrap();
    assert_eq!(story.run(&["sync", "--once"]), 10);
    let live = agent.live_path().display().to_string();
    let settings = format!("live:\n  path: {live}\ngitops:\n  repository: /nowhere\n");
    std::fs::write(&file, &settings).unwrap();
    assert_eq!(story.run(&["sync", "--once"]), 11);
    let settings = settings.replace("/nowhere", &repo.path().display().to_string());
    std::fs::write(&file, format!("{settings}  branch: mian\n")).unwrap();
    assert_eq!(story.run(&["sync", "--once"]), 11);
    std::fs::write(&file, format!("{settings}  verify: {{mode: require}}\n")).unwrap();
    assert_eq!(story.run(&["sync", "--once"]), 10);
    insta::assert_snapshot!(story.text);
}

#[test]
fn history_that_was_rewritten_is_refused_until_an_operator_takes_it() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 1\n")]);
    let agent = Agent::of(&repo);
    let mut story = Story::of(&agent, &repo);
    assert_eq!(story.run(&["sync", "--once"]), 0);
    let other = repo.change().on("other").orphan().commit("unrelated");
    repo.branch("main", &other);
    assert_eq!(story.run(&["sync", "--once"]), 12);
    assert_eq!(story.run(&["sync", "--once"]), 17);
    insta::assert_snapshot!(story.text);
}

#[test]
fn a_node_that_is_down_is_18_and_what_was_not_delivered_is_told() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 1\n")]);
    let mut node = Receiver::start(Key::hmac());
    node.down();
    let agent = Agent::new();
    let key = node.secret_file(agent.folder());
    let more = format!(
        "nodes:\n  - name: edge-1\n    url: {}\n    secret_file: {}\n    events: [config.applied]\n",
        node.url(),
        key.display()
    );
    let (state, live) = (agent.state_dir(), agent.live_path());
    agent.settings(&format!(
        "state_dir: {}\nlive:\n  path: {}\ngitops:\n  repository: {}\n{more}",
        state.display(),
        live.display(),
        repo.path().display()
    ));
    assert_eq!(agent.run(&["sync", "--once", "--deliver-timeout", "1s"]).code, 18);
    let waiting = agent.json(&["deliveries"]);
    assert_eq!(waiting["items"][0]["state"], "pending");
    node.up();
    assert_eq!(agent.once().code, 0);
    assert_eq!(agent.json(&["deliveries"])["items"][0]["state"], "delivered");
    assert_eq!(node.wait_for(1)[0].kind(), "config.applied");
}

#[test]
fn a_second_agent_gets_16_and_is_told_who_holds_the_folder() {
    let repo = Repo::new();
    let head = repo.commit(&[("a.yaml", "a: 1\n")]);
    let agent = Agent::of(&repo);
    let mut first = agent.start_sync();
    agent.wait_until_live(&head);
    let second = agent.run(&["sync"]);
    assert_eq!(second.code, 16, "{}", second.stderr);
    assert!(second.stderr.contains(&format!("process {}", first.pid())), "{}", second.stderr);
    assert_eq!(agent.run(&["healthcheck"]).code, 0);
    assert!(first.is_running());
    assert_eq!(first.stop().code, 0);
}
