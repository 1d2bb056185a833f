//! Profiles that are written over the API: each write is a commit, on every kind of repository.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};

use super::{profiles, served};
use crate::support::api::{Answer, Api};
use crate::support::{Agent, GitServer, Repo, Running, Sshd, wait_for, wait_until};

const YAML: &str = "application/yaml";

/// A machine that follows a repository by an address, with lines of its own below `gitops:`.
fn following(address: &str, gitops: &str) -> (Agent, Running, Api) {
    let agent = Agent::new();
    agent.settings(&format!(
        "profile: dev\nstate_dir: {}\nlive: {{path: {}}}\napi: {{listen: \"127.0.0.1:0\"}}\n\
         gitops: {{repository: \"{address}\", sync_interval: 50ms{gitops}}}\n",
        agent.state_dir().display(),
        agent.live_path().display(),
    ));
    let (serve, api) = Api::serve(&agent);
    (agent, serve, api)
}

fn put(api: &Api, id: &str, tag: &str, yaml: &str) -> Answer {
    let headers = [("content-type", YAML), ("if-match", tag)];
    api.send("PUT", &format!("/api/profiles/{id}"), &headers, yaml.as_bytes())
}

#[track_caller]
fn tag(api: &Api, id: &str) -> String {
    let answer = api.get(&format!("/api/profiles/{id}"));
    answer.header("etag").unwrap_or_else(|| panic!("no tag: {answer:#?}")).to_owned()
}

#[track_caller]
fn is_live(agent: &Agent, revision: &Value) {
    agent.wait_until_live(revision.as_str().expect("a revision"));
}

/// Makes, changes and removes a profile; each becomes a commit, and what is live.
#[track_caller]
fn lifecycle(agent: &Agent, api: &Api) {
    wait_until("something is live", || api.get("/readyz").status == 200);
    let body =
        json!({"id": "edge", "document": {"extends": "base", "workers": 8}, "message": "An edge"});
    let made = api.post("/api/profiles", &body);
    assert_eq!(made.status, 201, "{made:#?}");
    assert_eq!(made.header("location"), Some("/api/profiles/edge"));
    let first = made.json();
    is_live(agent, &first["revision"]);
    assert_eq!(agent.live("profiles/edge.yaml").as_deref(), Some("extends: base\nworkers: 8\n"));
    let read = tag(api, "edge");
    assert_eq!(made.header("etag"), Some(read.as_str()));
    let again = api.post("/api/profiles", &body);
    assert_eq!((again.status, again.json()["code"].clone()), (409, json!("file_exists")));

    let yaml = "# Written as it stands.\nextends: base\nworkers: 16\n";
    let changed = put(api, "edge", &read, yaml);
    assert_eq!(changed.status, 200, "{changed:#?}");
    is_live(agent, &changed.json()["revision"]);
    assert_eq!(agent.live("profiles/edge.yaml").as_deref(), Some(yaml));
    // The same once more is no commit; the tag of before is not that of now.
    let now = tag(api, "edge");
    let same = put(api, "edge", &now, yaml);
    assert_eq!(same.json()["revision"], changed.json()["revision"], "{same:#?}");
    let stale = put(api, "edge", &read, "workers: 1\n");
    assert_eq!((stale.status, stale.json()["code"].clone()), (412, json!("file_changed")));

    let gone = api.send("DELETE", "/api/profiles/edge", &[("if-match", &now)], b"");
    assert_eq!(gone.status, 204, "{gone:#?}");
    wait_until("it is gone", || agent.live("profiles/edge.yaml").is_none());
    let missing = put(api, "edge", "*", "a: 1\n");
    assert_eq!((missing.status, missing.json()["code"].clone()), (404, json!("file_missing")));
}

#[test]
fn a_profile_is_written_to_a_folder_over_http_over_ssh_and_to_the_embedded_repository() {
    let repo = Repo::new();
    profiles(&repo);
    let (agent, _serve, api) = following(&repo.path().display().to_string(), "");
    lifecycle(&agent, &api);
    let log = String::from_utf8(
        repo.git().args(["log", "--format=%an <%cn> %s", "main"]).output().unwrap().stdout,
    );
    let log = log.unwrap();
    assert!(log.contains("admin <kconfigd> An edge"), "{log}");
    assert!(log.contains("admin <kconfigd> remove profiles/edge.yaml"), "{log}");
    let sound = repo.git().args(["fsck", "--strict", "--no-dangling"]).output().unwrap();
    assert!(sound.status.success(), "{sound:?}");

    let repo = Repo::new();
    profiles(&repo);
    assert!(repo.git().args(["config", "http.receivepack", "true"]).status().unwrap().success());
    let server = GitServer::start(repo.root());
    let (agent, _serve, api) = following(&server.url(), "");
    lifecycle(&agent, &api);

    let repo = Repo::new();
    profiles(&repo);
    let sshd = Sshd::start();
    let auth = format!(
        ", auth: {{ssh_key_file: {}, known_hosts_file: {}}}",
        sshd.key_file().display(),
        sshd.known_hosts_file().display()
    );
    let (agent, _serve, api) = following(&sshd.url(&repo.path()), &auth);
    lifecycle(&agent, &api);

    let (agent, _serve, api) = following("embedded", "");
    let at = agent.state_dir().join("embedded.git");
    wait_until("the repository is made", || at.join("HEAD").exists());
    let repo = Repo::new();
    profiles(&repo);
    let pushed = repo.git().args(["push", "-q"]).arg(&at).arg("main").status().unwrap();
    assert!(pushed.success());
    lifecycle(&agent, &api);
}

#[test]
fn what_the_gates_refuse_or_nobody_read_before_is_not_written() {
    let repo = Repo::new();
    let first = profiles(&repo);
    let (agent, _serve, api) = served(&repo, "");
    let code =
        |answer: &Answer| (answer.status, answer.json()["code"].as_str().unwrap_or("").to_owned());
    let told = |status: u16, code: &str| (status, code.to_owned());
    let dev = tag(&api, "dev");
    let broken = put(&api, "dev", &dev, "a: 1\n  b: 2\n");
    assert_eq!(code(&broken), told(422, "validation_refused"));
    let finding = &broken.json()["findings"][0];
    assert_eq!(
        (&finding["file"], &finding["line"]),
        (&json!("profiles/dev.yaml"), &json!(2)),
        "{broken:#?}"
    );
    let circle = put(&api, "base", "*", "extends: dev\n");
    assert_eq!(code(&circle), told(422, "validation_refused"), "{circle:#?}");
    let unmatched = api.send("PUT", "/api/profiles/dev", &[("content-type", YAML)], b"a: 1\n");
    assert_eq!(code(&unmatched), told(428, "if_match_required"));
    assert_eq!(api.send("DELETE", "/api/profiles/base", &[], b"").status, 428);
    assert_eq!(code(&put(&api, "dev", "\"nonsense\"", "a: 1\n")), told(412, "file_changed"));
    let active = api.send("DELETE", "/api/profiles/dev", &[("if-match", &dev)], b"");
    assert_eq!(code(&active), told(409, "active_profile"));
    // What it is made of cannot go either.
    let base = api.send("DELETE", "/api/profiles/base", &[("if-match", "*")], b"");
    assert_eq!(code(&base), told(422, "validation_refused"), "{base:#?}");
    for body in [
        json!({}),
        json!({"id": "x"}),
        json!({"id": "x", "yaml": "a: 1\n", "document": {}}),
        json!({"id": "../x", "yaml": ""}),
        json!({"id": "x", "yaml": "", "more": 1}),
    ] {
        let answer = api.post("/api/profiles", &body);
        assert_eq!(answer.status, 400, "{body}: {answer:#?}");
    }
    let form = api.send(
        "PUT",
        "/api/profiles/dev",
        &[("if-match", &dev), ("content-type", "text/html")],
        b"x",
    );
    assert_eq!(form.status, 415);
    assert_eq!(repo.tip("main"), first, "nothing was committed");
    // What a person writes in a message is a message.
    let odd = json!({"id": "odd", "yaml": "a: 1\n", "message": "\u{0}\u{1b}[31mred\nmore"});
    let made = api.post("/api/profiles", &odd);
    assert_eq!(made.status, 201, "{made:#?}");
    let log = repo.git().args(["log", "-1", "--format=%B", "main"]).output().unwrap().stdout;
    assert!(log.starts_with(b"[31mred\nmore\n"), "{}", String::from_utf8_lossy(&log));
    is_live(&agent, &made.json()["revision"]);
    wait_until("it is in sync", || api.get("/api/config/status").json()["state"] == "in_sync");
}

#[test]
fn a_branch_that_moved_is_written_to_on_its_new_head_and_a_hook_is_heard() {
    let repo = Repo::new();
    profiles(&repo);
    assert!(repo.git().args(["config", "http.receivepack", "true"]).status().unwrap().success());
    let server = GitServer::start(repo.root());
    let (agent, _serve, api) = following(&server.url(), "");
    wait_until("something is live", || api.get("/readyz").status == 200);
    // The first push finds that somebody was faster.
    let hook = repo.path().join("hooks");
    std::fs::create_dir_all(&hook).unwrap();
    let script = format!(
        "#!/bin/sh\ncd {0} || exit 1\n[ -e raced ] && exit 0\n: > raced\n\
         new=$(GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b \
         env -u GIT_QUARANTINE_PATH -u GIT_OBJECT_DIRECTORY -u GIT_ALTERNATE_OBJECT_DIRECTORIES \
         git commit-tree -p main -m faster 'main^{{tree}}')\n\
         env -u GIT_QUARANTINE_PATH -u GIT_OBJECT_DIRECTORY git update-ref refs/heads/main $new\n",
        repo.path().display()
    );
    write_hook(&hook.join("pre-receive"), &script);
    let made = api.post("/api/profiles", &json!({"id": "edge", "yaml": "workers: 1\n"}));
    assert_eq!(made.status, 201, "{made:#?}");
    is_live(&agent, &made.json()["revision"]);
    let log = repo.git().args(["log", "--format=%s", "main"]).output().unwrap().stdout;
    let log = String::from_utf8(log).unwrap();
    assert!(log.starts_with("add profiles/edge.yaml\nfaster\n"), "{log}");

    write_hook(
        &hook.join("pre-receive"),
        "#!/bin/sh\necho the freeze is on until Monday >&2\nexit 1\n",
    );
    let refused = api.post("/api/profiles", &json!({"id": "late", "yaml": "workers: 1\n"}));
    assert_eq!((refused.status, refused.json()["code"].clone()), (409, json!("push_refused")));
    assert!(refused.text.contains("the freeze is on until Monday"), "{refused:#?}");
    assert_eq!(api.get("/api/config/status").json()["state"], "in_sync");
}

#[test]
fn a_profile_that_this_machine_does_not_need_is_written_and_held_against_all_there_is() {
    let repo = Repo::new();
    profiles(&repo);
    let (agent, _serve, api) = served(&repo, "needs: profile\n");
    let edge = json!({"id": "edge", "yaml": "extends: base\nworkers: 8\n"});
    let made = api.post("/api/profiles", &edge);
    assert_eq!(made.status, 201, "{made:#?}");
    is_live(&agent, &made.json()["revision"]);
    assert_eq!(agent.live("profiles/edge.yaml"), None);
    let changed = put(&api, "edge", "*", "extends: base\nworkers: 9\n");
    assert_eq!(changed.status, 200, "{changed:#?}");
    let refused = put(&api, "edge", "*", "extends: nobody\n");
    assert_eq!((refused.status, &refused.json()["code"]), (422, &json!("validation_refused")));
    assert!(refused.text.contains("profiles/nobody.yaml"), "{refused:#?}");
    // What is left for this machine has to be good too.
    let sealed = "extends: base\nservices: [\"ENC[AES256_GCM,data:x,iv:x,tag:x,type:str]\"]\n";
    let refused = put(&api, "dev", "*", sealed);
    assert_eq!(refused.status, 422, "{refused:#?}");
    assert!(refused.text.contains("render.needs"), "{refused:#?}");
    let gone = api.send("DELETE", "/api/profiles/edge", &[("if-match", "*")], b"");
    assert_eq!(gone.status, 204, "{gone:#?}");
}

fn write_hook(path: &Path, script: &str) {
    let beside = path.with_extension("new");
    std::fs::write(&beside, script).expect("a hook");
    std::fs::set_permissions(&beside, std::fs::Permissions::from_mode(0o755)).expect("a hook");
    std::fs::rename(beside, path).expect("a hook");
}

#[test]
fn writes_go_to_a_branch_for_review_or_nowhere_as_the_settings_say() {
    let repo = Repo::new();
    let first = profiles(&repo);
    let address = repo.path().display().to_string();
    let body = json!({"id": "edge", "yaml": "workers: 1\n"});
    let (agent, serve, api) = following(&address, ", write_back: {mode: branch}");
    wait_until("something is live", || api.get("/readyz").status == 200);
    let made = api.post("/api/profiles", &body);
    assert_eq!(made.status, 201, "{made:#?}");
    assert_eq!(repo.tip("main"), first);
    let branches =
        repo.git().args(["branch", "--list", "kconfigd/*", "--format=%(objectname)"]).output();
    let branches = String::from_utf8(branches.unwrap().stdout).unwrap();
    assert_eq!(branches.trim(), made.json()["revision"].as_str().unwrap());
    assert!(made.json()["message"].as_str().unwrap().contains("kconfigd/"), "{made:#?}");
    assert_eq!(agent.json(&["status"])["live"]["revision"], first.as_str());
    drop(serve.stop());

    for (gitops, says) in [
        (", write_back: {mode: off}", "write it in git"),
        (&format!(", commit: {first}"), "no branch that could be written to"),
    ] as [(&str, &str); 2]
    {
        let (_agent, _serve, api) = following(&address, gitops);
        wait_until("something is live", || api.get("/readyz").status == 200);
        let refused = api.post("/api/profiles", &body);
        assert_eq!(
            (refused.status, refused.json()["code"].clone()),
            (409, json!("write_back_off")),
            "{refused:#?}"
        );
        assert!(refused.text.contains(says), "{refused:#?}");
    }
    assert_eq!(repo.tip("main"), first);
}

#[test]
fn a_checked_out_branch_is_left_alone_and_a_narrow_role_writes_only_its_files() {
    let repo = Repo::new();
    profiles(&repo);
    let place = Agent::new();
    let tree = place.folder().join("tree");
    let cloned = repo.git().args(["clone", "-q", "."]).arg(&tree).status().unwrap();
    assert!(cloned.success());
    let (_agent, _serve, api) = following(&tree.display().to_string(), "");
    wait_until("something is live", || api.get("/readyz").status == 200);
    let refused = api.post("/api/profiles", &json!({"id": "edge", "yaml": "workers: 1\n"}));
    assert_eq!(refused.json()["code"], "push_refused", "{refused:#?}");
    assert!(refused.text.contains("is checked out"), "{refused:#?}");

    let file = place.folder().join("narrow.token");
    std::fs::write(&file, "a-token-that-is-long-enough\n").unwrap();
    let more = format!(
        "api:\n  listen: \"127.0.0.1:0\"\n  tokens: [{{name: n, token_file: {}, role: narrow}}]\n  \
         roles: {{narrow: {{actions: [read, \"profiles:write\"], paths: [profiles/edge.yaml]}}}}\n",
        file.display()
    );
    let (_agent, _serve, api) = served(&repo, &more);
    let narrow = api.with("a-token-that-is-long-enough");
    assert_eq!(narrow.post("/api/profiles", &json!({"id": "other", "yaml": "a: 1\n"})).status, 403);
    assert_eq!(narrow.post("/api/profiles", &json!({"id": "edge", "yaml": "a: 1\n"})).status, 201);
}

#[test]
fn a_server_that_stops_reading_a_push_holds_up_nothing() {
    let repo = Repo::new();
    profiles(&repo);
    let agent = Agent::new();
    let programs = agent.folder().join("programs");
    std::fs::create_dir_all(&programs).unwrap();
    // It shows its branches, and then takes nothing.
    let script = "#!/bin/sh\nfor last; do :; done\ncase \"$last\" in\n\
        git-receive-pack*) eval \"git receive-pack --http-backend-info-refs ${last#* }\"; exec sleep 600;;\n\
        *) eval \"exec $last\";;\nesac\n";
    write_hook(&programs.join("ssh"), script);
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
    let agent = agent.variable("PATH", &path);
    agent.settings(&format!(
        "profile: dev\nstate_dir: {}\nlive: {{path: {}}}\napi: {{listen: \"127.0.0.1:0\"}}\n\
         gitops: {{repository: \"ssh://somebody@nowhere{}\", sync_interval: 50ms, timeout: 5s}}\n",
        agent.state_dir().display(),
        agent.live_path().display(),
        repo.path().display(),
    ));
    let (_serve, api) = Api::serve(&agent);
    wait_until("something is live", || api.get("/readyz").status == 200);
    // More than a pipe holds, and nothing that could be made smaller.
    let mut state = 1_u64;
    let noise: String = (0..8000)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            format!("# {state:016x}{:016x}\n", state.rotate_left(17))
        })
        .collect();
    let refused =
        api.post("/api/profiles", &json!({"id": "edge", "yaml": format!("a: 1\n{noise}")}));
    assert_eq!((refused.status, refused.json()["code"].clone()), (409, json!("push_refused")));
    assert!(refused.text.contains("could not be pushed"), "{refused:#?}");
    let next = repo.commit(&[("agents/scheduler.yaml", "name: next\n")]);
    agent.wait_until_live(&next);
}

#[test]
fn a_push_that_is_not_allowed_is_told_and_written_down_and_leaves_the_state_alone() {
    let repo = Repo::new();
    profiles(&repo);
    // It can be read by everybody, and written by nobody.
    assert!(repo.git().args(["config", "http.receivepack", "false"]).status().unwrap().success());
    let server = GitServer::start(repo.root());
    let (_agent, _serve, api) = following(&server.url(), "");
    wait_until("something is live", || api.get("/readyz").status == 200);
    let refused = api.post("/api/profiles", &json!({"id": "edge", "yaml": "a: 1\n"}));
    assert_eq!((refused.status, refused.json()["code"].clone()), (409, json!("push_refused")));
    assert_eq!(api.get("/api/config/status").json()["state"], "in_sync");
    let trail = api.get("/api/audit?action=file.publish").json();
    let record = &trail["items"][0];
    assert_eq!(
        (&record["outcome"], &record["reason"]),
        (&json!("refused"), &json!("push_refused"))
    );
    assert_eq!(record["target"], "profiles/edge.yaml");
}

#[test]
fn a_branch_that_is_locked_for_good_is_told_in_the_words_of_its_server() {
    let repo = Repo::new();
    profiles(&repo);
    assert!(repo.git().args(["config", "http.receivepack", "true"]).status().unwrap().success());
    let server = GitServer::start(repo.root());
    let (_agent, _serve, api) = following(&server.url(), "");
    wait_until("something is live", || api.get("/readyz").status == 200);
    std::fs::write(repo.path().join("refs/heads/main.lock"), "").unwrap();
    let refused = api.post("/api/profiles", &json!({"id": "edge", "yaml": "a: 1\n"}));
    assert_eq!((refused.status, refused.json()["code"].clone()), (409, json!("push_refused")));
    assert!(!refused.text.contains("moved"), "{refused:#?}");
    assert!(refused.text.contains("refused the commit: "), "{refused:#?}");
}

#[test]
fn nothing_is_built_on_a_history_that_was_rewritten_and_the_head_is_read_to_be_written() {
    let repo = Repo::new();
    profiles(&repo);
    let (agent, _serve, api) = served(&repo, "");
    assert_eq!(api.post("/api/config/suspend", &json!({"reason": "a look"})).status, 204);
    repo.commit(&[("profiles/dev.yaml", "extends: base\nbus: kafka\n")]);
    wait_until("the head is seen", || {
        api.get("/api/config/status").json()["desired"]["revision"] == repo.tip("main").as_str()
    });
    let stale = put(&api, "dev", &tag(&api, "dev"), "extends: base\nbus: amqp\n");
    assert_eq!(stale.status, 412, "{stale:#?}");
    assert!(stale.text.contains("?at=desired"), "{stale:#?}");
    let read = wait_for("the head can be read", || {
        let answer = api.get("/api/profiles/dev?at=desired");
        answer.header("etag").filter(|_| answer.status == 200).map(str::to_owned)
    });
    let written = put(&api, "dev", &read, "extends: base\nbus: amqp\n");
    assert_eq!(written.status, 200, "{written:#?}");
    assert_eq!(api.post("/api/config/resume", &json!({})).status, 204);
    is_live(&agent, &written.json()["revision"]);

    let other = repo.change().orphan().write("profiles/dev.yaml", "bus: none\n").commit("anew");
    let refused = api.post("/api/profiles", &json!({"id": "edge", "yaml": "a: 1\n"}));
    assert_eq!((refused.status, refused.json()["code"].clone()), (409, json!("history_rewritten")));
    assert_eq!(repo.tip("main"), other);
}
